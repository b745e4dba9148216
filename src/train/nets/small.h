/* Small classifiers with fresh weights, built from a table for pictures of one size: for --from-scratch. */
#ifndef GH_TRAIN_NETS_SMALL_H
#define GH_TRAIN_NETS_SMALL_H

#include "engine/graph.h"

typedef struct gh_small_options {
    const char *name; /* "mobile": inverted residuals (Sandler et al. 2018); "residual": pairs of 3 x 3
                         convolutions (He et al. 2016) */
    int side;         /* pixels of the square input, 16 .. 512 */
    int width; /* channels of the first convolution, 4 .. 256; doubled at each stage; 0 = the net's own */
    int depth; /* blocks a stage, 1 .. 16; 0 = the net's own */
    int classes;
    bool grey; /* sees brightness alone, whatever the colours */
    uint64_t seed;
} gh_small_options;

/* Input N x 3 x side x side (mean 127.5, scale 1/64 by its manifest), output "scores", N x classes. GH_ARG
 * names what is accepted. */
GH_MUST_CHECK gh_status gh_small_net(gh_graph **out, const gh_small_options *o, gh_err *e);

#endif
