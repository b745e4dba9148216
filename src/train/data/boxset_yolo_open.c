/* A folder of YOLO's label files: each picture of images/ has its boxes in labels/, in the same place; one
 * without a file, or with an empty one, shows nothing. Sizes come from the pictures' headers. */
#include "train/data/boxset_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/data/picture.h"
#include "train/data/walk.h"

#include <string.h>

#define MAX_NAMES_BYTES ((size_t)16 << 20)

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
}

/* Size of an upright picture; 0, 0 when it cannot be read: its boxes then have no place. */
static void size_of(gh_boxset_picture *p)
{
    gh_image_info info;
    if (gh_picture_look(&info, p->path, NULL) == GH_OK) {
        p->width = info.width;
        p->height = info.height;
    }
}

/* labels/sub/7.txt of images/sub/7.jpg, in a new string. */
static char *labels_of(const char *dir, const char *picture)
{
    const char *below = picture + strlen(dir) + strlen("/images/"), *dot = strrchr(below, '.');
    size_t before = strlen(dir), n = dot ? (size_t)(dot - below) : strlen(below);
    char *path = gh_alloc(before + sizeof "/labels/" + n + sizeof ".txt");
    if (!path)
        return NULL;
    memcpy(path, dir, before);
    strcpy(path + before, "/labels/");
    memcpy(path + before + strlen("/labels/"), below, n);
    strcpy(path + before + strlen("/labels/") + n, ".txt");
    return path;
}

static gh_status read_labels(gh_boxset_maker *m, const gh_boxset_picture *p, const char *file, gh_err *e)
{
    gh_map map = {0};
    GH_TRY(gh_map_open(&map, file, GH_MAX_BOXES_BYTES, e));
    gh_status status =
        gh_yolo_parse(m, file, map.size ? (const char *)map.data : "", map.size, p->width, p->height, e);
    gh_map_close(&map);
    return status;
}

/* The pictures of dir/images. */
static gh_status read_part(gh_boxset_maker *m, const char *dir, gh_split split, gh_err *e)
{
    gh_paths pictures = {0};
    char *images = gh_path_join(dir, "images");
    gh_status status = images ? GH_OK : no_memory(e);
    if (status == GH_OK && gh_is_folder(images))
        status = gh_walk_pictures(&pictures, images, e);
    for (size_t i = 0; i < pictures.count && status == GH_OK; i++) {
        gh_boxset_picture p = {.path = pictures.items[i], .split = split};
        char *file = labels_of(dir, p.path);
        if (split == GH_SPLIT_NONE)
            p.split = gh_boxset_split(p.path + strlen(images) + 1);
        size_of(&p);
        status = file ? GH_OK : no_memory(e);
        if (status == GH_OK && p.width && gh_is_file(file))
            status = read_labels(m, &p, file, e);
        if (status == GH_OK)
            status = gh_boxset_picture_add(m, &p, e);
        gh_free(file);
    }
    gh_paths_free(&pictures);
    gh_free(images);
    return status;
}

static gh_status read_names(gh_boxset_maker *m, const char *file, bool yaml, gh_err *e)
{
    gh_map map = {0};
    GH_TRY(gh_map_open(&map, file, MAX_NAMES_BYTES, e));
    gh_status status = gh_yolo_names(m, file, map.size ? (const char *)map.data : "", map.size, yaml, e);
    gh_map_close(&map);
    return status;
}

/* The file that names the classes: data.yaml, else classes.txt or obj.names, in the folder or in labels/. */
static gh_status find_names(gh_boxset_maker *m, const char *dir, gh_err *e)
{
    static const char *const names[] = {"data.yaml",          "data.yml",  "dataset.yaml", "classes.txt",
                                        "labels/classes.txt", "obj.names", "classes.names"};
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        char *path = gh_path_join(dir, names[i]);
        if (!path)
            return no_memory(e);
        bool there = gh_is_file(path);
        gh_status status = there ? read_names(m, path, strstr(names[i], ".y") != NULL, e) : GH_OK;
        gh_free(path);
        if (there)
            return status;
    }
    return gh_fail(e, GH_NOTFOUND,
                   "'%.200s' has labels but no names for its classes; they stand in classes.txt, a line each "
                   "from 0 on, or in data.yaml behind \"names:\"",
                   dir);
}

gh_status gh_yolo_open(gh_boxset **out, const char *dir, const char *yaml, gh_err *e)
{
    static const char *const parts[] = {"train", "val", "valid", "test"};
    gh_boxset_maker m = {0};
    gh_status status = gh_boxset_begin(&m, e);
    if (status == GH_OK)
        status = yaml ? read_names(&m, yaml, true, e) : find_names(&m, dir, e);
    if (status == GH_OK)
        status = read_part(&m, dir, GH_SPLIT_NONE, e);
    for (size_t i = 0; i < GH_COUNT(parts) && status == GH_OK; i++) {
        char *part = gh_path_join(dir, parts[i]);
        status = part ? GH_OK : no_memory(e);
        if (status == GH_OK && gh_is_folder(part))
            status = read_part(&m, part, gh_split_of(parts[i]), e);
        gh_free(part);
    }
    if (status == GH_OK && !m.npictures)
        status = gh_fail(e, GH_FORMAT, "'%.200s' has no pictures in images/", dir);
    if (status == GH_OK)
        status = gh_boxset_finish(out, &m, "YOLO", false, e);
    gh_boxset_drop(&m);
    return status;
}
