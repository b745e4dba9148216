/* The queue: one lock, a list in order of arrival, worker threads, and one thread that drops jobs at their
 * deadline, so that a client hears of it in time even when all workers are busy. */
#include "http/queue.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { MAX_WORKERS = 1024, MAX_RETRY_S = 3600 };

/* Weight of the newest job in the mean service time. */
static const double NEWEST = 0.1;

typedef struct worker {
    gh_queue *queue;
    void *context;
    pthread_t thread;
} worker;

struct gh_queue {
    pthread_mutex_t lock;
    pthread_cond_t work;   /* a job came, or the queue stops */
    pthread_cond_t expiry; /* an earlier deadline than the watcher waits for */
    gh_job head;           /* ring of waiting jobs, oldest first */
    uint64_t watched_ns;   /* what the watcher waits for; UINT64_MAX = nothing */
    int limit, waiting, running;
    bool cancelled, stop;
    uint64_t done, busy, expired;
    double service_ms;
    worker *workers;
    int nworkers, started;
    pthread_t watcher;
    bool watching;
};

static void unlink_job(gh_queue *q, gh_job *job)
{
    job->prev->next = job->next;
    job->next->prev = job->prev;
    job->next = job->prev = NULL;
    q->waiting--;
}

/* The oldest waiting job, with the lock held; NULL when the queue stops. */
static gh_job *take(gh_queue *q)
{
    while (q->waiting == 0 && !q->stop)
        pthread_cond_wait(&q->work, &q->lock);
    if (q->waiting == 0)
        return NULL;
    gh_job *job = q->head.next;
    unlink_job(q, job);
    q->running++;
    return job;
}

static void account(gh_queue *q, double ms)
{
    q->running--;
    q->service_ms = q->done ? q->service_ms + NEWEST * (ms - q->service_ms) : ms;
    q->done++;
}

static void *work(void *arg)
{
    worker *w = arg;
    gh_queue *q = w->queue;
    gh_job *job;
    pthread_mutex_lock(&q->lock);
    while ((job = take(q)) != NULL) {
        pthread_mutex_unlock(&q->lock);
        uint64_t start = gh_now_ns();
        job->run(job, w->context);
        double ms = (double)(gh_now_ns() - start) / 1e6;
        pthread_mutex_lock(&q->lock);
        account(q, ms);
        pthread_mutex_unlock(&q->lock);
        job->done(job); /* a client that hears of it now may ask again at once */
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* The waiting job with the earliest deadline, or NULL. */
static gh_job *earliest(gh_queue *q)
{
    gh_job *first = NULL;
    for (gh_job *j = q->head.next; j != &q->head; j = j->next)
        if (j->deadline_ns && (!first || j->deadline_ns < first->deadline_ns))
            first = j;
    return first;
}

static void wait_until(gh_queue *q, uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    q->watched_ns = ns;
    if (ns == UINT64_MAX)
        pthread_cond_wait(&q->expiry, &q->lock);
    else
        pthread_cond_timedwait(&q->expiry, &q->lock, &t);
}

static void *watch(void *arg)
{
    gh_queue *q = arg;
    pthread_mutex_lock(&q->lock);
    while (!q->stop) {
        gh_job *job = earliest(q);
        if (!job || job->deadline_ns > gh_now_ns()) {
            wait_until(q, job ? job->deadline_ns : UINT64_MAX);
            continue;
        }
        unlink_job(q, job);
        q->expired++;
        pthread_mutex_unlock(&q->lock);
        job->drop(job, GH_TIMEOUT);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

gh_status gh_queue_new(gh_queue **out, int limit, gh_err *e)
{
    gh_queue *q = gh_calloc(1, sizeof *q);
    if (!q)
        return gh_fail(e, GH_NOMEM, "memory is short");
    q->limit = limit;
    q->watched_ns = UINT64_MAX;
    q->head.next = q->head.prev = &q->head;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
    pthread_cond_init(&q->expiry, &attr);
    pthread_condattr_destroy(&attr);
    *out = q;
    return GH_OK;
}

gh_status gh_queue_start(gh_queue *q, int workers, void *const *contexts, gh_err *e)
{
    GH_ASSERT(workers >= 1 && !q->workers);
    if (workers > MAX_WORKERS)
        return gh_fail(e, GH_ARG, "%d workers were asked for; at most %d can be had", workers, MAX_WORKERS);
    worker *all = gh_calloc((size_t)workers, sizeof *all);
    if (!all)
        return gh_fail(e, GH_NOMEM, "memory is short");
    /* Signals are the main thread's. */
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    q->workers = all;
    int error = pthread_create(&q->watcher, NULL, watch, q);
    q->watching = !error;
    while (!error && q->started < workers) {
        worker *w = &all[q->started];
        w->queue = q;
        w->context = contexts[q->started];
        error = pthread_create(&w->thread, NULL, work, w);
        q->started += !error;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return gh_fail(e, GH_UNAVAILABLE, "cannot start worker %d of %d: %s", q->started + 1, workers,
                       strerror(error));
    pthread_mutex_lock(&q->lock);
    q->nworkers = workers;
    pthread_mutex_unlock(&q->lock);
    return GH_OK;
}

/* Seconds, with the lock held. */
static int retry_after_s(const gh_queue *q)
{
    int workers = q->nworkers ? q->nworkers : 1;
    double ms = q->service_ms * (q->waiting + q->running) / workers;
    int s = ms < MAX_RETRY_S * 1000.0 ? (int)(ms / 1000.0) + 1 : MAX_RETRY_S;
    return s;
}

/* With the lock held. */
static bool is_full(const gh_queue *q)
{
    return q->waiting + q->running >= q->limit + q->nworkers;
}

gh_status gh_queue_push(gh_queue *q, gh_job *job, gh_err *e)
{
    gh_status status = GH_OK;
    pthread_mutex_lock(&q->lock);
    if (q->cancelled || q->nworkers == 0) {
        status =
            gh_fail(e, GH_UNAVAILABLE,
                    q->cancelled ? "the server is shutting down" : "the server is still loading its models");
    } else if (is_full(q)) {
        q->busy++;
        status = gh_fail(e, GH_BUSY, "the queue is full: %d requests wait for %d workers; try again in %d s",
                         q->waiting, q->nworkers, retry_after_s(q));
    } else {
        job->queued_ns = gh_now_ns();
        job->next = &q->head;
        job->prev = q->head.prev;
        job->prev->next = job->next->prev = job;
        q->waiting++;
        pthread_cond_signal(&q->work);
        if (job->deadline_ns && job->deadline_ns < q->watched_ns)
            pthread_cond_signal(&q->expiry);
    }
    pthread_mutex_unlock(&q->lock);
    return status;
}

bool gh_queue_take_back(gh_queue *q, gh_job *job)
{
    pthread_mutex_lock(&q->lock);
    bool waits = job->next != NULL;
    if (waits)
        unlink_job(q, job);
    pthread_mutex_unlock(&q->lock);
    return waits;
}

bool gh_queue_full(gh_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool full = q->nworkers > 0 && is_full(q);
    pthread_mutex_unlock(&q->lock);
    return full;
}

int gh_queue_retry_after_s(gh_queue *q)
{
    pthread_mutex_lock(&q->lock);
    int s = retry_after_s(q);
    pthread_mutex_unlock(&q->lock);
    return s;
}

gh_queue_stats gh_queue_stat(gh_queue *q)
{
    pthread_mutex_lock(&q->lock);
    gh_queue_stats s = {q->waiting, q->running, q->nworkers, q->done, q->busy, q->expired, q->service_ms};
    pthread_mutex_unlock(&q->lock);
    return s;
}

void gh_queue_cancel(gh_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->cancelled = true;
    while (q->waiting > 0) {
        gh_job *job = q->head.next;
        unlink_job(q, job);
        pthread_mutex_unlock(&q->lock);
        job->drop(job, GH_UNAVAILABLE);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
}

void gh_queue_stop(gh_queue *q)
{
    gh_queue_cancel(q);
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_broadcast(&q->work);
    pthread_cond_broadcast(&q->expiry);
    pthread_mutex_unlock(&q->lock);
    for (; q->started > 0; q->started--)
        pthread_join(q->workers[q->started - 1].thread, NULL);
    if (q->watching)
        pthread_join(q->watcher, NULL);
    q->watching = false;
}

void gh_queue_free(gh_queue **queue)
{
    gh_queue *q = *queue;
    if (!q)
        return;
    gh_queue_stop(q);
    pthread_cond_destroy(&q->expiry);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
    gh_free(q->workers);
    gh_free(q);
    *queue = NULL;
}
