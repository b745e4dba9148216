/* The folders of a set of masks. */
#include "train/data/maskset_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"
#include "train/data/walk.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_ARENA      ((size_t)1 << 30)
#define MAX_MASK_BYTES ((size_t)64 << 20)
#define MAX_CLASS_FILE ((size_t)1 << 20)

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the list of masks");
}

bool gh_maskset_is_void(const char *name)
{
    static const char *const names[] = {"void",      "ignore",  "ignored",   "unlabelled",
                                        "unlabeled", "unknown", "__ignore__"};
    for (size_t i = 0; i < GH_COUNT(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* ---- classes.txt ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line's name, trimmed. */
static gh_status add_class(gh_maskset *set, const char *line, size_t len, gh_err *e)
{
    while (len > 0 && is_blank(line[0])) {
        line++;
        len--;
    }
    while (len > 0 && is_blank(line[len - 1]))
        len--;
    if (len == 0)
        return gh_fail(e, GH_FORMAT, "line %zu is empty; each line names the class of its number, from 0 on",
                       set->nclasses + 1);
    if (set->nclasses == GH_MAX_MASKSET_CLASSES)
        return gh_fail(e, GH_LIMIT, "it names more than %d classes; 255 in a mask counts nowhere",
                       GH_MAX_MASKSET_CLASSES);
    char *name = gh_arena_string(set->arena, line, len);
    if (!name)
        return no_memory(e);
    set->classes[set->nclasses++] = name;
    return GH_OK;
}

static gh_status read_lines(gh_maskset *set, const char *text, size_t len, gh_err *e)
{
    set->classes = gh_arena_array(set->arena, GH_MAX_MASKSET_CLASSES, sizeof *set->classes);
    if (!set->classes)
        return no_memory(e);
    while (len > 0 && (is_blank(text[len - 1]) || text[len - 1] == '\n'))
        len--;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        GH_TRY(add_class(set, text + at, n, e));
        at += n + 1;
    }
    return set->nclasses ? GH_OK : gh_fail(e, GH_FORMAT, "it names no class");
}

static gh_status read_classes(gh_maskset *set, const char *dir, gh_err *e)
{
    gh_map map = {0};
    struct stat st;
    char *path = gh_path_join(dir, "classes.txt");
    gh_status status = path ? GH_OK : no_memory(e);
    if (path && stat(path, &st) == 0) {
        status = gh_map_open(&map, path, MAX_CLASS_FILE, e);
        if (status == GH_OK) {
            status = read_lines(set, (const char *)map.data, map.size, e);
            if (status != GH_OK)
                status = gh_err_prefix(e, status, "%s", path);
        }
    }
    gh_map_close(&map);
    gh_free(path);
    return status;
}

/* ---- pictures and masks ---- */

/* masks/<the picture's path below images, ending in .png>, in the arena. */
static char *mask_of(const gh_maskset *set, const char *masks, const char *below)
{
    const char *dot = strrchr(below, '.'), *slash = strrchr(below, '/');
    size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - below) : strlen(below);
    size_t front = strlen(masks);
    char *path = gh_arena_alloc(set->arena, front + 1 + stem + sizeof ".png");
    if (!path)
        return NULL;
    memcpy(path, masks, front);
    path[front] = '/';
    memcpy(path + front + 1, below, stem);
    memcpy(path + front + 1 + stem, ".png", sizeof ".png");
    return path;
}

/* Pairs of a folder's pictures and masks; the set's array has room for all. */
static gh_status add_pairs(gh_maskset *set, const gh_paths *found, size_t front, const char *masks,
                           gh_split split, gh_err *e)
{
    struct stat st;
    for (size_t i = 0; i < found->count; i++) {
        const char *path = found->items[i];
        char *mask = mask_of(set, masks, path + front);
        char *copy = gh_arena_string(set->arena, path, strlen(path));
        if (!mask || !copy)
            return no_memory(e);
        if (stat(mask, &st) != 0) {
            set->unlabelled++;
            continue;
        }
        set->pictures[set->npictures++] = (gh_maskset_picture){.path = copy, .mask = mask, .split = split};
        set->per_split[split]++;
    }
    return GH_OK;
}

/* The set's array grown by `more`; the old one stays in the arena. */
bool gh_maskset_room(gh_maskset *set, size_t more)
{
    gh_maskset_picture *grown = gh_arena_array(set->arena, set->npictures + more + 1, sizeof *grown);
    if (grown && set->npictures)
        memcpy(grown, set->pictures, set->npictures * sizeof *grown);
    if (grown)
        set->pictures = grown;
    return grown != NULL;
}

/* DIR/images and DIR/masks, or COCO's file; *found says whether they are there. */
static gh_status read_part(gh_maskset *set, bool *found, const char *dir, gh_split split, gh_err *e)
{
    gh_paths paths = {0};
    char *images = gh_path_join(dir, "images"), *masks = gh_path_join(dir, "masks");
    gh_status status = images && masks ? GH_OK : no_memory(e);
    *found = status == GH_OK && gh_is_folder(images) && gh_is_folder(masks);
    if (*found) {
        status = gh_walk_pictures(&paths, images, e);
        if (status == GH_OK && !gh_maskset_room(set, paths.count))
            status = no_memory(e);
        if (status == GH_OK)
            status = add_pairs(set, &paths, strlen(images) + 1, masks, split, e);
    } else if (status == GH_OK) {
        status = gh_maskset_coco(set, found, dir, split, e);
    }
    gh_paths_free(&paths);
    gh_free(images);
    gh_free(masks);
    return status;
}

/* DIR itself, else its folders that are parts. */
static gh_status read_parts(gh_maskset *set, const char *dir, gh_err *e)
{
    gh_paths folders = {0};
    bool found = false, any = false;
    gh_status status = read_part(set, &any, dir, GH_SPLIT_NONE, e);
    if (status == GH_OK && !any)
        status = gh_walk_folders(&folders, dir, e);
    for (size_t i = 0; i < folders.count && status == GH_OK; i++) {
        gh_split split = gh_split_of(folders.items[i]);
        char *part = split != GH_SPLIT_NONE ? gh_path_join(dir, folders.items[i]) : NULL;
        if (split == GH_SPLIT_NONE)
            continue;
        status = part ? read_part(set, &found, part, split, e) : no_memory(e);
        any |= found;
        gh_free(part);
    }
    gh_paths_free(&folders);
    if (status == GH_OK && !any)
        return gh_fail(
            e, GH_ARG,
            "'%.200s' has no folders images and masks; DIR/images/NAME.jpg with DIR/masks/NAME.png "
            "is needed, or COCO's DIR/annotations.json with polygons; or the same in DIR/train, DIR/val and "
            "DIR/test",
            dir);
    if (status == GH_OK && set->npictures == 0)
        return gh_fail(
            e, GH_ARG,
            "no picture of '%.200s' has a mask: %zu pictures in images, and none with a PNG of its "
            "name in masks",
            dir, set->unlabelled);
    return status;
}

gh_status gh_maskset_open(gh_maskset **out, const char *dir, gh_err *e)
{
    gh_maskset *set = gh_calloc(1, sizeof *set);
    if (set)
        set->arena = gh_arena_new(MAX_ARENA);
    gh_status status = set && set->arena ? GH_OK : no_memory(e);
    if (status == GH_OK && !gh_is_folder(dir))
        status = gh_fail(e, GH_NOTFOUND,
                         "'%.200s' is no folder; masks are read from DIR/images and DIR/masks", dir);
    if (status == GH_OK)
        status = read_classes(set, dir, e);
    if (status == GH_OK)
        status = read_parts(set, dir, e);
    if (status == GH_OK)
        *out = set;
    else
        gh_maskset_free(&set);
    return status;
}

void gh_maskset_keep_part(gh_maskset *set, gh_split part)
{
    size_t n = 0;
    for (size_t i = 0; i < set->npictures; i++)
        if (set->pictures[i].split == part)
            set->pictures[n++] = set->pictures[i];
    set->npictures = n;
}

void gh_maskset_free(gh_maskset **set)
{
    if (!*set)
        return;
    gh_arena_free(&(*set)->arena);
    gh_free(*set);
    *set = NULL;
}

/* ---- one mask ---- */

static gh_status map_values(uint8_t *pixels, const gh_image_info *info, const int map[256], gh_err *e)
{
    size_t n = (size_t)info->coded_width * (size_t)info->coded_height;
    for (size_t i = 0; i < n; i++) {
        if (map[pixels[i]] < 0)
            return gh_fail(e, GH_FORMAT, "pixel %zu,%zu has the value %d, which is no class of the set",
                           i % (size_t)info->coded_width, i / (size_t)info->coded_width, pixels[i]);
        pixels[i] = (uint8_t)map[pixels[i]];
    }
    return GH_OK;
}

static gh_status decode_mask(uint8_t **out, gh_image_info *info, const gh_buf *bytes, gh_err *e)
{
    GH_TRY(gh_image_probe(info, bytes->data, bytes->len, NULL, e));
    if (info->format != GH_IMAGE_PNG)
        return gh_fail(e, GH_UNSUPPORTED, "it is a %s; a mask is an indexed or grey PNG",
                       gh_image_format_name(info->format));
    return gh_png_decode_index(out, bytes->data, bytes->len, info, e);
}

gh_status gh_mask_read(uint8_t **out, int *width, int *height, const char *path, const int map[256],
                       gh_err *e)
{
    gh_buf bytes = {0};
    gh_image_info info = {0};
    uint8_t *pixels = NULL;
    gh_status status = gh_file_read(&bytes, path, MAX_MASK_BYTES, e);
    if (status == GH_OK) {
        status = decode_mask(&pixels, &info, &bytes, e);
        if (status == GH_OK)
            status = map_values(pixels, &info, map, e);
        if (status != GH_OK)
            status = gh_err_prefix(e, status, "%s", path);
    }
    gh_buf_free(&bytes);
    if (status != GH_OK) {
        gh_free(pixels);
        return status;
    }
    *out = pixels;
    *width = info.coded_width;
    *height = info.coded_height;
    return GH_OK;
}

static gh_status draw_shapes(uint8_t *pixels, const gh_maskset_picture *p, const int map[256], gh_err *e)
{
    const gh_image_info info = {.coded_width = p->width, .coded_height = p->height};
    for (size_t i = 0; i < p->nshapes; i++)
        GH_TRY(gh_mask_shape_draw(pixels, p->width, p->height, &p->shapes[i], e));
    return map_values(pixels, &info, map, e);
}

gh_status gh_maskset_mask(uint8_t **out, int *width, int *height, const gh_maskset_picture *p,
                          const int map[256], gh_err *e)
{
    if (!p->width)
        return gh_mask_read(out, width, height, p->mask, map, e);
    uint8_t *pixels = gh_calloc((size_t)p->width * (size_t)p->height, 1);
    gh_status status = pixels ? draw_shapes(pixels, p, map, e) : no_memory(e);
    if (status != GH_OK) {
        gh_free(pixels);
        return status;
    }
    *out = pixels;
    *width = p->width;
    *height = p->height;
    return GH_OK;
}
