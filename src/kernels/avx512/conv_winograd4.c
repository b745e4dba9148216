/* Winograd's F(4x4, 3x3), AVX-512 level. */
#include "kernels/avx512/vec.h"

#define WINOGRAD 4
#include "kernels/simd/conv_winograd.inc"
