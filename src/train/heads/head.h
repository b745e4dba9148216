/* Heads: one table of fit, predict and export. A head sees raw features (standardising them is its own
 * affair) and gives a score for each class; `export` writes the same as ONNX nodes. What a fit finds depends
 * on rows, options and seed, not on the number of threads. */
#ifndef GH_TRAIN_HEADS_HEAD_H
#define GH_TRAIN_HEADS_HEAD_H

#include "base/pool.h"
#include "engine/graph.h"

#include <stdbool.h>

/* Training rows. The target of row i is `votes` (rows x classes, each summing to 1) or, where that is NULL,
 * the hard label. `weight` (NULL = all 1) scales a row's loss. All borrowed. */
typedef struct gh_rows {
    const float *x;
    size_t n, width;
    uint32_t classes;
    const uint32_t *label;
    const float *votes;
    const float *weight;
    /* For choosing parameters inside fit: 0 .. folds-1, UINT32_MAX = never held out; NULL = fit makes its
     * own. Rows of one picture belong into one fold. */
    const uint32_t *fold;
} gh_rows;

typedef struct gh_fit_options {
    uint64_t seed;
    gh_pool *pool;
    float l2;       /* softmax, svm: penalty; 0 = chosen by cross-validation */
    int hidden;     /* mlp: units, 0 = 128 */
    int trees;      /* forest: 0 = 200 */
    int neighbours; /* knn: 0 = class prototypes */
    int epochs;     /* mlp: most, 0 = 200 */
    bool quiet;
    volatile const bool *stop; /* set by a signal: fit gives GH_INTERRUPTED */
} gh_fit_options;

typedef struct gh_head gh_head;

typedef struct gh_head_type {
    const char *name;  /* "softmax", "mlp", "forest", "knn" */
    const char *about; /* one line for --help */
    bool logits;       /* predict gives logits (a temperature can be folded in); else probabilities */
    /* Of n, width and classes alone, so that a run can be refused before its features are made: GH_LIMIT or
     * GH_ARG as fit would give them. NULL = nothing to check. */
    gh_status (*check)(const gh_rows *rows, const gh_fit_options *options, gh_err *e);
    /* GH_ARG: fewer than two classes have rows, or an option is out of range; GH_FORMAT: a feature that is
     * not finite; GH_LIMIT; GH_NOMEM; GH_INTERRUPTED. */
    gh_status (*fit)(gh_head **out, const gh_rows *rows, const gh_fit_options *options, gh_err *e);
    /* scores (n x classes) of n rows. */
    gh_status (*predict)(float *scores, const gh_head *head, const float *x, size_t n, gh_pool *pool,
                         gh_err *e);
    /* Appends nodes that turn value `features` (N x width) into scores (N x classes); gives that value. With
     * logits, they are divided by `temperature`. Failures stick to the graph (gh_graph_check). */
    uint32_t (*export)(gh_graph *g, const gh_head *head, uint32_t features, float temperature);
    /* What it found out (l2, out-of-bag score, importances ...), as a new JSON object text; the caller frees
     * it with gh_free. NULL when memory is short. */
    char *(*describe)(const gh_head *head);
    void (*free)(gh_head *head);
} gh_head_type;

/* The table, ended by NULL; find gives NULL for an unknown name. */
extern const gh_head_type *const gh_head_types[];
const gh_head_type *gh_head_type_find(const char *name);

/* Scores (rows x classes) of the training rows from fits that did not see them (cross-validation, out of
 * bag): for a temperature and honest metrics without another fit. A row that no fit could score holds NaN.
 * NULL when the head has none. Borrowed. */
const float *gh_head_held_out(const gh_head *head);
size_t gh_head_width(const gh_head *head);
uint32_t gh_head_classes(const gh_head *head);

#endif
