/* Resampling of RGB pictures, 8 bits a channel: separable, with the arithmetic of Pillow (two passes,
 * horizontal first, rounded to 8 bits between and after), so that networks see what they were trained on. */
#ifndef GH_IMAGE_RESIZE_H
#define GH_IMAGE_RESIZE_H

#include "image/image.h"

typedef enum gh_filter {
    GH_FILTER_BILINEAR,       /* triangle, widened when shrinking (antialias) */
    GH_FILTER_BICUBIC,        /* Keys a = -0.5, antialias */
    GH_FILTER_BILINEAR_PLAIN, /* two taps, half-pixel centres, no antialias; the box's edge repeats */
    GH_FILTER_LANCZOS,        /* a = 3, antialias */
} gh_filter;

/* A rectangle of the source in pixels; fractions allowed, as Pillow's `box`. Antialiased filters look beyond
 * it, up to the edge of the picture. */
typedef struct gh_rect {
    double x, y, w, h;
} gh_rect;

/* Resamples `box` of `src` to width * height RGB bytes at `dst` (width * height * 3). The box must lie within
 * the picture. Equal to the bit to Pillow up to 12, which goes across first; from 13 on it goes down first
 * where the height shrinks much more than the width, and some pixels differ. GH_NOMEM, GH_ARG, or GH_LIMIT
 * for a side of millions of pixels. */
GH_MUST_CHECK gh_status gh_resize(uint8_t *dst, int width, int height, const gh_image *src, gh_rect box,
                                  gh_filter filter, gh_err *e);
/* Three planes of floats, for red, green and blue: (v - mean) * scale of v in 0..255. */
typedef struct gh_planes {
    float *plane[3];
    size_t stride; /* floats from row to row */
    float mean[3], scale[3];
} gh_planes;

/* GH_FILTER_BILINEAR_PLAIN without rounding: a network that was trained on the floats of TensorFlow's resize
 * gives scores that differ by some 1e-3 for rounded pixels. */
GH_MUST_CHECK gh_status gh_resize_planes(const gh_planes *dst, int width, int height, const gh_image *src,
                                         gh_rect box, gh_err *e);

#endif
