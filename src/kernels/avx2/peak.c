/* Peak of multiply-adds, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/peak.inc"
