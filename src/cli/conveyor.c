/* A ring of items between three marks that only rise: taken by the owner, begun by the threads, put on. */
#include "cli/conveyor.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

typedef struct place {
    void *item;
    bool done;
} place;

struct gh_conveyor {
    gh_conveyor_fn work;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t more, ready; /* something to begin or the end; the oldest item is done */
    size_t room, taken, begun, put;
    bool end;
    int started, named; /* threads that run; that have their number */
    pthread_t *threads;
    place *places; /* [room] */
};

static void *run(void *arg)
{
    gh_conveyor *c = arg;
    pthread_mutex_lock(&c->lock);
    const int thread = c->named++;
    for (;;) {
        while (c->begun == c->put && !c->end)
            pthread_cond_wait(&c->more, &c->lock);
        if (c->begun == c->put)
            break;
        const size_t at = c->begun++;
        place *p = &c->places[at % c->room];
        pthread_mutex_unlock(&c->lock);
        c->work(c->arg, p->item, thread);
        pthread_mutex_lock(&c->lock);
        p->done = true;
        if (at == c->taken)
            pthread_cond_signal(&c->ready);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static gh_status start(gh_conveyor *c, int threads, gh_err *e)
{
    sigset_t all, old;
    int error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!error && c->started < threads) {
        error = pthread_create(&c->threads[c->started], NULL, run, c);
        c->started += !error;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error)
        return gh_fail(e, GH_UNAVAILABLE, "cannot start thread %d of %d: %s", c->started + 1, threads,
                       strerror(error));
    return GH_OK;
}

gh_status gh_conveyor_new(gh_conveyor **out, int threads, size_t room, gh_conveyor_fn work, void *arg,
                          gh_err *e)
{
    GH_ASSERT(threads > 0 && room > 0);
    gh_conveyor *c = gh_calloc(1, sizeof *c);
    if (!c)
        return gh_fail(e, GH_NOMEM, "memory ran out");
    c->work = work;
    c->arg = arg;
    c->room = room;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    pthread_cond_init(&c->ready, NULL);
    c->threads = gh_calloc((size_t)threads, sizeof *c->threads);
    c->places = gh_calloc(room, sizeof *c->places);
    gh_status status =
        c->threads && c->places ? start(c, threads, e) : gh_fail(e, GH_NOMEM, "memory ran out");
    if (status == GH_OK)
        *out = c;
    else
        gh_conveyor_free(&c);
    return status;
}

void gh_conveyor_free(gh_conveyor **conveyor)
{
    gh_conveyor *c = *conveyor;
    if (!c)
        return;
    GH_ASSERT(c->taken == c->put);
    pthread_mutex_lock(&c->lock);
    c->end = true;
    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->started; i++)
        pthread_join(c->threads[i], NULL);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->more);
    pthread_cond_destroy(&c->ready);
    gh_free(c->threads);
    gh_free(c->places);
    gh_free(c);
    *conveyor = NULL;
}

/* Both marks are written by the owner alone. */
bool gh_conveyor_full(const gh_conveyor *c)
{
    return c->put - c->taken == c->room;
}

void gh_conveyor_put(gh_conveyor *c, void *item)
{
    GH_ASSERT(!gh_conveyor_full(c));
    pthread_mutex_lock(&c->lock);
    c->places[c->put++ % c->room] = (place){.item = item};
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
}

void *gh_conveyor_take(gh_conveyor *c)
{
    if (c->taken == c->put)
        return NULL;
    pthread_mutex_lock(&c->lock);
    const place *p = &c->places[c->taken % c->room];
    while (!p->done)
        pthread_cond_wait(&c->ready, &c->lock);
    void *item = p->item;
    c->taken++;
    pthread_mutex_unlock(&c->lock);
    return item;
}
