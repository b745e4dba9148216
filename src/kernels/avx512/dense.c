/* Dense layer and matrix product, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/simd/dense.inc"
