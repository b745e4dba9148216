/* An equation of Einsum, read: what the walk over every label and the way through matrix products share. */
#ifndef GH_ENGINE_OPS_EINSUM_H
#define GH_ENGINE_OPS_EINSUM_H

#include "engine/op.h"

#define GH_EINSUM_OPERANDS 8
#define GH_EINSUM_LABELS   24

/* The labels of the output come first, in its order; then those that are summed. */
typedef struct gh_einsum {
    int nlabels, nout;
    uint8_t label[GH_EINSUM_LABELS];
    int64_t dim[GH_EINSUM_LABELS];
    size_t step[GH_EINSUM_OPERANDS][GH_EINSUM_LABELS]; /* in elements; 0 where an operand lacks the label */
    size_t terms;                                      /* products that make up one output element */
} gh_einsum;

/* Reads the equation for the operands' shapes; GH_FORMAT, GH_UNSUPPORTED and GH_LIMIT name what is wrong with
 * it. */
GH_MUST_CHECK gh_status gh_einsum_of(const gh_io *io, gh_einsum *s);
/* Two float32 operands as matrix products. */
extern const gh_blocked gh_einsum_matmul;

#endif
