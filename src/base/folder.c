/* Exchange of two folders by renameat2 where the file system has it; elsewhere two renames. */
#include "base/folder.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Splits "a/b" into "a" and "b"; trailing slashes do not count. Both are new strings. */
static gh_status split(char **parent, char **name, const char *path, gh_err *e)
{
    size_t len = strlen(path);
    char *copy = gh_strdup(path);
    if (!copy)
        return gh_fail(e, GH_NOMEM, "memory ran out at a path");
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = 0;
    char *slash = strrchr(copy, '/');
    *name = gh_strdup(slash ? slash + 1 : copy);
    if (slash)
        slash[slash == copy] = 0;
    *parent = slash ? copy : gh_strdup(".");
    if (!slash)
        gh_free(copy);
    if (*parent && *name && **name && strcmp(*name, ".") != 0 && strcmp(*name, "..") != 0)
        return GH_OK;
    gh_status status = *parent && *name ? gh_fail(e, GH_ARG, "'%.200s' is no name for a folder", path)
                                        : gh_fail(e, GH_NOMEM, "memory ran out at a path");
    gh_free(*parent);
    gh_free(*name);
    *parent = *name = NULL;
    return status;
}

gh_status gh_folder_name(char **out, const char *path, gh_err *e)
{
    char *parent = NULL;
    gh_status status = split(&parent, out, path, e);
    gh_free(parent);
    return status;
}

/* True when one of the shell patterns names the file. */
static bool expected(const char *name, const char *const *patterns)
{
    for (; *patterns; patterns++)
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    return false;
}

/* The first entry that no pattern names, through `stranger`; "" when there is none. */
static gh_status look_into(char stranger[64], const char *path, const char *const *patterns, gh_err *e)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    if (!dir)
        return gh_fail(e, GH_IO, "'%.200s' cannot be read: %s", path, strerror(errno));
    while ((entry = readdir(dir))) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        bool file = fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
        if (!*stranger && (!file || !expected(entry->d_name, patterns)))
            snprintf(stranger, 64, "%.60s", entry->d_name);
    }
    closedir(dir);
    return GH_OK;
}

gh_status gh_folder_check(const char *path, const char *const *patterns, gh_err *e)
{
    struct stat st;
    char stranger[64] = "", *parent = NULL, *name = NULL, *own = NULL;
    GH_TRY(split(&parent, &name, path, e));
    gh_status status = GH_OK;
    if (stat(parent, &st) == 0 && S_ISDIR(st.st_mode) && access(parent, W_OK | X_OK) != 0)
        status = gh_fail(e, GH_IO, "nothing can be written beside '%.200s': %s", path, strerror(errno));
    else if (!(own = gh_path_join(parent, name))) /* without trailing slashes, which would follow a link */
        status = gh_fail(e, GH_NOMEM, "memory ran out at a path");
    else if (lstat(own, &st) != 0) /* nothing there, or its parent is yet to be made */
        status = errno == ENOENT
                     ? GH_OK
                     : gh_fail(e, GH_ARG, "'%.200s' cannot be a folder: %s", path, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        status = gh_fail(e, GH_ARG, "'%.200s' is there and is no folder; it is left as it is", path);
    else
        status = look_into(stranger, own, patterns, e);
    if (!status && *stranger)
        status =
            gh_fail(e, GH_ARG,
                    "the folder '%.200s' holds '%s', which would be lost; name a new folder, or one that "
                    "a run like this wrote",
                    path, stranger);
    gh_free(parent);
    gh_free(name);
    gh_free(own);
    return status;
}

void gh_folder_remove(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* A leftover of the two-step way, "....old", is the only copy when the run died between its steps. */
static void remove_leftover(const char *path, const char *own)
{
    size_t len = strlen(path);
    bool old = len > 4 && strcmp(path + len - 4, ".old") == 0;
    if (!old || access(own, F_OK) == 0 || rename(path, own) != 0)
        gh_folder_remove(path);
}

/* Staging names end in the process's number: those of processes that are gone are leftovers. */
static void remove_leftovers(const char *parent, const char *name)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;
    size_t len = strlen(name);
    char *own = gh_path_join(parent, name);
    while (dir && (entry = readdir(dir))) {
        const char *n = entry->d_name;
        if (n[0] != '.' || strncmp(n + 1, name, len) != 0 || strncmp(n + 1 + len, ".new-", 5) != 0)
            continue;
        long pid = strtol(n + 6 + len, NULL, 10);
        char *path = pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH ? gh_path_join(parent, n) : NULL;
        if (path && own)
            remove_leftover(path, own);
        gh_free(path);
    }
    gh_free(own);
    if (dir)
        closedir(dir);
}

gh_status gh_folder_stage(char **out, const char *path, gh_err *e)
{
    char *parent = NULL, *name = NULL, *staged = NULL, text[320];
    GH_TRY(split(&parent, &name, path, e));
    gh_status status = gh_dir_make(parent, e);
    if (!status) {
        remove_leftovers(parent, name);
        snprintf(text, sizeof text, ".%.200s.new-%ld", name, (long)getpid());
        staged = gh_path_join(parent, text);
        if (!staged)
            status = gh_fail(e, GH_NOMEM, "memory ran out at a path");
    }
    if (!status) {
        gh_folder_remove(staged);
        if (mkdir(staged, 0777) != 0)
            status = gh_fail(e, GH_IO, "cannot make a folder beside %.200s: %s", path, strerror(errno));
    }
    gh_free(parent);
    gh_free(name);
    if (status)
        gh_free(staged);
    else
        *out = staged;
    return status;
}

static gh_status sync_folder(const char *path, gh_err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gh_status status = GH_OK;
    if (fd < 0 || fsync(fd) != 0)
        status = gh_fail(e, GH_IO, "cannot sync %.200s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

/* The two-step way, for file systems without an exchange. */
static int replace(const char *staged, const char *path)
{
    char old[4200];
    snprintf(old, sizeof old, "%s.old", staged);
    if (rename(path, old) != 0)
        return -1;
    if (rename(staged, path) != 0) {
        rename(old, path);
        return -1;
    }
    gh_folder_remove(old);
    return 0;
}

static int put_in_place(const char *staged, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return rename(staged, path);
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    if (renameat2(AT_FDCWD, staged, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        gh_folder_remove(staged);
        return 0;
    }
    return errno == EINVAL || errno == ENOSYS ? replace(staged, path) : -1;
}

gh_status gh_folder_commit(const char *staged, const char *path, gh_err *e)
{
    char *parent = NULL, *name = NULL;
    GH_TRY(sync_folder(staged, e));
    if (put_in_place(staged, path) != 0)
        return gh_fail(e, GH_IO, "cannot put the new folder in the place of %.200s: %s", path,
                       strerror(errno));
    GH_TRY(split(&parent, &name, path, e));
    gh_status status = sync_folder(parent, e);
    gh_free(parent);
    gh_free(name);
    return status;
}

gh_status gh_folder_replace(const char *path, gh_folder_fill *fill, void *arg, gh_err *e)
{
    char *staged = NULL;
    gh_status status = gh_folder_stage(&staged, path, e);
    if (status == GH_OK)
        status = fill(arg, staged, e);
    if (status == GH_OK)
        status = gh_folder_commit(staged, path, e);
    if (status != GH_OK && staged)
        gh_folder_remove(staged);
    gh_free(staged);
    return status;
}
