/* Dense layer and matrix product, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/avx2/vec_math.h"
#include "kernels/simd/dense.inc"
