/* Dense layer and matrix product on plain rows. Packed weights: [n block][k][BLOCK]; a unit is one block of
 * outputs for all rows. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

#include <string.h>

static size_t packed(int n, int k)
{
    return (size_t)ref_blocks(n) * BLOCK * k;
}

static void pack(float *dst, const float *weights, int n, int k, bool n_major)
{
    for (int b = 0; b < ref_blocks(n); b++)
        for (int i = 0; i < k; i++)
            for (int l = 0; l < BLOCK; l++) {
                int o = b * BLOCK + l;
                size_t at = n_major ? (size_t)o * k + i : (size_t)i * n + o;
                *dst++ = o < n ? weights[at] : 0;
            }
}

static int units(int m, int n, int k)
{
    (void)m, (void)k;
    return ref_blocks(n);
}

static void run(float *dst, const float *src, const float *weights, const float *bias, gh_act act, int m,
                int n, int k, int begin, int end)
{
    for (int b = begin; b < end; b++)
        for (int row = 0; row < m; row++) {
            const float *w = weights + (size_t)b * k * BLOCK, *v = src + (size_t)row * k;
            int lanes = ref_min(BLOCK, n - b * BLOCK);
            float acc[BLOCK] = {0};
            for (int i = 0; i < k; i++, w += BLOCK)
                for (int l = 0; l < BLOCK; l++)
                    acc[l] += v[i] * w[l];
            for (int l = 0; l < lanes; l++) {
                int o = b * BLOCK + l;
                dst[(size_t)row * n + o] = ref_act(bias ? acc[l] + bias[o] : acc[l], act);
            }
        }
}

const gh_dense_kernel gh_kernel_dense_ref = {
    .name = "dense_ref",
    .packed = packed,
    .pack = pack,
    .units = units,
    .run = run,
};

void gh_kernel_matmul_ref(float *dst, const float *a, const float *b, int m, int n, int k)
{
    for (int i = 0; i < m; i++) {
        float *row = dst + (size_t)i * n;
        memset(row, 0, (size_t)n * sizeof *row);
        for (int p = 0; p < k; p++) {
            float v = a[(size_t)i * k + p];
            const float *w = b + (size_t)p * n;
            for (int j = 0; j < n; j++)
                row[j] += v * w[j];
        }
    }
}
