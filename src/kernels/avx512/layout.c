/* Between layouts, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/avx512/transpose.h"
#include "kernels/simd/layout.inc"
