/* What training adds: sums and gradients of norms, depthwise windows on padded planes, products of long rows.
 */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

void gh_kernel_moments_ref(double sums[2], const float *src, size_t count, float shift)
{
    for (size_t i = 0; i < count; i++) {
        double v = (double)src[i] - shift;
        sums[0] += v;
        sums[1] += v * v;
    }
}

void gh_kernel_scale_clamp_ref(float *dst, const float *src, size_t count, float a, float b, float lo,
                               float hi)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = ref_clamp(a * src[i] + b, lo, hi);
}

static float masked(float dy, float x, const gh_norm_job *job)
{
    float v = job->a * x + job->b;
    return v > job->lo && v < job->hi ? dy : 0;
}

void gh_kernel_norm_sums_ref(double sums[2], const float *dy, const float *src, size_t count,
                             const gh_norm_job *job)
{
    for (size_t i = 0; i < count; i++) {
        double g = masked(dy[i], src[i], job);
        sums[0] += g;
        sums[1] += g * ((double)src[i] - job->mean);
    }
}

void gh_kernel_norm_gradient_ref(float *dx, const float *dy, const float *src, size_t count,
                                 const gh_norm_job *job)
{
    for (size_t i = 0; i < count; i++)
        dx[i] = masked(dy[i], src[i], job) * job->a + (src[i] * job->slope + job->shift);
}

void gh_kernel_taps_ref(float *dst, const float *src, const ptrdiff_t *offset, const float *weight, int n,
                        size_t count, float bias)
{
    for (size_t i = 0; i < count; i++) {
        float sum = bias;
        for (int t = 0; t < n; t++)
            sum += weight[t] * src[(ptrdiff_t)i + offset[t]];
        dst[i] = sum;
    }
}

void gh_kernel_tap_dots_ref(double *sums, const float *a, const float *src, const ptrdiff_t *offset, int n,
                            size_t count)
{
    for (int t = 0; t < n; t++)
        for (size_t i = 0; i < count; i++)
            sums[t] += (double)a[i] * src[(ptrdiff_t)i + offset[t]];
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += (double)a[k] * b[k];
    return sum;
}

void gh_kernel_dots_ref(const gh_dots_job *job)
{
    for (int i = 0; i < job->m; i++)
        for (int j = 0; j < job->n; j++)
            for (int t = 0; t < job->taps; t++) {
                const float *a = job->a + (size_t)i * job->a_step;
                const float *b = job->b + (size_t)j * job->b_step + job->offset[t];
                job->dst[(size_t)i * job->dst_row + (size_t)j * job->dst_column + (size_t)t] +=
                    (float)dot(a, b, job->count);
            }
}
