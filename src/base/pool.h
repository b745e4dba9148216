/* A pool of threads with one operation: a parallel loop. */
#ifndef GH_BASE_POOL_H
#define GH_BASE_POOL_H

#include "base/status.h"

typedef struct gh_pool gh_pool;
/* Works on units [begin, end) of the loop; `thread` is 0 .. gh_pool_size - 1, unique among running calls. */
typedef void (*gh_pool_fn)(void *arg, int begin, int end, int thread);

/* A pool of `threads` threads, the caller's included (1 = no thread is started; 0 = gh_cpu_count()). */
GH_MUST_CHECK gh_status gh_pool_new(gh_pool **out, int threads, gh_err *e);
void gh_pool_free(gh_pool **pool);
/* Threads, the caller's included; a NULL pool has 1. */
int gh_pool_size(const gh_pool *pool);
/* Runs fn over 0 .. n-1, split evenly in contiguous ranges, one a thread, and returns when all are done. The
 * caller takes part. A NULL pool, n <= 1, or a pool busy with another caller's loop: the caller does
 * everything itself. Allocates nothing. */
void gh_pool_for(gh_pool *pool, int n, gh_pool_fn fn, void *arg);
/* The same for a loop that does not ask for its thread. */
typedef void (*gh_range_fn)(const void *job, int begin, int end);
void gh_pool_range(gh_pool *pool, int n, gh_range_fn fn, const void *job);
/* A thread that is going to run loops for a while says so; while more than one thread has, every loop runs on
 * its caller alone: a full server works one request a core, a lone request gets them all. NULL pool: nothing.
 */
void gh_pool_enter(gh_pool *pool);
void gh_pool_leave(gh_pool *pool);

#endif
