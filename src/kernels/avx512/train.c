/* What training adds to the kernels, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/simd/train.inc"
