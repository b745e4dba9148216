/* Geometry of Resize and Upsample: which input positions each output position is made of, axis by axis. */
#ifndef GH_ENGINE_OPS_RESIZE_H
#define GH_ENGINE_OPS_RESIZE_H

#include "engine/ops.h"

typedef enum gh_resize_filter { GH_RESIZE_NEAREST, GH_RESIZE_LINEAR, GH_RESIZE_CUBIC } gh_resize_filter;

typedef struct gh_resize_axis {
    int64_t in, out;
    double scale;
    double resized;  /* in * scale, before it was cut to a whole number */
    double from, to; /* region of interest, in parts of the input */
    int64_t taps;    /* input positions for an output position; 1 for an axis that stays as it is */
    bool same;       /* every output position is its input position */
} gh_resize_axis;

typedef struct gh_resize {
    gh_resize_filter filter;
    int coordinates, rounding;              /* indices into the tables of names in resize_axes.c */
    bool antialias, exclude_outside, crops; /* crops: positions outside get the extrapolation value */
    float cubic, extrapolation;
    int rank;
    gh_resize_axis axes[GH_MAX_RANK];
} gh_resize;

/* One output position of one axis. Tap k stands at gh_resize_index and has the weight gh_resize_weight. */
typedef struct gh_resize_at {
    int64_t base; /* input position of tap 0, may lie outside */
    double ratio; /* where the output position falls, counted from tap 0 */
    double sum;   /* of all weights */
    bool outside; /* the extrapolation value is meant */
} gh_resize_at;

/* What the node asks for with these inputs; checks everything but the type of input 0. */
GH_MUST_CHECK gh_status gh_resize_read(const gh_io *io, gh_resize *r);
gh_resize_at gh_resize_locate(const gh_resize *r, const gh_resize_axis *a, int64_t out);
/* Input position of a tap, inside the axis. */
int64_t gh_resize_index(const gh_resize_axis *a, const gh_resize_at *at, int64_t tap);
float gh_resize_weight(const gh_resize *r, const gh_resize_axis *a, const gh_resize_at *at, int64_t tap);

#endif
