/* Reading COCO's JSON: {"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id",
 * "category_id", "bbox": [x, y, w, h], "iscrowd", "ignore"}], "categories": [{"id", "name"}]}. What else
 * there is, segments and captions, is not looked at.
 */
#include "train/data/boxset.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/data/boxset_parts.h"

#include <jansson.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 8 /* annotations with polygons need 5 */

/* An entry's id and its place in the list. */
typedef struct entry {
    int64_t id;
    size_t at;
} entry;

typedef struct reader {
    gh_boxset *set;
    const char *dir;
    entry *pictures, *categories; /* by id */
    size_t npictures, ncategories;
} reader;

static int by_id(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    return a->id != b->id ? (a->id < b->id ? -1 : 1) : (a->at > b->at) - (a->at < b->at);
}

/* The place of an id among the sorted entries, or n. */
static size_t find(const entry *entries, size_t n, int64_t id)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (entries[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && entries[low].id == id ? low : n;
}

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
}

/* The list `name` of the file. */
static gh_status list_of(const json_t **out, size_t *count, const json_t *root, const char *name, size_t most,
                         gh_err *e)
{
    const json_t *list = json_object_get(root, name);
    if (!json_is_array(list))
        return gh_fail(e, GH_FORMAT,
                       "the annotations have no list \"%s\"; COCO's JSON has images, annotations "
                       "and categories",
                       name);
    if (json_array_size(list) > most)
        return gh_fail(e, GH_LIMIT, "\"%s\" has %zu entries; at most %zu are accepted", name,
                       json_array_size(list), most);
    *out = list;
    *count = json_array_size(list);
    return GH_OK;
}

/* Ids of a list's entries, sorted; no two alike. The array is the caller's. */
static gh_status read_ids(entry **out, const json_t *list, size_t n, const char *name, gh_err *e)
{
    entry *entries = gh_calloc(n + 1, sizeof *entries);
    gh_status status = entries ? GH_OK : no_memory(e);
    for (size_t i = 0; i < n && status == GH_OK; i++) {
        const json_t *id = json_object_get(json_array_get(list, i), "id");
        if (!json_is_integer(id))
            status = gh_fail(e, GH_FORMAT, "%s[%zu] has no \"id\" that is a whole number", name, i);
        else
            entries[i] = (entry){json_integer_value(id), i};
    }
    if (status == GH_OK && n > 1)
        qsort(entries, n, sizeof *entries, by_id);
    for (size_t i = 1; i < n && status == GH_OK; i++)
        if (entries[i].id == entries[i - 1].id)
            status = gh_fail(e, GH_FORMAT, "%s[%zu] and %s[%zu] have the same id, %lld", name,
                             entries[i - 1].at, name, entries[i].at, (long long)entries[i].id);
    if (status == GH_OK)
        *out = entries;
    else
        gh_free(entries);
    return status;
}

/* A name of a file below the folder: no way out of it. */
static bool stays_below(const char *name)
{
    for (;;) {
        size_t n = strcspn(name, "/");
        if (n == 0 || (n == 2 && name[0] == '.' && name[1] == '.'))
            return false;
        if (!name[n])
            return true;
        name += n + 1;
    }
}

static int pixels_of(const json_t *v)
{
    json_int_t n = json_integer_value(v);
    return n > 0 && n <= INT32_MAX ? (int)n : 0;
}

static gh_status read_picture(gh_boxset_picture *out, const json_t *v, size_t at, reader *r, gh_err *e)
{
    const char *name = json_string_value(json_object_get(v, "file_name"));
    if (!name || !stays_below(name))
        return gh_fail(e, GH_FORMAT, "images[%zu] has no \"file_name\" of a file below the folder", at);
    char *path = gh_path_join(r->dir, name);
    out->path = path ? gh_arena_string(r->set->arena, path, strlen(path)) : NULL;
    out->split = gh_boxset_split(name);
    gh_free(path);
    out->width = pixels_of(json_object_get(v, "width"));
    out->height = pixels_of(json_object_get(v, "height"));
    return out->path ? GH_OK : no_memory(e);
}

static gh_status read_pictures(reader *r, const json_t *root, gh_err *e)
{
    const json_t *list = NULL;
    size_t n = 0;
    GH_TRY(list_of(&list, &n, root, "images", GH_MAX_BOXSET_PICTURES, e));
    if (n == 0)
        return gh_fail(e, GH_FORMAT, "\"images\" is empty; there is nothing to measure");
    GH_TRY(read_ids(&r->pictures, list, n, "images", e));
    r->npictures = r->set->npictures = n;
    r->set->pictures = gh_arena_array(r->set->arena, n, sizeof *r->set->pictures);
    if (!r->set->pictures)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        size_t at = r->pictures[i].at;
        r->set->pictures[i].id = r->pictures[i].id;
        GH_TRY(read_picture(&r->set->pictures[i], json_array_get(list, at), at, r, e));
    }
    return GH_OK;
}

static gh_status read_categories(reader *r, const json_t *root, gh_err *e)
{
    const json_t *list = NULL;
    size_t n = 0;
    GH_TRY(list_of(&list, &n, root, "categories", GH_MAX_BOXSET_CATEGORIES, e));
    GH_TRY(read_ids(&r->categories, list, n, "categories", e));
    r->ncategories = r->set->ncategories = n;
    r->set->categories = gh_arena_array(r->set->arena, n, sizeof *r->set->categories);
    if (!r->set->categories)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        size_t at = r->categories[i].at;
        const char *name = json_string_value(json_object_get(json_array_get(list, at), "name"));
        if (!name || !*name)
            return gh_fail(e, GH_FORMAT, "categories[%zu] has no \"name\"", at);
        r->set->categories[i] = gh_arena_string(r->set->arena, name, strlen(name));
        if (!r->set->categories[i])
            return no_memory(e);
    }
    return GH_OK;
}

static gh_status read_rect(gh_ap_rect *out, const json_t *v, size_t at, gh_err *e)
{
    double n[4];
    bool ok = json_array_size(v) == 4;
    for (size_t i = 0; ok && i < 4; i++) {
        const json_t *one = json_array_get(v, i);
        n[i] = json_number_value(one);
        ok = json_is_number(one) && fabs(n[i]) <= GH_BOXSET_MOST_PIXELS && (i < 2 || n[i] >= 0);
    }
    if (!ok)
        return gh_fail(e, GH_FORMAT,
                       "annotations[%zu] has no \"bbox\" of four numbers: x, y, width and height in pixels",
                       at);
    *out = (gh_ap_rect){n[0], n[1], n[2], n[3]};
    return GH_OK;
}

/* iscrowd and ignore are 0 or 1, or false or true. */
static bool is_set(const json_t *v)
{
    return json_is_true(v) || json_integer_value(v) != 0;
}

static gh_status read_truth(gh_ap_truth *out, const json_t *v, size_t at, const reader *r, gh_err *e)
{
    const json_t *picture = json_object_get(v, "image_id"), *category = json_object_get(v, "category_id");
    size_t p = find(r->pictures, r->npictures, json_integer_value(picture));
    size_t c = find(r->categories, r->ncategories, json_integer_value(category));
    if (!json_is_integer(picture) || p == r->npictures)
        return gh_fail(e, GH_FORMAT, "annotations[%zu] has no \"image_id\" that is the id of an image", at);
    if (!json_is_integer(category) || c == r->ncategories)
        return gh_fail(e, GH_FORMAT, "annotations[%zu] has no \"category_id\" that is the id of a category",
                       at);
    GH_TRY(read_rect(&out->box, json_object_get(v, "bbox"), at, e));
    out->picture = (uint32_t)p;
    out->category = (uint32_t)c;
    out->crowd = is_set(json_object_get(v, "iscrowd"));
    out->ignored = is_set(json_object_get(v, "ignore"));
    r->set->pictures[p].truths++;
    return GH_OK;
}

static gh_status read_truths(reader *r, const json_t *root, gh_err *e)
{
    const json_t *list = NULL;
    size_t n = 0;
    GH_TRY(list_of(&list, &n, root, "annotations", GH_MAX_BOXSET_TRUTHS, e));
    r->set->ntruths = n;
    r->set->truths = gh_arena_array(r->set->arena, n, sizeof *r->set->truths);
    if (!r->set->truths)
        return no_memory(e);
    for (size_t i = 0; i < n; i++)
        GH_TRY(read_truth(&r->set->truths[i], json_array_get(list, i), i, r, e));
    return GH_OK;
}

gh_status gh_boxset_parse(gh_boxset **out, const char *dir, const char *text, size_t len, gh_err *e)
{
    const gh_json_limits limits = {.bytes = GH_MAX_BOXSET_BYTES, .depth = MAX_DEPTH};
    reader r = {.set = gh_calloc(1, sizeof *r.set), .dir = dir};
    json_t *root = NULL;
    if (r.set) {
        r.set->layout = "COCO";
        r.set->arena = gh_arena_new(GH_MAX_BOXSET_ARENA);
    }
    gh_status status =
        r.set && r.set->arena ? gh_json_load(&root, "the annotations", text, len, &limits, e) : no_memory(e);
    if (status == GH_OK)
        status = read_pictures(&r, root, e);
    if (status == GH_OK)
        status = read_categories(&r, root, e);
    if (status == GH_OK)
        status = read_truths(&r, root, e);
    json_decref(root);
    gh_free(r.pictures);
    gh_free(r.categories);
    if (status == GH_OK)
        *out = r.set;
    else
        gh_boxset_free(&r.set);
    return status;
}
