/* A random forest (Breiman 2001): trees on bootstrap samples, their leaves' class shares averaged. */
#ifndef GH_TRAIN_HEADS_FOREST_H
#define GH_TRAIN_HEADS_FOREST_H

#include "train/heads/tree.h"

typedef struct gh_forest {
    gh_tree *trees;
    uint32_t ntrees, classes;
    size_t rows, width;
    uint8_t *in_bag; /* [ntrees][(rows + 7) / 8] bits */
} gh_forest;

/* Grows the trees side by side; each has random numbers of its own. `least`: items in a leaf. */
GH_MUST_CHECK gh_status gh_forest_grow(gh_forest *out, const gh_rows *rows, uint32_t ntrees, size_t least,
                                       const gh_fit_options *o, gh_err *e);
void gh_forest_free(gh_forest *f);
/* Class probabilities of n rows. With `held_out` the rows are the training rows, and only trees that did not
 * see a row score it: NaN where there is none. */
void gh_forest_scores(float *scores, const gh_forest *f, const float *x, size_t n, bool held_out,
                      gh_pool *pool);
/* Share of the decrease of impurity that each feature brought; they sum to 1 where there was a split. */
void gh_forest_importances(double *importance, const gh_forest *f);
/* Nodes on `features` (N x width) that give class probabilities (N x classes); gives that value. */
uint32_t gh_forest_export(gh_graph *g, const gh_forest *f, uint32_t features);

#endif
