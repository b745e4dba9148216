/* Threads that share one counter. */
#include "train/evaluate/sweep.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "train/data/picture.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct run {
    const gh_sweep *sweep;
    gh_worker **workers; /* one a thread */
    atomic_size_t next;
    pthread_mutex_t lock; /* guards done and progress */
    size_t done;
} run;

static void run_thread(void *arg, int begin, int end, int thread)
{
    run *j = arg;
    const gh_sweep *s = j->sweep;
    (void)thread;
    for (int w = begin; w < end; w++)
        for (size_t i; (i = atomic_fetch_add(&j->next, 1)) < s->count;) {
            s->each(s->arg, j->workers[w], i);
            pthread_mutex_lock(&j->lock);
            j->done++;
            if (s->progress)
                s->progress(s->progress_arg, j->done);
            pthread_mutex_unlock(&j->lock);
        }
}

gh_status gh_sweep_run(double *seconds, const gh_sweep *sweep, gh_err *e)
{
    gh_pool *pool = NULL;
    run j = {.sweep = sweep};
    gh_status status = gh_pool_new(&pool, sweep->threads, e);
    int n = gh_pool_size(pool);
    if (status == GH_OK && !(j.workers = gh_calloc((size_t)n, sizeof *j.workers)))
        status = gh_fail(e, GH_NOMEM, "memory ran out at the workers");
    for (int i = 0; i < n && status == GH_OK; i++)
        status = gh_worker_new(&j.workers[i], NULL, e);
    uint64_t start = gh_now_ns();
    pthread_mutex_init(&j.lock, NULL);
    if (status == GH_OK)
        gh_pool_for(pool, n, run_thread, &j);
    pthread_mutex_destroy(&j.lock);
    if (status == GH_OK)
        *seconds = (double)(gh_now_ns() - start) / 1e9;
    for (int i = 0; i < n && j.workers; i++)
        gh_worker_free(&j.workers[i]);
    gh_free(j.workers);
    gh_pool_free(&pool);
    return status;
}

gh_status gh_sweep_file(gh_result **out, gh_worker *worker, gh_model *model, const char *path,
                        const gh_run_options *options, gh_err *e)
{
    gh_buf bytes = {0};
    gh_status status = gh_file_read(&bytes, path, GH_PICTURE_MOST_BYTES, e);
    if (status == GH_OK)
        status = gh_run(out, worker, model, bytes.data, bytes.len, NULL, options, e);
    gh_buf_free(&bytes);
    return status;
}
