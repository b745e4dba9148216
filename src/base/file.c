/* Reading files: mapped, or appended to a buffer, and names of paths. Writing is in writer.c. */
#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* errno as a status: a name that is not there differs from a disk that fails. */
static gh_status errno_status(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return GH_NOTFOUND;
    case ENOMEM:
        return GH_NOMEM;
    case ENAMETOOLONG:
    case EISDIR:
        return GH_ARG;
    default:
        return GH_IO;
    }
}

static gh_status fail_errno(gh_err *e, const char *what, const char *path)
{
    int error = errno;
    return gh_fail(e, errno_status(error), "cannot %s %s: %s", what, path, strerror(error));
}

static gh_status over_limit(gh_err *e, const char *path, size_t limit)
{
    return gh_fail(e, GH_LIMIT, "%s is larger than the %zu bytes that are accepted", path, limit);
}

/* Maps the open file; an empty one needs no mapping. */
static gh_status map_fd(gh_map *out, int fd, const char *path, size_t limit, gh_err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(e, "read", path);
    if (S_ISDIR(st.st_mode))
        return gh_fail(e, GH_ARG, "%s is a folder; a file is needed", path);
    if (!S_ISREG(st.st_mode))
        return gh_fail(e, GH_ARG, "%s is not a regular file", path);
    if ((uint64_t)st.st_size > limit)
        return over_limit(e, path, limit);
    gh_map map = {.data = NULL, .size = (size_t)st.st_size};
    if (map.size > 0) {
        void *p = mmap(NULL, map.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            return fail_errno(e, "map", path);
        map.data = p;
    }
    *out = map;
    return GH_OK;
}

gh_status gh_map_open(gh_map *out, const char *path, size_t limit, gh_err *e)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return fail_errno(e, "open", path);
    gh_status status = map_fd(out, fd, path, limit, e);
    close(fd);
    return status;
}

void gh_map_give_back(const gh_map *map)
{
    if (map->data && map->size)
        madvise((void *)(uintptr_t)map->data, map->size, MADV_DONTNEED);
}

void gh_map_close(gh_map *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (gh_map){0};
}

/* Appends what `fd` gives until its end. The size that the file states only saves copying: pipes have none,
 * and a file may grow meanwhile. */
static gh_status read_fd(gh_buf *out, int fd, const char *path, size_t limit, gh_err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(e, "read", path);
    if (S_ISDIR(st.st_mode))
        return gh_fail(e, GH_ARG, "%s is a folder; a file is needed", path);
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > limit)
        return over_limit(e, path, limit);
    size_t total = 0;
    uint8_t chunk[32768];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(e, "read", path);
        if (n == 0)
            return GH_OK;
        if ((size_t)n > limit - total)
            return over_limit(e, path, limit);
        total += (size_t)n;
        if (out->limit && (size_t)n > out->limit - out->len)
            return over_limit(e, path, out->limit);
        gh_buf_add(out, chunk, (size_t)n);
        if (out->failed)
            return gh_fail(e, GH_NOMEM, "memory ran out while reading %s", path);
    }
}

gh_status gh_file_read(gh_buf *out, const char *path, size_t limit, gh_err *e)
{
    if (out->failed)
        return gh_fail(e, GH_NOMEM, "memory ran out before reading %s", path);
    size_t before = out->len;
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_errno(e, "open", path);
    gh_status status = read_fd(out, fd, standard_input ? "standard input" : path, limit, e);
    if (!standard_input)
        close(fd);
    if (status != GH_OK)
        out->len = before;
    return status;
}

char *gh_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir), size;
    const char *slash = n == 0 || dir[n - 1] == '/' ? "" : "/";
    if (!gh_add_size(&size, n, strlen(name)) || !gh_add_size(&size, size, 2))
        return NULL;
    char *path = gh_alloc(size);
    if (path)
        snprintf(path, size, "%s%s%s", dir, slash, name);
    return path;
}

/* Creates one folder; one that is there already is fine. */
static gh_status make_one(const char *dir, gh_err *e)
{
    struct stat st;
    if (mkdir(dir, 0777) == 0)
        return GH_OK;
    if (errno != EEXIST)
        return fail_errno(e, "create the folder", dir);
    if (stat(dir, &st) != 0)
        return fail_errno(e, "create the folder", dir);
    if (!S_ISDIR(st.st_mode))
        return gh_fail(e, GH_ARG, "cannot create the folder %s: a file of this name is there", dir);
    return GH_OK;
}

gh_status gh_dir_make(const char *path, gh_err *e)
{
    if (!*path)
        return gh_fail(e, GH_ARG, "the name of the folder is empty");
    char *part = gh_strdup(path);
    if (!part)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    gh_status status = GH_OK;
    for (char *at = part + 1; status == GH_OK && *at; at++)
        if (*at == '/' && at[-1] != '/') {
            *at = '\0';
            status = make_one(part, e);
            *at = '/';
        }
    if (status == GH_OK)
        status = make_one(part, e);
    gh_free(part);
    return status;
}
