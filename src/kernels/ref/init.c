/* The plain C level: every row of list.inc. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

void gh_kernels_init_ref(gh_kernels *k)
{
    *k = (gh_kernels){
        .level = "ref",
        .block = BLOCK,
#define GH_KERNEL_CONV(field, what)          .field = &gh_kernel_##field##_ref,
#define GH_KERNEL_DENSE(field, what)         .field = &gh_kernel_##field##_ref,
#define GH_KERNEL_FN(field, ret, args, what) .field = gh_kernel_##field##_ref,
#include "kernels/list.inc"
#undef GH_KERNEL_CONV
#undef GH_KERNEL_DENSE
#undef GH_KERNEL_FN
    };
}
