/* COCO's JSON as a set of masks: pictures and categories by the reader of boxes, then the key "segmentation"
 * of each annotation. */
#include "train/data/maskset_parts.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/data/boxset.h"
#include "train/data/walk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH   8
#define MOST_PIXELS 1e6 /* of a coordinate */

typedef struct reader {
    gh_maskset *set;
    const gh_boxset *boxes;
    gh_mask_shape *shapes; /* of all annotations, in the arena */
    uint32_t *picture;     /* of each shape */
    size_t nshapes, cap;
} reader;

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the shapes of masks");
}

static gh_status add(reader *r, const gh_mask_shape *s, uint32_t picture, gh_err *e)
{
    if (r->nshapes == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 256;
        gh_mask_shape *shapes = gh_realloc(r->shapes, cap, sizeof *shapes);
        if (!shapes)
            return no_memory(e);
        r->shapes = shapes;
        uint32_t *pictures = gh_realloc(r->picture, cap, sizeof *pictures);
        if (!pictures)
            return no_memory(e);
        r->picture = pictures;
        r->cap = cap;
    }
    r->picture[r->nshapes] = picture;
    r->shapes[r->nshapes++] = *s;
    return GH_OK;
}

static gh_status read_polygon(gh_mask_shape *s, reader *r, const json_t *list, size_t at, gh_err *e)
{
    size_t n = json_array_size(list);
    float *points = gh_arena_array(r->set->arena, n + 1, sizeof *points);
    double area = 0;
    if (!points)
        return no_memory(e);
    bool ok = n >= 6 && n % 2 == 0 && n <= UINT32_MAX;
    for (size_t i = 0; ok && i < n; i++) {
        const json_t *v = json_array_get(list, i);
        ok = json_is_number(v) && fabs(json_number_value(v)) <= MOST_PIXELS;
        points[i] = (float)json_number_value(v);
    }
    if (!ok)
        return gh_fail(
            e, GH_FORMAT,
            "annotations[%zu]: a polygon of \"segmentation\" is a list of x, y, x, y, ... in pixels, three "
            "points or more",
            at);
    for (size_t i = 0; i < n; i += 2)
        area += (double)points[i] * (double)points[(i + 3) % n] -
                (double)points[(i + 2) % n] * (double)points[i + 1];
    s->points = points;
    s->npoints = (uint32_t)(n / 2);
    s->area = fabs(area) / 2;
    return GH_OK;
}

static gh_status read_runs(gh_mask_shape *s, reader *r, const json_t *v, const gh_boxset_picture *p,
                           gh_err *e)
{
    const json_t *counts = json_object_get(v, "counts");
    if (json_is_string(counts))
        return gh_mask_runs_read(s, r->set->arena, json_string_value(counts), json_string_length(counts),
                                 p->width, p->height, e);
    size_t n = json_array_size(counts);
    uint32_t *runs = gh_arena_array(r->set->arena, n + 1, sizeof *runs);
    if (!runs)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        json_int_t run = json_integer_value(json_array_get(counts, i));
        if (run < 0 || run > GH_MAX_SHAPE_PIXELS)
            return gh_fail(e, GH_FORMAT, "run %zu of run lengths is %lld", i, (long long)run);
        runs[i] = (uint32_t)run;
    }
    s->runs = runs;
    s->nruns = (uint32_t)n;
    return gh_mask_runs_check(s, p->width, p->height, e);
}

static gh_status read_annotation(reader *r, const json_t *v, size_t at, gh_err *e)
{
    const gh_ap_truth *t = &r->boxes->truths[at];
    const json_t *shape = json_object_get(v, "segmentation");
    bool none = t->crowd || t->ignored;
    gh_mask_shape s = {.value = (uint8_t)(none ? GH_MASK_IGNORED : t->category + 1)};
    if (json_is_object(shape)) {
        gh_status status = read_runs(&s, r, shape, &r->boxes->pictures[t->picture], e);
        return status == GH_OK ? add(r, &s, t->picture, e) : gh_err_prefix(e, status, "annotations[%zu]", at);
    }
    if (!json_is_array(shape))
        return gh_fail(
            e, GH_FORMAT,
            "annotations[%zu] has no \"segmentation\", a list of polygons or an object of run lengths; boxes "
            "alone teach no masks",
            at);
    for (size_t i = 0; i < json_array_size(shape); i++) {
        GH_TRY(read_polygon(&s, r, json_array_get(shape, i), at, e));
        GH_TRY(add(r, &s, t->picture, e));
    }
    return GH_OK;
}

static gh_status name_classes(gh_maskset *set, const gh_boxset *boxes, gh_err *e)
{
    size_t n = boxes->ncategories + 1;
    if (n > GH_MAX_MASKSET_CLASSES)
        return gh_fail(e, GH_LIMIT, "%zu categories; a mask has at most %d", n - 1,
                       GH_MAX_MASKSET_CLASSES - 1);
    if (set->nclasses && set->nclasses != n)
        return gh_fail(e, GH_FORMAT, "its %zu categories are not those of the parts before or of classes.txt",
                       n - 1);
    const char **names = gh_arena_array(set->arena, n, sizeof *names);
    if (!names)
        return no_memory(e);
    names[0] = "background";
    for (size_t i = 1; i < n; i++) {
        const char *name = boxes->categories[i - 1];
        if (!(names[i] = gh_arena_string(set->arena, name, strlen(name))))
            return no_memory(e);
        if (set->nclasses && strcmp(names[i], set->classes[i]) != 0)
            return gh_fail(e, GH_FORMAT,
                           "its category '%.60s' is '%.60s' in the parts before or in classes.txt", name,
                           set->classes[i]);
    }
    set->classes = names;
    set->nclasses = n;
    return GH_OK;
}

/* Large shapes first, so that small ones in front of them stay to be seen; what counts nowhere before all. */
static int by_area(const void *left, const void *right)
{
    const gh_mask_shape *a = left, *b = right;
    bool none = a->value == GH_MASK_IGNORED, other = b->value == GH_MASK_IGNORED;
    if (none != other)
        return none ? -1 : 1;
    return (a->area < b->area) - (a->area > b->area);
}

static gh_status add_picture(reader *r, const gh_boxset_picture *p, gh_mask_shape *shapes, size_t n,
                             gh_split split, gh_err *e)
{
    gh_maskset *set = r->set;
    char *path = gh_arena_string(set->arena, p->path, strlen(p->path));
    if (!path)
        return no_memory(e);
    if (n > 1)
        qsort(shapes, n, sizeof *shapes, by_area);
    set->pictures[set->npictures++] = (gh_maskset_picture){.path = path,
                                                           .mask = path,
                                                           .split = split != GH_SPLIT_NONE ? split : p->split,
                                                           .shapes = shapes,
                                                           .nshapes = n,
                                                           .width = p->width,
                                                           .height = p->height};
    set->per_split[set->pictures[set->npictures - 1].split]++;
    return GH_OK;
}

/* Shapes by picture, in one array of the arena. */
static gh_status add_pictures(reader *r, gh_split split, gh_err *e)
{
    size_t n = r->boxes->npictures, *end = gh_calloc(n + 1, sizeof *end);
    gh_mask_shape *sorted = gh_arena_array(r->set->arena, r->nshapes + 1, sizeof *sorted);
    gh_status status = end && sorted && gh_maskset_room(r->set, n) ? GH_OK : no_memory(e);
    if (status == GH_OK) {
        for (size_t i = 0; i < r->nshapes; i++)
            end[r->picture[i] + 1]++;
        for (size_t i = 0; i < n; i++)
            end[i + 1] += end[i];
        for (size_t i = r->nshapes; i-- > 0;)
            sorted[--end[r->picture[i] + 1]] = r->shapes[i]; /* end[p + 1] becomes the beginning of p */
    }
    for (size_t i = 0; i < n && status == GH_OK; i++) {
        size_t first = end[i + 1], last = i + 1 < n ? end[i + 2] : r->nshapes;
        status = add_picture(r, &r->boxes->pictures[i], sorted + first, last - first, split, e);
    }
    gh_free(end);
    return status;
}

static gh_status read_all(reader *r, const json_t *root, gh_split split, gh_err *e)
{
    const gh_boxset *b = r->boxes;
    const json_t *list = json_object_get(root, "annotations");
    GH_TRY(name_classes(r->set, b, e));
    for (size_t i = 0; i < b->npictures; i++)
        if (!b->pictures[i].width ||
            (int64_t)b->pictures[i].width * b->pictures[i].height > GH_MAX_SHAPE_PIXELS)
            return gh_fail(e, GH_FORMAT,
                           "the image of id %lld has no \"width\" and \"height\", or over %lld pixels",
                           (long long)b->pictures[i].id, (long long)GH_MAX_SHAPE_PIXELS);
    for (size_t i = 0; i < b->ntruths; i++)
        GH_TRY(read_annotation(r, json_array_get(list, i), i, e));
    return add_pictures(r, split, e);
}

static gh_status read_file(gh_maskset *set, const char *dir, const char *file, gh_split split, gh_err *e)
{
    const gh_json_limits limits = {.bytes = GH_MAX_BOXSET_BYTES, .depth = MAX_DEPTH};
    gh_map map = {0};
    gh_boxset *boxes = NULL;
    json_t *root = NULL;
    reader r = {.set = set};
    char *images = gh_path_join(dir, "images");
    gh_status status = images ? gh_map_open(&map, file, GH_MAX_BOXSET_BYTES, e) : no_memory(e);
    if (status == GH_OK)
        status =
            gh_boxset_parse(&boxes, gh_is_folder(images) ? images : dir, (const char *)map.data, map.size, e);
    if (status == GH_OK)
        status = gh_json_load(&root, "the annotations", (const char *)map.data, map.size, &limits, e);
    r.boxes = boxes;
    if (status == GH_OK)
        status = read_all(&r, root, split, e);
    if (status != GH_OK)
        status = gh_err_prefix(e, status, "%s", file);
    json_decref(root);
    gh_boxset_free(&boxes);
    gh_map_close(&map);
    gh_free(r.shapes);
    gh_free(r.picture);
    gh_free(images);
    return status;
}

gh_status gh_maskset_coco(gh_maskset *set, bool *found, const char *dir, gh_split split, gh_err *e)
{
    struct stat st;
    char *file = gh_path_join(dir, "annotations.json");
    gh_status status = file ? GH_OK : no_memory(e);
    *found = file && stat(file, &st) == 0;
    if (*found)
        status = read_file(set, dir, file, split, e);
    gh_free(file);
    return status;
}
