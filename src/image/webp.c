/* WebP pixels by libwebp; the only file that includes webp/decode.h. */
#include "image/codec.h"

#include <webp/decode.h>

static gh_status fail_webp(VP8StatusCode code, gh_err *e)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return gh_fail(e, GH_NOMEM, "memory ran out decoding the WebP");
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return gh_fail(e, GH_FORMAT, "the WebP ends before its picture is complete");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return gh_fail(e, GH_UNSUPPORTED, "a WebP with a feature that cannot be decoded");
    default:
        return gh_fail(e, GH_FORMAT, "the WebP's picture data is broken");
    }
}

static VP8StatusCode decode_into(gh_image *image, const uint8_t *data, size_t len, int channels)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return VP8_STATUS_INVALID_PARAM;
    VP8StatusCode code = WebPGetFeatures(data, len, &config.input);
    if (code != VP8_STATUS_OK)
        return code;
    if (config.input.width != image->width || config.input.height != image->height)
        return VP8_STATUS_BITSTREAM_ERROR;
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = image->pixels;
    config.output.u.RGBA.stride = image->width * channels;
    config.output.u.RGBA.size = (size_t)image->width * (size_t)image->height * (size_t)channels;
    code = WebPDecode(data, len, &config);
    WebPFreeDecBuffer(&config.output);
    return code;
}

gh_status gh_webp_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_info *info,
                         gh_err *e)
{
    gh_image *image = NULL;
    int channels = info->alpha ? 4 : 3;
    GH_TRY(gh_image_new_deep(&image, info->coded_width, info->coded_height, channels, e));
    VP8StatusCode code = decode_into(image, data, len, channels);
    if (code != VP8_STATUS_OK) {
        gh_image_free(&image);
        return fail_webp(code, e);
    }
    if (info->alpha)
        gh_image_flatten(image);
    *out = image;
    return GH_OK;
}
