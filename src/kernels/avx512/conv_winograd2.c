/* Winograd's F(2x2, 3x3), AVX-512 level. */
#include "kernels/avx512/vec.h"

#define WINOGRAD 2
#include "kernels/simd/conv_winograd.inc"
