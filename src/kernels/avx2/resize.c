/* Resizing, AVX2 level. */
#include "kernels/avx2/vec.h"

#include "kernels/simd/resize.inc"
