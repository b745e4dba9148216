/* Pictures: what they are (from the header alone), their pixels, and resampling. */
#ifndef GH_IMAGE_H
#define GH_IMAGE_H

#include "base/buf.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum gh_image_format { GH_IMAGE_JPEG = 1, GH_IMAGE_PNG, GH_IMAGE_WEBP } gh_image_format;

typedef struct gh_image_limits {
    uint64_t max_pixels; /* 50 megapixels by default */
    uint64_t max_work;   /* working memory in bytes, 700 MB by default */
    int max_jpeg_scans;  /* progressive scans, 100 by default */
} gh_image_limits;

/* What NULL stands for. */
gh_image_limits gh_image_limits_default(void);
/* "JPEG", "PNG" or "WebP". */
const char *gh_image_format_name(gh_image_format format);

/* What the header says; nothing is decoded. */
typedef struct gh_image_info {
    gh_image_format format;
    int width, height;             /* of the upright picture, in pixels */
    int coded_width, coded_height; /* as stored, before the orientation is applied */
    int orientation;               /* EXIF 1..8; 1 = as stored */
    bool progressive, alpha;       /* progressive JPEG or interlaced PNG; transparency is declared */
    int scans;                     /* JPEG: scans counted in a file that is stored in several, else 1 */
    uint64_t work_bytes;    /* what a full decode takes at its peak, the result included; an estimate */
    gh_image_limits limits; /* those the probe checked; decoding keeps to them too */
} gh_image_info;

/* An upright RGB picture, 8 bits a channel, rows contiguous. Owns its pixels. */
typedef struct gh_image {
    int width, height;           /* of the pixels here */
    int full_width, full_height; /* of the upright picture in the file; larger when decoded at a DCT scale */
    bool truncated;              /* the file ended early; the rest is grey or repeated (JPEG only) */
    int warnings;                /* faults in the data that the decoder passed over; truncation counts */
    uint8_t *pixels;             /* height * width * 3 */
} gh_image;

/* GH_UNSUPPORTED: no format that we read (names those we do, and what came where it is known, such as GIF,
 * HEIC, HTML), or a kind of it that we do not (arithmetic JPEG, animated WebP). GH_FORMAT: such a format, but
 * broken. GH_LIMIT: over a limit. GH_ARG: empty. `limits` may be NULL for the default. */
GH_MUST_CHECK gh_status gh_image_probe(gh_image_info *out, const uint8_t *data, size_t len,
                                       const gh_image_limits *limits, gh_err *e);
/* Decodes what gh_image_probe has seen (`info` of the same bytes) and turns it upright, once. min_width and
 * min_height (of the upright picture; either 0 = full size) let a JPEG decode at the smallest DCT scale (1,
 * 1/2, 1/4, 1/8) whose result is at least as large in both. Alpha is laid on white; grey, palette, 16-bit,
 * CMYK and YCCK become RGB. A JPEG that ends after its header decodes, with `truncated`; a PNG or WebP that
 * ends early is GH_FORMAT. */
GH_MUST_CHECK gh_status gh_image_decode(gh_image **out, const uint8_t *data, size_t len,
                                        const gh_image_info *info, int min_width, int min_height, gh_err *e);
/* The samples of an indexed or grey PNG of at most 8 bits, as they are stored: a byte a pixel, of the coded
 * size. `info` is that of the same bytes, of a PNG. GH_UNSUPPORTED: another kind of PNG; else as
 * gh_image_decode. The array is the caller's. */
GH_MUST_CHECK gh_status gh_png_decode_index(uint8_t **out, const uint8_t *data, size_t len,
                                            const gh_image_info *info, gh_err *e);
/* A new picture of width * height with uninitialised pixels. */
GH_MUST_CHECK gh_status gh_image_new(gh_image **out, int width, int height, gh_err *e);
void gh_image_free(gh_image **image);

/* Encoders append to a buffer of the caller's; used by replies and tests. */
GH_MUST_CHECK gh_status gh_png_encode_rgb(gh_buf *out, const uint8_t *pixels, int width, int height,
                                          gh_err *e);
/* A PNG row by row: 8-bit grey of few levels in areas, or of many; a palette picture; RGB or RGBA. */
typedef enum gh_png_colour {
    GH_PNG_GREY,
    GH_PNG_SMOOTH,
    GH_PNG_PALETTE,
    GH_PNG_RGB,
    GH_PNG_RGBA
} gh_png_colour;

typedef struct gh_png_layout {
    int width, height;
    gh_png_colour colour;
    /* RGB, 1 to 256 of them: so many as there are decide the bits a pixel, 1, 2, 4 or 8 */
    const uint8_t (*palette)[3];
    int ncolours;
} gh_png_layout;

typedef struct gh_png_writer gh_png_writer;
/* Appends to `out`, which is borrowed until gh_png_close. */
GH_MUST_CHECK gh_status gh_png_open(gh_png_writer **w, gh_buf *out, const gh_png_layout *layout, gh_err *e);
/* The next row: a byte a pixel (grey, palette: below ncolours), else 3 or 4. */
GH_MUST_CHECK gh_status gh_png_row(gh_png_writer *w, const uint8_t *row, gh_err *e);
/* After the last row; without it `out` holds no whole file. */
GH_MUST_CHECK gh_status gh_png_end(gh_png_writer *w, gh_err *e);
/* Frees it; what `out` got stays there only after gh_png_end. NULL is fine. */
void gh_png_close(gh_png_writer **w);
GH_MUST_CHECK gh_status gh_jpeg_encode_rgb(gh_buf *out, const uint8_t *pixels, int width, int height,
                                           int quality, gh_err *e);

#endif
