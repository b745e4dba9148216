/* Element by element, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/avx512/vec_math.h"
#include "kernels/simd/activate.inc"
