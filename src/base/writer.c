/* Files that appear whole or not at all: bytes go to a temporary file beside the target, which is synced and
 * then renamed over it. A symbolic link is followed, so that the link stays and what it names is replaced. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct gh_writer {
    int fd;        /* -1 = not open */
    bool failed;   /* sticky: such a file is never committed */
    char *path;    /* as the caller named it, for messages */
    char *target;  /* with links resolved */
    char *temp;    /* beside the target */
    size_t filled; /* bytes of `buffer` not written yet */
    uint8_t buffer[32768];
};

static gh_status fail_errno(gh_err *e, const char *path, int error)
{
    gh_status status = error == ENOENT || error == ENOTDIR ? GH_NOTFOUND : error == ENOMEM ? GH_NOMEM : GH_IO;
    return gh_fail(e, status, "cannot write %s: %s", path, strerror(error));
}

/* Closes and removes what is there; accepts half-built writers. */
static void writer_free(gh_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->temp)
        unlink(w->temp);
    gh_free(w->path);
    gh_free(w->target);
    gh_free(w->temp);
    gh_free(w);
}

/* Where the bytes will stand in the end. What is there already has to be a regular file: renaming over a
 * device or a pipe would replace it. */
static gh_status find_target(gh_writer *w, gh_err *e)
{
    struct stat st;
    char *real = NULL;
    if (stat(w->path, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return gh_fail(e, GH_ARG, "cannot write %s: it is not a regular file", w->path);
        real = realpath(w->path, NULL);
        if (!real)
            return fail_errno(e, w->path, errno);
    } else if (errno != ENOENT) {
        return fail_errno(e, w->path, errno);
    }
    w->target = gh_strdup(real ? real : w->path);
    free(real);
    return w->target ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out");
}

/* O_EXCL with our own name instead of mkstemp: the file gets the usual permissions of the umask. */
static gh_status open_temp(gh_writer *w, gh_err *e)
{
    static atomic_uint serial;
    size_t size = strlen(w->target) + 40;
    w->temp = gh_alloc(size);
    if (!w->temp)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    do {
        snprintf(w->temp, size, "%s.tmp%ld-%u", w->target, (long)getpid(), atomic_fetch_add(&serial, 1));
        w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (w->fd < 0 && errno == EEXIST);
    if (w->fd >= 0)
        return GH_OK;
    int error = errno;
    gh_free(w->temp); /* not ours: nothing to remove */
    w->temp = NULL;
    return fail_errno(e, w->path, error);
}

gh_status gh_writer_open(gh_writer **out, const char *path, gh_err *e)
{
    size_t n = strlen(path);
    if (n == 0 || path[n - 1] == '/')
        return gh_fail(e, GH_ARG, "cannot write \"%s\": the name of a file is needed", path);
    gh_writer *w = gh_calloc(1, sizeof *w);
    if (!w)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    w->fd = -1;
    w->path = gh_strdup(path);
    gh_status status = w->path ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out");
    if (status == GH_OK)
        status = find_target(w, e);
    if (status == GH_OK)
        status = open_temp(w, e);
    if (status == GH_OK)
        *out = w;
    else
        writer_free(w);
    return status;
}

static gh_status write_all(gh_writer *w, const uint8_t *data, size_t len, gh_err *e)
{
    while (len > 0) {
        ssize_t n = write(w->fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            w->failed = true;
            return fail_errno(e, w->path, errno);
        }
        data += n;
        len -= (size_t)n;
    }
    return GH_OK;
}

static gh_status flush(gh_writer *w, gh_err *e)
{
    size_t n = w->filled;
    w->filled = 0;
    return write_all(w, w->buffer, n, e);
}

gh_status gh_writer_add(gh_writer *w, const void *data, size_t len, gh_err *e)
{
    if (w->failed)
        return gh_fail(e, GH_IO, "cannot write %s: an earlier write failed", w->path);
    if (len == 0)
        return GH_OK;
    if (len > sizeof w->buffer - w->filled)
        GH_TRY(flush(w, e));
    if (len >= sizeof w->buffer)
        return write_all(w, data, len, e);
    memcpy(w->buffer + w->filled, data, len);
    w->filled += len;
    return GH_OK;
}

/* After a rename the folder is synced, so that the new name too outlives a power cut. Some file systems
 * cannot sync folders (EINVAL): then there is no more to do. */
static gh_status sync_folder(const gh_writer *w, gh_err *e)
{
    const char *slash = strrchr(w->target, '/');
    size_t n = !slash ? 0 : slash == w->target ? 1 : (size_t)(slash - w->target);
    char *dir = gh_alloc(n + 2);
    if (!dir)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    snprintf(dir, n + 2, "%.*s", n ? (int)n : 1, n ? w->target : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gh_status status = GH_OK;
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL)
        status = fail_errno(e, w->path, errno);
    if (fd >= 0)
        close(fd);
    gh_free(dir);
    return status;
}

static gh_status finish(gh_writer *w, gh_err *e)
{
    if (w->failed)
        return gh_fail(e, GH_IO, "cannot write %s: an earlier write failed", w->path);
    GH_TRY(flush(w, e));
    if (fsync(w->fd) != 0 && errno != EINVAL)
        return fail_errno(e, w->path, errno);
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0 || rename(w->temp, w->target) != 0)
        return fail_errno(e, w->path, errno);
    gh_free(w->temp); /* has its real name now */
    w->temp = NULL;
    return sync_folder(w, e);
}

gh_status gh_writer_commit(gh_writer **w, gh_err *e)
{
    gh_status status = finish(*w, e);
    writer_free(*w);
    *w = NULL;
    return status;
}

void gh_writer_discard(gh_writer **w)
{
    if (*w)
        writer_free(*w);
    *w = NULL;
}

gh_status gh_file_write(const char *path, const void *data, size_t len, gh_err *e)
{
    gh_writer *w = NULL;
    GH_TRY(gh_writer_open(&w, path, e));
    gh_status status = gh_writer_add(w, data, len, e);
    if (status == GH_OK)
        return gh_writer_commit(&w, e);
    gh_writer_discard(&w);
    return status;
}
