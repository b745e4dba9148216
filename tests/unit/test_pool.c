/* The pool: every unit exactly once, whatever the sizes, callers and delays. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

enum { MAX_UNITS = 1000, MAX_THREADS = 8 };

typedef struct loop {
    unsigned char hits[MAX_UNITS];
    atomic_int calls[MAX_THREADS]; /* by thread index */
    int begin[MAX_THREADS], end[MAX_THREADS];
    unsigned delay_us; /* for odd threads */
} loop;

static void mark(void *arg, int begin, int end, int thread)
{
    loop *l = arg;
    if (l->delay_us && thread % 2)
        usleep(l->delay_us);
    for (int i = begin; i < end; i++)
        l->hits[i]++;
    atomic_fetch_add(&l->calls[thread], 1);
    l->begin[thread] = begin;
    l->end[thread] = end;
}

static void assert_each_once(const loop *l, int n)
{
    for (int i = 0; i < MAX_UNITS; i++)
        ck_assert_int_eq(l->hits[i], i < n);
}

START_TEST(test_every_unit_once)
{
    for (int threads = 1; threads <= MAX_THREADS; threads++) {
        gh_pool *pool = NULL;
        ck_assert_int_eq(gh_pool_new(&pool, threads, NULL), GH_OK);
        ck_assert_int_eq(gh_pool_size(pool), threads);
        for (int n = 0; n <= MAX_UNITS; n += n < 20 ? 1 : 97) {
            loop l;
            memset(&l, 0, sizeof l);
            gh_pool_for(pool, n, mark, &l);
            assert_each_once(&l, n);
            int parts = n < threads ? n : threads;
            for (int t = 0; t < MAX_THREADS; t++)
                ck_assert_int_eq(l.calls[t], n == 1 ? t == 0 : t < parts);
            for (int t = 0; t < parts; t++) { /* shares follow each other and differ by one at most */
                int share = l.end[t] - l.begin[t];
                ck_assert_int_eq(l.begin[t], t ? l.end[t - 1] : 0);
                ck_assert_int_ge(share, n / parts);
                ck_assert_int_le(share, n / parts + 1);
            }
        }
        gh_pool_free(&pool);
        ck_assert_ptr_null(pool);
    }
}
END_TEST

START_TEST(test_no_pool_and_nothing_to_do)
{
    loop l;
    memset(&l, 0, sizeof l);
    ck_assert_int_eq(gh_pool_size(NULL), 1);
    gh_pool_for(NULL, 10, mark, &l);
    assert_each_once(&l, 10);
    ck_assert_int_eq(l.calls[0], 1);
    memset(&l, 0, sizeof l);
    gh_pool_for(NULL, 0, mark, &l);
    gh_pool_for(NULL, -5, mark, &l);
    assert_each_once(&l, 0);
    ck_assert_int_eq(l.calls[0], 0);
    gh_pool *none = NULL;
    gh_pool_free(&none);
}
END_TEST

/* Long enough pauses for the workers to sleep, long enough shares for the caller to sleep. */
START_TEST(test_sleeping_threads_wake)
{
    gh_pool *pool = NULL;
    ck_assert_int_eq(gh_pool_new(&pool, 4, NULL), GH_OK);
    for (int i = 0; i < 60; i++) {
        loop l;
        memset(&l, 0, sizeof l);
        l.delay_us = i % 3 ? 500 : 0;
        gh_pool_for(pool, 100, mark, &l);
        assert_each_once(&l, 100);
        usleep(i % 2 ? 1000 : 0);
    }
    gh_pool_free(&pool);
}
END_TEST

static void add(void *arg, int begin, int end, int thread)
{
    (void)thread;
    long *sum = arg;
    for (int i = begin; i < end; i++)
        sum[i]++;
}

/* Loops that follow each other at once, where a lost wake-up or a late worker would show. */
START_TEST(test_many_short_loops)
{
    for (int threads = 2; threads <= 4; threads += 2) {
        gh_pool *pool = NULL;
        long sum[8] = {0};
        ck_assert_int_eq(gh_pool_new(&pool, threads, NULL), GH_OK);
        int loops = threads == 2 ? 20000 : 2000;
        for (int i = 0; i < loops; i++)
            gh_pool_for(pool, 1 + i % 8, add, sum);
        for (int i = 0; i < 8; i++)
            ck_assert_int_eq(sum[i], loops / 8 * (8 - i));
        gh_pool_free(&pool);
    }
}
END_TEST

typedef struct nest {
    gh_pool *pool;
    loop inner[MAX_THREADS];
} nest;

static void outer(void *arg, int begin, int end, int thread)
{
    nest *n = arg;
    (void)begin, (void)end;
    gh_pool_for(n->pool, 50, mark, &n->inner[thread]);
}

START_TEST(test_nested_loops_run_alone)
{
    static nest n;
    memset(&n, 0, sizeof n);
    ck_assert_int_eq(gh_pool_new(&n.pool, 4, NULL), GH_OK);
    gh_pool_for(n.pool, 4, outer, &n);
    for (int t = 0; t < 4; t++) {
        assert_each_once(&n.inner[t], 50);
        ck_assert_int_eq(n.inner[t].calls[0], 1); /* one call, of the whole range */
        ck_assert_int_eq(n.inner[t].end[0], 50);
    }
    gh_pool_free(&n.pool);
}
END_TEST

typedef struct caller {
    gh_pool *pool;
    long sum[64];
} caller;

static void *call_often(void *arg)
{
    caller *c = arg;
    for (int i = 0; i < 1000; i++)
        gh_pool_for(c->pool, 64, add, c->sum);
    return NULL;
}

START_TEST(test_callers_at_the_same_time)
{
    enum { CALLERS = 4 };
    gh_pool *pool = NULL;
    static caller callers[CALLERS];
    pthread_t thread[CALLERS];
    memset(callers, 0, sizeof callers);
    ck_assert_int_eq(gh_pool_new(&pool, 3, NULL), GH_OK);
    for (int i = 0; i < CALLERS; i++) {
        callers[i].pool = pool;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < CALLERS; i++)
        for (int j = 0; j < 64; j++)
            ck_assert_int_eq(callers[i].sum[j], 1000);
    gh_pool_free(&pool);
}
END_TEST

/* A full server: while two threads have entered, each loop is its caller's alone. */
START_TEST(test_users_at_the_same_time_run_alone)
{
    gh_pool *pool = NULL;
    ck_assert_int_eq(gh_pool_new(&pool, 4, NULL), GH_OK);
    for (int users = 0; users <= 3; users++) {
        loop l;
        memset(&l, 0, sizeof l);
        for (int i = 0; i < users; i++)
            gh_pool_enter(pool);
        gh_pool_for(pool, 100, mark, &l);
        for (int i = 0; i < users; i++)
            gh_pool_leave(pool);
        assert_each_once(&l, 100);
        ck_assert_int_eq(l.end[0], users > 1 ? 100 : 25);
        ck_assert_int_eq(l.calls[3], users > 1 ? 0 : 1);
    }
    gh_pool_enter(NULL);
    gh_pool_leave(NULL);
    gh_pool_free(&pool);
}
END_TEST

START_TEST(test_loops_allocate_nothing)
{
    gh_pool *pool = NULL;
    loop l;
    memset(&l, 0, sizeof l);
    ck_assert_int_eq(gh_pool_new(&pool, 2, NULL), GH_OK);
    uint64_t before = gh_mem_allocs();
    for (int i = 0; i < 100; i++)
        gh_pool_for(pool, 100, mark, &l);
    ck_assert_uint_eq(gh_mem_allocs(), before);
    gh_pool_free(&pool);
}
END_TEST

START_TEST(test_new_refuses)
{
    gh_pool *pool = NULL;
    gh_err e = {0};
    ck_assert_int_eq(gh_pool_new(&pool, -1, &e), GH_ARG);
    ck_assert_int_eq(gh_pool_new(&pool, 5000, &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "5000"));
    gh_mem_fail_after(0);
    ck_assert_int_eq(gh_pool_new(&pool, 2, &e), GH_NOMEM);
    ck_assert_ptr_null(pool);
    ck_assert_int_eq(gh_pool_new(&pool, 0, &e), GH_OK);
    ck_assert_int_ge(gh_pool_size(pool), 1);
    gh_pool_free(&pool);
}
END_TEST

#ifndef SANITIZED
/* Address space for some thread stacks, not for 500: those that did start are ended again. */
static int start_too_many(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld", &pages) != 1)
        return 2;
    fclose(f);
    rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)100 * 1024 * 1024;
    struct rlimit limit = {bytes, bytes};
    gh_pool *pool = NULL;
    gh_err e = {0};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 3;
    if (gh_pool_new(&pool, 500, &e) != GH_UNAVAILABLE || pool || !strstr(e.text, "of 500"))
        return 4;
    return 0;
}

START_TEST(test_threads_that_do_not_start)
{
    if (getenv("GH_TEST_EMULATOR"))
        return; /* qemu-user does not pass a limit on address space on */
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(start_too_many());
    int state;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    ck_assert(WIFEXITED(state));
    ck_assert_int_eq(WEXITSTATUS(state), 0);
}
END_TEST
#endif

Suite *gh_suite_pool(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_every_unit_once);
    tcase_add_test(t, test_no_pool_and_nothing_to_do);
    tcase_add_test(t, test_sleeping_threads_wake);
    tcase_add_test(t, test_many_short_loops);
    tcase_add_test(t, test_nested_loops_run_alone);
    tcase_add_test(t, test_callers_at_the_same_time);
    tcase_add_test(t, test_users_at_the_same_time_run_alone);
    tcase_add_test(t, test_loops_allocate_nothing);
    tcase_add_test(t, test_new_refuses);
#ifndef SANITIZED
    tcase_add_test(t, test_threads_that_do_not_start);
#endif
    suite_add_tcase(s, t);
    return s;
}
