/* A tiny HTTP client over a real socket. It sends exactly the bytes that a test gives it, so that tests can
 * be slow, rude or wrong. Functions fail the running test when the socket does. */
#ifndef GH_E2E_CLIENT_H
#define GH_E2E_CLIENT_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct reply {
    int status; /* 0 = the server closed without a reply */
    char head[8192];
    gh_buf body; /* ended by a zero byte beyond its length */
    bool closed; /* the server closed the connection after it */
} reply;

/* A connected socket; `address` as the server prints it. */
int connect_to(const char *address);
/* True when all bytes went out; false when the server closed. */
bool send_bytes(int fd, const void *data, size_t len);
bool send_text(int fd, const char *text);
/* Reads one reply (interim 100 replies are counted in *continues and skipped). `head_only`: to a HEAD. */
void read_reply(reply *r, int fd, bool head_only, int *continues);
/* True when the server closes within `ms` without sending anything. */
bool closes_silently(int fd, int ms);
void reply_free(reply *r);
/* The header's value in a static buffer, "" when it is not there. */
const char *reply_header(const reply *r, const char *name);
/* The body as JSON; the caller's. */
json_t *reply_json(const reply *r);

/* One request on a connection of its own. `headers` are whole lines with \r\n, or NULL. */
void ask(reply *r, const char *address, const char *method, const char *target, const char *headers,
         const void *body, size_t len);
/* POSTs a picture, frees the reply that `r` held before, and fails the test unless the answer is 200; gives
 * its JSON, which is the caller's. */
json_t *ask_json(reply *r, const char *address, const char *target, const void *data, size_t len);
/* GET on a connection of its own; gives the status. */
int get_status(const char *address, const char *target);
/* The value of a line of /metrics, or 0 when it is not there. */
double metric(const char *address, const char *name);
/* Waits for at most five seconds until the metric is at least `least`. */
bool wait_metric(const char *address, const char *name, double least);

#endif
