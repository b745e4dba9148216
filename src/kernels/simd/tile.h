/* The register tile that all convolutions on packed weights share: P neighbouring output pixels x Q blocks of
 * output channels are summed in registers over input channels and window taps. Include after a level's vec.h.
 */
#ifndef GH_KERNELS_SIMD_TILE_H
#define GH_KERNELS_SIMD_TILE_H

#include "kernels/kernels.h"

enum { TILE_BLOCKS = 4, TILE_PIXELS = 14 }; /* bounds of Q and P at any level */

/* One call of a tile. Steps and offsets in floats. Weights: [channel block][tap][lane][BLOCK]. */
typedef struct gh_tile {
    const float *src;
    size_t src_step;       /* from one block of input channels to the next */
    int src_blocks;        /* blocks of input channels */
    int last_lanes;        /* channels used of the last one */
    const ptrdiff_t *taps; /* offset of each window tap from src */
    int tap_count;
    const float *weights;
    size_t weight_step; /* from one block of output channels to the next */
    const float *bias;  /* Q blocks, or NULL */
    const float *from;  /* what the sums start from besides bias: residual, unfinished dst, or NULL */
    float *dst;
    size_t dst_step; /* of dst and from, between blocks of output channels */
    float lo, hi;    /* clamps the result */
    /* The weights that come after these, `ahead` floats on, are fetched into the L2 cache in passing: of
     * every BLOCK lanes this tile takes care of [fetch_first, fetch_last). */
    ptrdiff_t ahead;
    int fetch_first, fetch_last;
} gh_tile;

typedef void (*gh_tile_fn)(const gh_tile *t);

/* Tiles by [Q - 1][P - 1]: on blocked input, and on plain input with one channel a tap. */
extern const gh_tile_fn LEVEL(tiles_blocked)[TILE_BLOCKS][TILE_PIXELS];
extern const gh_tile_fn LEVEL(tiles_plain)[TILE_BLOCKS][TILE_PIXELS];
/* On blocked input and weights that are pairs of bfloat16: a block has BLOCK / 2 lanes. */
extern const gh_tile_fn LEVEL(tiles_bf16)[TILE_BLOCKS][TILE_PIXELS];
/* On plain input and weights that are such pairs: of two neighbouring columns. */
extern const gh_tile_fn LEVEL(tiles_plain_bf16)[TILE_BLOCKS][TILE_PIXELS];

static inline int tile_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* Widest tile of Q blocks. */
static inline int tile_limit(int q)
{
    static const int limits[TILE_BLOCKS] = {TILE_1, TILE_2, TILE_3, TILE_4};
    return limits[q - 1];
}

/* Cycles of one step of the inner dimension, times 2: two FMAs and two loads a cycle, and sums that depend on
 * each other every 4 cycles. */
static inline int tile_cost(int p, int q)
{
    int fma = p * q, loads = p + q, latency = 8;
    int most = fma > loads ? fma : loads;
    return most > latency ? most : latency;
}

/* Cost of `pixels` neighbouring outputs for q blocks, cut into equal tiles. */
static inline int tile_row_cost(int pixels, int q)
{
    int n = tile_div(pixels, tile_limit(q)), small = pixels / n, large = pixels % n;
    return large * tile_cost(small + 1, q) + (n - large) * tile_cost(small, q);
}

/* Blocks of output channels that a tile should take for rows of `pixels` outputs and `blocks` blocks. */
static inline int tile_choose(int pixels, int blocks)
{
    int best = 1, least = 0;
    for (int q = 1; q <= TILE_BLOCKS && q <= blocks; q++) {
        int cost = blocks / q * tile_row_cost(pixels, q);
        if (blocks % q)
            cost += tile_row_cost(pixels, blocks % q);
        if (q == 1 || cost < least) {
            best = q;
            least = cost;
        }
    }
    return best;
}

/* Runs t over a row of `pixels` outputs, q blocks; t's src, from and dst move on by one pixel each. */
static inline void tile_row(gh_tile *t, const gh_tile_fn tiles[TILE_PIXELS], int pixels, int limit,
                            int src_pixel, int fetches)
{
    int n = tile_div(pixels, limit), small = pixels / n, large = pixels % n;
    for (int i = 0; i < n; i++) {
        int p = small + (i < large);
        t->fetch_first = t->fetch_last;
        t->fetch_last = t->fetch_last + fetches < BLOCK ? t->fetch_last + fetches : BLOCK;
        tiles[p - 1](t);
        t->src += (ptrdiff_t)p * src_pixel;
        t->dst += (ptrdiff_t)p * BLOCK;
        if (t->from)
            t->from += (ptrdiff_t)p * BLOCK;
    }
}

/* Bounds of the clamp that an activation needs; true when it is more than a clamp and wants another pass. */
static inline bool tile_bounds(float *lo, float *hi, gh_act act)
{
    bool clamp = act.kind == GH_ACT_CLAMP;
    *lo = clamp ? act.lo : -__builtin_inff();
    *hi = clamp ? act.hi : __builtin_inff();
    return !clamp && act.kind != GH_ACT_NONE;
}

#endif
