/* The folder is walked once, when the first name is not where its path says. */
#include "train/data/lookup.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/symbols.h"
#include "train/data/walk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct gh_lookup {
    char *folder;
    gh_paths paths;
    gh_symbols names; /* base name to the first path with it */
    uint32_t *next;   /* the next path with the same base name, or UINT32_MAX */
    bool walked;
};

gh_status gh_lookup_new(gh_lookup **out, const char *folder, gh_err *e)
{
    gh_lookup *l = gh_calloc(1, sizeof *l);
    if (l)
        l->folder = gh_strdup(folder);
    if (!l || !l->folder) {
        gh_lookup_free(&l);
        return gh_fail(e, GH_NOMEM, "memory ran out at the list of pictures");
    }
    *out = l;
    return GH_OK;
}

void gh_lookup_free(gh_lookup **l)
{
    if (!*l)
        return;
    gh_free((*l)->folder);
    gh_paths_free(&(*l)->paths);
    gh_symbols_free(&(*l)->names);
    gh_free((*l)->next);
    gh_free(*l);
    *l = NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static gh_status walk(gh_lookup *l, gh_err *e)
{
    l->walked = true;
    GH_TRY(gh_walk_pictures(&l->paths, l->folder, e));
    l->next = gh_calloc(l->paths.count + 1, sizeof *l->next);
    if (!l->next || l->paths.count >= UINT32_MAX)
        return gh_fail(e, GH_NOMEM, "memory ran out at the list of pictures");
    for (size_t i = l->paths.count; i-- > 0;) {
        const char *name = base_name(l->paths.items[i]);
        uint32_t first = gh_symbols_find(&l->names, name, strlen(name));
        l->next[i] = UINT32_MAX;
        if (first != UINT32_MAX) { /* behind the first one found */
            l->next[i] = l->next[first];
            l->next[first] = (uint32_t)i;
        } else if (!gh_symbols_add(&l->names, name, strlen(name), (uint32_t)i)) {
            return gh_fail(e, GH_NOMEM, "memory ran out at the list of pictures");
        }
    }
    return GH_OK;
}

/* True when `path` lies below folder/split. */
static bool below(const gh_lookup *l, const char *path, const char *split)
{
    size_t folder = strlen(l->folder), part = strlen(split);
    return strncmp(path, l->folder, folder) == 0 && path[folder] == '/' &&
           strncmp(path + folder + 1, split, part) == 0 && path[folder + 1 + part] == '/';
}

static const char *search(const gh_lookup *l, const char *name, const char *split)
{
    uint32_t first = gh_symbols_find(&l->names, name, strlen(name));
    if (first == UINT32_MAX)
        return NULL;
    for (uint32_t i = first; i != UINT32_MAX; i = l->next[i])
        if (*split && below(l, l->paths.items[i], split))
            return l->paths.items[i];
    return l->paths.items[first];
}

/* The first of the usual places where there is such a file. */
static bool usual_place(char *path, size_t size, const gh_lookup *l, const char *name, const char *split,
                        const char *label)
{
    const char *parts[][2] = {{"", ""}, {split, label}, {split, ""}, {"", label}};
    for (size_t i = 0; i < GH_COUNT(parts); i++) {
        const char *a = parts[i][0], *b = parts[i][1];
        int len = snprintf(path, size, "%s/%s%s%s%s%s", l->folder, a, *a ? "/" : "", b, *b ? "/" : "", name);
        if (len > 0 && (size_t)len < size && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

gh_status gh_lookup_find(char **out, gh_lookup *l, const char *name, const char *split, const char *label,
                         gh_err *e)
{
    char path[4096];
    const char *found = NULL;
    if (*name == '/')
        found = name;
    else if (usual_place(path, sizeof path, l, name, split, label))
        found = path;
    if (!found && !strchr(name, '/')) {
        if (!l->walked)
            GH_TRY(walk(l, e));
        found = search(l, name, split);
    }
    char *copy = found ? gh_strdup(found) : gh_path_join(l->folder, name);
    if (!copy)
        return gh_fail(e, GH_NOMEM, "memory ran out at the list of pictures");
    *out = copy;
    return GH_OK;
}
