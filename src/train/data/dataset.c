/* Which layout a data set has, and reading those made of folders. */
#include "train/data/dataset.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/data/walk.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define ARENA_LIMIT ((size_t)4 << 30)
#define MAX_SAMPLES ((size_t)20 << 20)

static const struct {
    const char *name;
    gh_split split;
} split_names[] = {
    {"train", GH_SPLIT_TRAIN},    {"val", GH_SPLIT_VAL},   {"valid", GH_SPLIT_VAL},
    {"validation", GH_SPLIT_VAL}, {"test", GH_SPLIT_TEST},
};

const char *gh_split_name(gh_split split)
{
    static const char *const names[GH_SPLIT_COUNT] = {"all", "train", "val", "test"};
    return names[split];
}

gh_split gh_split_of(const char *name)
{
    for (size_t i = 0; i < GH_COUNT(split_names); i++)
        if (strcasecmp(name, split_names[i].name) == 0)
            return split_names[i].split;
    return GH_SPLIT_NONE;
}

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the list of pictures");
}

/* `text` in the arena; the same text again (one class after another, one group) is there already. */
static const char *keep(gh_dataset *d, const char *text, const char *before)
{
    return before && strcmp(before, text) == 0 ? before : gh_arena_string(d->arena, text, strlen(text));
}

static gh_status reserve(gh_dataset *d, gh_err *e)
{
    if (d->count == MAX_SAMPLES)
        return gh_fail(e, GH_LIMIT, "more than %zu pictures", MAX_SAMPLES);
    if (d->count < d->cap)
        return GH_OK;
    size_t cap = d->cap ? 2 * d->cap : 256;
    gh_sample *grown = gh_realloc(d->samples, cap, sizeof *grown);
    if (!grown)
        return no_memory(e);
    d->samples = grown;
    d->cap = cap;
    return GH_OK;
}

gh_status gh_dataset_add(gh_dataset *d, const gh_sample *sample, gh_err *e)
{
    gh_sample s = *sample, before = d->count ? d->samples[d->count - 1] : (gh_sample){0};
    GH_TRY(reserve(d, e));
    s.path = gh_arena_string(d->arena, sample->path, strlen(sample->path));
    s.label = keep(d, sample->label, before.label);
    s.group = sample->group ? keep(d, sample->group, before.group) : NULL;
    if (sample->votes) {
        float *votes = gh_arena_array(d->arena, d->nvoted, sizeof *votes);
        if (votes)
            memcpy(votes, sample->votes, d->nvoted * sizeof *votes);
        s.votes = votes;
    }
    if (!s.path || !s.label || (sample->group && !s.group) || (sample->votes && !s.votes))
        return no_memory(e);
    d->samples[d->count++] = s;
    d->per_split[s.split]++;
    return GH_OK;
}

gh_status gh_dataset_keep_part(gh_dataset *d, gh_split part, gh_err *e)
{
    size_t kept = 0;
    if (d->per_split[part] == 0)
        return gh_fail(e, GH_ARG, "the data has no pictures in split %s", gh_split_name(part));
    for (size_t i = 0; i < d->count; i++) {
        if (d->samples[i].split != part)
            continue;
        d->samples[kept] = d->samples[i];
        d->samples[kept++].split = GH_SPLIT_NONE;
    }
    d->count = kept;
    memset(d->per_split, 0, sizeof d->per_split);
    d->per_split[GH_SPLIT_NONE] = kept;
    return GH_OK;
}

/* root/class, all its pictures. */
static gh_status read_class(gh_dataset *d, const char *root, const char *name, gh_split split, gh_err *e)
{
    gh_paths pictures = {0};
    char *folder = gh_path_join(root, name);
    gh_status status = folder ? gh_walk_pictures(&pictures, folder, e) : no_memory(e);
    for (size_t i = 0; status == GH_OK && i < pictures.count; i++)
        status = gh_dataset_add(
            d, &(gh_sample){.path = pictures.items[i], .label = name, .index = -1, .split = split}, e);
    gh_paths_free(&pictures);
    gh_free(folder);
    return status;
}

static gh_status read_classes(gh_dataset *d, const char *root, gh_split split, gh_err *e)
{
    gh_paths names = {0};
    gh_status status = gh_walk_folders(&names, root, e);
    for (size_t i = 0; status == GH_OK && i < names.count; i++)
        status = read_class(d, root, names.items[i], split, e);
    gh_paths_free(&names);
    return status;
}

static gh_status read_splits(gh_dataset *d, const char *root, const gh_paths *names, gh_err *e)
{
    gh_status status = GH_OK;
    for (size_t i = 0; status == GH_OK && i < names->count; i++) {
        gh_split split = gh_split_of(names->items[i]);
        char *folder = split == GH_SPLIT_NONE ? NULL : gh_path_join(root, names->items[i]);
        if (folder)
            status = read_classes(d, folder, split, e);
        else if (split != GH_SPLIT_NONE)
            status = no_memory(e);
        gh_free(folder);
    }
    return status;
}

static gh_status read_folders(gh_dataset *d, const char *root, gh_err *e)
{
    gh_paths names = {0};
    gh_status status = gh_walk_folders(&names, root, e);
    bool split = false;
    for (size_t i = 0; status == GH_OK && i < names.count; i++)
        split = split || gh_split_of(names.items[i]) != GH_SPLIT_NONE;
    d->layout = split ? "split folders" : "folders";
    if (status == GH_OK)
        status = split ? read_splits(d, root, &names, e) : read_classes(d, root, GH_SPLIT_NONE, e);
    gh_paths_free(&names);
    return status;
}

/* root/labels.tsv or root/labels.csv, if there: *found tells. */
static gh_status read_table_in(gh_dataset *d, const char *root, bool *found, gh_err *e)
{
    static const char *const names[] = {"labels.tsv", "labels.csv"};
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        struct stat st;
        char *file = gh_path_join(root, names[i]);
        if (!file)
            return no_memory(e);
        *found = stat(file, &st) == 0 && S_ISREG(st.st_mode);
        gh_status status = *found ? gh_dataset_table(d, file, e) : GH_OK;
        gh_free(file);
        if (*found)
            return status;
    }
    return GH_OK;
}

static gh_status read_any(gh_dataset *d, const char *path, gh_err *e)
{
    bool found = false;
    struct stat st;
    if (stat(path, &st) != 0)
        return gh_fail(e, GH_NOTFOUND, "there is no data at '%.200s'", path);
    if (!S_ISDIR(st.st_mode))
        return gh_dataset_table(d, path, e);
    GH_TRY(read_table_in(d, path, &found, e));
    if (!found)
        GH_TRY(read_folders(d, path, e));
    if (d->count == 0)
        return gh_fail(
            e, GH_ARG,
            "no labelled pictures in '%.200s'; accepted are a folder a class, folders train, val and test "
            "of those, labels.tsv (file, index, name) and labels.csv (path, label[, split][, group])",
            path);
    return GH_OK;
}

gh_status gh_dataset_open(gh_dataset **out, const char *path, gh_err *e)
{
    gh_dataset *d = gh_calloc(1, sizeof *d);
    if (!d)
        return no_memory(e);
    d->arena = gh_arena_new(ARENA_LIMIT);
    gh_status status = d->arena ? read_any(d, path, e) : no_memory(e);
    if (status == GH_OK)
        *out = d;
    else
        gh_dataset_free(&d);
    return status;
}

void gh_dataset_free(gh_dataset **d)
{
    if (!*d)
        return;
    gh_free((*d)->samples);
    gh_arena_free(&(*d)->arena);
    gh_free(*d);
    *d = NULL;
}
