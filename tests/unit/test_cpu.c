/* Processor features: the levels that GHARIAL_CPU and the mask allow, the cores of affinity and quota. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "base/file.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(test_flags_are_consistent)
{
    gh_cpu_set_mask(UINT32_MAX);
    uint32_t flags = gh_cpu_flags();
    ck_assert_uint_eq(flags & ~(uint32_t)(GH_CPU_AVX2 | GH_CPU_AVX512 | GH_CPU_AVX512_BF16), 0);
    if (flags & GH_CPU_AVX512_BF16)
        ck_assert(flags & GH_CPU_AVX512);
    if (flags & GH_CPU_AVX512)
        ck_assert(flags & GH_CPU_AVX2);
    gh_cpu_set_mask(GH_CPU_AVX2);
    ck_assert_uint_eq(gh_cpu_flags(), flags & GH_CPU_AVX2);
    gh_cpu_set_mask(0);
    ck_assert_uint_eq(gh_cpu_flags(), 0);
    ck_assert_str_eq(gh_cpu_level(), "ref");
    gh_cpu_set_mask(UINT32_MAX);
    ck_assert_uint_eq(gh_cpu_flags(), flags);
}
END_TEST

/* What the kernel says about this processor, from a source other than cpuid. */
static bool cpuinfo_has(const char *feature)
{
    char command[128];
    snprintf(command, sizeof command, "grep -qw '%s' /proc/cpuinfo", feature);
    return system(command) == 0;
}

/* The highest level of this processor. Where it is emulated /proc/cpuinfo is another's, and who runs the
 * tests says it. */
static const char *best_level(void)
{
    const char *told = getenv("GH_TEST_LEVEL");
    return told                                        ? told
           : cpuinfo_has("avx512vl")                   ? "avx512"
           : cpuinfo_has("avx2") && cpuinfo_has("fma") ? "avx2"
                                                       : "ref";
}

/* Also run by test_environment_lowers in processes of their own, which state what to expect. */
START_TEST(test_level)
{
    if (!getenv("GH_TEST_LEVEL") && getenv("GHARIAL_CPU"))
        return; /* somebody runs all tests at a lower level */
    ck_assert_str_eq(gh_cpu_level(), best_level());
}
END_TEST

/* The environment is read once, so each case is a process: this very program, running only test_level. */
static void run_level(const char *setting, const char *want, const char *warning)
{
    const char *emulator = getenv("GH_TEST_EMULATOR"); /* a shell cannot start what only it can run */
    char self[512], command[1400], line[512] = "";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(n, 0);
    self[n] = '\0';
    snprintf(command, sizeof command,
             "GHARIAL_CPU=%s GH_TEST_LEVEL=%s CK_RUN_CASE=level %s '%s' cpu 2>&1 >/dev/null || echo failed",
             setting, want, emulator ? emulator : "", self);
    FILE *p = popen(command, "r");
    ck_assert_ptr_nonnull(p);
    size_t len = fread(line, 1, sizeof line - 1, p);
    line[len] = '\0';
    ck_assert_int_eq(pclose(p), 0);
    ck_assert_msg(!strstr(line, "failed"), "GHARIAL_CPU=%s does not give %s: %s", setting, want, line);
    if (warning)
        ck_assert_msg(strstr(line, warning) != NULL, "GHARIAL_CPU=%s says: %s", setting, line);
    else
        ck_assert_str_eq(line, "");
}

START_TEST(test_environment_lowers)
{
    const char *best = best_level();
    run_level("ref", "ref", NULL);
    run_level("''", best, NULL);
    run_level("fastest", best, "accepted are ref, avx2 and avx512");
    if (strcmp(best, "ref") != 0)
        run_level("avx2", "avx2", NULL);
    run_level("avx512", best, strcmp(best, "avx512") ? "no more than" : NULL);
}
END_TEST

START_TEST(test_count_follows_affinity)
{
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    int n = gh_cpu_count();
    ck_assert_int_ge(n, 1);
    ck_assert_int_le(n, CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(gh_cpu_count(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
}
END_TEST

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/gharial-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* Writes a file of the pretended system, with its folders. */
static void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    ck_assert_int_eq(gh_dir_make(path, NULL), GH_OK);
    *slash = '/';
    ck_assert_int_eq(gh_file_write(path, text, strlen(text), NULL), GH_OK);
}

START_TEST(test_no_cgroup_no_quota)
{
    ck_assert_double_eq(gh_cpu_quota(root), 0);
    put("proc/self/cgroup", "");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
    put("proc/self/cgroup", "nonsense\n1:\n::\n0::/no/such/group\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
}
END_TEST

START_TEST(test_quota_v2_is_the_least_on_the_way_up)
{
    put("proc/self/cgroup", "0::/slice/box/leaf\n");
    put("sys/fs/cgroup/slice/box/leaf/cpu.max", "max 100000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
    put("sys/fs/cgroup/slice/cpu.max", "150000 100000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 1.5);
    put("sys/fs/cgroup/slice/box/leaf/cpu.max", "300000 100000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 1.5);
    put("sys/fs/cgroup/slice/box/cpu.max", "20000 50000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0.4);
    put("sys/fs/cgroup/cpu.max", "10000 50000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0.2);
}
END_TEST

/* In a container without a cgroup namespace the path is the host's, and the limit stands at the mount. */
START_TEST(test_quota_v2_at_the_mount)
{
    put("proc/self/cgroup", "0::/system.slice/docker-1234.scope\n");
    put("sys/fs/cgroup/cpu.max", "250000 100000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 2.5);
    put("proc/self/cgroup", "0::/\n");
    ck_assert_double_eq(gh_cpu_quota(root), 2.5);
    put("sys/fs/cgroup/cpu.max", "what\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
    put("sys/fs/cgroup/cpu.max", "-5 100000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
    put("sys/fs/cgroup/cpu.max", "100000 0\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
}
END_TEST

START_TEST(test_quota_v1)
{
    put("proc/self/cgroup", "5:cpuset:/a\n4:cpu,cpuacct:/docker/1234\n1:name=systemd:/a\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0);
    put("sys/fs/cgroup/cpu/docker/1234/cpu.cfs_quota_us", "300000\n");
    put("sys/fs/cgroup/cpu/docker/1234/cpu.cfs_period_us", "200000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 1.5);
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    ck_assert_double_eq(gh_cpu_quota(root), 0.5);
}
END_TEST

START_TEST(test_clock_goes_forward)
{
    uint64_t start = gh_now_ns();
    usleep(2000);
    uint64_t passed = gh_now_ns() - start;
    ck_assert_uint_ge(passed, 2000000);
    ck_assert_uint_lt(passed, 2000000000u);
}
END_TEST

Suite *gh_suite_cpu(void)
{
    Suite *s = suite_create("cpu");
    TCase *level = tcase_create("level");
    tcase_add_test(level, test_level);
    suite_add_tcase(s, level);
    TCase *t = tcase_create("cpu");
    tcase_add_test(t, test_flags_are_consistent);
    tcase_add_test(t, test_environment_lowers);
    tcase_add_test(t, test_count_follows_affinity);
    tcase_add_test(t, test_clock_goes_forward);
    suite_add_tcase(s, t);
    TCase *quota = tcase_create("quota");
    tcase_add_checked_fixture(quota, make_root, remove_root);
    tcase_add_test(quota, test_no_cgroup_no_quota);
    tcase_add_test(quota, test_quota_v2_is_the_least_on_the_way_up);
    tcase_add_test(quota, test_quota_v2_at_the_mount);
    tcase_add_test(quota, test_quota_v1);
    suite_add_tcase(s, quota);
    return s;
}
