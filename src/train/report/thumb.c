/* Thumbnails: a picture's file as a small JPEG within the page itself. */
#include "train/report/parts.h"

#include "image/resize.h"
#include "train/data/picture.h"

#include <math.h>

#define SIDE    160
#define QUALITY 82

/* Shrinks to fit SIDE x SIDE; a smaller picture stays as it is, and the page stretches it. */
static gh_status shrink(gh_image **out, const gh_image *src, gh_err *e)
{
    double scale = fmin(1, fmin((double)SIDE / src->width, (double)SIDE / src->height));
    int width = (int)fmax(1, src->width * scale + .5), height = (int)fmax(1, src->height * scale + .5);
    gh_image *small = NULL;
    GH_TRY(gh_image_new(&small, width, height, e));
    gh_status status = gh_resize(small->pixels, width, height, src, (gh_rect){0, 0, src->width, src->height},
                                 GH_FILTER_LANCZOS, e);
    if (status == GH_OK)
        *out = small;
    else
        gh_image_free(&small);
    return status;
}

gh_status gh_report_thumb(gh_buf *out, const char *path, gh_err *e)
{
    gh_image *picture = NULL, *small = NULL;
    gh_buf jpeg = {0};
    gh_err why = {0}; /* said only when memory ran out */
    gh_status status = gh_picture_read(&picture, path, SIDE, SIDE, &why);
    if (status == GH_OK)
        status = shrink(&small, picture, &why);
    if (status == GH_OK)
        status = gh_jpeg_encode_rgb(&jpeg, small->pixels, small->width, small->height, QUALITY, &why);
    if (status == GH_OK) {
        gh_buf_str(out, "data:image/jpeg;base64,");
        gh_buf_base64(out, jpeg.data, jpeg.len);
    }
    gh_buf_free(&jpeg);
    gh_image_free(&small);
    gh_image_free(&picture);
    return status == GH_NOMEM ? gh_fail(e, status, "%s", why.text) : GH_OK;
}
