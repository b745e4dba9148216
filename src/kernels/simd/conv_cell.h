/* What the tiles of a convolution read: floats as they are, or, with BF16 defined, pairs of bfloat16 numbers,
 * to which the copy of the input turns them. Include after a level's vec.h. */
#ifndef GH_KERNELS_SIMD_CONV_CELL_H
#define GH_KERNELS_SIMD_CONV_CELL_H

#include "kernels/simd/conv_pack.h"
#include "kernels/simd/tile.h"

/* CELL: floats of a pixel of one block of input, which are steps of the inner dimension. */
#ifdef BF16
enum { CELL = BLOCK / 2, IS_BF16 = 1 };
#define CELL_TILES LEVEL(tiles_bf16)
#else
enum { CELL = BLOCK, IS_BF16 = 0 };
#define CELL_TILES LEVEL(tiles_blocked)
#endif

static inline void cell_store(float *dst, vf x)
{
#ifdef BF16
    v_store_bf16(dst, x);
#else
    v_store(dst, x);
#endif
}

/* Steps of the inner dimension for the channels of one block. */
static inline int cell_lanes(int channels)
{
    return IS_BF16 ? (channels + 1) / 2 : channels;
}

/* One float of packed weights: that of the first channel, or with BF16 of both. */
static inline float cell_weight(float first, float second)
{
#ifdef BF16
    return bf16_pair(first, second);
#else
    (void)second;
    return first;
#endif
}

/* Floats of packed weights of one block of output channels, for one tap. */
static inline size_t cell_step(const gh_conv_shape *s)
{
    int blocks = pack_blocks(s->ic);
    return (size_t)((blocks - 1) * CELL + cell_lanes(s->ic - (blocks - 1) * BLOCK)) * BLOCK;
}

#endif
