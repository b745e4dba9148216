/* Transposing BLOCK x BLOCK floats, AVX-512 level. Include after vec.h. */
#ifndef GH_KERNELS_AVX512_TRANSPOSE_H
#define GH_KERNELS_AVX512_TRANSPOSE_H

/* Transposes 4 x 4 squares of floats within each 128-bit lane of four vectors. */
static inline void v_transpose_lanes(vf x[4])
{
    vf a = _mm512_unpacklo_ps(x[0], x[1]), b = _mm512_unpackhi_ps(x[0], x[1]);
    vf c = _mm512_unpacklo_ps(x[2], x[3]), d = _mm512_unpackhi_ps(x[2], x[3]);
    x[0] = _mm512_shuffle_ps(a, c, 0x44);
    x[1] = _mm512_shuffle_ps(a, c, 0xee);
    x[2] = _mm512_shuffle_ps(b, d, 0x44);
    x[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/* Transposes the 16 x 16 floats of x. */
static inline void v_transpose(vf x[BLOCK])
{
    for (int i = 0; i < BLOCK; i += 4)
        v_transpose_lanes(x + i);
    for (int i = 0; i < 4; i++) { /* now 4 x 4 lanes of 128 bits: x[4 r + i] holds lane column c of row r */
        vf a = _mm512_shuffle_f32x4(x[i], x[i + 4], 0x88), b = _mm512_shuffle_f32x4(x[i], x[i + 4], 0xdd);
        vf c = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0x88);
        vf d = _mm512_shuffle_f32x4(x[i + 8], x[i + 12], 0xdd);
        x[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        x[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        x[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        x[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#endif
