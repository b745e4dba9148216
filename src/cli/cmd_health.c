/* gharial health: asks /readyz of a running server, for the container's health check and for scripts. */
#include "cli/cli.h"

#include "base/cpu.h"
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct values {
    const char *listen;
    int64_t timeout_ms;
} values;

static const gh_option options[] = {
    {"listen", GH_OPT_STRING, offsetof(values, listen), "ADDR:PORT",
     "where the server listens (127.0.0.1:8080), or unix:PATH", 0, 0},
    {"timeout-ms", GH_OPT_INT, offsetof(values, timeout_ms), "N", "time for the whole check (3000)", 1,
     600000},
    {0},
};

static const gh_usage usage = {
    .command = "health",
    .args = "",
    .about = "Asks a running server whether it is ready. Exit code 0: ready; 1: not ready or not there.",
    .example = "gharial health --listen 127.0.0.1:8080",
    .options = options,
};

/* Waits until the socket can be read or written; false at the deadline. */
static bool ready_for(int fd, short events, uint64_t until_ns)
{
    for (;;) {
        uint64_t now = gh_now_ns();
        if (now >= until_ns)
            return false;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)((until_ns - now) / 1000000) + 1);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* A connected, non-blocking socket, or -1 with errno. */
static int open_connection(const struct addrinfo *a, uint64_t until_ns)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    socklen_t size = sizeof error;
    if (fd < 0)
        return -1;
    if (connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS)
        error = errno;
    else if (!ready_for(fd, POLLOUT, until_ns))
        error = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/* Sends the request and reads until the server closes; gives the length of the reply, or -1. */
static ssize_t ask(char *reply, size_t size, int fd, uint64_t until_ns)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    size_t len = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1))
        return -1;
    while (len + 1 < size) {
        if (!ready_for(fd, POLLIN, until_ns))
            return -1;
        ssize_t n = recv(fd, reply + len, size - 1 - len, 0);
        if (n == 0)
            break;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        len += n > 0 ? (size_t)n : 0;
    }
    reply[len] = 0;
    return (ssize_t)len;
}

/* The sentence of a problem document; "" when there is none. */
static void find_detail(char *out, size_t size, const char *reply)
{
    const char *at = strstr(reply, "\"detail\":\"");
    size_t n = 0;
    for (at = at ? at + 10 : ""; *at && *at != '"' && n + 1 < size; at++)
        if (*at != '\\')
            out[n++] = *at;
    out[n] = 0;
}

static gh_status judge(const char *listen, const char *reply, gh_err *e)
{
    int status = 0;
    char detail[300];
    if (sscanf(reply, "HTTP/1.%*d %d", &status) != 1)
        return gh_fail(e, GH_UNAVAILABLE, "what answers on %.60s does not speak HTTP", listen);
    find_detail(detail, sizeof detail, reply);
    if (status != 200)
        return gh_fail(e, GH_UNAVAILABLE, "not ready (%d)%s%s", status, *detail ? ": " : "", detail);
    return GH_OK;
}

/* A connection to a socket file; -1 with errno. */
static gh_status connect_file(int *out, const char *path, uint64_t until_ns, gh_err *e)
{
    struct sockaddr_un sa;
    GH_TRY(gh_unix_address(&sa, path, e));
    *out = open_connection(
        &(struct addrinfo){.ai_family = AF_UNIX, .ai_addr = (struct sockaddr *)&sa, .ai_addrlen = sizeof sa},
        until_ns);
    return GH_OK;
}

/* A connection to the first address that takes it; -1 with errno. */
static gh_status connect_host(int *out, const char *listen, uint64_t until_ns, gh_err *e)
{
    char host[GH_MAX_HOST], port[8];
    GH_TRY(gh_address_split(host, port, listen, e));
    bool every = !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
    int error = getaddrinfo(every ? "127.0.0.1" : host, port, &hints, &list), fd = -1;
    if (error)
        return gh_fail(e, GH_UNAVAILABLE, "%.60s: %s", listen, gai_strerror(error));
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
        fd = open_connection(a, until_ns);
    error = errno;
    freeaddrinfo(list);
    errno = error;
    *out = fd;
    return GH_OK;
}

static gh_status check(const values *v, gh_err *e)
{
    char reply[4096];
    uint64_t until = gh_now_ns() + (uint64_t)v->timeout_ms * 1000000;
    const char *path = gh_unix_path(v->listen);
    int fd = -1;
    GH_TRY(path ? connect_file(&fd, path, until, e) : connect_host(&fd, v->listen, until, e));
    if (fd < 0)
        return gh_fail(e, GH_UNAVAILABLE, "no server on %.113s: %s", v->listen, strerror(errno));
    ssize_t n = ask(reply, sizeof reply, fd, until);
    close(fd);
    if (n < 0)
        return gh_fail(e, GH_TIMEOUT, "%.113s did not answer within %d ms", v->listen, (int)v->timeout_ms);
    return judge(v->listen, reply, e);
}

int gh_cmd_health(int argc, char **argv)
{
    values v = {.listen = "127.0.0.1:8080", .timeout_ms = 3000};
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    gh_status status = check(&v, &e);
    if (status == GH_OK) {
        puts("ready");
        return 0;
    }
    gh_cli_fail("health", status, &e);
    return status == GH_ARG ? gh_status_exit(GH_ARG) : 1;
}
