/* What this processor can do, and how many of its cores are ours. */
#ifndef GH_BASE_CPU_H
#define GH_BASE_CPU_H

#include <stdint.h>

enum {
    GH_CPU_AVX2 = 1 << 0,        /* AVX2 and FMA, enabled by the operating system */
    GH_CPU_AVX512 = 1 << 1,      /* AVX-512 F, BW, DQ, VL */
    GH_CPU_AVX512_BF16 = 1 << 2, /* VDPBF16PS */
};

/* Detected features, lowered by GHARIAL_CPU=ref|avx2|avx512 or by gh_cpu_set_mask. Read once, then cached. */
uint32_t gh_cpu_flags(void);
/* Tests: lets only these flags through. Call before the kernels are initialised again. */
void gh_cpu_set_mask(uint32_t mask);
/* "ref", "avx2" or "avx512": the level that gh_cpu_flags allows. */
const char *gh_cpu_level(void);
/* Usable cores: the least of the affinity mask and the cgroup quota (v2 cpu.max, v1 cfs_quota), at least 1.
 */
int gh_cpu_count(void);
/* Cores' worth of processor time that the control groups below the folder `root` ("" = this system) allow, 0
 * when there is no limit. */
double gh_cpu_quota(const char *root);
/* Monotonic clock in nanoseconds. */
uint64_t gh_now_ns(void);

#endif
