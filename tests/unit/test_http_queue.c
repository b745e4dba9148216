/* The queue: order, bounds, deadlines, cancelling. Its jobs here are counters and gates. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "http/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

typedef struct task {
    gh_job job; /* first */
    atomic_int ran, ended, dropped;
    gh_status why;
    int order;
    void *context;
} task;

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held by a test that wants workers to wait */
static atomic_int started, counter;

static void run_gated(gh_job *job, void *context)
{
    task *t = (task *)(void *)job;
    atomic_fetch_add(&started, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    t->context = context;
    t->order = atomic_fetch_add(&counter, 1);
    atomic_fetch_add(&t->ran, 1);
}

static void done(gh_job *job)
{
    task *t = (task *)(void *)job;
    ck_assert_int_eq(t->ran, 1);
    atomic_fetch_add(&t->ended, 1);
}

static void drop(gh_job *job, gh_status why)
{
    task *t = (task *)(void *)job;
    t->why = why;
    atomic_fetch_add(&t->dropped, 1);
}

static task make(uint64_t deadline_ns)
{
    return (task){.job = {.run = run_gated, .done = done, .drop = drop, .deadline_ns = deadline_ns}};
}

static gh_queue *make_queue(int limit, int workers)
{
    static int contexts[8];
    void *pointers[8];
    gh_queue *q = NULL;
    gh_err e = {0};
    for (int i = 0; i < 8; i++)
        pointers[i] = &contexts[i];
    atomic_store(&started, 0);
    atomic_store(&counter, 0);
    ck_assert_int_eq(gh_queue_new(&q, limit, &e), GH_OK);
    if (workers)
        ck_assert_msg(gh_queue_start(q, workers, pointers, &e) == GH_OK, "%s", e.text);
    return q;
}

/* Waits for at most two seconds. */
static bool wait_for(const atomic_int *value, int want)
{
    for (int i = 0; i < 2000 && atomic_load(value) < want; i++)
        usleep(1000);
    return atomic_load(value) >= want;
}

START_TEST(test_jobs_run_once_in_order)
{
    gh_queue *q = make_queue(100, 1);
    task tasks[20];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 20; i++) {
        tasks[i] = make(0);
        ck_assert_int_eq(gh_queue_push(q, &tasks[i].job, NULL), GH_OK);
    }
    pthread_mutex_unlock(&gate);
    ck_assert(wait_for(&counter, 20));
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(tasks[i].order, i);
    gh_queue_stop(q);
    ck_assert_uint_eq(gh_queue_stat(q).done, 20);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(tasks[i].ran * 100 + tasks[i].ended * 10 + tasks[i].dropped, 110);
    gh_queue_free(&q);
    ck_assert_ptr_null(q);
}
END_TEST

START_TEST(test_the_bound_does_not_count_free_workers)
{
    gh_queue *q = make_queue(1, 2);
    task tasks[4];
    gh_err e = {0};
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 4; i++) {
        tasks[i] = make(0);
        gh_status status = gh_queue_push(q, &tasks[i].job, &e);
        ck_assert_int_eq(status, i < 3 ? GH_OK : GH_BUSY); /* two run, one waits */
    }
    ck_assert_msg(strstr(e.text, "the queue is full") && strstr(e.text, "try again in 1 s"), "%s", e.text);
    ck_assert(gh_queue_full(q));
    ck_assert(wait_for(&started, 2));
    gh_queue_stats s = gh_queue_stat(q);
    ck_assert_int_eq(s.waiting, 1);
    ck_assert_int_eq(s.running, 2);
    ck_assert_uint_eq(s.busy, 1);
    pthread_mutex_unlock(&gate);
    ck_assert(wait_for(&counter, 3));
    gh_queue_free(&q);
    ck_assert_int_eq(tasks[3].ran + tasks[3].dropped, 0);
}
END_TEST

START_TEST(test_a_deadline_passes_while_all_workers_are_busy)
{
    gh_queue *q = make_queue(8, 1);
    task first = make(0), late = make(gh_now_ns() + 30000000), later = make(gh_now_ns() + 60000000000);
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(gh_queue_push(q, &first.job, NULL), GH_OK);
    ck_assert_int_eq(gh_queue_push(q, &later.job, NULL), GH_OK);
    ck_assert_int_eq(gh_queue_push(q, &late.job, NULL), GH_OK);
    ck_assert(wait_for(&late.dropped, 1));
    ck_assert_int_eq(late.why, GH_TIMEOUT);
    ck_assert_int_eq(first.ran + later.dropped, 0);
    pthread_mutex_unlock(&gate);
    ck_assert(wait_for(&later.ran, 1));
    ck_assert_uint_eq(gh_queue_stat(q).expired, 1);
    gh_queue_free(&q);
    ck_assert_int_eq(late.ran, 0);
}
END_TEST

START_TEST(test_cancel_drops_what_waits)
{
    gh_queue *q = make_queue(8, 1);
    task first = make(0), second = make(0), third = make(0);
    gh_err e = {0};
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(gh_queue_push(q, &first.job, NULL), GH_OK);
    ck_assert(wait_for(&started, 1));
    ck_assert_int_eq(gh_queue_push(q, &second.job, NULL), GH_OK);
    gh_queue_cancel(q);
    ck_assert_int_eq(second.dropped, 1);
    ck_assert_int_eq(second.why, GH_UNAVAILABLE);
    ck_assert_int_eq(gh_queue_push(q, &third.job, &e), GH_UNAVAILABLE);
    ck_assert(strstr(e.text, "shutting down") != NULL);
    pthread_mutex_unlock(&gate);
    gh_queue_free(&q);
    ck_assert_int_eq(first.ran, 1);
    ck_assert_int_eq(second.ran, 0);
}
END_TEST

START_TEST(test_what_waits_can_be_taken_back)
{
    gh_queue *q = make_queue(2, 1);
    task tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = make(0);
    pthread_mutex_lock(&gate);
    ck_assert(!gh_queue_take_back(q, &tasks[0].job)); /* never pushed */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(gh_queue_push(q, &tasks[i].job, NULL), GH_OK);
    ck_assert(wait_for(&started, 1));
    ck_assert(gh_queue_full(q));
    ck_assert(gh_queue_take_back(q, &tasks[1].job));
    ck_assert(!gh_queue_take_back(q, &tasks[1].job));
    ck_assert(!gh_queue_take_back(q, &tasks[0].job)); /* at work */
    ck_assert_int_eq(gh_queue_stat(q).waiting, 1);
    ck_assert_int_eq(gh_queue_push(q, &tasks[3].job, NULL), GH_OK);
    pthread_mutex_unlock(&gate);
    ck_assert(wait_for(&tasks[3].ended, 1));
    ck_assert(!gh_queue_take_back(q, &tasks[3].job)); /* done */
    gh_queue_free(&q);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(tasks[i].ended * 10 + tasks[i].dropped, i == 1 ? 0 : 10);
}
END_TEST

START_TEST(test_no_workers_yet)
{
    gh_queue *q = make_queue(8, 0);
    task t = make(0);
    gh_err e = {0};
    ck_assert_int_eq(gh_queue_push(q, &t.job, &e), GH_UNAVAILABLE);
    ck_assert(strstr(e.text, "loading") != NULL);
    ck_assert(!gh_queue_full(q));
    gh_queue_free(&q);
}
END_TEST

static void run_slowly(gh_job *job, void *context)
{
    (void)context;
    usleep(40000);
    atomic_fetch_add(&((task *)(void *)job)->ran, 1);
}

START_TEST(test_retry_after_grows_with_what_waits)
{
    gh_queue *q = make_queue(1000, 1);
    enum { N = 100 };
    static task tasks[N];
    ck_assert_int_eq(gh_queue_retry_after_s(q), 1);
    tasks[0] = make(0);
    tasks[0].job.run = run_slowly;
    ck_assert_int_eq(gh_queue_push(q, &tasks[0].job, NULL), GH_OK);
    ck_assert(wait_for(&tasks[0].ran, 1));
    pthread_mutex_lock(&gate);
    for (int i = 1; i < N; i++) {
        tasks[i] = make(0);
        ck_assert_int_eq(gh_queue_push(q, &tasks[i].job, NULL), GH_OK);
    }
    /* 99 jobs of 40 ms and a little: 4 s, or more where the machine is busy. */
    int s = gh_queue_retry_after_s(q);
    ck_assert_msg(s >= 4 && s < 60, "%d", s);
    pthread_mutex_unlock(&gate);
    gh_queue_free(&q);
}
END_TEST

/* Many producers and workers, short deadlines: each job ends exactly once. */
enum { PRODUCERS = 4, EACH = 500 };
static task crowd[PRODUCERS][EACH];
static atomic_int accepted;

static void *produce(void *arg)
{
    gh_queue *q = ((void **)arg)[0];
    task *mine = ((void **)arg)[1];
    for (int i = 0; i < EACH; i++) {
        mine[i] = make(gh_now_ns() + (uint64_t)(i % 3) * 100000);
        if (gh_queue_push(q, &mine[i].job, NULL) == GH_OK)
            atomic_fetch_add(&accepted, 1);
        else
            usleep(100);
    }
    return NULL;
}

START_TEST(test_every_job_ends_once)
{
    gh_queue *q = make_queue(16, 4);
    pthread_t threads[PRODUCERS];
    void *args[PRODUCERS][2];
    atomic_store(&accepted, 0);
    for (int i = 0; i < PRODUCERS; i++) {
        args[i][0] = q;
        args[i][1] = crowd[i];
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, args[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    gh_queue_stop(q);
    gh_queue_stats s = gh_queue_stat(q);
    int ended = 0;
    for (int i = 0; i < PRODUCERS; i++)
        for (int k = 0; k < EACH; k++) {
            ck_assert_int_le(crowd[i][k].ended + crowd[i][k].dropped, 1);
            ended += crowd[i][k].ended + crowd[i][k].dropped;
        }
    ck_assert_int_eq(ended, atomic_load(&accepted));
    ck_assert_int_le((int)(s.done + s.expired), ended);
    gh_queue_free(&q);
}
END_TEST

Suite *gh_suite_http_queue(void)
{
    Suite *s = suite_create("http_queue");
    TCase *t = tcase_create("queue");
    tcase_set_timeout(t, 20);
    tcase_add_test(t, test_jobs_run_once_in_order);
    tcase_add_test(t, test_the_bound_does_not_count_free_workers);
    tcase_add_test(t, test_a_deadline_passes_while_all_workers_are_busy);
    tcase_add_test(t, test_cancel_drops_what_waits);
    tcase_add_test(t, test_what_waits_can_be_taken_back);
    tcase_add_test(t, test_no_workers_yet);
    tcase_add_test(t, test_retry_after_grows_with_what_waits);
    tcase_add_test(t, test_every_job_ends_once);
    suite_add_tcase(s, t);
    return s;
}
