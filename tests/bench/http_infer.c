/* What one picture costs without a server: decode, resize, normalise, network, labels, on one thread, again
 * and again; prints the CPU time of a run as one JSON object. bench-http_infer MODEL PICTURE SECONDS
 * [THREADS] With THREADS that many do it beside each other, each for itself, as the workers of a full server
 * do. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "tasks/run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WARM_UP = 20, MOST_THREADS = 64, MOST_SECONDS = 600 };

static gh_model *model;
static gh_buf picture;
static uint64_t length_ns;
static pthread_barrier_t barrier;
static atomic_long runs;

static void must(gh_status status, const gh_err *e)
{
    if (status == GH_OK)
        return;
    fprintf(stderr, "bench-http_infer: %s\n", e->text);
    exit(EXIT_FAILURE);
}

static void run_once(gh_worker *w)
{
    gh_err e = {0};
    gh_result *r = NULL;
    must(gh_run(&r, w, model, picture.data, picture.len, NULL, NULL, &e), &e);
    gh_result_free(&r);
}

static void *work(void *arg)
{
    gh_err e = {0};
    gh_worker *w = NULL;
    (void)arg;
    must(gh_worker_new(&w, NULL, &e), &e);
    for (int i = 0; i < WARM_UP; i++)
        run_once(w);
    pthread_barrier_wait(&barrier); /* the main thread reads the clock */
    pthread_barrier_wait(&barrier);
    for (uint64_t end = gh_now_ns() + length_ns; gh_now_ns() < end; atomic_fetch_add(&runs, 1))
        run_once(w);
    pthread_barrier_wait(&barrier);
    gh_worker_free(&w);
    return NULL;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    gh_err e = {0};
    pthread_t threads[MOST_THREADS];
    int seconds = argc > 3 ? atoi(argv[3]) : 0, n = argc > 4 ? atoi(argv[4]) : 1;
    if (seconds < 1 || seconds > MOST_SECONDS || n < 1 || n > MOST_THREADS)
        must(gh_fail(&e, GH_ARG, "usage: bench-http_infer MODEL PICTURE SECONDS [THREADS]"), &e);
    must(gh_model_open(&model, argv[1], false, &e), &e);
    must(gh_file_read(&picture, argv[2], (size_t)64 << 20, &e), &e);
    length_ns = (uint64_t)seconds * 1000000000;
    pthread_barrier_init(&barrier, NULL, (unsigned)n + 1);
    for (int i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            must(gh_fail(&e, GH_UNAVAILABLE, "cannot start a thread"), &e);
    pthread_barrier_wait(&barrier);
    double before = cpu_s();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    double used = cpu_s() - before;
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    printf("{\"runs\":%ld,\"cpu_s\":%.4f,\"cpu_ms\":%.4f}\n", atomic_load(&runs), used,
           1e3 * used / (double)atomic_load(&runs));
    gh_model_put(&model);
    gh_buf_free(&picture);
    pthread_barrier_destroy(&barrier);
    return 0;
}
