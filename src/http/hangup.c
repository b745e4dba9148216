/* One thread in epoll_wait. What epoll says is only a hint: between it and the lock the descriptor may have
 * been forgotten and taken by another client, so the socket itself is asked again under the lock. */
#include "http/hangup.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS = 64, LEAST_ROOM = 64 };

struct gh_hangup {
    pthread_mutex_t lock; /* guards `watched` and `room`; held while `gone` runs */
    void **watched;       /* by descriptor; NULL = not watched */
    size_t room;
    void (*gone)(void *who);
    int epoll, stop; /* stop: eventfd */
    pthread_t thread;
    bool started;
};

/* With the lock held. */
static void remove_watch(gh_hangup *h, int fd)
{
    h->watched[fd] = NULL;
    epoll_ctl(h->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static bool has_hung_up(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) == 1;
}

static void look(gh_hangup *h, int fd)
{
    pthread_mutex_lock(&h->lock);
    void *who = h->watched[fd];
    if (who && has_hung_up(fd)) {
        remove_watch(h, fd);
        h->gone(who);
    }
    pthread_mutex_unlock(&h->lock);
}

static void *run(void *arg)
{
    gh_hangup *h = arg;
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(h->epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == h->stop)
                return NULL;
            look(h, events[i].data.fd);
        }
    }
}

static bool add(gh_hangup *h, int fd, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.fd = fd};
    return epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static gh_status start(gh_hangup *h, gh_err *e)
{
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->epoll < 0 || h->stop < 0 || !add(h, h->stop, EPOLLIN))
        return gh_fail(e, GH_IO, "no descriptor is left: %s", strerror(errno));
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int error = pthread_create(&h->thread, NULL, run, h);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    h->started = !error;
    return error ? gh_fail(e, GH_UNAVAILABLE, "cannot start a thread: %s", strerror(error)) : GH_OK;
}

gh_status gh_hangup_new(gh_hangup **out, void (*gone)(void *who), gh_err *e)
{
    gh_hangup *h = gh_calloc(1, sizeof *h);
    if (!h)
        return gh_fail(e, GH_NOMEM, "memory is short");
    pthread_mutex_init(&h->lock, NULL);
    h->gone = gone;
    h->epoll = h->stop = -1;
    gh_status status = start(h, e);
    if (status == GH_OK)
        *out = h;
    else
        gh_hangup_free(&h);
    return status;
}

/* With the lock held; descriptors are small numbers, so the table grows as far as connections do. */
static bool make_room(gh_hangup *h, size_t fd)
{
    size_t room = h->room ? h->room : LEAST_ROOM;
    while (room <= fd)
        room *= 2;
    if (room == h->room)
        return true;
    void **grown = gh_realloc(h->watched, room, sizeof *grown);
    if (!grown)
        return false;
    for (size_t i = h->room; i < room; i++)
        grown[i] = NULL;
    h->watched = grown;
    h->room = room;
    return true;
}

void gh_hangup_watch(gh_hangup *h, int fd, void *who)
{
    if (fd < 0)
        return;
    pthread_mutex_lock(&h->lock);
    if (make_room(h, (size_t)fd)) {
        h->watched[fd] = who; /* first: the thread may hear of it at once, and then waits for the lock */
        if (!add(h, fd, EPOLLRDHUP))
            h->watched[fd] = NULL;
    }
    pthread_mutex_unlock(&h->lock);
}

void gh_hangup_forget(gh_hangup *h, int fd, const void *who)
{
    if (fd < 0)
        return;
    pthread_mutex_lock(&h->lock);
    if ((size_t)fd < h->room && h->watched[fd] == who)
        remove_watch(h, fd);
    pthread_mutex_unlock(&h->lock);
}

void gh_hangup_stop(gh_hangup *h)
{
    uint64_t one = 1;
    if (!h->started)
        return;
    ssize_t n = write(h->stop, &one, sizeof one);
    (void)n; /* the counter cannot be full */
    pthread_join(h->thread, NULL);
    h->started = false;
}

void gh_hangup_free(gh_hangup **hangup)
{
    gh_hangup *h = *hangup;
    if (!h)
        return;
    gh_hangup_stop(h);
    if (h->epoll >= 0)
        close(h->epoll);
    if (h->stop >= 0)
        close(h->stop);
    pthread_mutex_destroy(&h->lock);
    gh_free(h->watched);
    gh_free(h);
    *hangup = NULL;
}
