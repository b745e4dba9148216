/* Transposed k x k convolution, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/simd/conv_transpose.inc"
