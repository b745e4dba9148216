/* Fills the struct of kernels for a set of CPU flags, in rising order, and picks the kernel of a convolution.
 * Compiled with baseline flags: nothing here may need more than the plainest CPU. */
#include "kernels/kernels.h"

#include "base/cpu.h"
#include "base/status.h"
#include "kernels/levels.h"

#include <pthread.h>

static gh_kernels process_kernels;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

void gh_kernels_init(gh_kernels *k, uint32_t cpu_flags)
{
    gh_kernels_init_ref(k);
#ifdef GH_X86
    if (!(cpu_flags & GH_CPU_AVX2))
        return;
    gh_kernels_init_avx2(k);
    if (!(cpu_flags & GH_CPU_AVX512))
        return;
    gh_kernels_init_avx512(k);
    if (cpu_flags & GH_CPU_AVX512_BF16)
        gh_kernels_init_avx512bf16(k);
#else
    (void)cpu_flags;
#endif
}

static void init_process(void)
{
    gh_kernels_init(&process_kernels, gh_cpu_flags());
}

const gh_kernels *gh_kernels_get(void)
{
    GH_ASSERT(pthread_once(&process_once, init_process) == 0);
    return &process_kernels;
}

const gh_conv_kernel *gh_conv_choose(const gh_kernels *k, const gh_conv_shape *s, int most_loss, bool bf16)
{
    const gh_conv_kernel *const kernels[] = {
#define GH_KERNEL_CONV(field, what) k->field,
#define GH_KERNEL_DENSE(field, what)
#define GH_KERNEL_FN(field, ret, args, what)
#include "kernels/list.inc"
#undef GH_KERNEL_CONV
#undef GH_KERNEL_DENSE
#undef GH_KERNEL_FN
    };
    const gh_conv_kernel *best = NULL;
    double least = 0;
    for (size_t i = 0; i < GH_COUNT(kernels); i++) {
        const gh_conv_kernel *kernel = kernels[i];
        if (!kernel || kernel->transposed || (kernel->bf16 && !bf16) || kernel->loss > most_loss ||
            !kernel->accepts(s))
            continue;
        if (!kernel->cost && !best)
            return kernel;
        double cost = kernel->cost ? kernel->cost(s) : 0;
        if (kernel->cost && (!best || cost < least)) {
            best = kernel;
            least = cost;
        }
    }
    return best;
}
