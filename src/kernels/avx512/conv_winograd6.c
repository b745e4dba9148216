/* Winograd's F(6x6, 3x3), AVX-512 level. */
#include "kernels/avx512/vec.h"

#define WINOGRAD 6
#include "kernels/simd/conv_winograd.inc"
