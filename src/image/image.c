/* Pictures as objects: limits, making and freeing, and decoding by format. */
#include "image/codec.h"

#include "base/mem.h"

gh_image_limits gh_image_limits_default(void)
{
    return (gh_image_limits){
        .max_pixels = 50 * 1000 * 1000, .max_work = 700ull * 1000 * 1000, .max_jpeg_scans = 100};
}

const char *gh_image_format_name(gh_image_format format)
{
    switch (format) {
    case GH_IMAGE_JPEG:
        return "JPEG";
    case GH_IMAGE_PNG:
        return "PNG";
    case GH_IMAGE_WEBP:
        return "WebP";
    }
    return "unknown";
}

gh_status gh_image_new_deep(gh_image **out, int width, int height, int channels, gh_err *e)
{
    size_t bytes;
    if (width < 1 || height < 1)
        return gh_fail(e, GH_ARG, "a picture of %d x %d pixels has no area", width, height);
    if (!gh_mul_size(&bytes, (size_t)width, (size_t)height) || !gh_mul_size(&bytes, bytes, (size_t)channels))
        return gh_fail(e, GH_LIMIT, "a picture of %d x %d pixels does not fit in memory", width, height);
    gh_image *image = gh_calloc(1, sizeof *image);
    if (image != NULL)
        image->pixels = gh_alloc_aligned(bytes);
    if (image == NULL || image->pixels == NULL) {
        gh_free(image);
        return gh_fail(e, GH_NOMEM, "memory ran out for a picture of %d x %d pixels", width, height);
    }
    image->width = image->full_width = width;
    image->height = image->full_height = height;
    *out = image;
    return GH_OK;
}

gh_status gh_image_new(gh_image **out, int width, int height, gh_err *e)
{
    return gh_image_new_deep(out, width, height, 3, e);
}

void gh_image_free(gh_image **image)
{
    if (image == NULL || *image == NULL)
        return;
    gh_free((*image)->pixels);
    gh_free(*image);
    *image = NULL;
}

static gh_status decode_stored(gh_image **out, const uint8_t *data, size_t len, const gh_image_info *info,
                               int min_width, int min_height, gh_err *e)
{
    bool swap = info->orientation >= 5;
    switch (info->format) {
    case GH_IMAGE_JPEG:
        return gh_jpeg_decode(out, data, len, info, swap ? min_height : min_width,
                              swap ? min_width : min_height, e);
    case GH_IMAGE_PNG:
        return gh_png_decode(out, data, len, info, e);
    case GH_IMAGE_WEBP:
        return gh_webp_decode(out, data, len, info, e);
    }
    return gh_fail(e, GH_ARG, "the picture was not probed");
}

gh_status gh_image_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_info *info,
                          int min_width, int min_height, gh_err *e)
{
    gh_image *image = NULL;
    if (min_width < 0 || min_height < 0)
        return gh_fail(e, GH_ARG, "a smallest size of %d x %d pixels is negative", min_width, min_height);
    GH_TRY(decode_stored(&image, data, len, info, min_width, min_height, e));
    gh_status status = gh_image_turn(image, info->orientation, e);
    if (status == GH_OK)
        *out = image;
    else
        gh_image_free(&image);
    return status;
}
