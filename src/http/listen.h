/* The listening socket: what --listen says, as a descriptor. */
#ifndef GH_HTTP_LISTEN_H
#define GH_HTTP_LISTEN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define GH_MAX_HOST 256

typedef struct gh_listener {
    int fd;            /* listening, non-blocking; the caller closes it */
    bool loopback;     /* nobody from outside can reach it */
    char address[128]; /* "127.0.0.1:8080" or "[::1]:8080", with the port that was taken */
} gh_listener;

/* ADDR:PORT, [ADDR6]:PORT, NAME:PORT, :PORT (every address), PORT (127.0.0.1). Port 0 takes a free one.
 * GH_ARG: not such a text; GH_IO: the address cannot be taken. */
GH_MUST_CHECK gh_status gh_listen(gh_listener *out, const char *spec, gh_err *e);

/* Only takes the text apart; host "" = every address. */
GH_MUST_CHECK gh_status gh_address_split(char host[GH_MAX_HOST], char port[8], const char *spec, gh_err *e);

#endif
