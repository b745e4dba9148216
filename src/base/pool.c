/* A pool of threads with one operation. Each worker has a slot, one cache line, with its share of the job and
 * a sequence number: the caller fills the share in, raises the number, does its own share and waits for the
 * count of unfinished shares to fall to zero. Both sides spin for some microseconds, since the next loop of a
 * network comes at once, then sleep on a futex. */
#include "base/pool.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_THREADS = 1024, SPIN_NS = 50000, PAUSES_PER_CLOCK = 32 };

typedef struct share {
    gh_pool_fn fn;
    void *arg;
    int begin, end;
} share;

typedef struct slot {
    _Alignas(GH_ALIGN) atomic_uint seq; /* raised once a loop that this worker takes part in */
    atomic_uint asleep;                 /* 1 while the worker is in, or about to enter, futex_wait */
    share share;                        /* written by the caller before it raises seq */
    gh_pool *pool;
    pthread_t thread;
    int index; /* 1 .. size-1; the caller is 0 */
} slot;

struct gh_pool {
    int size;
    int started;      /* threads to join */
    unsigned spin_ns; /* 0 when there are more threads than cores */
    atomic_bool busy; /* a caller's loop is running */
    atomic_int users; /* threads between gh_pool_enter and gh_pool_leave */
    atomic_bool stop;
    _Alignas(GH_ALIGN) atomic_uint pending; /* workers' shares not done yet */
    atomic_uint waiting;                    /* the caller sleeps on pending */
    slot slots[];                           /* size - 1 */
};

static void futex_wait(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Spins until *word differs from `old` (or equals it, with `equal`), for at most spin_ns. */
static bool spin(const atomic_uint *word, unsigned value, bool equal, unsigned spin_ns)
{
    uint64_t end = spin_ns ? gh_now_ns() + spin_ns : 0;
    do
        for (int i = 0; i < PAUSES_PER_CLOCK; i++) {
            if ((atomic_load_explicit(word, memory_order_acquire) == value) == equal)
                return true;
            pause_cpu();
        }
    while (end && gh_now_ns() < end);
    return false;
}

/* Waits until the slot's number is no longer `seen`. `asleep` and `seq` are each written by one side and read
 * by the other, in sequentially consistent order, so that one of them always sees the other's store. */
static void wait_for_job(slot *s, unsigned seen)
{
    if (spin(&s->seq, seen, false, s->pool->spin_ns))
        return;
    atomic_store(&s->asleep, 1);
    while (atomic_load(&s->seq) == seen)
        futex_wait(&s->seq, seen);
    atomic_store(&s->asleep, 0);
}

static void raise_slot(slot *s)
{
    atomic_fetch_add(&s->seq, 1);
    if (atomic_load(&s->asleep))
        futex_wake(&s->seq);
}

static share cut_share(gh_pool_fn fn, void *arg, int n, int parts, int index)
{
    return (share){fn, arg, (int)((int64_t)n * index / parts), (int)((int64_t)n * (index + 1) / parts)};
}

static void *worker(void *arg)
{
    slot *s = arg;
    gh_pool *pool = s->pool;
    for (unsigned seen = 0;; seen++) {
        wait_for_job(s, seen);
        if (atomic_load(&pool->stop))
            return NULL;
        s->share.fn(s->share.arg, s->share.begin, s->share.end, s->index);
        if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->waiting))
            futex_wake(&pool->pending);
    }
}

/* Waits until every worker has done its share. */
static void wait_for_workers(gh_pool *pool)
{
    if (spin(&pool->pending, 0, true, pool->spin_ns))
        return;
    atomic_store(&pool->waiting, 1);
    for (unsigned left; (left = atomic_load(&pool->pending)) != 0;)
        futex_wait(&pool->pending, left);
    atomic_store(&pool->waiting, 0);
}

void gh_pool_for(gh_pool *pool, int n, gh_pool_fn fn, void *arg)
{
    if (n <= 0)
        return;
    if (!pool || n == 1 || pool->size == 1 || atomic_load_explicit(&pool->users, memory_order_relaxed) > 1 ||
        atomic_exchange(&pool->busy, true)) {
        fn(arg, 0, n, 0);
        return;
    }
    int parts = n < pool->size ? n : pool->size;
    atomic_store(&pool->pending, (unsigned)parts - 1);
    for (int i = 1; i < parts; i++) {
        pool->slots[i - 1].share = cut_share(fn, arg, n, parts, i);
        raise_slot(&pool->slots[i - 1]);
    }
    share own = cut_share(fn, arg, n, parts, 0);
    fn(arg, own.begin, own.end, 0);
    wait_for_workers(pool);
    atomic_store(&pool->busy, false);
}

typedef struct range {
    gh_range_fn fn;
    const void *job;
} range;

static void run_range(void *arg, int begin, int end, int thread)
{
    const range *r = arg;
    (void)thread;
    r->fn(r->job, begin, end);
}

void gh_pool_range(gh_pool *pool, int n, gh_range_fn fn, const void *job)
{
    range r = {fn, job};
    gh_pool_for(pool, n, run_range, &r);
}

void gh_pool_enter(gh_pool *pool)
{
    if (pool)
        atomic_fetch_add(&pool->users, 1);
}

void gh_pool_leave(gh_pool *pool)
{
    if (pool)
        atomic_fetch_sub(&pool->users, 1);
}

int gh_pool_size(const gh_pool *pool)
{
    return pool ? pool->size : 1;
}

void gh_pool_free(gh_pool **pool)
{
    gh_pool *p = *pool;
    if (!p)
        return;
    GH_ASSERT(!atomic_load(&p->busy));
    atomic_store(&p->stop, true);
    for (int i = 0; i < p->started; i++)
        raise_slot(&p->slots[i]);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->slots[i].thread, NULL);
    gh_free(p);
    *pool = NULL;
}

/* Signals are for the threads that the program made itself, so the workers start with all of them blocked. */
static gh_status start_workers(gh_pool *pool, gh_err *e)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = 0;
    while (!error && pool->started < pool->size - 1) {
        slot *s = &pool->slots[pool->started];
        s->pool = pool;
        s->index = pool->started + 1;
        error = pthread_create(&s->thread, NULL, worker, s);
        pool->started += !error;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return gh_fail(e, GH_UNAVAILABLE, "cannot start thread %d of %d: %s", pool->started + 2, pool->size,
                       strerror(error));
    return GH_OK;
}

gh_status gh_pool_new(gh_pool **out, int threads, gh_err *e)
{
    if (threads < 0 || threads > MAX_THREADS)
        return gh_fail(e, GH_ARG, "%d threads were asked for; 1 to %d can be had, or 0 for one a core",
                       threads, MAX_THREADS);
    int cores = gh_cpu_count();
    int size = threads ? threads : cores < MAX_THREADS ? cores : MAX_THREADS;
    size_t bytes = sizeof(gh_pool) + (size_t)(size - 1) * sizeof(slot);
    gh_pool *pool = gh_alloc_aligned(bytes);
    if (!pool)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    memset(pool, 0, bytes);
    pool->size = size;
    pool->spin_ns = size <= cores ? SPIN_NS : 0;
    gh_status status = start_workers(pool, e);
    if (status == GH_OK)
        *out = pool;
    else
        gh_pool_free(&pool);
    return status;
}
