/* Winograd's F(4x4, 3x3), AVX2 level. */
#include "kernels/avx2/vec.h"

#define WINOGRAD 4
#include "kernels/simd/conv_winograd.inc"
