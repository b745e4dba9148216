/* The AVX-512 level: overwrites what it does better than the level below. */
#include "kernels/avx512/vec.h"

#include "kernels/simd/init.inc"
