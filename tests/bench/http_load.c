/* A client that puts load on an HTTP server of this machine: sends whole requests as they stand in files,
 * reads the replies, counts them by status, and prints one JSON object. One thread, epoll; it ends by itself.
 *   bench-http_load [-c LINES] [-d SECONDS] [-n REQUESTS] [-r RATE] [-b] ADDRESS:PORT FILE...
 * Without -r each of LINES connections sends the next request when it has its reply. With -r requests start
 * at that rate a second whatever becomes of the others (latencies count from when a request was due), over
 * connections that are free or new ones, at most LINES. -b takes source addresses in turn from 127.0.1.1 on,
 * so that ports suffice. A file called *.hangup is sent, and its connection closed without waiting for a
 * reply. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MOST_LINES = 16384,
    EVENTS = 256,
    HEAD = 4096,
    SOURCES = 64,
    PATIENCE_S = 60,
    STATUSES = 600,
    SHOWN = 5
};

typedef enum state { CLOSED, FREE, SENDING, READING, LEAVING } state;

typedef struct request {
    gh_buf bytes;
    bool hangs_up;
} request;

typedef struct line {
    int fd;
    state state;
    const request *request;
    size_t sent;
    char head[HEAD];
    size_t have, left; /* bytes of the head; bytes of the body still to come */
    bool in_body, closes, used;
    int status;
    uint64_t due_ns; /* when the request was due; LEAVING: when to close */
} line;

typedef struct tally {
    float *ms;
    size_t count, room;
} tally;

static struct {
    struct sockaddr_in to;
    int lines, seconds;
    long requests;
    double rate;
    bool many_sources;
    request *files;
    int nfiles;
} o = {.lines = 16, .seconds = 10};

static int epoll;
static line *lines;
static int *spare, nspare; /* FREE lines, the one used last on top */
static int *closed, nclosed;
static tally by_status[STATUSES];
static long started, answered, failed, hung_up, late, running, leaving;
static unsigned source;

static void die(const char *what)
{
    fprintf(stderr, "http_load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void fail(line *l, const char *why)
{
    if (failed++ < SHOWN)
        fprintf(stderr, "http_load: %s after %zu of %zu bytes sent, %zu of the reply read: %s\n", why,
                l->sent, l->request->bytes.len, l->have, strerror(errno));
}

static void watch(line *l, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = l};
    epoll_ctl(epoll, EPOLL_CTL_MOD, l->fd, &e);
}

static void drop(line *l)
{
    close(l->fd);
    l->fd = -1;
    l->state = CLOSED;
    l->used = false;
    closed[nclosed++] = (int)(l - lines);
}

static void set_free(line *l)
{
    l->state = FREE;
    l->used = true;
    spare[nspare++] = (int)(l - lines);
}

static void count(line *l)
{
    tally *t = &by_status[l->status > 0 && l->status < STATUSES ? l->status : 0];
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 1024;
        t->ms = gh_realloc(t->ms, t->room, sizeof *t->ms);
        if (!t->ms)
            die("memory");
    }
    t->ms[t->count++] = (float)((double)(gh_now_ns() - l->due_ns) / 1e6);
    answered++;
}

static void end(line *l, bool keep)
{
    running--;
    if (keep)
        set_free(l);
    else
        drop(l);
}

static bool connect_line(line *l)
{
    int one = 1;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return false;
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (o.many_sources) {
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(0x7f000101 + source++ % SOURCES)};
        setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(l->fd, (struct sockaddr *)&from, sizeof from) != 0)
            return false;
    }
    if (connect(l->fd, (struct sockaddr *)&o.to, sizeof o.to) != 0 && errno != EINPROGRESS)
        return false;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = l};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, l->fd, &e) == 0;
}

/* Starts the next request on a line that is FREE or CLOSED and in no list any more. */
static void start(line *l, uint64_t due_ns)
{
    bool fresh = l->state == CLOSED;
    l->request = &o.files[started++ % o.nfiles];
    l->sent = l->have = l->left = 0;
    l->in_body = l->closes = false;
    l->status = 0;
    l->due_ns = due_ns;
    l->state = SENDING;
    running++;
    if (!fresh) {
        watch(l, EPOLLIN | EPOLLOUT);
    } else if (!connect_line(l)) {
        fail(l, "no connection");
        end(l, false);
    }
}

static const char *header(const line *l, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = l->head; (at = strstr(at, "\r\n"));) {
        at += 2;
        if (strncasecmp(at, name, len) == 0 && at[len] == ':')
            return at + len + 1 + strspn(at + len + 1, " ");
    }
    return NULL;
}

/* The head is whole: false when it is none that we understand. */
static bool read_head(line *l, char *end_of_head)
{
    size_t body = l->have - (size_t)(end_of_head - l->head);
    end_of_head[-2] = '\0';
    if (sscanf(l->head, "HTTP/1.%*d %d", &l->status) != 1)
        return false;
    const char *length = header(l, "Content-Length"), *connection = header(l, "Connection");
    l->closes = connection && strncasecmp(connection, "close", 5) == 0;
    l->left = length ? strtoull(length, NULL, 10) : 0;
    if ((!length && l->status != 204) || body > l->left)
        return false;
    l->left -= body;
    l->in_body = true;
    return true;
}

static void finish(line *l)
{
    bool whole = l->sent == l->request->bytes.len;
    count(l);
    end(l, whole && !l->closes);
}

/* The server closed, or reset, the connection. One that was idle before may have been closed as the request
 * came: RFC 9112 lets a client send it again, and so do browsers and proxies. */
static void cut(line *l)
{
    if (l->used && l->have == 0) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, l->fd, NULL);
        close(l->fd);
        l->used = false;
        l->sent = 0;
        l->state = SENDING;
        late++;
        if (connect_line(l))
            return;
    }
    fail(l, "cut");
    end(l, false);
}

static void on_readable(line *l)
{
    static char waste[1 << 16];
    while (l->state == SENDING || l->state == READING) {
        bool head = !l->in_body;
        size_t room = head ? HEAD - 1 - l->have : l->left < sizeof waste ? l->left : sizeof waste;
        ssize_t n = recv(l->fd, head ? l->head + l->have : waste, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            cut(l);
            return;
        }
        if (head) {
            l->have += (size_t)n;
            l->head[l->have] = '\0';
            char *end_of_head = strstr(l->head, "\r\n\r\n");
            if ((end_of_head && !read_head(l, end_of_head + 4)) || (!end_of_head && l->have == HEAD - 1)) {
                fail(l, "no reply of HTTP that is understood");
                end(l, false);
                return;
            }
        } else {
            l->left -= (size_t)n;
        }
        if (l->in_body && l->left == 0)
            finish(l);
    }
}

static void on_writable(line *l)
{
    const gh_buf *b = &l->request->bytes;
    while (l->sent < b->len) {
        ssize_t n = send(l->fd, b->data + l->sent, b->len - l->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) { /* a reply may have come before */
            on_readable(l);
            if (l->state == SENDING)
                cut(l);
            return;
        }
        l->sent += (size_t)n;
    }
    watch(l, EPOLLIN);
    l->state = READING;
    if (l->request->hangs_up) {
        l->state = LEAVING;
        leaving++;
        l->due_ns = gh_now_ns() + (uint64_t)(started % 8) * 1000000; /* at once, or while it is worked on */
    }
}

static void on_event(const struct epoll_event *e)
{
    line *l = e->data.ptr;
    if (l->state == FREE && e->events & (EPOLLHUP | EPOLLRDHUP | EPOLLIN)) {
        for (int i = 0; i < nspare; i++)
            if (spare[i] == l - lines)
                spare[i] = spare[--nspare];
        drop(l);
        return;
    }
    if (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR) && (l->state == SENDING || l->state == READING))
        on_readable(l);
    if (e->events & EPOLLOUT && l->state == SENDING)
        on_writable(l);
}

/* Lines that hang up, and those that wait for ever. */
static void look_at_times(uint64_t now)
{
    for (int i = 0; i < o.lines; i++) {
        line *l = &lines[i];
        if (l->state == LEAVING && now >= l->due_ns) {
            hung_up++;
            leaving--;
            end(l, false);
        } else if ((l->state == SENDING || l->state == READING) && now > l->due_ns &&
                   now - l->due_ns > (uint64_t)PATIENCE_S * 1000000000) {
            errno = ETIMEDOUT;
            fail(l, "no reply");
            end(l, false);
        }
    }
}

static line *next_line(void)
{
    return nspare ? &lines[spare[--nspare]] : nclosed ? &lines[closed[--nclosed]] : NULL;
}

/* Starts what is due now; false when nothing more will be. */
static bool start_due(uint64_t now, uint64_t begin)
{
    if (now - begin >= (uint64_t)o.seconds * 1000000000 || (o.requests && started >= o.requests))
        return false;
    for (line *l; !o.requests || started < o.requests;) {
        uint64_t due = o.rate > 0 ? begin + (uint64_t)((double)started * 1e9 / o.rate) : gh_now_ns();
        if ((o.rate > 0 && due > now) || !(l = next_line()))
            break;
        start(l, due);
    }
    return true;
}

static double run(void)
{
    struct epoll_event events[EVENTS];
    uint64_t begin = gh_now_ns(), looked = 0, now;
    bool more = true;
    for (;;) {
        now = gh_now_ns();
        if (now - looked > (leaving ? 1000000 : 500000000)) {
            look_at_times(now);
            looked = now;
        }
        more = more && start_due(now, begin);
        if (!more && running == 0)
            break;
        int n = epoll_wait(epoll, events, EVENTS, leaving || (more && o.rate > 0) ? 1 : 100);
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
    }
    return (double)(now - begin) / 1e9;
}

static int by_value(const void *left, const void *right)
{
    const float *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static void print(double seconds)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("{\"seconds\":%.3f,\"sent\":%ld,\"answered\":%ld,\"failed\":%ld,\"hung_up\":%ld,\"again\":%ld,"
           "\"cpu_s\":%.3f,\"statuses\":{",
           seconds, started, answered, failed, hung_up, late,
           (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    bool first = true;
    for (int i = 0; i < STATUSES; i++) {
        tally *t = &by_status[i];
        if (t->count == 0)
            continue;
        qsort(t->ms, t->count, sizeof *t->ms, by_value);
        printf("%s\"%d\":{\"count\":%zu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}",
               first ? "" : ",", i, t->count, (double)t->ms[t->count / 2], (double)t->ms[t->count * 9 / 10],
               (double)t->ms[t->count * 99 / 100], (double)t->ms[t->count - 1]);
        first = false;
    }
    printf("}}\n");
}

static void read_files(char **names, int n)
{
    gh_err e = {0};
    o.files = gh_calloc((size_t)n, sizeof *o.files);
    o.nfiles = n;
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (!o.files || gh_file_read(&o.files[i].bytes, names[i], (size_t)64 << 20, &e) != GH_OK) {
            fprintf(stderr, "http_load: %s\n", e.text);
            exit(EXIT_FAILURE);
        }
        o.files[i].hangs_up = len > 7 && strcmp(names[i] + len - 7, ".hangup") == 0;
    }
}

static void read_options(int argc, char **argv)
{
    for (int c; (c = getopt(argc, argv, "c:d:n:r:b")) != -1;)
        switch (c) {
        case 'c':
            o.lines = atoi(optarg);
            break;
        case 'd':
            o.seconds = atoi(optarg);
            break;
        case 'n':
            o.requests = atol(optarg);
            break;
        case 'r':
            o.rate = atof(optarg);
            break;
        case 'b':
            o.many_sources = true;
            break;
        default:
            exit(2);
        }
    char *port = optind < argc ? strchr(argv[optind], ':') : NULL;
    if (!port || optind + 1 >= argc || o.lines < 1 || o.lines > MOST_LINES || o.seconds < 1 ||
        o.seconds > 3600) {
        fprintf(stderr, "usage: bench-http_load [-c LINES] [-d SECONDS] [-n REQUESTS] [-r RATE] [-b] "
                        "A.B.C.D:PORT FILE...\n");
        exit(2);
    }
    *port = '\0';
    o.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port + 1))};
    if (inet_pton(AF_INET, argv[optind], &o.to.sin_addr) != 1)
        die(argv[optind]);
    read_files(argv + optind + 1, argc - optind - 1);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    lines = gh_calloc((size_t)o.lines, sizeof *lines);
    spare = gh_calloc((size_t)o.lines, sizeof *spare);
    closed = gh_calloc((size_t)o.lines, sizeof *closed);
    if (!lines || !spare || !closed || epoll < 0)
        die("memory");
    for (int i = o.lines; i-- > 0;)
        closed[nclosed++] = i;
    print(run());
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
