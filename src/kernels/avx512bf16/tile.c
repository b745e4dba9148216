/* Register tiles on pairs of bfloat16, AVX512-BF16. */
#include "kernels/avx512bf16/vec.h"

#define TILE_CELL (BLOCK / 2)
#define TILE_FMA  v_dot_bf16
#include "kernels/simd/tile.inc"

TILES_14(blocked, 1)
TILES_14(blocked, 2)
TILES_9(blocked, 3)
TILES_6(blocked, 4)

TILES_14(plain, 1)
TILES_14(plain, 2)
TILES_9(plain, 3)
TILES_6(plain, 4)

const gh_tile_fn LEVEL(tiles_plain_bf16)[TILE_BLOCKS][TILE_PIXELS] = {
    {NAMES_14(plain, 1)},
    {NAMES_14(plain, 2)},
    {NAMES_9(plain, 3)},
    {NAMES_6(plain, 4)},
};

const gh_tile_fn LEVEL(tiles_bf16)[TILE_BLOCKS][TILE_PIXELS] = {
    {NAMES_14(blocked, 1)},
    {NAMES_14(blocked, 2)},
    {NAMES_9(blocked, 3)},
    {NAMES_6(blocked, 4)},
};
