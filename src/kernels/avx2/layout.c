/* Between layouts, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/avx2/transpose.h"
#include "kernels/simd/layout.inc"
