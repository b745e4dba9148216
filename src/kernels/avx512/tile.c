/* Register tiles of the AVX-512 level; the limits are those of vec.h. */
#include "kernels/avx512/vec.h"

#include "kernels/simd/tile.inc"

TILES_14(blocked, 1)
TILES_14(blocked, 2)
TILES_9(blocked, 3)
TILES_6(blocked, 4)
TILES_14(plain, 1)
TILES_14(plain, 2)
TILES_9(plain, 3)
TILES_6(plain, 4)

const gh_tile_fn LEVEL(tiles_blocked)[TILE_BLOCKS][TILE_PIXELS] = {
    {NAMES_14(blocked, 1)},
    {NAMES_14(blocked, 2)},
    {NAMES_9(blocked, 3)},
    {NAMES_6(blocked, 4)},
};

const gh_tile_fn LEVEL(tiles_plain)[TILE_BLOCKS][TILE_PIXELS] = {
    {NAMES_14(plain, 1)},
    {NAMES_14(plain, 2)},
    {NAMES_9(plain, 3)},
    {NAMES_6(plain, 4)},
};
