/* Parses ADDR:PORT and opens the listening socket ourselves, so that errors are sentences and port 0 can be
 * told to the caller. */
#include "http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

gh_status gh_address_split(char host[GH_MAX_HOST], char port[8], const char *spec, gh_err *e)
{
    const char *colon = strrchr(spec, ':'), *digits = colon ? colon + 1 : spec;
    const char *from = spec, *to = colon ? colon : spec;
    if (*spec == '[' && to > spec + 1 && to[-1] == ']') {
        from++;
        to--;
    } else if (memchr(from, ':', (size_t)(to - from))) {
        return gh_fail(e, GH_ARG, "'%.60s' is ambiguous: write an IPv6 address in brackets, [::1]:8080",
                       spec);
    }
    size_t n = strlen(digits), len = (size_t)(to - from);
    unsigned number = 0;
    for (size_t i = 0; i < n && i < 6; i++)
        number = digits[i] >= '0' && digits[i] <= '9' ? number * 10 + (unsigned)(digits[i] - '0') : 100000;
    if (n == 0 || n > 5 || number > 65535 || len >= GH_MAX_HOST)
        return gh_fail(e, GH_ARG,
                       "'%.60s' is no address to listen on; 127.0.0.1:8080, [::1]:8080, :8080 (every "
                       "address), 8080 and unix:/run/gharial.sock are such",
                       spec);
    snprintf(port, 8, "%u", number);
    snprintf(host, GH_MAX_HOST, "%.*s", (int)len, from);
    if (!colon)
        snprintf(host, GH_MAX_HOST, "127.0.0.1");
    return GH_OK;
}

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* Every address: an IPv6 socket takes IPv4 too, where the machine has IPv6. */
static int open_socket(const struct addrinfo *a)
{
    int one = 1, zero = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void describe(gh_listener *l)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    char host[64] = "?", port[8] = "?";
    getsockname(l->fd, (struct sockaddr *)&sa, &len);
    getnameinfo((struct sockaddr *)&sa, len, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(l->address, sizeof l->address, sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    l->loopback = is_loopback((struct sockaddr *)&sa);
}

static gh_status cannot_listen(const char *spec, int error, gh_err *e)
{
    if (error == EADDRINUSE)
        return gh_fail(e, GH_IO,
                       "cannot listen on %.60s: another program already does; choose another port with "
                       "--listen",
                       spec);
    return gh_fail(e, GH_IO, "cannot listen on %.60s: %s", spec, strerror(error));
}

gh_status gh_listen(gh_listener *out, const char *spec, gh_err *e)
{
    char host[GH_MAX_HOST], port[8];
    const char *path = gh_unix_path(spec);
    if (path)
        return gh_listen_unix(out, path, e);
    GH_TRY(gh_address_split(host, port, spec, e));
    struct addrinfo hints = {.ai_family = *host ? AF_UNSPEC : AF_INET6,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (error)
        return gh_fail(e, GH_ARG, "cannot listen on %.60s: %s", spec, gai_strerror(error));
    gh_listener l = {.fd = -1};
    for (const struct addrinfo *a = list; a && l.fd < 0; a = a->ai_next)
        l.fd = open_socket(a);
    error = errno;
    freeaddrinfo(list);
    if (l.fd < 0 && !*host && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
        l.fd = open_socket(&(struct addrinfo){
            .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any, .ai_addrlen = sizeof any});
        error = errno;
    }
    if (l.fd < 0)
        return cannot_listen(spec, error, e);
    describe(&l);
    *out = l;
    return GH_OK;
}
