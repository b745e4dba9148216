/* Dense layer and matrix product, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/avx512/vec_math.h"
#include "kernels/simd/dense.inc"
