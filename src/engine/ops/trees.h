/* Tree ensembles of ai.onnx.ml in the form that runs: checked, flat, one block of memory. */
#ifndef GH_ENGINE_OPS_TREES_H
#define GH_ENGINE_OPS_TREES_H

#include "engine/ops.h"

typedef enum gh_tree_mode {
    GH_TREE_LEAF,
    GH_TREE_LEQ,
    GH_TREE_LT,
    GH_TREE_GTE,
    GH_TREE_GT,
    GH_TREE_EQ,
    GH_TREE_NEQ
} gh_tree_mode;

typedef enum gh_tree_sum { GH_TREE_SUM, GH_TREE_AVERAGE, GH_TREE_MIN, GH_TREE_MAX } gh_tree_sum;

typedef enum gh_tree_post {
    GH_TREE_NONE,
    GH_TREE_SOFTMAX,
    GH_TREE_LOGISTIC,
    GH_TREE_SOFTMAX_ZERO,
    GH_TREE_PROBIT
} gh_tree_post;

typedef struct gh_flat_node {
    float value;
    uint32_t feature;
    uint32_t yes, no;    /* children; of a leaf: its first weight, and how many */
    uint8_t mode;        /* gh_tree_mode */
    uint8_t missing_yes; /* NaN goes the yes way */
} gh_flat_node;

typedef struct gh_flat_weight {
    uint32_t target;
    float weight;
} gh_flat_weight;

/* Everything lies behind this head in one block. */
typedef struct gh_flat_trees {
    uint32_t ntrees, nnodes, nweights, targets;
    uint32_t features; /* at least as many columns are read */
    gh_tree_sum sum;
    gh_tree_post post;
    bool classifier;
    bool one_sided; /* two classes, of which only `side` has weights */
    uint32_t side;
    bool negative;       /* some weight is below 0 */
    uint32_t nbase;      /* base values */
    size_t bytes;        /* of the whole block */
    uint32_t *roots;     /* [ntrees], in the order of the trees' numbers */
    gh_flat_node *nodes; /* tree after tree, each from its root on */
    gh_flat_weight *weights;
    float *base;
    int64_t *labels; /* [targets] of a classifier */
} gh_flat_trees;

/* Attribute post_transform of any classifier or regressor. */
GH_MUST_CHECK gh_status gh_trees_post(const gh_io *io, gh_tree_post *out);
/* Makes the scores of one row what post_transform says. */
void gh_trees_transform(float *scores, uint32_t n, gh_tree_post post);
/* Number of classes or targets, from the attributes alone. */
GH_MUST_CHECK gh_status gh_trees_targets(const gh_io *io, uint32_t *targets);
/* Reads and checks every attribute: GH_FORMAT, GH_LIMIT, GH_UNSUPPORTED, GH_NOMEM. *out is one block for
 * gh_free. `most` bounds its bytes. */
GH_MUST_CHECK gh_status gh_trees_build(gh_flat_trees **out, const gh_io *io, size_t most);

#endif
