/* Indices that come as data: checked one by one while running. */
#ifndef GH_ENGINE_OPS_INDEX_H
#define GH_ENGINE_OPS_INDEX_H

#include "engine/op.h"

/* Checks that input i is int64 or int32. */
GH_MUST_CHECK gh_status gh_io_indices(const gh_io *io, uint32_t i);
/* Element `at` of input i as an index of `side` elements, where a negative one counts from the end. */
GH_MUST_CHECK gh_status gh_exec_index(size_t *out, const gh_exec *x, uint32_t i, size_t at, int64_t side);
/* Where row `at` of the indices in input i points to: `width` indices a row, along as many first dimensions
 * of `sides`, last index fastest. In elements of what those dimensions hold. */
GH_MUST_CHECK gh_status gh_exec_index_row(size_t *out, const gh_exec *x, uint32_t i, size_t at, int width,
                                          const int64_t *sides);

/* A walk over a shape that follows the elements of another one, all but those along `axis`, which an index
 * chooses. */
typedef struct gh_pick {
    gh_shape shape;
    size_t step[GH_MAX_RANK], axis_step; /* of the other, in elements */
    size_t at;                           /* where index 0 would be */
    int64_t index[GH_MAX_RANK];
} gh_pick;

/* Begins at the first element of `shape`; element i along the axis of the other stands at `at` + i *
 * `axis_step`. */
void gh_pick_start(gh_pick *p, const gh_shape *shape, const gh_shape *other, int axis);
/* The next element in row-major order. */
void gh_pick_next(gh_pick *p);

#endif
