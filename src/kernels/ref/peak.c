/* How fast multiply-adds alone can go: the yardstick that the bench holds every kernel against. */
#include "kernels/levels.h"

enum { LANES = 32 }; /* independent sums, more than latency times issue width */

double gh_kernel_fma_peak_ref(uint64_t iterations)
{
    volatile float sink; /* of the caller: several threads measure at once */
    float acc[LANES], sum = 0;
    const float scale = 0.999f, step = 0.001f;
    for (int l = 0; l < LANES; l++)
        acc[l] = (float)l + 2; /* 1 would stay 1, and compilers see that */
    for (uint64_t i = 0; i < iterations; i++)
        for (int l = 0; l < LANES; l++)
            acc[l] = acc[l] * scale + step;
    for (int l = 0; l < LANES; l++)
        sum += acc[l];
    sink = sum;
    (void)sink;
    return 2.0 * LANES * (double)iterations;
}
