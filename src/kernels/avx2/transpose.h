/* Transposing BLOCK x BLOCK floats, AVX2 level. Include after vec.h. */
#ifndef GH_KERNELS_AVX2_TRANSPOSE_H
#define GH_KERNELS_AVX2_TRANSPOSE_H

/* Transposes 4 x 4 squares of floats within each 128-bit lane of four vectors. */
static inline void v_transpose_lanes(vf x[4])
{
    vf a = _mm256_unpacklo_ps(x[0], x[1]), b = _mm256_unpackhi_ps(x[0], x[1]);
    vf c = _mm256_unpacklo_ps(x[2], x[3]), d = _mm256_unpackhi_ps(x[2], x[3]);
    x[0] = _mm256_shuffle_ps(a, c, 0x44);
    x[1] = _mm256_shuffle_ps(a, c, 0xee);
    x[2] = _mm256_shuffle_ps(b, d, 0x44);
    x[3] = _mm256_shuffle_ps(b, d, 0xee);
}

/* Transposes the 8 x 8 floats of x. */
static inline void v_transpose(vf x[BLOCK])
{
    v_transpose_lanes(x);
    v_transpose_lanes(x + 4);
    for (int i = 0; i < 4; i++) {
        vf low = _mm256_permute2f128_ps(x[i], x[i + 4], 0x20);
        x[i + 4] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x31);
        x[i] = low;
    }
}

#endif
