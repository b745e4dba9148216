/* Resampling RGB bytes in fixed point, with the arithmetic of Pillow. */
#include "kernels/levels.h"

enum { CHANNELS = 3, HALF = 1 << (GH_RESAMPLE_BITS - 1) };

static uint8_t to_byte(int32_t sum)
{
    int32_t v = sum >> GH_RESAMPLE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Two rows at a time: six independent sums keep the multiplier busy, and each weight is loaded once for both.
 */
static void across_pair(uint8_t *dst, size_t dst_stride, const uint8_t *src, size_t src_stride,
                        const gh_resample_taps *t)
{
    for (int i = 0; i < t->size; i++, dst += CHANNELS) {
        const uint8_t *s = src + (size_t)t->first[i] * CHANNELS, *z = s + src_stride;
        const int32_t *w = t->weight + (size_t)i * (size_t)t->most, *end = w + t->count[i];
        int32_t r0 = HALF, g0 = HALF, b0 = HALF, r1 = HALF, g1 = HALF, b1 = HALF;
        for (; w < end; w++, s += CHANNELS, z += CHANNELS) {
            int32_t k = *w;
            r0 += s[0] * k;
            g0 += s[1] * k;
            b0 += s[2] * k;
            r1 += z[0] * k;
            g1 += z[1] * k;
            b1 += z[2] * k;
        }
        uint8_t *d = dst + dst_stride;
        dst[0] = to_byte(r0);
        dst[1] = to_byte(g0);
        dst[2] = to_byte(b0);
        d[0] = to_byte(r1);
        d[1] = to_byte(g1);
        d[2] = to_byte(b1);
    }
}

void gh_kernel_resample_across_ref(uint8_t *dst, size_t dst_stride, const uint8_t *src, size_t src_stride,
                                   int width, int rows, const gh_resample_taps *t)
{
    int y = 0;
    (void)width;
    for (; y + 2 <= rows; y += 2)
        across_pair(dst + (size_t)y * dst_stride, dst_stride, src + (size_t)y * src_stride, src_stride, t);
    if (y < rows) /* the last of an odd number, as a pair with itself */
        across_pair(dst + (size_t)y * dst_stride, 0, src + (size_t)y * src_stride, 0, t);
}

/* LANES bytes at a time, so that the sums stay in registers and compilers see a loop of fixed length. */
enum { LANES = 16 };

static void down_lanes(uint8_t *dst, const uint8_t *src, size_t stride, const int32_t *w, int count)
{
    int32_t sum[LANES];
    for (int i = 0; i < LANES; i++)
        sum[i] = HALF;
    for (int j = 0; j < count; j++, src += stride)
        for (int i = 0; i < LANES; i++)
            sum[i] += src[i] * w[j];
    for (int i = 0; i < LANES; i++)
        dst[i] = to_byte(sum[i]);
}

void gh_kernel_resample_down_ref(uint8_t *dst, const uint8_t *src, size_t stride, size_t n, const int32_t *w,
                                 int count)
{
    size_t x = 0;
    for (; x + LANES <= n; x += LANES)
        down_lanes(dst + x, src + x, stride, w, count);
    for (; x < n; x++) {
        int32_t sum = HALF;
        for (int j = 0; j < count; j++)
            sum += src[x + (size_t)j * stride] * w[j];
        dst[x] = to_byte(sum);
    }
}
