/* The listening socket: what --listen says, as a descriptor. */
#ifndef GH_HTTP_LISTEN_H
#define GH_HTTP_LISTEN_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define GH_MAX_HOST 256

typedef struct gh_listener {
    int fd;            /* listening, non-blocking; the caller closes it */
    bool loopback;     /* nobody from outside can reach it */
    char address[128]; /* "127.0.0.1:8080", "[::1]:8080", with the port that was taken; "unix:/run/g.sock" */
    char path[sizeof(struct sockaddr_un)]; /* of the socket file; "" = none */
    dev_t device;                          /* of the socket file */
    ino_t inode;
} gh_listener;

/* ADDR:PORT, [ADDR6]:PORT, NAME:PORT, :PORT (every address), PORT (127.0.0.1), unix:PATH. Port 0 takes a free
 * one. GH_ARG: not such a text; GH_IO: the address cannot be taken. */
GH_MUST_CHECK gh_status gh_listen(gh_listener *out, const char *spec, gh_err *e);

/* Only takes the text apart; host "" = every address. */
GH_MUST_CHECK gh_status gh_address_split(char host[GH_MAX_HOST], char port[8], const char *spec, gh_err *e);

/* The path of unix:PATH, or NULL. */
const char *gh_unix_path(const char *spec);
/* GH_ARG: empty, or too long for a socket's address. */
GH_MUST_CHECK gh_status gh_unix_address(struct sockaddr_un *out, const char *path, gh_err *e);
/* Makes the socket file, mode 0660; one that is left of a dead server is replaced. */
GH_MUST_CHECK gh_status gh_listen_unix(gh_listener *out, const char *path, gh_err *e);
/* Removes the socket file when it is still ours; while the socket is open. Nothing for other sockets. */
void gh_listener_remove_file(gh_listener *l);

#endif
