/* Resampling of pictures, AVX-512 level. */
#include "kernels/avx512/vec.h"

/* 16 sums of bytes times weights. */
typedef __m512i sums;

static inline sums sums_set(int32_t v)
{
    return _mm512_set1_epi32(v);
}

static inline sums sums_add(sums s, const uint8_t *bytes, int32_t weight)
{
    __m512i v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes));
    return _mm512_add_epi32(s, _mm512_mullo_epi32(v, _mm512_set1_epi32(weight)));
}

/* Shifted right and kept within 0..255. */
static inline void sums_store(uint8_t *dst, sums s, int shift)
{
    s = _mm512_max_epi32(_mm512_srai_epi32(s, (unsigned)shift), _mm512_setzero_si512());
    _mm_storeu_si128((__m128i *)dst, _mm512_cvtusepi32_epi8(s));
}

#include "kernels/simd/resample.inc"
