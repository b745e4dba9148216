/* First layer of bfloat16 numbers, AVX512-BF16. */
#include "kernels/avx512bf16/vec.h"

#define BF16
#include "kernels/simd/conv_first.inc"
