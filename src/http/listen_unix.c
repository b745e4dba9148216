/* Listening on a socket file. Its folder is locked while we look and bind, so that of two servers that start
 * at one time the second sees the first; a file that nobody listens on any more is replaced. */
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 1024, MODE = 0660 };

const char *gh_unix_path(const char *spec)
{
    static const char prefix[] = "unix:";
    return strncmp(spec, prefix, sizeof prefix - 1) == 0 ? spec + sizeof prefix - 1 : NULL;
}

gh_status gh_unix_address(struct sockaddr_un *out, const char *path, gh_err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof sa.sun_path || path[len - 1] == '/')
        return gh_fail(e, GH_ARG,
                       "'unix:%.60s' names no socket file: after unix: comes a path of 1 to %zu bytes, as in "
                       "unix:/run/gharial.sock",
                       path, sizeof sa.sun_path - 1);
    memcpy(sa.sun_path, path, len + 1);
    *out = sa;
    return GH_OK;
}

/* The folder of the socket file, locked until it is closed; -1 with errno. */
static int lock_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[sizeof(struct sockaddr_un)] = ".";
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Removes a socket file whose server is gone. */
static gh_status clear_way(const struct sockaddr_un *sa, gh_err *e)
{
    const char *path = sa->sun_path;
    struct stat st;
    if (lstat(path, &st) != 0)
        return GH_OK; /* nothing there, or bind will say what is wrong */
    if (!S_ISSOCK(st.st_mode))
        return gh_fail(e, GH_IO, "cannot listen on unix:%.107s: there is a file that is no socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return gh_fail(e, GH_IO, "no descriptor is left: %s", strerror(errno));
    int error = connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 ? 0 : errno;
    close(fd);
    /* Refused is what the kernel says when no process holds the other end. */
    if (error == 0 || error == EAGAIN || error == EPROTOTYPE)
        return gh_fail(e, GH_IO, "cannot listen on unix:%.107s: another program already does", path);
    if (error != ECONNREFUSED || unlink(path) != 0)
        return gh_fail(e, GH_IO, "cannot listen on unix:%.107s: an old socket file is in the way: %s", path,
                       strerror(error == ECONNREFUSED ? errno : error));
    return GH_OK;
}

/* A listening socket, or -1 with errno. Only its owner and its group may connect, at no moment others. */
static int bind_file(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;
    if (fd < 0)
        return -1;
    bool bound = fchmod(fd, MODE) == 0 && bind(fd, (const struct sockaddr *)sa, sizeof *sa) == 0;
    if (bound && chmod(sa->sun_path, MODE) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error = errno;
    if (bound)
        unlink(sa->sun_path);
    close(fd);
    errno = error;
    return -1;
}

gh_status gh_listen_unix(gh_listener *out, const char *path, gh_err *e)
{
    struct sockaddr_un sa;
    struct stat st;
    GH_TRY(gh_unix_address(&sa, path, e));
    int folder = lock_folder(path);
    if (folder < 0)
        return gh_fail(e, GH_IO, "cannot listen on unix:%.107s: its folder: %s", path, strerror(errno));
    gh_listener l = {.fd = -1, .loopback = true};
    gh_status status = clear_way(&sa, e);
    if (status == GH_OK && (l.fd = bind_file(&sa)) < 0)
        status = gh_fail(e, GH_IO, "cannot listen on unix:%.107s: %s", path, strerror(errno));
    if (status == GH_OK && lstat(path, &st) == 0) {
        l.device = st.st_dev;
        l.inode = st.st_ino;
    }
    close(folder);
    if (status != GH_OK)
        return status;
    snprintf(l.path, sizeof l.path, "%s", path);
    snprintf(l.address, sizeof l.address, "unix:%s", path);
    *out = l;
    return GH_OK;
}

void gh_listener_remove_file(gh_listener *l)
{
    struct stat st;
    /* While our socket is open its inode is not given to another file. */
    if (*l->path && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
        unlink(l->path);
    *l->path = 0;
}
