/* What all requests of one server share: limits, queue, models, token, counters. */
#ifndef GH_HTTP_APP_H
#define GH_HTTP_APP_H

#include "http/http.h"
#include "http/metrics.h"
#include "http/queue.h"
#include "http/server.h"

#include <stdatomic.h>

typedef struct gh_app {
    gh_http_options options; /* its strings are not used any more */
    char *cors, *token;      /* owned; NULL = off */
    gh_queue *queue;
    gh_pool *pool;
    gh_lanes *lanes; /* of the pool */
    gh_worker **workers;
    int nworkers;
    _Atomic(gh_registry *) models; /* NULL while they load; borrowed */
    atomic_bool draining;
    atomic_int inflight;
    atomic_size_t body_bytes; /* of bodies held now */
    atomic_uint_fast64_t next_id;
    uint64_t id_seed, started_ns;
    gh_metrics *metrics;
} gh_app;

/* Checks the options and reads the token. */
GH_MUST_CHECK gh_status gh_app_new(gh_app **out, const gh_http_options *options, gh_err *e);
/* Makes workers and starts the queue. */
GH_MUST_CHECK gh_status gh_app_models(gh_app *app, gh_registry *models, gh_err *e);
void gh_app_free(gh_app **app);

/* Takes n bytes of the budget for bodies: false, and nothing taken, when it does not suffice. */
bool gh_app_reserve(gh_app *app, size_t n);
void gh_app_release(gh_app *app, size_t n);
/* Why the server is not ready, in words for a client, or NULL when it is. */
const char *gh_app_not_ready(gh_app *app, char *text, size_t size);
/* True when no token is asked for or the Authorization header carries it. Takes the same time whatever the
 * token is. */
bool gh_app_authorized(const gh_app *app, const char *authorization);
/* What Access-Control-Allow-Origin says to this origin, or NULL: nothing. */
const char *gh_app_cors_origin(const gh_app *app, const char *origin);
/* Copies a valid X-Request-ID into `id`, else makes one. */
void gh_app_request_id(gh_app *app, char *id, size_t size, const char *given);

#endif
