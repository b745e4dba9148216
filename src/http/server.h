/* The HTTP server: listens at once, answers /healthz while the models load, and works once it has them. */
#ifndef GH_HTTP_SERVER_H
#define GH_HTTP_SERVER_H

#include "base/pool.h"
#include "tasks/registry.h"
#include "tasks/run.h"

typedef struct gh_http_options {
    const char *listen; /* ADDR:PORT, [ADDR6]:PORT, :PORT (every address), PORT (loopback) or unix:PATH */
    int workers;        /* threads that run requests; 0 = gh_cpu_count() */
    int threads;        /* cores that a lone request may use; 0 = gh_cpu_count() */
    int queue;          /* requests that may wait */
    int connections;
    size_t max_body;            /* bytes of one body */
    size_t max_bytes_in_flight; /* bytes of all bodies held at one time */
    gh_image_limits limits;
    int deadline_ms; /* from the last byte of the body to the answer */
    int body_timeout_s, idle_timeout_s, drain_s;
    const char *cors;       /* "*", or origins separated by commas; NULL = off */
    const char *token_file; /* NULL = no token is asked for */
    bool no_compat;         /* without the routes that other servers have (/v1/vision) */
    bool no_emotions;       /* steps of pipelines with the key "emotion" are left out */
    bool insecure;          /* other addresses than loopback without a token */
} gh_http_options;

/* As serve has them without options. */
gh_http_options gh_http_options_default(void);

typedef struct gh_server gh_server;

/* Listens and answers; task requests get 503 until gh_server_models. The options' strings are copied or no
 * longer needed afterwards. */
GH_MUST_CHECK gh_status gh_server_start(gh_server **out, const gh_http_options *options, gh_err *e);
/* Hands over the models (borrowed until gh_server_free) and starts the workers. */
GH_MUST_CHECK gh_status gh_server_models(gh_server *s, gh_registry *models, gh_err *e);
/* "127.0.0.1:8080", with the port that was really taken, or "unix:PATH". */
const char *gh_server_address(const gh_server *s);
/* From now on /readyz says 503 and new task requests are refused; work in flight goes on. */
void gh_server_drain(gh_server *s);
/* Requests that are being read, worked on or answered. */
int gh_server_inflight(gh_server *s);
/* Cancels what still waits, finishes what runs, closes every connection. */
void gh_server_free(gh_server **s);

#endif
