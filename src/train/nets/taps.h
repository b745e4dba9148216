/* Where a decoder takes hold of a body: its last value at each stride, found by running the operators' own
 * inference at one size of the picture. */
#ifndef GH_TRAIN_NETS_TAPS_H
#define GH_TRAIN_NETS_TAPS_H

#include "engine/graph.h"

/* Strides 1, 2, 4, ... 32. */
#define GH_TAP_LEVELS 6

typedef struct gh_tap {
    uint32_t value; /* GH_NONE: nothing at this stride but the picture itself */
    int channels;
    uint32_t pool; /* the node that goes to the next stride, where that is a MaxPool of 2 x 2; else GH_NONE */
    int pool_channels; /* of its input */
} gh_tap;

typedef struct gh_taps {
    gh_tap at[GH_TAP_LEVELS]; /* at[i]: stride 1 << i */
    int deepest;              /* the last level that has a value */
} gh_taps;

/* `g` has one input, a picture of width x height, both multiples of 32 and at least 64; it is bound.
 * GH_FORMAT and GH_UNSUPPORTED say why it is no body for masks. */
GH_MUST_CHECK gh_status gh_taps_find(gh_taps *out, gh_graph *g, int width, int height, gh_err *e);

#endif
