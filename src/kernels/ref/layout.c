/* Between layouts: plain to blocked and back, interleaved bytes to normalised planes. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

void gh_kernel_to_blocked_ref(float *dst, const float *src, int n, int c, int hw)
{
    int blocks = ref_blocks(c);
    for (int image = 0; image < n; image++)
        for (int b = 0; b < blocks; b++)
            for (int i = 0; i < hw; i++)
                for (int l = 0; l < BLOCK; l++) {
                    int channel = b * BLOCK + l;
                    *dst++ = channel < c ? src[((size_t)image * c + channel) * hw + i] : 0;
                }
}

void gh_kernel_to_plain_ref(float *dst, const float *src, int n, int c, int hw)
{
    int blocks = ref_blocks(c);
    for (int image = 0; image < n; image++)
        for (int channel = 0; channel < c; channel++) {
            const float *plane = src + ((size_t)image * blocks + channel / BLOCK) * hw * BLOCK;
            for (int i = 0; i < hw; i++)
                *dst++ = plane[(size_t)i * BLOCK + channel % BLOCK];
        }
}

void gh_kernel_normalise_u8_ref(float *dst, const uint8_t *src, int pixels, const int order[3],
                                const float mean[3], const float scale[3])
{
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < pixels; i++)
            dst[(size_t)c * pixels + i] = (src[(size_t)i * 3 + order[c]] - mean[c]) * scale[c];
}
