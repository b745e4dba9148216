/* numpy broadcasting: a walk over rows of the output with where each operand stands. */
#ifndef GH_ENGINE_OPS_BROADCAST_H
#define GH_ENGINE_OPS_BROADCAST_H

#include "engine/op.h"

#define GH_MAX_OPERANDS_WALKED 3

/* Axes along which all operands go on alike are joined, so that rows are long. Steps are in elements. */
typedef struct gh_walk {
    int rank; /* of the joined axes but the last */
    uint32_t n;
    int64_t dims[GH_MAX_RANK], index[GH_MAX_RANK];
    int64_t step[GH_MAX_OPERANDS_WALKED][GH_MAX_RANK];
    size_t row;                              /* elements of one row of the output */
    size_t row_step[GH_MAX_OPERANDS_WALKED]; /* along a row: 1, or 0 where an operand is repeated */
    size_t at[GH_MAX_OPERANDS_WALKED], rows; /* where the current row starts; how many there are */
} gh_walk;

/* `in` holds n <= 3 operands whose shapes broadcast to `out`. */
void gh_walk_start(gh_walk *w, const gh_shape *out, const gh_shape *const *in, uint32_t n);
void gh_walk_next(gh_walk *w);
/* The shape that inputs [from, to) broadcast to. */
GH_MUST_CHECK gh_status gh_io_broadcast_all(const gh_io *io, gh_shape *out, uint32_t from, uint32_t to);

#endif
