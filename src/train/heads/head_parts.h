/* What the heads share; private to them. */
#ifndef GH_TRAIN_HEADS_HEAD_PARTS_H
#define GH_TRAIN_HEADS_HEAD_PARTS_H

#include "base/buf.h"
#include "train/heads/head.h"

#define GH_NO_FOLD UINT32_MAX

/* The first member of every head. */
struct gh_head {
    size_t width, rows;
    uint32_t classes;
    float *held_out; /* rows x classes, or NULL; owned */
};

extern const gh_head_type gh_head_softmax, gh_head_mlp, gh_head_forest, gh_head_knn;

/* Sizes, labels, votes, weights and every feature: a sentence for what no head can use. */
GH_MUST_CHECK gh_status gh_rows_check(const gh_rows *rows, gh_pool *pool, gh_err *e);

/* The share of class c in the target of row i. */
static inline float gh_rows_target(const gh_rows *rows, size_t i, uint32_t c)
{
    return rows->votes ? rows->votes[i * rows->classes + c] : (float)(rows->label[i] == c);
}
/* How much row i counts; 1 without weights. */
static inline float gh_rows_weight(const gh_rows *rows, size_t i)
{
    return rows->weight ? rows->weight[i] : 1;
}
/* The class with the largest share; ties to the lower one. */
uint32_t gh_rows_class(const gh_rows *rows, size_t i);

/* Folds of a fit, one a row; the caller frees them. Those of `rows`, or `want` stratified ones of its own.
 * *count is 0, and *fold NULL, when too few rows stand in the classes to hold any out. */
GH_MUST_CHECK gh_status gh_rows_folds(uint32_t **fold, uint32_t *count, const gh_rows *rows, uint32_t want,
                                      uint64_t seed, gh_err *e);

/* Rows are cut into pieces whose number depends on nothing but sizes: sums are formed within pieces, then
 * over pieces in their order. `most` bounds the number. */
int gh_pieces(size_t n, int most);
static inline size_t gh_piece_start(size_t n, int pieces, int i)
{
    return n / (size_t)pieces * (size_t)i + n % (size_t)pieces * (size_t)i / (size_t)pieces;
}

/* True once the caller wants the fit to end; then GH_INTERRUPTED with its sentence. */
static inline bool gh_stopped(const gh_fit_options *o)
{
    return o->stop && *o->stop;
}
GH_MUST_CHECK gh_status gh_fail_stopped(gh_err *e);
/* The text of a buffer, which is freed; NULL when it had failed. */
char *gh_buf_text(gh_buf *buf);

#endif
