/* Register tiles of the AVX2 level; the limits are those of vec.h. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/tile.inc"

TILES_12(blocked, 1)
TILES_6(blocked, 2)
TILES_4(blocked, 3)
TILES_2(blocked, 4)
TILES_12(plain, 1)
TILES_6(plain, 2)
TILES_4(plain, 3)
TILES_2(plain, 4)

const gh_tile_fn LEVEL(tiles_blocked)[TILE_BLOCKS][TILE_PIXELS] = {
    {NAMES_12(blocked, 1)},
    {NAMES_6(blocked, 2)},
    {NAMES_4(blocked, 3)},
    {NAMES_2(blocked, 4)},
};

const gh_tile_fn LEVEL(tiles_plain)[TILE_BLOCKS][TILE_PIXELS] = {
    {NAMES_12(plain, 1)},
    {NAMES_6(plain, 2)},
    {NAMES_4(plain, 3)},
    {NAMES_2(plain, 4)},
};
