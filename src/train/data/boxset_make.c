/* A set of labelled boxes as its files are read: lists that grow, then one arena. */
#include "train/data/boxset_parts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
}

gh_status gh_boxset_begin(gh_boxset_maker *m, gh_err *e)
{
    *m = (gh_boxset_maker){.arena = gh_arena_new(GH_MAX_BOXSET_ARENA)};
    return m->arena ? GH_OK : no_memory(e);
}

void gh_boxset_drop(gh_boxset_maker *m)
{
    gh_arena_free(&m->arena);
    gh_free(m->pictures);
    gh_free(m->truths);
    gh_free(m->categories);
    *m = (gh_boxset_maker){0};
}

/* Room for one element more in a list of n. */
static gh_status grow(void **list, size_t *cap, size_t n, size_t size, size_t most, const char *what,
                      gh_err *e)
{
    if (n >= most)
        return gh_fail(e, GH_LIMIT, "more than %zu %s", most, what);
    if (n < *cap)
        return GH_OK;
    size_t larger = *cap ? 2 * *cap : 64;
    void *grown = gh_realloc(*list, larger, size);
    if (!grown)
        return no_memory(e);
    *list = grown;
    *cap = larger;
    return GH_OK;
}

gh_status gh_boxset_category(uint32_t *out, gh_boxset_maker *m, const char *name, size_t len, gh_err *e)
{
    void *list = m->categories;
    for (size_t c = 0; c < m->ncategories; c++)
        if (strncmp(m->categories[c], name, len) == 0 && !m->categories[c][len]) {
            *out = (uint32_t)c;
            return GH_OK;
        }
    GH_TRY(grow(&list, &m->cap_categories, m->ncategories, sizeof *m->categories, GH_MAX_BOXSET_CATEGORIES,
                "classes", e));
    m->categories = list;
    const char *copy = gh_arena_string(m->arena, name, len);
    if (!copy)
        return no_memory(e);
    m->categories[m->ncategories] = copy;
    *out = (uint32_t)m->ncategories++;
    return GH_OK;
}

gh_status gh_boxset_truth(gh_boxset_maker *m, const gh_ap_truth *truth, gh_err *e)
{
    void *list = m->truths;
    GH_TRY(grow(&list, &m->cap_truths, m->ntruths, sizeof *truth, GH_MAX_BOXSET_TRUTHS, "boxes", e));
    m->truths = list;
    m->truths[m->ntruths] = *truth;
    m->truths[m->ntruths++].picture = (uint32_t)m->npictures;
    return GH_OK;
}

gh_status gh_boxset_picture_add(gh_boxset_maker *m, const gh_boxset_picture *picture, gh_err *e)
{
    void *list = m->pictures;
    GH_TRY(
        grow(&list, &m->cap_pictures, m->npictures, sizeof *picture, GH_MAX_BOXSET_PICTURES, "pictures", e));
    m->pictures = list;
    gh_boxset_picture *p = &m->pictures[m->npictures];
    *p = *picture;
    p->id = (int64_t)m->npictures;
    p->path = gh_arena_string(m->arena, picture->path, strlen(picture->path));
    if (!p->path)
        return no_memory(e);
    p->truths = 0;
    for (size_t i = m->ntruths; i-- > 0 && m->truths[i].picture == m->npictures;)
        p->truths++;
    m->npictures++;
    return GH_OK;
}

/* ---- the finished set ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the names, which are all different, and renumbers the boxes. */
static gh_status sort_categories(gh_boxset_maker *m, gh_err *e)
{
    size_t n = m->ncategories;
    const char **sorted = gh_calloc(n + 1, sizeof *sorted);
    uint32_t *to = gh_calloc(n + 1, sizeof *to);
    gh_status status = sorted && to ? GH_OK : no_memory(e);
    if (status == GH_OK && n) {
        memcpy(sorted, m->categories, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, by_text);
        for (size_t c = 0; c < n; c++) {
            const char **at = bsearch(&m->categories[c], sorted, n, sizeof *sorted, by_text);
            to[c] = (uint32_t)(at - sorted);
        }
        memcpy(m->categories, sorted, n * sizeof *sorted);
        for (size_t i = 0; i < m->ntruths; i++)
            m->truths[i].category = to[m->truths[i].category];
    }
    gh_free(sorted);
    gh_free(to);
    return status;
}

/* A copy of a list in the arena. */
static void *settle(gh_arena *arena, const void *list, size_t n, size_t size)
{
    void *copy = gh_arena_array(arena, n ? n : 1, size);
    if (copy && n)
        memcpy(copy, list, n * size);
    return copy;
}

gh_status gh_boxset_finish(gh_boxset **out, gh_boxset_maker *m, const char *layout, bool by_name, gh_err *e)
{
    if (by_name)
        GH_TRY(sort_categories(m, e));
    gh_boxset *set = gh_calloc(1, sizeof *set);
    if (!set)
        return no_memory(e);
    set->layout = layout;
    set->npictures = m->npictures;
    set->ntruths = m->ntruths;
    set->ncategories = m->ncategories;
    set->pictures = settle(m->arena, m->pictures, m->npictures, sizeof *m->pictures);
    set->truths = settle(m->arena, m->truths, m->ntruths, sizeof *m->truths);
    set->categories = settle(m->arena, m->categories, m->ncategories, sizeof *m->categories);
    if (!set->pictures || !set->truths || !set->categories) {
        gh_free(set);
        return no_memory(e);
    }
    set->arena = m->arena;
    m->arena = NULL;
    gh_boxset_drop(m);
    *out = set;
    return GH_OK;
}

gh_split gh_boxset_split(const char *path)
{
    char part[16];
    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
        size_t n = (size_t)(slash - path);
        if (n >= sizeof part)
            continue;
        memcpy(part, path, n);
        part[n] = '\0';
        if (gh_split_of(part) != GH_SPLIT_NONE)
            return gh_split_of(part);
    }
    return GH_SPLIT_NONE;
}

void gh_boxset_free(gh_boxset **set)
{
    if (!*set)
        return;
    gh_arena_free(&(*set)->arena);
    gh_free(*set);
    *set = NULL;
}
