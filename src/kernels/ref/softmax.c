/* Softmax over the middle axis of [outer][count][inner]. */
#include "kernels/levels.h"

#include <math.h>

static void one_line(float *dst, const float *src, int count, size_t step)
{
    float top = src[0], sum = 0;
    for (int i = 1; i < count; i++)
        top = src[i * step] > top ? src[i * step] : top;
    for (int i = 0; i < count; i++) {
        dst[i * step] = expf(src[i * step] - top);
        sum += dst[i * step];
    }
    for (int i = 0; i < count; i++)
        dst[i * step] /= sum;
}

void gh_kernel_softmax_ref(float *dst, const float *src, int outer, int count, int inner)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            size_t at = (size_t)o * count * inner + i;
            one_line(dst + at, src + at, count, (size_t)inner);
        }
}
