/* Pictures of any bytes: probed, decoded at full and at a small size, resized. What the header said must be
 * what comes out; the limits are low, so that an input costs little. */
#include "image/resize.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const gh_image_limits limits = {.max_pixels = 1 << 18, .max_work = 16 << 20, .max_jpeg_scans = 20};

static void check_info(const gh_image_info *info)
{
    bool swap = info->orientation >= 5;
    GH_ASSERT(info->width >= 1 && info->height >= 1);
    GH_ASSERT(info->orientation >= 1 && info->orientation <= 8);
    GH_ASSERT(info->width == (swap ? info->coded_height : info->coded_width));
    GH_ASSERT(info->height == (swap ? info->coded_width : info->coded_height));
    GH_ASSERT((uint64_t)info->width * (uint64_t)info->height <= limits.max_pixels);
    GH_ASSERT(info->work_bytes <= limits.max_work && info->scans <= limits.max_jpeg_scans);
}

static void resize_all(const gh_image *image)
{
    uint8_t small[16 * 16 * 3];
    gh_rect whole = {0, 0, image->width, image->height};
    gh_rect half = {image->width * 0.25, image->height * 0.25, image->width * 0.5, image->height * 0.5};
    for (gh_filter f = GH_FILTER_BILINEAR; f <= GH_FILTER_LANCZOS; f++) {
        gh_status status = gh_resize(small, 16, 16, image, whole, f, NULL);
        GH_ASSERT(status == GH_OK);
        status = gh_resize(small, 16, 16, image, half, f, NULL);
        GH_ASSERT(status == GH_OK);
    }
}

static void decode(const uint8_t *data, size_t size, const gh_image_info *info, int min_side)
{
    gh_image *image = NULL;
    gh_err e = {0};
    gh_status status = gh_image_decode(&image, data, size, info, min_side, min_side, &e);
    GH_ASSERT((status == GH_OK) == (image != NULL));
    GH_ASSERT(status == GH_OK || e.text[0] != '\0');
    if (image == NULL)
        return;
    GH_ASSERT(image->full_width == info->width && image->full_height == info->height);
    GH_ASSERT(min_side > 0 || (image->width == info->width && image->height == info->height));
    GH_ASSERT(!image->truncated || image->warnings > 0);
    resize_all(image);
    gh_image_free(&image);
}

/* A PNG as a mask: every sample of it can be read. */
static void decode_index(const uint8_t *data, size_t size, const gh_image_info *info)
{
    uint8_t *samples = NULL, all = 0;
    gh_err e = {0};
    gh_status status = gh_png_decode_index(&samples, data, size, info, &e);
    GH_ASSERT((status == GH_OK) == (samples != NULL));
    GH_ASSERT(status == GH_OK || e.text[0] != '\0');
    for (size_t i = 0; samples && i < (size_t)info->coded_width * (size_t)info->coded_height; i++)
        all |= samples[i];
    GH_ASSERT(!samples || (all & ~((1u << data[24]) - 1)) == 0); /* no more bits than the header says */
    gh_free(samples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_image_info info;
    gh_err e = {0};
    if (gh_image_probe(&info, data, size, &limits, &e) != GH_OK) {
        GH_ASSERT(e.text[0] != '\0');
        return 0;
    }
    check_info(&info);
    decode(data, size, &info, 0);
    decode(data, size, &info, 8);
    if (info.format == GH_IMAGE_PNG)
        decode_index(data, size, &info);
    return 0;
}
