/* The table of endpoints. A new endpoint is a file h_<name>.c with one handler, a line here, and its entry in
 * api/openapi.json (a test compares the two). */
#ifndef GH_HTTP_ROUTE_H
#define GH_HTTP_ROUTE_H

#include "http/app.h"

/* Fills the reply. `w` is a worker for routes with GH_ROUTE_WORK, else NULL. */
typedef void (*gh_handler)(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);

enum {
    GH_ROUTE_WORK = 1 << 0,    /* takes a picture: body read, queued, run by a worker */
    GH_ROUTE_OPEN = 1 << 1,    /* answers without a token */
    GH_ROUTE_QUIET = 1 << 2,   /* asked every few seconds by probes: logged at debug level when it succeeds */
    GH_ROUTE_COMPAT = 1 << 3,  /* DeepStack's: not there with --no-compat; its problems tell success */
    GH_ROUTE_TENSORS = 1 << 4, /* its work is on tensors: the body is no picture */
};

typedef struct gh_route {
    const char *method; /* "GET" (HEAD too) or "POST" */
    const char *path;   /* a part {name} stands for anything without '/' */
    gh_handler run;
    unsigned flags;
} gh_route;

extern const gh_route gh_routes[];
extern const size_t gh_nroutes;

/* The route, or NULL: then *status is 404, or 405 (or 204 for OPTIONS) with the path's methods in `allow`.
 * `allow` is written whenever the path exists; `param` receives what {name} stands for. */
const gh_route *gh_route_find(const char *method, const char *path, char *param, size_t param_size,
                              char *allow, size_t allow_size, int *status);
/* "POST /classify, GET /models, ..." for the 404 sentence. */
void gh_route_list(char *out, size_t size);

void gh_h_page(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_web(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_classify(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_localize(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_embed(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_compat_detection(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_compat_face(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_segment(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_models(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_model(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_healthz(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_readyz(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_version(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_openapi(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_metrics(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_v2(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_v2_model(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_v2_model_ready(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);
void gh_h_v2_infer(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply);

#endif
