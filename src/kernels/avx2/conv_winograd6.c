/* Winograd's F(6x6, 3x3), AVX2 level. */
#include "kernels/avx2/vec.h"

#define WINOGRAD 6
#include "kernels/simd/conv_winograd.inc"
