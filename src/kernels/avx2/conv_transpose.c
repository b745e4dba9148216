/* Transposed k x k convolution, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/conv_transpose.inc"
