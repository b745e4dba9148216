/* The shapes of numpy's matrix product, for MatMul and its quantised kin. */
#ifndef GH_ENGINE_OPS_MATMUL_H
#define GH_ENGINE_OPS_MATMUL_H

#include "engine/op.h"

/* A vector gains a dimension of 1 that the result loses again. */
typedef struct gh_matmul_shape {
    gh_shape a, b, out; /* with at least 2 dimensions */
    gh_shape result;    /* as the node gives it */
    int64_t m, n, k;
} gh_matmul_shape;

/* By numpy's rules: the last two dimensions are matrices, those before them are broadcast. GH_FORMAT: columns
 * that do not meet as many rows, or a scalar; GH_LIMIT: too many dimensions. */
GH_MUST_CHECK gh_status gh_matmul_shape_of(const gh_io *io, gh_matmul_shape *s, const gh_shape *a,
                                           const gh_shape *b);
/* Which matrix of an operand of shape `in` belongs to output matrix `at`. */
size_t gh_matmul_batch(const gh_shape *in, const gh_shape *out, size_t at);

#endif
