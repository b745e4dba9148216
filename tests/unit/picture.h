/* Synthetic pictures for tests: pixels, PNG files of every kind, and EXIF. Everything asserts on failure. */
#ifndef GH_TEST_PICTURE_H
#define GH_TEST_PICTURE_H

#include "image/image.h"

/* A gradient with a pattern and a red square; tests/data/golden.py makes the same. */
gh_image *gh_test_picture(int width, int height);
/* Largest difference of a byte. */
int gh_test_max_diff(const uint8_t *a, const uint8_t *b, size_t len);

/* A PNG as its chunks say; samples are one a channel, row by row, in the range of `depth`. */
typedef struct gh_test_png {
    int width, height, depth, colour;
    bool interlaced;
    const uint16_t *samples;
    const uint8_t *palette, *trns; /* chunk bodies, or NULL */
    size_t palette_len, trns_len;
} gh_test_png;

/* Appends the file; written for tests alone (stored deflate blocks, no filters), not with a library. */
void gh_test_png_write(gh_buf *out, const gh_test_png *png);
/* Channels of a PNG colour type. */
int gh_test_png_channels(int colour);
/* Appends one chunk with its CRC. */
void gh_test_png_chunk(gh_buf *out, const char *type, const void *body, size_t len);

/* Appends a TIFF block that holds the orientation, after two other tags. */
void gh_test_tiff(gh_buf *out, int orientation, bool big_endian);
/* Appends the JPEG with an EXIF segment put in after its first two bytes. */
void gh_test_jpeg_turn(gh_buf *out, const uint8_t *jpeg, size_t len, int orientation, bool big_endian);

/* Probes and decodes a copy of the exact length. Asserts that a failure has a sentence and gives no picture.
 */
gh_status gh_test_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_limits *limits,
                         gh_err *e);

#endif
