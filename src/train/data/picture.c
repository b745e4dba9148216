/* Files, their headers, their pixels at the size that is asked for. */
#include "train/data/picture.h"

#include "base/file.h"
#include "tasks/preproc.h"

gh_status gh_picture_look(gh_image_info *out, const char *path, gh_err *e)
{
    gh_map map = {0};
    gh_status status = gh_map_open(&map, path, GH_PICTURE_MOST_BYTES, e);
    if (status == GH_OK)
        status = gh_image_probe(out, map.data, map.size, NULL, e);
    gh_map_close(&map);
    return status;
}

/* The size of gh_preproc_min_size, times `spare`; 0, 0 where the file has not as many pixels. */
static void size_for(int *width, int *height, const gh_manifest_input *input, int spare,
                     const gh_image_info *info)
{
    gh_preproc_min_size(width, height, input, info->width, info->height);
    bool shrinks =
        *width > 0 && *height > 0 && *width <= info->width / spare && *height <= info->height / spare;
    *width = shrinks ? spare * *width : 0;
    *height = shrinks ? spare * *height : 0;
}

/* `input` NULL: the size is given. */
static gh_status read_file(gh_image **out, const char *path, const gh_manifest_input *input, int spare,
                           int width, int height, gh_err *e)
{
    gh_buf file = {0};
    gh_image_info info;
    gh_status status = gh_file_read(&file, path, GH_PICTURE_MOST_BYTES, e);
    if (status == GH_OK)
        status = gh_image_probe(&info, file.data, file.len, NULL, e);
    if (status == GH_OK && input)
        size_for(&width, &height, input, spare, &info);
    if (status == GH_OK)
        status = gh_image_decode(out, file.data, file.len, &info, width, height, e);
    gh_buf_free(&file);
    return status;
}

gh_status gh_picture_read(gh_image **out, const char *path, int min_width, int min_height, gh_err *e)
{
    return read_file(out, path, NULL, 1, min_width, min_height, e);
}

gh_status gh_picture_read_for(gh_image **out, const char *path, const gh_manifest_input *input, int spare,
                              gh_err *e)
{
    return read_file(out, path, input, spare, 0, 0, e);
}
