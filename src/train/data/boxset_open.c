/* Which layout a set of labelled boxes has, by what its folder holds. */
#include "train/data/boxset_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/data/walk.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
}

/* The folder of a file. */
static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dir = gh_strdup(slash ? file : ".");
    if (dir && slash)
        dir[slash == file ? 1 : slash - file] = '\0';
    return dir;
}

/* The folder's pictures: images/ where it is there. */
static char *pictures_of(const char *dir)
{
    char *images = gh_path_join(dir, "images");
    if (images && gh_is_folder(images))
        return images;
    gh_free(images);
    return gh_strdup(dir);
}

/* COCO's. `file` is the JSON file in `dir`. */
static gh_status open_coco(gh_boxset **out, const char *dir, const char *file, gh_err *e)
{
    gh_map map = {0};
    char *pictures = pictures_of(dir);
    gh_status status = pictures ? gh_map_open(&map, file, GH_MAX_BOXSET_BYTES, e) : no_memory(e);
    if (status == GH_OK) {
        status = gh_boxset_parse(out, pictures, (const char *)map.data, map.size, e);
        if (status != GH_OK)
            status = gh_err_prefix(e, status, "%s", file);
    }
    gh_map_close(&map);
    gh_free(pictures);
    return status;
}

/* True when dir/part/name is there; part may be "". */
static bool has(const char *dir, const char *part, const char *name, bool folder)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s%s%s", dir, part, *part ? "/" : "", name);
    return n > 0 && (size_t)n < sizeof path && (folder ? gh_is_folder(path) : gh_is_file(path));
}

/* True when the folder, or a split's folder in it, has images/ and labels/. */
static bool is_yolo(const char *dir)
{
    static const char *const parts[] = {"", "train", "val", "valid", "test"};
    bool is = false;
    for (size_t i = 0; !is && i < GH_COUNT(parts); i++)
        is = has(dir, parts[i], "images", true) && has(dir, parts[i], "labels", true);
    return is;
}

/* True when there are .xml files below the folder. */
static gh_status is_voc(bool *out, const char *dir, gh_err *e)
{
    gh_paths files = {0};
    *out = has(dir, "", "Annotations", true);
    gh_status status = *out ? GH_OK : gh_walk_files(&files, dir, ".xml", e);
    *out = *out || files.count > 0;
    gh_paths_free(&files);
    return status;
}

static gh_status open_folder(gh_boxset **out, const char *dir, gh_err *e)
{
    bool voc = false;
    if (has(dir, "", "annotations.json", false)) {
        char *file = gh_path_join(dir, "annotations.json");
        gh_status status = file ? open_coco(out, dir, file, e) : no_memory(e);
        gh_free(file);
        return status;
    }
    if (is_yolo(dir))
        return gh_yolo_open(out, dir, NULL, e);
    GH_TRY(is_voc(&voc, dir, e));
    if (voc)
        return gh_voc_open(out, dir, e);
    return gh_fail(e, GH_NOTFOUND,
                   "'%.200s' holds no labelled boxes; three layouts are read: COCO (annotations.json beside "
                   "images/), Pascal VOC (Annotations/NAME.xml beside JPEGImages/) and YOLO (labels/NAME.txt "
                   "beside images/, with classes.txt or data.yaml)",
                   dir);
}

static bool ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n > k && strcasecmp(path + n - k, ending) == 0;
}

gh_status gh_boxset_open(gh_boxset **out, const char *path, gh_err *e)
{
    bool folder = gh_is_folder(path);
    if (!folder && !gh_is_file(path))
        return gh_fail(e, GH_NOTFOUND, "there is no '%.200s'", path);
    char *dir = folder ? gh_strdup(path) : folder_of(path);
    if (!dir)
        return no_memory(e);
    for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
        dir[n - 1] = '\0';
    gh_status status = folder                                            ? open_folder(out, dir, e)
                       : ends_in(path, ".yaml") || ends_in(path, ".yml") ? gh_yolo_open(out, dir, path, e)
                                                                         : open_coco(out, dir, path, e);
    gh_free(dir);
    return status;
}
