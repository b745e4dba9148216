/* Between layouts: plain to blocked and back, interleaved bytes to normalised planes. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

void gh_kernel_to_blocked_ref(float *dst, const float *src, int c, int hw, int begin, int end)
{
    int blocks = ref_blocks(c), runs = (hw + BLOCK - 1) / BLOCK;
    for (int u = begin; u < end; u++)
        for (int b = 0; b < blocks; b++)
            for (int i = u % runs * BLOCK; i < hw && i < (u % runs + 1) * BLOCK; i++)
                for (int l = 0; l < BLOCK; l++) {
                    size_t image = (size_t)(u / runs), channel = (size_t)b * BLOCK + l;
                    dst[((image * blocks + b) * hw + i) * BLOCK + l] =
                        channel < (size_t)c ? src[(image * c + channel) * hw + i] : 0;
                }
}

void gh_kernel_to_plain_ref(float *dst, const float *src, int c, int hw, int begin, int end)
{
    int blocks = ref_blocks(c), runs = (hw + BLOCK - 1) / BLOCK;
    for (int u = begin; u < end; u++)
        for (int channel = 0; channel < c; channel++)
            for (int i = u % runs * BLOCK; i < hw && i < (u % runs + 1) * BLOCK; i++) {
                size_t image = (size_t)(u / runs), plane = image * blocks + channel / BLOCK;
                dst[(image * c + channel) * hw + i] = src[(plane * hw + i) * BLOCK + channel % BLOCK];
            }
}

void gh_kernel_normalise_u8_ref(float *dst, const uint8_t *src, int pixels, const int order[3],
                                const float mean[3], const float scale[3])
{
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < pixels; i++)
            dst[(size_t)c * pixels + i] = (src[(size_t)i * 3 + order[c]] - mean[c]) * scale[c];
}
