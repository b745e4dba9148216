/* What the Reduce operators of all element types share: where the terms of each output element stand. */
#ifndef GH_ENGINE_OPS_REDUCE_H
#define GH_ENGINE_OPS_REDUCE_H

#include "engine/tensor.h"

typedef enum gh_reduction {
    GH_REDUCE_SUM,
    GH_REDUCE_MEAN,
    GH_REDUCE_PROD,
    GH_REDUCE_L1,
    GH_REDUCE_L2,
    GH_REDUCE_SQUARES,
    GH_REDUCE_LOG,
    GH_REDUCE_LOG_EXP,
    GH_REDUCE_MAX,
    GH_REDUCE_MIN
} gh_reduction;

/* Axes with their steps in elements; neighbours that are one row are one axis. */
typedef struct gh_reduce_walk {
    int rank;
    size_t side[GH_MAX_RANK], step[GH_MAX_RANK];
} gh_reduce_walk;

/* Output element i has its terms at offset(kept, i) + offset(inner, r) + row_step * k, for `rows` rows r of
 * `row` terms k. */
typedef struct gh_reduce {
    gh_reduction kind;
    const gh_tensor *in;
    gh_tensor *out;
    gh_reduce_walk kept, inner;
    size_t row, row_step, rows, terms;
} gh_reduce;

/* Where place `at` of the walk, counted row-major, stands in memory, in elements. */
size_t gh_reduce_offset(const gh_reduce_walk *w, size_t at);
/* What a reduction of no terms starts from, and what becomes of the sum of all terms. `shift` is what
 * LogSumExp took off each term. */
double gh_reduce_start(gh_reduction kind);
double gh_reduce_end(gh_reduction kind, double sum, size_t terms, double shift);
/* Output elements [begin, end) of a gh_reduce of any number type, one element at a time. */
void gh_reduce_any_units(const void *job, int begin, int end);

#endif
