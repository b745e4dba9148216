/* What training adds to the kernels, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/train.inc"
