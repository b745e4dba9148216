/* Resampling of pictures, AVX2 level. */
#include "kernels/avx2/vec.h"

/* 16 sums of bytes times weights. */
typedef struct sums {
    __m256i low, high;
} sums;

static inline sums sums_set(int32_t v)
{
    return (sums){_mm256_set1_epi32(v), _mm256_set1_epi32(v)};
}

static inline sums sums_add(sums s, const uint8_t *bytes, int32_t weight)
{
    __m256i w = _mm256_set1_epi32(weight);
    __m256i low = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
    __m256i high = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(bytes + 8)));
    return (sums){_mm256_add_epi32(s.low, _mm256_mullo_epi32(low, w)),
                  _mm256_add_epi32(s.high, _mm256_mullo_epi32(high, w))};
}

/* Shifted right and kept within 0..255. */
static inline void sums_store(uint8_t *dst, sums s, int shift)
{
    __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(s.low, shift), _mm256_srai_epi32(s.high, shift));
    words = _mm256_permute4x64_epi64(words, 0xd8); /* the packing goes by halves of a vector */
    __m128i low = _mm256_castsi256_si128(words), high = _mm256_extracti128_si256(words, 1);
    _mm_storeu_si128((__m128i *)dst, _mm_packus_epi16(low, high));
}

#include "kernels/simd/resample.inc"
