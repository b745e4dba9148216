/* The HTTP client of the end-to-end tests. */
#include "e2e/client.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

static int connect_file(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    ck_assert_msg(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0, "%s: %s", path, strerror(errno));
    return fd;
}

int connect_to(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        return connect_file(address + 5);
    char host[64];
    const char *colon = strrchr(address, ':');
    ck_assert_ptr_nonnull(colon);
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sa = {.v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))}};
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    if (host[0] == '[') {
        host[strlen(host) - 1] = 0;
        sa.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(colon + 1))};
        ck_assert_int_eq(inet_pton(AF_INET6, host + 1, &sa.v6.sin6_addr), 1);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET, host, &sa.v4.sin_addr), 1);
    }
    int fd = socket(sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    int ok = connect(fd, &sa.any, sa.any.sa_family == AF_INET6 ? sizeof sa.v6 : sizeof sa.v4);
    ck_assert_msg(ok == 0, "%s: %s", address, strerror(errno));
    return fd;
}

bool send_bytes(int fd, const void *data, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, (const char *)data + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (size_t)n;
    }
    return true;
}

bool send_text(int fd, const char *text)
{
    return send_bytes(fd, text, strlen(text));
}

/* What came, 0 at the end, -1 on an error; the test fails when nothing comes for too long. */
static ssize_t receive(int fd, void *data, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ck_assert_msg(poll(&p, 1, PATIENCE_MS) == 1, "the server is silent");
    return recv(fd, data, size, 0);
}

/* Reads byte by byte up to the empty line, so that the next reply stays in the socket. */
static bool read_head(reply *r, int fd)
{
    size_t n = 0;
    while (n + 1 < sizeof r->head) {
        if (receive(fd, r->head + n, 1) != 1)
            return false;
        r->head[++n] = 0;
        if (n >= 4 && memcmp(r->head + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    ck_abort_msg("the reply's headers are too long");
}

static void read_body(reply *r, int fd)
{
    const char *length = reply_header(r, "Content-Length");
    size_t left = strtoul(length, NULL, 10);
    ck_assert_msg(*length || r->status == 204 || r->status == 304, "no Content-Length: %s", r->head);
    while (left > 0) {
        ck_assert(gh_buf_reserve(&r->body, left));
        ssize_t n = receive(fd, r->body.data + r->body.len, left);
        ck_assert_msg(n > 0, "the reply's body ends early");
        r->body.len += (size_t)n;
        left -= (size_t)n;
    }
}

void read_reply(reply *r, int fd, bool head_only, int *continues)
{
    reply_free(r);
    do {
        if (!read_head(r, fd)) {
            r->status = 0;
            r->closed = true;
            return;
        }
        ck_assert_int_eq(sscanf(r->head, "HTTP/1.%*d %d", &r->status), 1);
        if (r->status == 100 && continues)
            ++*continues;
    } while (r->status == 100);
    if (!head_only)
        read_body(r, fd);
    gh_buf_add(&r->body, "", 1);
    r->body.len--;
    r->closed = strcasecmp(reply_header(r, "Connection"), "close") == 0;
}

bool closes_silently(int fd, int ms)
{
    char c;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1 && recv(fd, &c, 1, 0) <= 0;
}

void reply_free(reply *r)
{
    gh_buf_free(&r->body);
    memset(r, 0, sizeof *r);
}

const char *reply_header(const reply *r, const char *name)
{
    static char value[2048];
    size_t n = strlen(name);
    value[0] = 0;
    for (const char *line = strstr(r->head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + n + 4, "\r\n"), line + n + 4);
            break;
        }
    return value;
}

json_t *reply_json(const reply *r)
{
    json_error_t fault;
    json_t *o = json_loadb((const char *)r->body.data, r->body.len, JSON_REJECT_DUPLICATES, &fault);
    ck_assert_msg(o != NULL, "%s: %.300s", fault.text, r->body.data ? (char *)r->body.data : "no body");
    return o;
}

void ask(reply *r, const char *address, const char *method, const char *target, const char *headers,
         const void *body, size_t len)
{
    char head[4096];
    int fd = connect_to(address);
    int n = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: test\r\n%s", method, target,
                     headers ? headers : "");
    if (body)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n", len);
    ck_assert_int_lt(n + 2, (int)sizeof head);
    send_text(fd, head);
    send_text(fd, "\r\n");
    if (body)
        send_bytes(fd, body, len);
    read_reply(r, fd, strcmp(method, "HEAD") == 0, NULL);
    close(fd);
}

json_t *ask_json(reply *r, const char *address, const char *target, const void *data, size_t len)
{
    reply_free(r);
    ask(r, address, "POST", target, NULL, data, len);
    ck_assert_msg(r->status == 200, "%d: %s", r->status, (const char *)r->body.data);
    return reply_json(r);
}

int get_status(const char *address, const char *target)
{
    reply r = {0};
    ask(&r, address, "GET", target, NULL, NULL, 0);
    int status = r.status;
    reply_free(&r);
    return status;
}

double metric(const char *address, const char *name)
{
    reply r = {0};
    double value = 0;
    size_t n = strlen(name);
    ask(&r, address, "GET", "/metrics", NULL, NULL, 0);
    ck_assert_int_eq(r.status, 200);
    for (const char *line = (const char *)r.body.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            value = strtod(line + n, NULL);
    }
    reply_free(&r);
    return value;
}

bool wait_metric(const char *address, const char *name, double least)
{
    for (int i = 0; i < 1000; i++) {
        if (metric(address, name) >= least)
            return true;
        usleep(5000);
    }
    return false;
}
