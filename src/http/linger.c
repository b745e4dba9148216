/* One thread that polls the sockets which are being closed. Each may stay for a short time and send a bounded
 * number of bytes; when there are too many, the oldest goes at once. */
#include "http/linger.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SOCKETS = 256, STAY_MS = 5000 };

/* Bytes that one socket may still send: four of the largest bodies. */
#define MAX_BYTES ((uint64_t)64 << 20)

typedef struct entry {
    int fd;
    uint64_t until_ns, bytes;
} entry;

struct gh_linger {
    pthread_mutex_t lock; /* guards `inbox` and `stop` */
    int inbox[MAX_SOCKETS], ninbox;
    bool stop;
    int wake; /* eventfd */
    pthread_t thread;
    entry entries[MAX_SOCKETS]; /* the thread's own, oldest first */
    int count;
};

static void drop(gh_linger *l, int i)
{
    close(l->entries[i].fd);
    l->count--;
    memmove(&l->entries[i], &l->entries[i + 1], (size_t)(l->count - i) * sizeof l->entries[0]);
}

/* Takes over what came in; false when the thread shall end. */
static bool fetch(gh_linger *l)
{
    uint64_t count;
    if (read(l->wake, &count, sizeof count) < 0)
        count = 0; /* nothing came: poll was ended by time */
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < l->ninbox; i++) {
        if (l->count == MAX_SOCKETS)
            drop(l, 0);
        l->entries[l->count++] =
            (entry){.fd = l->inbox[i], .until_ns = gh_now_ns() + (uint64_t)STAY_MS * 1000000};
    }
    l->ninbox = 0;
    bool go_on = !l->stop;
    pthread_mutex_unlock(&l->lock);
    return go_on;
}

/* Reads away what there is; false when the socket is done with. */
static bool read_away(entry *en)
{
    char buf[16384];
    for (int i = 0; i < 16; i++) {
        ssize_t n = recv(en->fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        en->bytes += (uint64_t)n;
        if (en->bytes > MAX_BYTES)
            return false;
    }
    return true;
}

static void *run(void *arg)
{
    gh_linger *l = arg;
    struct pollfd fds[MAX_SOCKETS + 1];
    while (fetch(l)) {
        fds[0] = (struct pollfd){.fd = l->wake, .events = POLLIN};
        for (int i = 0; i < l->count; i++)
            fds[i + 1] = (struct pollfd){.fd = l->entries[i].fd, .events = POLLIN};
        poll(fds, (nfds_t)l->count + 1, l->count ? 250 : -1);
        uint64_t now = gh_now_ns();
        for (int i = l->count; i-- > 0;)
            if (now > l->entries[i].until_ns || (fds[i + 1].revents && !read_away(&l->entries[i])))
                drop(l, i);
    }
    while (l->count > 0)
        drop(l, 0);
    return NULL;
}

gh_status gh_linger_new(gh_linger **out, gh_err *e)
{
    gh_linger *l = gh_calloc(1, sizeof *l);
    if (!l)
        return gh_fail(e, GH_NOMEM, "memory is short");
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake < 0) {
        gh_free(l);
        return gh_fail(e, GH_IO, "no descriptor is left: %s", strerror(errno));
    }
    pthread_mutex_init(&l->lock, NULL);
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int error = pthread_create(&l->thread, NULL, run, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        close(l->wake);
        gh_free(l);
        return gh_fail(e, GH_UNAVAILABLE, "cannot start a thread: %s", strerror(error));
    }
    *out = l;
    return GH_OK;
}

static void wake_up(gh_linger *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->wake, &one, sizeof one);
    (void)n; /* fails only when the counter is full, and then the thread wakes anyway */
}

void gh_linger_take(gh_linger *l, int fd)
{
    pthread_mutex_lock(&l->lock);
    bool room = l->ninbox < MAX_SOCKETS && !l->stop;
    if (room)
        l->inbox[l->ninbox++] = fd;
    pthread_mutex_unlock(&l->lock);
    if (room)
        wake_up(l);
    else
        close(fd);
}

void gh_linger_free(gh_linger **linger)
{
    gh_linger *l = *linger;
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
    wake_up(l);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->lock);
    close(l->wake);
    gh_free(l);
    *linger = NULL;
}
