/* The AVX2 level: overwrites what it does better than the level below. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/init.inc"
