/* Processor features and the number of cores that are ours. A container's quota counts: twenty threads on two
 * cores' worth of time would only be stopped by the scheduler in turns. */
#include "base/cpu.h"

#include "base/log.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t allowed; /* detected, lowered by GHARIAL_CPU */
static atomic_uint mask = UINT32_MAX;

#if defined(__x86_64__)
/* The compiler's support code asks both cpuid and, with xgetbv, whether the operating system saves the
 * registers. */
static uint32_t detect(void)
{
    uint32_t flags = 0;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        flags |= GH_CPU_AVX2;
    if ((flags & GH_CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        flags |= GH_CPU_AVX512;
    if ((flags & GH_CPU_AVX512) && __builtin_cpu_supports("avx512bf16"))
        flags |= GH_CPU_AVX512_BF16;
    return flags;
}
#else
static uint32_t detect(void)
{
    return 0;
}
#endif

static const struct {
    const char *name;
    uint32_t flags;
} levels[] = {
    {"ref", 0},
    {"avx2", GH_CPU_AVX2},
    {"avx512", GH_CPU_AVX2 | GH_CPU_AVX512 | GH_CPU_AVX512_BF16},
};

static const char *level_of(uint32_t flags)
{
    return flags & GH_CPU_AVX512 ? "avx512" : flags & GH_CPU_AVX2 ? "avx2" : "ref";
}

static void read_environment(void)
{
    uint32_t detected = detect();
    const char *want = getenv("GHARIAL_CPU");
    allowed = detected;
    if (!want || !*want)
        return;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(want, levels[i].name) == 0) {
            allowed = detected & levels[i].flags;
            if (strcmp(level_of(allowed), want) != 0)
                gh_log(GH_LOG_WARN, "GHARIAL_CPU=%s: this processor has no more than %s, which is used", want,
                       level_of(allowed));
            return;
        }
    gh_log(GH_LOG_WARN, "GHARIAL_CPU=%s is ignored: accepted are ref, avx2 and avx512", want);
}

uint32_t gh_cpu_flags(void)
{
    pthread_once(&once, read_environment);
    return allowed & atomic_load(&mask);
}

void gh_cpu_set_mask(uint32_t new_mask)
{
    atomic_store(&mask, new_mask);
}

const char *gh_cpu_level(void)
{
    return level_of(gh_cpu_flags());
}

/* Cores in the affinity mask. The kernel refuses a mask shorter than its own, hence the growing size. */
static int affinity_count(void)
{
    for (int cpus = 1024; cpus <= 1 << 16; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set)
            break;
        size_t size = CPU_ALLOC_SIZE(cpus);
        int n = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (n > 0)
            return n;
    }
    return 1;
}

int gh_cpu_count(void)
{
    int n = affinity_count();
    double quota = gh_cpu_quota("");
    if (quota > 0 && quota < n)
        n = (int)quota + (quota > (int)quota); /* part of a core is worth a thread */
    return n < 1 ? 1 : n;
}

uint64_t gh_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
