/* Which names are taken is known by their hashes: a run may have a million pictures. */
#include "cli/outdir.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of a stem that are kept: file names end at 255, and temporary ones need some of them. */
enum { MOST_STEM = 190, NAME_SIZE = 256, FIRST_SIZE = 64 };

struct gh_outdir {
    char *path;
    dev_t device;
    ino_t inode;
    gh_hash *taken; /* an open table; zero = free */
    size_t size, count;
};

gh_status gh_outdir_open(gh_outdir **out, const char *path, gh_err *e)
{
    struct stat st;
    GH_TRY(gh_dir_make(path, e));
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return gh_fail(e, GH_ARG, "%s is no folder", path);
    gh_outdir *dir = gh_calloc(1, sizeof *dir);
    if (dir)
        dir->path = gh_strdup(path);
    if (!dir || !dir->path) {
        gh_outdir_free(&dir);
        return gh_fail(e, GH_NOMEM, "memory ran out");
    }
    dir->device = st.st_dev;
    dir->inode = st.st_ino;
    *out = dir;
    return GH_OK;
}

void gh_outdir_free(gh_outdir **dir)
{
    if (!*dir)
        return;
    gh_free((*dir)->path);
    gh_free((*dir)->taken);
    gh_free(*dir);
    *dir = NULL;
}

bool gh_outdir_holds(const gh_outdir *dir, const char *picture)
{
    struct stat st;
    const char *slash = strrchr(picture, '/');
    char *parent = gh_strdup(slash ? picture : ".");
    if (!parent)
        return false;
    if (slash)
        parent[slash - picture + (slash == picture)] = '\0';
    bool same = stat(parent, &st) == 0 && st.st_dev == dir->device && st.st_ino == dir->inode;
    gh_free(parent);
    return same;
}

/* The place of the hash in the table, or the free one where it belongs. */
static size_t find_place(const gh_hash *table, size_t size, gh_hash h)
{
    size_t i = h.low & (size - 1);
    while ((table[i].low || table[i].high) && (table[i].low != h.low || table[i].high != h.high))
        i = (i + 1) & (size - 1);
    return i;
}

/* Twice the size, at most half full. */
static gh_status grow(gh_outdir *dir, gh_err *e)
{
    size_t size = dir->size ? dir->size * 2 : FIRST_SIZE;
    if (dir->count * 2 < dir->size)
        return GH_OK;
    gh_hash *table = gh_calloc(size, sizeof *table);
    if (!table)
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu names of files", dir->count);
    for (size_t i = 0; i < dir->size; i++)
        if (dir->taken[i].low || dir->taken[i].high)
            table[find_place(table, size, dir->taken[i])] = dir->taken[i];
    gh_free(dir->taken);
    dir->taken = table;
    dir->size = size;
    return GH_OK;
}

/* False when the name was taken before. */
static bool take(gh_outdir *dir, const char *name)
{
    gh_hash h = gh_hash_bytes(name, strlen(name));
    size_t at = find_place(dir->taken, dir->size, h);
    if (dir->taken[at].low || dir->taken[at].high)
        return false;
    dir->taken[at] = h;
    dir->count++;
    return true;
}

/* Bytes of the name without folder and ending, cut between two characters. */
static int stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    if (n > MOST_STEM)
        for (n = MOST_STEM; n > 1 && ((unsigned char)name[n] & 0xc0) == 0x80;)
            n--;
    return (int)n;
}

static gh_status choose_name(char name[NAME_SIZE], gh_outdir *dir, const char *picture, const char *ext,
                             gh_err *e)
{
    const char *slash = strrchr(picture, '/'), *base = slash ? slash + 1 : picture;
    if (strcmp(picture, "-") == 0)
        base = "stdin";
    int stem = stem_length(base), number = 1;
    GH_TRY(grow(dir, e));
    snprintf(name, NAME_SIZE, "%.*s.%s", stem, base, ext);
    while (!take(dir, name))
        snprintf(name, NAME_SIZE, "%.*s-%d.%s", stem, base, ++number, ext);
    if (number > 1)
        fprintf(stderr, "gharial: %s becomes %s/%s: another picture was called %.*s\n", picture, dir->path,
                name, stem, base);
    return GH_OK;
}

gh_status gh_outdir_write(gh_outdir *dir, const char *picture, const char *ext, const void *data, size_t len,
                          gh_err *e)
{
    char name[NAME_SIZE];
    if (gh_outdir_holds(dir, picture) && strcmp(picture, "-") != 0)
        return gh_fail(e, GH_ARG, "the picture lies in the folder of --out; name another folder there");
    GH_TRY(choose_name(name, dir, picture, ext, e));
    char *path = gh_path_join(dir->path, name);
    if (!path)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    gh_status status = gh_file_write(path, data, len, e);
    gh_free(path);
    return status;
}
