/* Winograd's F(2x2, 3x3), AVX2 level. */
#include "kernels/avx2/vec.h"

#define WINOGRAD 2
#include "kernels/simd/conv_winograd.inc"
