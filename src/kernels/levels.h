/* Names of every kernel at every level, made from list.inc: gh_kernel_<row>_<level>. Declared here, defined
 * in the folder of the level; a level that lacks a row of its own keeps the pointer of the level below. */
#ifndef GH_KERNELS_LEVELS_H
#define GH_KERNELS_LEVELS_H

#include "kernels/kernels.h"

#define GH_KERNEL_CONV(field, what)          extern const gh_conv_kernel gh_kernel_##field##_ref;
#define GH_KERNEL_DENSE(field, what)         extern const gh_dense_kernel gh_kernel_##field##_ref;
#define GH_KERNEL_FN(field, ret, args, what) ret gh_kernel_##field##_ref args;
#include "kernels/list.inc"
#undef GH_KERNEL_CONV
#undef GH_KERNEL_DENSE
#undef GH_KERNEL_FN

void gh_kernels_init_ref(gh_kernels *k);

#ifdef GH_X86
#define GH_KERNEL_CONV(field, what)                                                                          \
    extern const gh_conv_kernel gh_kernel_##field##_avx2, gh_kernel_##field##_avx512;
#define GH_KERNEL_DENSE(field, what)                                                                         \
    extern const gh_dense_kernel gh_kernel_##field##_avx2, gh_kernel_##field##_avx512;
#define GH_KERNEL_FN(field, ret, args, what)                                                                 \
    ret gh_kernel_##field##_avx2 args, gh_kernel_##field##_avx512 args;
#include "kernels/list.inc"
#undef GH_KERNEL_CONV
#undef GH_KERNEL_DENSE
#undef GH_KERNEL_FN

void gh_kernels_init_avx2(gh_kernels *k);
void gh_kernels_init_avx512(gh_kernels *k);
void gh_kernels_init_avx512bf16(gh_kernels *k); /* on top: what needs VDPBF16PS */
#endif

#endif
