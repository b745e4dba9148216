/* Bodies with fresh weights, from a table: what a run begins with when no pretrained one is wanted. */
#ifndef GH_TRAIN_NETS_SCRATCH_H
#define GH_TRAIN_NETS_SCRATCH_H

#include "engine/graph.h"

typedef struct gh_scratch_options {
    const char *name; /* "unet": two convolutions a stride, then max pooling of 2 x 2, from stride 1 to 16;
                         "segnet": the same to stride 32, thinner; both have what unpooling max needs */
    int width;        /* channels at stride 1, doubled at each stride; 0 = the net's own */
    uint64_t seed;
} gh_scratch_options;

/* The graph's input is a picture of any size; its output the deepest value. GH_ARG names the nets there are.
 */
GH_MUST_CHECK gh_status gh_scratch_body(gh_graph **out, const gh_scratch_options *o, gh_err *e);

#endif
