/* The layer of a network of masks that scores the classes: its last convolution, which only activations and
 * resizing follow. */
#ifndef GH_TRAIN_NETS_SCORE_LAYER_H
#define GH_TRAIN_NETS_SCORE_LAYER_H

#include "engine/graph.h"

typedef struct gh_score_layer {
    uint32_t node, weight, bias; /* bias: GH_NONE = none */
    bool transposed;             /* ConvTranspose: weights are in x out x kh x kw, else out x in x kh x kw */
    int in, out;                 /* channels */
} gh_score_layer;

/* Looks back from the first output; false: the network ends otherwise. */
bool gh_score_layer_find(gh_score_layer *out, const gh_graph *g);

/* How the new scores begin: row[c] is the old class whose weights the new class c takes, or -1 = fresh ones
 * drawn by `seed`. */
typedef struct gh_score_start {
    int classes;
    const int *row;
    bool halves; /* the old layer has one score, of class row[c] == 1 against row[c] == 0: each gets half, so
                    that the softmax of both is the sigmoid that there was */
    uint64_t seed;
} gh_score_start;

/* Puts new weights into the layer, named decoder/score/..., and ends the network there: *scores is its value.
 */
GH_MUST_CHECK gh_status gh_score_layer_renew(uint32_t *scores, gh_graph *g, const gh_score_layer *l,
                                             const gh_score_start *start, gh_err *e);

#endif
