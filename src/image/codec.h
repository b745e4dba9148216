/* What the files of this folder share: one probe and one decoder for each format, EXIF, and the two finishing
 * steps. Nothing outside src/image includes this. */
#ifndef GH_IMAGE_CODEC_H
#define GH_IMAGE_CODEC_H

#include "image/image.h"

/* Probes get bytes that begin with their format's signature and fill what the header says: coded size,
 * orientation, progressive, alpha, scans, work_bytes without the cost of turning. The limits in `out` are set
 * before. gh_image_probe checks sizes against them, and derives width and height. */
GH_MUST_CHECK gh_status gh_jpeg_probe(gh_image_info *out, const uint8_t *data, size_t len, gh_err *e);
GH_MUST_CHECK gh_status gh_png_probe(gh_image_info *out, const uint8_t *data, size_t len, gh_err *e);
GH_MUST_CHECK gh_status gh_webp_probe(gh_image_info *out, const uint8_t *data, size_t len, gh_err *e);

/* Decoders give RGB as stored, before the orientation; full_width and full_height are the coded size. */
GH_MUST_CHECK gh_status gh_jpeg_decode(gh_image **out, const uint8_t *data, size_t len,
                                       const gh_image_info *info, int min_coded_width, int min_coded_height,
                                       gh_err *e);
GH_MUST_CHECK gh_status gh_png_decode(gh_image **out, const uint8_t *data, size_t len,
                                      const gh_image_info *info, gh_err *e);
GH_MUST_CHECK gh_status gh_webp_decode(gh_image **out, const uint8_t *data, size_t len,
                                       const gh_image_info *info, gh_err *e);

/* Orientation 1..8 in a TIFF block (with or without "Exif\\0\\0" before it); 1 when there is none that holds.
 */
int gh_exif_orientation(const uint8_t *data, size_t len);

/* Names the format of bytes that are none of ours ("a GIF", "HTML"), or NULL. */
const char *gh_sniff_foreign(const uint8_t *data, size_t len);

/* A picture whose pixel memory has room for `channels` (3 or 4) bytes a pixel. */
GH_MUST_CHECK gh_status gh_image_new_deep(gh_image **out, int width, int height, int channels, gh_err *e);
/* Pixels hold RGBA: lays them on white, in place, leaving RGB. */
void gh_image_flatten(gh_image *image);
/* Turns a picture stored with this EXIF orientation upright; pixels and sizes change. */
GH_MUST_CHECK gh_status gh_image_turn(gh_image *image, int orientation, gh_err *e);

/* Big-endian and little-endian numbers at any address. */
static inline uint32_t gh_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t gh_be32(const uint8_t *p)
{
    return gh_be16(p) << 16 | gh_be16(p + 2);
}

static inline uint32_t gh_le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t gh_le32(const uint8_t *p)
{
    return gh_le16(p + 2) << 16 | gh_le16(p);
}

#endif
