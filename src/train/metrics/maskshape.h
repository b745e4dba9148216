/* Masks that are told by shapes: polygons and run lengths, as COCO's JSON has them. */
#ifndef GH_TRAIN_METRICS_MASKSHAPE_H
#define GH_TRAIN_METRICS_MASKSHAPE_H

#include "base/arena.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_MAX_SHAPE_PIXELS ((int64_t)50000000) /* of a picture with run lengths or polygons */

/* One polygon (x, y, x, y, ... in pixels), or run lengths down the columns, the first run outside. */
typedef struct gh_mask_shape {
    uint8_t value; /* that its pixels get */
    double area;   /* pixels, about */
    const float *points;
    uint32_t npoints; /* pairs; 0: it is run lengths */
    const uint32_t *runs;
    uint32_t nruns;
} gh_mask_shape;

/* Draws on pixels[height * width]: pixels whose middle lies within (even-odd rule), or in every second run.
 */
GH_MUST_CHECK gh_status gh_mask_shape_draw(uint8_t *pixels, int width, int height, const gh_mask_shape *s,
                                           gh_err *e);
/* Run lengths from COCO's compressed text; they must add up to width * height. GH_FORMAT. */
GH_MUST_CHECK gh_status gh_mask_runs_read(gh_mask_shape *out, gh_arena *arena, const char *text, size_t len,
                                          int width, int height, gh_err *e);
/* The same, already numbers. */
GH_MUST_CHECK gh_status gh_mask_runs_check(gh_mask_shape *s, int width, int height, gh_err *e);

#endif
