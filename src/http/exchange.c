/* The steps of one request: what can be refused at its headers is refused there, what is no picture before it
 * waits; a picture waits in the queue for a worker; everything else is answered at once. */
#include "http/exchange.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CORS_MAX_AGE_S = 600 };

/* Bytes of a picture that is probed before it waits: the thread of all connections does it, and a hostile
 * JPEG of this size takes it 2 to 3 ms. A worker looks at larger ones. */
#define MOST_PROBED ((size_t)1 << 20)

gh_exchange *gh_exchange_new(gh_app *app, const char *method, const char *path)
{
    gh_exchange *x = gh_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->app = app;
    x->req.method = method;
    x->req.path = path;
    x->started_ns = gh_now_ns();
    atomic_fetch_add(&app->inflight, 1);
    return x;
}

void gh_exchange_free(gh_exchange **pointer)
{
    gh_exchange *x = *pointer;
    if (!x)
        return;
    gh_app_release(x->app, x->body.len);
    gh_upload_free(&x->body);
    gh_reply_free(&x->reply);
    atomic_fetch_sub(&x->app->inflight, 1);
    gh_free(x);
    *pointer = NULL;
}

static void add_cors(gh_exchange *x)
{
    if (!x->app->cors)
        return;
    const char *origin = gh_app_cors_origin(x->app, x->req.headers[GH_H_ORIGIN]);
    gh_reply_header(&x->reply, "Vary", "Origin");
    if (!origin)
        return;
    gh_reply_header(&x->reply, "Access-Control-Allow-Origin", "%s", origin);
    gh_reply_header(&x->reply, "Access-Control-Expose-Headers",
                    "X-Request-ID, Server-Timing, Retry-After, X-Model, X-Labels, X-Warning, "
                    "Inference-Header-Content-Length");
}

/* The reply stands: headers that every reply carries. */
static void finish(gh_exchange *x)
{
    gh_http_reply *r = &x->reply;
    GH_ASSERT(r->status != 0);
    if (r->body.failed)
        gh_reply_problem(r, &x->req, 503, "memory is short");
    if ((r->status == 429 || r->status == 503) && !gh_reply_find(r, "Retry-After"))
        gh_reply_header(r, "Retry-After", "%d", gh_queue_retry_after_s(x->app->queue));
    gh_reply_header(r, "X-Request-ID", "%s", x->req.id);
    gh_reply_header(r, "Cache-Control", "no-store");
    gh_reply_header(r, "X-Content-Type-Options", "nosniff");
    add_cors(x);
    if (atomic_load(&x->app->draining))
        gh_reply_header(r, "Connection", "close");
    x->decided = true;
}

/* OPTIONS: what the path allows, and for a preflight what a page of another origin may send. */
static void answer_options(gh_exchange *x, const char *allow)
{
    gh_http_reply *r = &x->reply;
    r->status = 204;
    gh_reply_header(r, "Allow", "%s", allow);
    if (!x->req.headers[GH_H_CORS_METHOD] || !gh_app_cors_origin(x->app, x->req.headers[GH_H_ORIGIN]))
        return;
    gh_reply_header(r, "Access-Control-Allow-Methods", "%s", allow);
    gh_reply_header(r, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, X-Request-ID, traceparent, "
                    "Inference-Header-Content-Length");
    gh_reply_header(r, "Access-Control-Max-Age", "%d", CORS_MAX_AGE_S);
}

/* Finds the route; true when there is an answer already. */
static bool refuse_route(gh_exchange *x)
{
    char allow[64];
    int status;
    x->route = gh_route_find(x->req.method, x->req.path, x->req.param, sizeof x->req.param, allow,
                             sizeof allow, &status);
    if (x->route && (x->route->flags & GH_ROUTE_COMPAT) && x->app->options.no_compat) {
        x->route = NULL;
        status = 404;
    }
    if (x->route) {
        x->req.tells_success = x->route->flags & GH_ROUTE_COMPAT;
        return false;
    }
    if (status == 204) {
        answer_options(x, allow);
    } else if (status == 405) {
        gh_reply_header(&x->reply, "Allow", "%s", allow);
        gh_reply_problem(&x->reply, &x->req, 405, "%.20s is not a method of this path; it takes %s",
                         x->req.method, allow);
    } else {
        char routes[512];
        gh_route_list(routes, sizeof routes);
        gh_reply_problem(&x->reply, &x->req, 404, "there is no %.100s; there are %s", x->req.path, routes);
    }
    return true;
}

static bool refuse_token(gh_exchange *x)
{
    const char *given = x->req.headers[GH_H_AUTHORIZATION];
    if ((x->route->flags & GH_ROUTE_OPEN) || gh_app_authorized(x->app, given))
        return false;
    gh_reply_header(&x->reply, "WWW-Authenticate", "Bearer realm=\"gharial\"%s",
                    given ? ", error=\"invalid_token\"" : "");
    gh_reply_problem(&x->reply, &x->req, 401,
                     given ? "the token is wrong"
                           : "a token is asked for: send the header \"Authorization: Bearer TOKEN\"");
    return true;
}

static bool too_large(gh_exchange *x)
{
    gh_metrics_reject(x->app->metrics, GH_REJECT_BODY);
    gh_reply_problem(&x->reply, &x->req, 413, "the body has %zu bytes; at most %zu are accepted",
                     x->content_length, x->app->options.max_body);
    return true;
}

static bool refuse_bytes(gh_exchange *x)
{
    gh_metrics_reject(x->app->metrics, GH_REJECT_BYTES);
    gh_reply_problem(&x->reply, &x->req, 503, "too many bytes of other requests are in flight; try again");
    return true;
}

/* Refuses what the headers of a picture's request tell enough about. */
static bool refuse_body(gh_exchange *x)
{
    gh_app *app = x->app;
    const char *encoding = x->req.headers[GH_H_CONTENT_ENCODING];
    if (encoding && strcasecmp(encoding, "identity") != 0) {
        gh_reply_problem(&x->reply, &x->req, 415,
                         "the body has the Content-Encoding \"%.40s\"; only plain bodies are accepted",
                         encoding);
        return true;
    }
    if (!x->req.headers[GH_H_CONTENT_LENGTH] && !x->req.headers[GH_H_TRANSFER_ENCODING]) {
        gh_reply_problem(&x->reply, &x->req, 411,
                         "the request has no Content-Length, so it brings no picture");
        return true;
    }
    if (x->content_length > app->options.max_body)
        return too_large(x);
    if (atomic_load(&app->draining) || !atomic_load(&app->models)) {
        char text[600];
        gh_reply_problem(&x->reply, &x->req, 503, "%s", gh_app_not_ready(app, text, sizeof text));
        return true;
    }
    if (gh_queue_full(app->queue)) {
        gh_metrics_reject(app->metrics, GH_REJECT_QUEUE_FULL);
        gh_reply_problem(&x->reply, &x->req, 429, "the queue is full; try again in %d s",
                         gh_queue_retry_after_s(app->queue));
        return true;
    }
    if (atomic_load(&app->body_bytes) + x->content_length > app->options.max_bytes_in_flight)
        return refuse_bytes(x);
    return false;
}

bool gh_exchange_begin(gh_exchange *x)
{
    const char *length = x->req.headers[GH_H_CONTENT_LENGTH];
    gh_app_request_id(x->app, x->req.id, sizeof x->req.id, x->req.headers[GH_H_REQUEST_ID]);
    x->content_length = length ? strtoull(length, NULL, 10) : 0; /* the server has checked its syntax */
    x->has_body = x->content_length > 0 || x->req.headers[GH_H_TRANSFER_ENCODING];
    if (refuse_route(x) || refuse_token(x) || ((x->route->flags & GH_ROUTE_WORK) && refuse_body(x)))
        finish(x);
    return x->decided;
}

int gh_exchange_body_seconds(const gh_exchange *x)
{
    uint64_t passed = (gh_now_ns() - x->started_ns) / 1000000000,
             all = (uint64_t)x->app->options.body_timeout_s;
    return passed + 1 < all ? (int)(all - passed) : 1;
}

/* Keeps the bytes, or answers 503 and lets the rest of the body go by. */
static void keep(gh_exchange *x, const void *data, size_t len)
{
    if (!gh_app_reserve(x->app, len)) {
        refuse_bytes(x);
    } else {
        if (gh_upload_add(&x->body, data, len, x->content_length))
            return;
        gh_app_release(x->app, len);
        gh_reply_problem(&x->reply, &x->req, 503, "memory is short");
    }
    gh_app_release(x->app, x->body.len);
    gh_upload_free(&x->body);
    finish(x);
}

bool gh_exchange_body(gh_exchange *x, const void *data, size_t len)
{
    if (gh_now_ns() - x->started_ns > (uint64_t)x->app->options.body_timeout_s * 1000000000) {
        gh_metrics_reject(x->app->metrics, GH_REJECT_BODY);
        return false;
    }
    if (x->decided || !(x->route->flags & GH_ROUTE_WORK))
        return true;
    if (len > x->app->options.max_body - x->body.len) {
        gh_metrics_reject(x->app->metrics, GH_REJECT_BODY);
        return false;
    }
    if (len > 0)
        keep(x, data, len);
    return true;
}

bool gh_exchange_will_queue(const gh_exchange *x)
{
    return !x->decided && (x->route->flags & GH_ROUTE_WORK);
}

static void answer(gh_exchange *x, gh_worker *w)
{
    x->route->run(x->app, &x->req, w, &x->reply);
    finish(x);
}

static gh_exchange *of_job(gh_job *job)
{
    return (gh_exchange *)(void *)((char *)job - offsetof(gh_exchange, job));
}

static void run_job(gh_job *job, void *worker)
{
    gh_exchange *x = of_job(job);
    x->req.queue_ms = (double)(gh_now_ns() - job->queued_ns) / 1e6;
    gh_metrics_stage(x->app->metrics, GH_STAGE_QUEUE, x->req.queue_ms);
    gh_pool_enter(x->app->pool);
    answer(x, worker);
    gh_pool_leave(x->app->pool);
}

static void end_job(gh_job *job)
{
    gh_exchange *x = of_job(job);
    x->wake(x);
}

static void drop_job(gh_job *job, gh_status why)
{
    gh_exchange *x = of_job(job);
    if (why == GH_TIMEOUT) {
        gh_metrics_reject(x->app->metrics, GH_REJECT_DEADLINE);
        gh_reply_problem(&x->reply, &x->req, 504, "the deadline of %d ms passed while the request waited",
                         (int)((job->deadline_ns - x->req.received_ns) / 1000000));
    } else {
        gh_reply_problem(&x->reply, &x->req, 503, "the server is shutting down");
    }
    finish(x);
    x->wake(x);
}

/* Refuses the request of one picture that is none, broken from its start, or over a limit: no worker is
 * needed for that. Of a batch each picture is told in its place, by a worker. */
static bool refuse_picture(gh_exchange *x)
{
    const gh_http_request *req = &x->req;
    gh_image_info info;
    gh_peek peek = {0};
    gh_err e = {0};
    bool refused = false;
    if (!(x->route->flags & GH_ROUTE_TENSORS) && req->body_len > 0 && req->body_len <= MOST_PROBED &&
        gh_input_peek(&peek, req)) {
        gh_status status = gh_image_probe(&info, peek.data, peek.len, &x->app->options.limits, &e);
        /* bytes that end are a fault only of a picture that is there as a whole */
        refused = status != GH_OK && (peek.whole || status != GH_FORMAT);
    }
    gh_peek_free(&peek);
    if (refused) {
        gh_reply_error(&x->reply, req, &e);
        finish(x);
    }
    return refused;
}

bool gh_exchange_end(gh_exchange *x)
{
    gh_http_request *req = &x->req;
    if (x->decided)
        return true;
    req->body = x->body.data;
    req->body_len = x->body.len;
    req->received_ns = gh_now_ns();
    if (!(x->route->flags & GH_ROUTE_WORK)) {
        answer(x, NULL);
        return true;
    }
    if (refuse_picture(x))
        return true;
    req->deadline_ns = req->received_ns + gh_task_deadline_ms(x->app, req) * 1000000;
    x->job = (gh_job){.run = run_job, .done = end_job, .drop = drop_job, .deadline_ns = req->deadline_ns};
    gh_err e = {0};
    gh_status status = gh_queue_push(x->app->queue, &x->job, &e);
    if (status == GH_OK)
        return false;
    if (status == GH_BUSY)
        gh_metrics_reject(x->app->metrics, GH_REJECT_QUEUE_FULL);
    gh_reply_error(&x->reply, req, &e);
    finish(x);
    return true;
}

bool gh_exchange_hang_up(gh_exchange *x)
{
    if (!gh_queue_take_back(x->app->queue, &x->job)) {
        atomic_store(&x->req.gone, true);
        return false;
    }
    gh_metrics_reject(x->app->metrics, GH_REJECT_CLIENT_GONE);
    x->gone = true;
    return true;
}

void gh_exchange_log(gh_exchange *x, const char *cut)
{
    double ms = (double)(gh_now_ns() - x->started_ns) / 1e6;
    int status = cut && !x->decided ? 0 : x->reply.status;
    size_t route = x->route ? (size_t)(x->route - gh_routes) : gh_nroutes;
    gh_metrics_request(x->app->metrics, route, status, ms);
    bool quiet = x->route && (x->route->flags & GH_ROUTE_QUIET) && status < 400 && !cut;
    gh_log_level level = quiet ? GH_LOG_DEBUG : GH_LOG_INFO;
    if (!gh_log_enabled(level))
        return;
    char path[256], code[16], bytes[24], time[24];
    size_t len;
    gh_reply_bytes(&x->reply, &len);
    snprintf(path, sizeof path, "%s", x->req.path);
    snprintf(code, sizeof code, "%d", status);
    snprintf(bytes, sizeof bytes, "%zu", status ? len : 0);
    snprintf(time, sizeof time, "%.1f", ms);
    const char *trace = x->req.headers[GH_H_TRACEPARENT];
    const char *more = cut ? "cut" : trace ? "traceparent" : NULL;
    gh_log_fields(level, "request", "method", x->req.method, "path", path, "status", code, "bytes", bytes,
                  "ms", time, "id", x->req.id, more, cut ? cut : trace, cut && trace ? "traceparent" : NULL,
                  trace, (const char *)NULL);
}
