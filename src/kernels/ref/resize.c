/* Resizing on the blocked layout. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

void gh_kernel_resize_ref(const gh_resize_job *job, int begin, int end)
{
    const gh_resize_taps *y = &job->y, *x = &job->x;
    for (int u = begin; u < end; u++) {
        int oy = u % y->out;
        const float *plane = job->src + (size_t)(u / y->out) * y->in * x->in * BLOCK;
        float *dst = job->dst + (size_t)u * x->out * BLOCK;
        for (int ox = 0; ox < x->out; ox++, dst += BLOCK) {
            float acc[BLOCK] = {0};
            for (int i = oy * y->taps; i < (oy + 1) * y->taps; i++)
                for (int j = ox * x->taps; j < (ox + 1) * x->taps; j++) {
                    const float *v = plane + ((size_t)y->index[i] * x->in + x->index[j]) * BLOCK;
                    float w = y->weight[i] * x->weight[j];
                    for (int l = 0; l < BLOCK; l++)
                        acc[l] += w * v[l];
                }
            for (int l = 0; l < BLOCK; l++)
                dst[l] = acc[l];
        }
    }
}
