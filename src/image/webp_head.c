/* The header of a WebP: RIFF chunks (RFC 9649 section 2), the frame headers of VP8 (RFC 6386 section 9.1) and
 * VP8L (RFC 9649 section 3.4), and the EXIF orientation. Animations are refused by name: which frame would be
 * meant is not ours to guess. */
#include "image/codec.h"

#include <string.h>

enum { RIFF_HEADER = 12, CHUNK_HEADER = 8, VP8X_ANIMATION = 0x02, VP8X_ALPHA = 0x10 };

static gh_status fail_cut(size_t len, gh_err *e)
{
    return gh_fail(e, GH_FORMAT, "the WebP ends inside its header, after %zu bytes", len);
}

/* Key frame tag, start code, then 14 bits each of width and height below 2 bits of scale. */
static gh_status read_vp8(gh_image_info *info, const uint8_t *body, size_t size, gh_err *e)
{
    if (size < 10)
        return fail_cut(size, e);
    if ((body[0] & 1) != 0 || memcmp(body + 3, "\x9d\x01\x2a", 3) != 0)
        return gh_fail(e, GH_FORMAT, "the WebP's lossy data does not begin with a key frame");
    info->coded_width = (int)(gh_le16(body + 6) & 0x3fff);
    info->coded_height = (int)(gh_le16(body + 8) & 0x3fff);
    return GH_OK;
}

static gh_status read_vp8l(gh_image_info *info, const uint8_t *body, size_t size, gh_err *e)
{
    if (size < 5)
        return fail_cut(size, e);
    if (body[0] != 0x2f || body[4] >> 5 != 0)
        return gh_fail(e, GH_FORMAT, "the WebP's lossless data does not begin with its signature");
    uint32_t bits = gh_le32(body + 1);
    info->coded_width = (int)(bits & 0x3fff) + 1;
    info->coded_height = (int)(bits >> 14 & 0x3fff) + 1;
    info->alpha = (bits >> 28 & 1) != 0;
    return GH_OK;
}

/* The extended form: the canvas, then chunks of which EXIF is the one that matters here; VP8L keeps a copy of
 * the whole picture, so it is looked for too. */
static gh_status read_vp8x(gh_image_info *info, bool *lossless, const uint8_t *data, size_t len, gh_err *e)
{
    const uint8_t *body = data + RIFF_HEADER + CHUNK_HEADER;
    if (len < RIFF_HEADER + CHUNK_HEADER + 10)
        return fail_cut(len, e);
    if (body[0] & VP8X_ANIMATION)
        return gh_fail(e, GH_UNSUPPORTED, "an animated WebP; still pictures are accepted");
    info->alpha = (body[0] & VP8X_ALPHA) != 0;
    info->coded_width = (int)(gh_le32(body + 3) >> 8) + 1;
    info->coded_height = (int)(gh_le16(body + 7) | (uint32_t)body[9] << 16) + 1;
    size_t at = RIFF_HEADER + CHUNK_HEADER + (size_t)gh_le32(data + RIFF_HEADER + 4);
    at += at & 1;
    while (at <= len && len - at >= CHUNK_HEADER) {
        size_t size = gh_le32(data + at + 4), left = len - at - CHUNK_HEADER;
        if (memcmp(data + at, "VP8L", 4) == 0)
            *lossless = true;
        if (size > left)
            break;
        if (memcmp(data + at, "EXIF", 4) == 0)
            info->orientation = gh_exif_orientation(data + at + CHUNK_HEADER, size);
        at += CHUNK_HEADER + size + (size & 1);
    }
    return GH_OK;
}

gh_status gh_webp_probe(gh_image_info *out, const uint8_t *data, size_t len, gh_err *e)
{
    bool lossless = false;
    if (len < RIFF_HEADER + CHUNK_HEADER)
        return fail_cut(len, e);
    const uint8_t *type = data + RIFF_HEADER, *body = type + CHUNK_HEADER;
    size_t size = len - RIFF_HEADER - CHUNK_HEADER;
    if (memcmp(type, "VP8 ", 4) == 0) {
        GH_TRY(read_vp8(out, body, size, e));
    } else if (memcmp(type, "VP8L", 4) == 0) {
        lossless = true;
        GH_TRY(read_vp8l(out, body, size, e));
    } else if (memcmp(type, "VP8X", 4) == 0) {
        GH_TRY(read_vp8x(out, &lossless, data, len, e));
    } else {
        return gh_fail(e, GH_FORMAT, "the WebP does not begin with picture data");
    }
    /* Lossless: all pixels as 32-bit words beside the result. Lossy: a plane of alpha which may itself be
     * coded so, and some rows of macroblocks. */
    uint64_t pixels = (uint64_t)out->coded_width * (uint64_t)out->coded_height;
    uint64_t beside = lossless ? 4 : out->alpha ? 5 : 0;
    out->work_bytes = pixels * ((out->alpha ? 4 : 3) + beside) + (uint64_t)out->coded_width * 128 + 262144;
    return GH_OK;
}
