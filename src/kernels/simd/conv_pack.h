/* Packing that the convolutions on register tiles share. Include after a level's vec.h. */
#ifndef GH_KERNELS_SIMD_CONV_PACK_H
#define GH_KERNELS_SIMD_CONV_PACK_H

#include "kernels/kernels.h"

static inline int pack_blocks(int channels)
{
    return (channels + BLOCK - 1) / BLOCK;
}

/* Floats of packed weights of one block of output channels. */
static inline size_t pack_step(const gh_conv_shape *s)
{
    return (size_t)s->ic * s->kh * s->kw * BLOCK;
}

static inline size_t pack_size(const gh_conv_shape *s)
{
    return pack_step(s) * pack_blocks(s->oc);
}

/* [oc][ic][taps] to [oc block][ic block][tap][lane of ic][BLOCK], zeros beyond oc; `lanes` channels of input
 * make one block. */
static inline void pack_weights(float *dst, const float *weights, const gh_conv_shape *s, int lanes)
{
    int taps = s->kh * s->kw;
    for (int ob = 0; ob < pack_blocks(s->oc); ob++)
        for (int c0 = 0; c0 < s->ic; c0 += lanes)
            for (int t = 0; t < taps; t++)
                for (int c = c0; c < c0 + lanes && c < s->ic; c++)
                    for (int o = ob * BLOCK; o < (ob + 1) * BLOCK; o++)
                        *dst++ = o < s->oc ? weights[((size_t)o * s->ic + c) * taps + t] : 0;
}

#endif
