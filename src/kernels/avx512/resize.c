/* Resizing, AVX-512 level. */
#include "kernels/avx512/vec.h"

#include "kernels/simd/resize.inc"
