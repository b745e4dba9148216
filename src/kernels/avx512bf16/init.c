/* What AVX512-BF16 adds to the AVX-512 level. */
#include "kernels/avx512bf16/vec.h"

#include "kernels/levels.h"

void gh_kernels_init_avx512bf16(gh_kernels *k)
{
    k->conv_first_bf16 = &LEVEL(conv_first_bf16);
    k->conv_bf16 = &LEVEL(conv_bf16);
    k->conv_transpose_bf16 = &LEVEL(conv_transpose_bf16);
}
