/* Walking folders without recursion: a list of folders still to be read. */
#include "train/data/walk.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_PATHS ((size_t)20 << 20)

bool gh_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool gh_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

void gh_paths_free(gh_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        gh_free(paths->items[i]);
    gh_free(paths->items);
    *paths = (gh_paths){0};
}

/* Takes `path` over, which may be NULL for lack of memory. Grows by doubling. */
static gh_status append(gh_paths *list, char *path, gh_err *e)
{
    bool full = (list->count & (list->count - 1)) == 0; /* 0 or a power of two: the place for it is used up */
    char **grown = list->items;
    if (list->count >= MAX_PATHS) {
        gh_free(path);
        return gh_fail(e, GH_LIMIT, "more than %zu files", MAX_PATHS);
    }
    if (path && full)
        grown = gh_realloc(list->items, list->count ? 2 * list->count : 1, sizeof *grown);
    if (!path || !grown) {
        gh_free(path);
        return gh_fail(e, GH_NOMEM, "memory ran out at a list of files");
    }
    list->items = grown;
    list->items[list->count++] = path;
    return GH_OK;
}

static const char *const pictures_end[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", NULL};

static bool ends_in(const char *name, const char *const *endings)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && endings[i]; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

/* One entry of a folder goes where it belongs; either list may be NULL. */
static gh_status sort_entry(gh_paths *files, gh_paths *folders, const char *const *endings, const char *dir,
                            const char *name, gh_err *e)
{
    struct stat st;
    char *path = gh_path_join(dir, name);
    if (!path)
        return gh_fail(e, GH_NOMEM, "memory ran out at a list of files");
    bool is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode) && !is_link && folders)
        return append(folders, path, e);
    if (there && S_ISREG(st.st_mode) && files && ends_in(name, endings))
        return append(files, path, e);
    if (there && S_ISREG(st.st_mode) && files)
        files->skipped++;
    gh_free(path);
    return GH_OK;
}

static gh_status read_folder(gh_paths *files, gh_paths *folders, const char *const *endings, const char *dir,
                             gh_err *e)
{
    gh_status status = GH_OK;
    DIR *d = opendir(dir);
    if (!d)
        return gh_fail(e, errno == ENOENT ? GH_NOTFOUND : GH_IO, "the folder '%.200s' cannot be read: %s",
                       dir, strerror(errno));
    for (struct dirent *entry; status == GH_OK && (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            status = sort_entry(files, folders, endings, dir, entry->d_name, e);
    closedir(d);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_from(gh_paths *list, size_t first)
{
    if (list->count > first)
        qsort(list->items + first, list->count - first, sizeof *list->items, by_text);
}

static gh_status walk(gh_paths *out, const char *dir, const char *const *endings, gh_err *e)
{
    gh_paths todo = {0};
    size_t first = out->count;
    gh_status status = read_folder(out, &todo, endings, dir, e);
    for (size_t i = 0; status == GH_OK && i < todo.count; i++)
        status = read_folder(out, &todo, endings, todo.items[i], e);
    gh_paths_free(&todo);
    sort_from(out, first);
    return status;
}

gh_status gh_walk_pictures(gh_paths *out, const char *dir, gh_err *e)
{
    return walk(out, dir, pictures_end, e);
}

gh_status gh_walk_files(gh_paths *out, const char *dir, const char *ending, gh_err *e)
{
    return walk(out, dir, (const char *const[]){ending, NULL}, e);
}

gh_status gh_walk_folders(gh_paths *out, const char *dir, gh_err *e)
{
    gh_paths folders = {0};
    size_t first = out->count;
    gh_status status = read_folder(NULL, &folders, NULL, dir, e);
    for (size_t i = 0; status == GH_OK && i < folders.count; i++)
        status = append(out, gh_strdup(strrchr(folders.items[i], '/') + 1), e);
    gh_paths_free(&folders);
    sort_from(out, first);
    return status;
}
