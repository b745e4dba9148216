/* A folder of Pascal VOC's .xml files: each finds its picture by the name that it gives, or by its own. */
#include "train/data/boxset_parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/data/walk.h"

#include <string.h>

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the labelled boxes");
}

/* dir/name in a new string where there is such a file; *failed when memory ran out. */
static char *there(const char *dir, const char *name, bool *failed)
{
    char *path = *name ? gh_path_join(dir, name) : NULL;
    *failed = *failed || (*name && !path);
    if (path && gh_is_file(path))
        return path;
    gh_free(path);
    return NULL;
}

/* The picture of a folder: by the name in the file, else by the stem of the file. */
static char *find_in(const char *dir, const char *named, const char *stem, bool *failed)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG"};
    char name[GH_MAX_BOX_NAME + 8];
    char *path = there(dir, named, failed);
    for (size_t i = 0; !path && i < GH_COUNT(endings); i++) {
        strcpy(name, stem);
        strcat(name, endings[i]);
        path = there(dir, name, failed);
    }
    return path;
}

/* "sub/7" of "DIR/Annotations/sub/7.xml": folder and stem of the file below `below`. */
static bool split_path(char folder[1024], char stem[GH_MAX_BOX_NAME + 1], const char *file)
{
    const char *name = strrchr(file, '/');
    size_t before = name ? (size_t)(name - file) : 0;
    name = name ? name + 1 : file;
    size_t n = strlen(name) - strlen(".xml");
    if (n > GH_MAX_BOX_NAME || before >= 1024)
        return false;
    memcpy(folder, file, before);
    folder[before] = '\0';
    memcpy(stem, name, n);
    stem[n] = '\0';
    return true;
}

static gh_status find_picture(char **out, const char *dir, const char *file, const char *named, gh_err *e)
{
    static const char *const places[] = {"JPEGImages", "images", "."};
    char folder[1024], stem[GH_MAX_BOX_NAME + 1];
    bool failed = false;
    if (!split_path(folder, stem, file))
        return gh_fail(e, GH_LIMIT, "%.200s: the name is too long", file);
    char *path = find_in(folder, named, stem, &failed);
    for (size_t i = 0; !path && i < GH_COUNT(places); i++) {
        char *place = gh_path_join(dir, places[i]);
        failed = failed || !place;
        path = place ? find_in(place, named, stem, &failed) : NULL;
        gh_free(place);
    }
    if (path) {
        *out = path;
        return GH_OK;
    }
    return failed ? no_memory(e)
                  : gh_fail(e, GH_NOTFOUND,
                            "%.200s: its picture '%.100s' is neither beside it nor in JPEGImages/ or images/",
                            file, *named ? named : stem);
}

static gh_status read_page(gh_boxset_maker *m, const char *dir, const char *file, gh_err *e)
{
    gh_map map = {0};
    gh_voc_page page = {0};
    char *path = NULL;
    gh_status status = gh_map_open(&map, file, GH_MAX_BOXES_BYTES, e);
    if (status == GH_OK)
        status = gh_voc_parse(&page, m, file, (const char *)map.data, map.size, e);
    if (status == GH_OK)
        status = find_picture(&path, dir, file, page.picture, e);
    if (status == GH_OK) {
        const gh_boxset_picture picture = {.path = path,
                                           .width = page.width,
                                           .height = page.height,
                                           .split = gh_boxset_split(file + strlen(dir) + 1)};
        status = gh_boxset_picture_add(m, &picture, e);
    }
    gh_free(path);
    gh_map_close(&map);
    return status;
}

gh_status gh_voc_open(gh_boxset **out, const char *dir, gh_err *e)
{
    gh_paths files = {0};
    gh_boxset_maker m = {0};
    char *below = gh_path_join(dir, "Annotations");
    gh_status status = below ? gh_boxset_begin(&m, e) : no_memory(e);
    if (status == GH_OK)
        status = gh_walk_files(&files, gh_is_folder(below) ? below : dir, ".xml", e);
    if (status == GH_OK && !files.count)
        status = gh_fail(e, GH_FORMAT, "'%.200s' holds no .xml file", below);
    for (size_t i = 0; i < files.count && status == GH_OK; i++)
        status = read_page(&m, dir, files.items[i], e);
    if (status == GH_OK)
        status = gh_boxset_finish(out, &m, "Pascal VOC", true, e);
    gh_boxset_drop(&m);
    gh_paths_free(&files);
    gh_free(below);
    return status;
}
