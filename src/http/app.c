/* The server's shared state: options checked once, the token, the budget for bodies, request ids. */
#include "http/app.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "http/route.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { MAX_TOKEN = 4096, MIN_TOKEN = 8 };

gh_http_options gh_http_options_default(void)
{
    return (gh_http_options){
        .listen = "127.0.0.1:8080",
        .queue = 64,
        .connections = 4096,
        .max_body = (size_t)16 << 20,
        .max_bytes_in_flight = (size_t)256 << 20,
        .limits = gh_image_limits_default(),
        .deadline_ms = 10000,
        .body_timeout_s = 30,
        .idle_timeout_s = 30,
        .drain_s = 30,
    };
}

/* The file's text without white space at its ends. */
static gh_status read_token(char **out, const char *path, gh_err *e)
{
    gh_buf buf = {0};
    gh_status status = gh_file_read(&buf, path, MAX_TOKEN, e);
    if (status == GH_OK) {
        size_t from = 0, to = buf.len;
        while (from < to && isspace(buf.data[from]))
            from++;
        while (to > from && isspace(buf.data[to - 1]))
            to--;
        bool fit = to - from >= MIN_TOKEN;
        for (size_t i = from; i < to; i++)
            fit = fit && buf.data[i] > 0x20 && buf.data[i] < 0x7f;
        if (!fit)
            status = gh_fail(e, GH_ARG, "%s must hold a token of at least %d visible ASCII characters", path,
                             MIN_TOKEN);
        else if (!(*out = gh_calloc(to - from + 1, 1)))
            status = gh_fail(e, GH_NOMEM, "memory is short");
        else
            memcpy(*out, buf.data + from, to - from);
    }
    gh_buf_free(&buf);
    return status;
}

static gh_status fill(gh_app *app, gh_err *e)
{
    const gh_http_options *o = &app->options;
    if (o->token_file)
        GH_TRY(read_token(&app->token, o->token_file, e));
    if (o->cors && !(app->cors = gh_strdup(o->cors)))
        return gh_fail(e, GH_NOMEM, "memory is short");
    if (!(app->metrics = gh_metrics_new(gh_nroutes)))
        return gh_fail(e, GH_NOMEM, "memory is short");
    return gh_queue_new(&app->queue, o->queue, e);
}

gh_status gh_app_new(gh_app **out, const gh_http_options *options, gh_err *e)
{
    gh_app *app = gh_calloc(1, sizeof *app);
    if (!app)
        return gh_fail(e, GH_NOMEM, "memory is short");
    app->options = *options;
    app->started_ns = gh_now_ns();
    if (getrandom(&app->id_seed, sizeof app->id_seed, 0) != (ssize_t)sizeof app->id_seed)
        app->id_seed = app->started_ns;
    gh_status status = fill(app, e);
    if (status == GH_OK)
        *out = app;
    else
        gh_app_free(&app);
    return status;
}

gh_status gh_app_models(gh_app *app, gh_registry *models, gh_err *e)
{
    int n = app->options.workers ? app->options.workers : gh_cpu_count();
    GH_TRY(gh_pool_new(&app->pool, app->options.threads, e));
    GH_TRY(gh_lanes_new(&app->lanes, app->pool, e));
    app->workers = gh_calloc((size_t)n, sizeof *app->workers);
    if (!app->workers)
        return gh_fail(e, GH_NOMEM, "memory is short");
    for (; app->nworkers < n; app->nworkers++)
        GH_TRY(gh_worker_new_beside(&app->workers[app->nworkers], app->lanes, e));
    atomic_store(&app->models, models);
    return gh_queue_start(app->queue, n, (void *const *)app->workers, e);
}

void gh_app_free(gh_app **pointer)
{
    gh_app *app = *pointer;
    if (!app)
        return;
    gh_queue_free(&app->queue);
    for (int i = 0; i < app->nworkers; i++)
        gh_worker_free(&app->workers[i]);
    gh_free(app->workers);
    gh_lanes_free(&app->lanes);
    gh_pool_free(&app->pool);
    gh_http_metrics_free(&app->metrics);
    gh_free(app->token);
    gh_free(app->cors);
    gh_free(app);
    *pointer = NULL;
}

bool gh_app_reserve(gh_app *app, size_t n)
{
    size_t before = atomic_fetch_add(&app->body_bytes, n);
    if (before + n <= app->options.max_bytes_in_flight)
        return true;
    atomic_fetch_sub(&app->body_bytes, n);
    return false;
}

void gh_app_release(gh_app *app, size_t n)
{
    atomic_fetch_sub(&app->body_bytes, n);
}

/* "name: reason" of the first model that failed. */
static const char *failed_model(gh_registry *models, char *text, size_t size)
{
    const char *found = NULL;
    gh_model *m = NULL;
    for (size_t i = 0; !found && (m = gh_registry_at(models, i)); i++) {
        if (m->state != GH_MODEL_READY) {
            snprintf(text, size, "the model %.64s is not ready: %s", m->name,
                     m->failure ? m->failure : "it is being loaded");
            found = text;
        }
        gh_model_put(&m);
    }
    return found;
}

const char *gh_app_not_ready(gh_app *app, char *text, size_t size)
{
    gh_registry *models = atomic_load(&app->models);
    if (atomic_load(&app->draining))
        return "the server is shutting down";
    if (!models)
        return "the server is still loading its models";
    if (gh_registry_ready(models))
        return NULL;
    const char *why = failed_model(models, text, size);
    return why ? why : "a model is not ready";
}

bool gh_app_authorized(const gh_app *app, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (!app->token)
        return true;
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *given = authorization + sizeof scheme - 1;
    /* Every character of what was given is compared with some character of the token, so that the time
     * depends only on what the client itself knows. */
    size_t have = strlen(given), want = strlen(app->token);
    volatile unsigned char differs = have != want;
    for (size_t i = 0; i < have; i++)
        differs |= (unsigned char)(given[i] ^ app->token[i % want]);
    return !differs;
}

const char *gh_app_cors_origin(const gh_app *app, const char *origin)
{
    if (!app->cors || !origin)
        return NULL;
    if (strcmp(app->cors, "*") == 0)
        return "*";
    size_t len = strlen(origin);
    for (const char *at = app->cors; *at;) {
        size_t n = strcspn(at, ",");
        if (n == len && strncasecmp(at, origin, n) == 0)
            return origin;
        at += n + (at[n] == ',');
    }
    return NULL;
}

static bool id_ok(const char *id, size_t size)
{
    size_t n = strlen(id);
    if (n == 0 || n >= size)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)id[i]) && !strchr("._:/+=@-", id[i]))
            return false;
    return true;
}

void gh_app_request_id(gh_app *app, char *id, size_t size, const char *given)
{
    if (given && id_ok(given, size)) {
        memcpy(id, given, strlen(given) + 1);
        return;
    }
    /* Mixed as in splitmix64: unique while the counter does not wrap, and tells nobody the count. */
    uint64_t x = app->id_seed + atomic_fetch_add(&app->next_id, 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    snprintf(id, size, "%016" PRIx64, x ^ x >> 31);
}
