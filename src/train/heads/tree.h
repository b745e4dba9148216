/* One classification tree, grown on binned features to pure leaves by Gini impurity (Breiman et al. 1984),
 * looking at a random choice of features in each node (Breiman 2001). */
#ifndef GH_TRAIN_HEADS_TREE_H
#define GH_TRAIN_HEADS_TREE_H

#include "base/rng.h"
#include "train/heads/bins.h"

#define GH_LEAF UINT32_MAX

/* A row goes left when x[feature] <= threshold. */
typedef struct gh_tree_node {
    uint32_t feature; /* GH_LEAF: a leaf */
    float threshold;
    uint32_t next;  /* left child, the right one follows; of a leaf its first share */
    uint32_t count; /* of a leaf: its shares */
    float gain;     /* decrease of impurity, as a share of the tree's weight */
} gh_tree_node;

/* Of the classes that a leaf has, by class. They sum to 1. */
typedef struct gh_tree_share {
    uint32_t class_;
    float share;
} gh_tree_share;

typedef struct gh_tree {
    gh_tree_node *nodes; /* the root is 0 */
    gh_tree_share *shares;
    uint32_t nnodes, nshares, cap_nodes, cap_shares;
} gh_tree;

/* One drawn training row. */
typedef struct gh_tree_item {
    uint32_t row, class_;
    float weight;
} gh_tree_item;

typedef struct gh_tree_space gh_tree_space;

/* What growing needs, for any number of trees of up to `items` items, one after the other. */
GH_MUST_CHECK gh_status gh_tree_space_new(gh_tree_space **out, const gh_rows *rows, const gh_bins *bins,
                                          size_t items, gh_err *e);
void gh_tree_space_free(gh_tree_space **s);
gh_tree_item *gh_tree_items(gh_tree_space *s);
/* Grows a tree on the first n items, which it reorders; at least `least` of them in each leaf, `features`
 * looked at in each node (more when none of those tells items apart). */
GH_MUST_CHECK gh_status gh_tree_grow(gh_tree *out, gh_tree_space *s, size_t n, size_t features, size_t least,
                                     gh_rng *rng, gh_err *e);
void gh_tree_free(gh_tree *t);
/* The leaf of a row. */
const gh_tree_node *gh_tree_leaf(const gh_tree *t, const float *x);

#endif
