/* First layer, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/conv_first.inc"
