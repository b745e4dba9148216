/* One request from its headers to its reply, in steps that the server calls as bytes come in. No socket is
 * needed: tests call the same steps. */
#ifndef GH_HTTP_EXCHANGE_H
#define GH_HTTP_EXCHANGE_H

#include "http/route.h"
#include "http/upload.h"

typedef struct gh_exchange {
    gh_app *app;
    gh_http_request req;
    gh_http_reply reply;
    const gh_route *route; /* NULL = no such route */
    gh_job job;
    gh_upload body;
    size_t content_length; /* as announced; 0 when chunked or absent */
    bool has_body;         /* a body follows the headers */
    bool decided;          /* the reply is final; a body is read away */
    bool gone;             /* the client hung up while the request waited: no reply goes out */
    uint64_t started_ns;
    void *connection;                    /* the server's */
    void (*wake)(struct gh_exchange *x); /* called from another thread when a queued reply is ready */
} gh_exchange;

/* `method` and `path` are borrowed until gh_exchange_free. Fill req.headers and req.query, then call the
 * steps. */
gh_exchange *gh_exchange_new(gh_app *app, const char *method, const char *path);
void gh_exchange_free(gh_exchange **x);
/* The headers are whole. True: the reply is decided already. */
bool gh_exchange_begin(gh_exchange *x);
/* A piece of the body. False: the connection must be closed (a chunked body over the limit, or too slow). */
bool gh_exchange_body(gh_exchange *x, const void *data, size_t len);
/* True when gh_exchange_end will queue the request, so that `wake` may be called before it returns. */
bool gh_exchange_will_queue(const gh_exchange *x);
/* The body is whole. True: the reply is ready; false: queued, `wake` tells. */
bool gh_exchange_end(gh_exchange *x);
/* The client of a queued request has hung up; from any thread while x lives. True: it still waited and is
 * dropped; the connection is to be closed, `wake` is not called. False: it is being worked on, or has its
 * reply. */
bool gh_exchange_hang_up(gh_exchange *x);
/* Whole seconds that the body may still take, at least 1. */
int gh_exchange_body_seconds(const gh_exchange *x);
/* Writes the access log line and counts; `cut` says why no whole reply went out, NULL = it did. */
void gh_exchange_log(gh_exchange *x, const char *cut);

#endif
