/* The bounded queue between connections and workers. It knows nothing of HTTP or of models: a job is a
 * function, a worker a thread with a context. */
#ifndef GH_HTTP_QUEUE_H
#define GH_HTTP_QUEUE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gh_queue gh_queue;
typedef struct gh_job gh_job;

/* Part of the caller's own struct. A job that was pushed is run and then done, or dropped, or taken back; the
 * queue does not touch it any more once `done` or `drop` has been called. */
struct gh_job {
    void (*run)(gh_job *job, void *context);
    void (*done)(gh_job *job); /* after `run`, when the worker counts as free again */
    /* GH_TIMEOUT: the deadline passed while it waited; GH_UNAVAILABLE: the queue was cancelled. */
    void (*drop)(gh_job *job, gh_status why);
    uint64_t deadline_ns; /* gh_now_ns clock; 0 = none */
    uint64_t queued_ns;   /* set by gh_queue_push */
    gh_job *next, *prev;  /* while it waits, else NULL */
};

typedef struct gh_queue_stats {
    int waiting, running, workers;
    uint64_t done, busy, expired; /* jobs run, refused because full, dropped at their deadline */
    double service_ms;            /* mean time of one job, exponentially weighted */
} gh_queue_stats;

/* A queue for at most `limit` waiting jobs; a job that a free worker can take at once does not count. */
GH_MUST_CHECK gh_status gh_queue_new(gh_queue **out, int limit, gh_err *e);
/* Starts `workers` threads; contexts[i] is handed to every job that thread i runs. */
GH_MUST_CHECK gh_status gh_queue_start(gh_queue *q, int workers, void *const *contexts, gh_err *e);
/* GH_BUSY: full; GH_UNAVAILABLE: no workers yet, or cancelled. */
GH_MUST_CHECK gh_status gh_queue_push(gh_queue *q, gh_job *job, gh_err *e);
/* Takes back a job that was pushed. False: it does not wait any more. */
bool gh_queue_take_back(gh_queue *q, gh_job *job);
bool gh_queue_full(gh_queue *q);
/* Seconds after which a client should try again: what is waiting, at the mean time of a job, at least 1. */
int gh_queue_retry_after_s(gh_queue *q);
gh_queue_stats gh_queue_stat(gh_queue *q);
/* Drops what waits; later pushes are refused. Jobs that run go on. */
void gh_queue_cancel(gh_queue *q);
/* Cancels, waits for running jobs, ends the threads. */
void gh_queue_stop(gh_queue *q);
/* Stops and frees. */
void gh_queue_free(gh_queue **q);

#endif
