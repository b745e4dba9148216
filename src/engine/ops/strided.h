/* Copies between two layouts of the same elements: what Slice, Transpose, Expand, Tile, Split and their like
 * come down to. */
#ifndef GH_ENGINE_OPS_STRIDED_H
#define GH_ENGINE_OPS_STRIDED_H

#include "engine/tensor.h"

#define GH_STRIDED_RANK (2 * GH_MAX_RANK)

/* A walk over dims, last axis fastest. Steps are in elements and may be 0 (an element is repeated) or
 * negative. */
typedef struct gh_strided {
    int rank;
    int64_t dims[GH_STRIDED_RANK], src[GH_STRIDED_RANK], dst[GH_STRIDED_RANK];
} gh_strided;

/* Adds one axis. */
void gh_strided_axis(gh_strided *s, int64_t dim, int64_t src, int64_t dst);
/* The walk over a whole tensor of this shape with its own steps as those of both sides; src and dst may be
 * changed afterwards. */
gh_strided gh_strided_of(const gh_shape *shape);
/* Copies elements of `size` bytes (1, 2, 4 or 8). The pointers are those of the first element of the walk. */
void gh_strided_copy(void *dst, const void *src, size_t size, const gh_strided *s);

#endif
