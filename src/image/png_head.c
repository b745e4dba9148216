/* The header of a PNG (W3C PNG, third edition): IHDR, and from the other chunks whether there is transparency
 * and an EXIF orientation. Chunks are stepped over by their lengths. */
#include "image/codec.h"

#include <string.h>

enum { CHUNK_FRAME = 12 /* length, type, CRC */, IHDR_SIZE = 13 };

static gh_status check_depth(int depth, int colour, gh_err *e)
{
    bool small = depth == 1 || depth == 2 || depth == 4, byte = depth == 8, wide = depth == 16;
    bool ok = (colour == 0 && (small || byte || wide)) || (colour == 3 && (small || byte)) ||
              ((colour == 2 || colour == 4 || colour == 6) && (byte || wide));
    if (!ok)
        return gh_fail(e, GH_FORMAT, "the PNG combines colour type %d with %d bits, which PNG does not have",
                       colour, depth);
    return GH_OK;
}

/* The chunks after IHDR; a chunk that the file cuts short ends the walk, and decoding will say so. */
static void walk_chunks(gh_image_info *info, const uint8_t *data, size_t len, size_t at)
{
    bool pixels = false;
    while (len - at >= CHUNK_FRAME) {
        size_t size = gh_be32(data + at);
        const uint8_t *type = data + at + 4, *body = data + at + 8;
        if (size > len - at - CHUNK_FRAME)
            return;
        if (memcmp(type, "IEND", 4) == 0)
            return;
        if (memcmp(type, "IDAT", 4) == 0)
            pixels = true;
        else if (memcmp(type, "tRNS", 4) == 0 && !pixels)
            info->alpha = true;
        else if (memcmp(type, "eXIf", 4) == 0)
            info->orientation = gh_exif_orientation(body, size);
        at += size + CHUNK_FRAME;
    }
}

gh_status gh_png_probe(gh_image_info *out, const uint8_t *data, size_t len, gh_err *e)
{
    const uint8_t *ihdr = data + 16;
    if (len >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0)
        return gh_fail(e, GH_FORMAT,
                       "the PNG's signature is damaged, as when a text conversion changes line ends");
    if (len >= 16 && memcmp(data + 12, "CgBI", 4) == 0)
        return gh_fail(e, GH_UNSUPPORTED, "an iPhone-optimised PNG (CgBI); standard PNG is accepted");
    if (len < 8 + CHUNK_FRAME + IHDR_SIZE)
        return gh_fail(e, GH_FORMAT, "the PNG ends inside its header, after %zu bytes", len);
    if (gh_be32(data + 8) != IHDR_SIZE || memcmp(data + 12, "IHDR", 4) != 0)
        return gh_fail(e, GH_FORMAT, "the PNG does not begin with its header chunk");
    uint32_t width = gh_be32(ihdr), height = gh_be32(ihdr + 4);
    int depth = ihdr[8], colour = ihdr[9];
    if (width > INT32_MAX || height > INT32_MAX)
        return gh_fail(e, GH_FORMAT, "the PNG says its size is %u x %u pixels; PNG ends at 2147483647", width,
                       height);
    GH_TRY(check_depth(depth, colour, e));
    if (ihdr[10] != 0 || ihdr[11] != 0 || ihdr[12] > 1)
        return gh_fail(e, GH_FORMAT,
                       "the PNG's compression, filter or interlace method (%d, %d, %d) is unknown", ihdr[10],
                       ihdr[11], ihdr[12]);
    out->coded_width = (int)width;
    out->coded_height = (int)height;
    out->progressive = ihdr[12] == 1;
    out->alpha = colour == 4 || colour == 6;
    walk_chunks(out, data, len, 8 + CHUNK_FRAME + IHDR_SIZE);
    /* Two rows at the stored depth (at most 8 bytes a pixel), one converted, and the inflate window. */
    uint64_t pixels = (uint64_t)width * height;
    out->work_bytes = pixels * (out->alpha ? 4 : 3) + (uint64_t)width * 24 + 65536;
    return GH_OK;
}
