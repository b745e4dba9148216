/* gharial serve: starts the server, loads the models, waits for a signal, drains. */
#include "cli/cli.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/net.h"
#include "http/listen.h"
#include "http/server.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TRIM_EVERY_MS = 5000 };

typedef struct values {
    const char *listen, *cors, *token_file;
    gh_opt_list models;
    const char *precision;
    int64_t workers, threads, queue, connections;
    int64_t max_body, max_bytes_in_flight, max_pixels, max_work;
    int64_t deadline_ms, body_timeout_s, idle_timeout_s, drain_s;
    bool insecure, strict, no_emotions, no_compat, tune;
} values;

#define ROW(name, type, field, arg, help, min, max)                                                          \
    {                                                                                                        \
        name, type, offsetof(values, field), arg, help, min, max                                             \
    }

static const gh_option options[] = {
    ROW("listen", GH_OPT_STRING, listen, "ADDR:PORT",
        "or [ADDR6]:PORT, :PORT, unix:PATH (127.0.0.1:8080); port 0: a free one", 0, 0),
    ROW("models", GH_OPT_LIST, models, "DIR", "folder of model folders (models)", 0, 0),
    ROW("precision", GH_OPT_STRING, precision, "KIND", GH_PRECISION_HELP, 0, 0),
    ROW("tune", GH_OPT_FLAG, tune, NULL, GH_TUNE_HELP, 0, 0),
    ROW("workers", GH_OPT_INT, workers, "N", "requests worked on at one time (one a core)", 1, 1024),
    ROW("threads", GH_OPT_INT, threads, "N", "cores that a lone request may use (all)", 1, 1024),
    ROW("queue", GH_OPT_INT, queue, "N", "requests that may wait (64)", 0, 100000),
    ROW("connections", GH_OPT_INT, connections, "N", "connections at one time (4096)", 1, 1000000),
    ROW("max-body", GH_OPT_BYTES, max_body, "BYTES", "largest body (16M)", 1, 2147483647),
    ROW("max-bytes-in-flight", GH_OPT_BYTES, max_bytes_in_flight, "BYTES", "all bodies together (256M)", 1,
        1e15),
    ROW("max-pixels", GH_OPT_INT, max_pixels, "N", "largest picture (50000000)", 1, 1e10),
    ROW("max-work", GH_OPT_BYTES, max_work, "BYTES", "memory to decode one picture (700M)", 1, 1e15),
    ROW("deadline-ms", GH_OPT_INT, deadline_ms, "N", "time for an answer, after the body (10000)", 1,
        86400000),
    ROW("body-timeout-s", GH_OPT_INT, body_timeout_s, "N", "time for a body to arrive (30)", 1, 86400),
    ROW("idle-timeout-s", GH_OPT_INT, idle_timeout_s, "N", "silence that ends a connection (30)", 1, 86400),
    ROW("drain-s", GH_OPT_INT, drain_s, "N", "time for work in flight at SIGTERM (30)", 0, 86400),
    ROW("cors", GH_OPT_STRING, cors, "ORIGINS", "'*' or origins, separated by commas, that may ask (off)", 0,
        0),
    ROW("token-file", GH_OPT_STRING, token_file, "FILE", "file with the token that clients must bring (off)",
        0, 0),
    ROW("insecure", GH_OPT_FLAG, insecure, NULL, "allow other addresses than loopback without a token", 0, 0),
    ROW("no-emotions", GH_OPT_FLAG, no_emotions, NULL, "faces without their emotions", 0, 0),
    ROW("no-compat", GH_OPT_FLAG, no_compat, NULL, "without the routes of DeepStack (/v1/vision/...)", 0, 0),
    ROW("strict", GH_OPT_FLAG, strict, NULL, "exit when a model fails to load", 0, 0),
    {0},
};

static const gh_usage usage = {
    .command = "serve",
    .args = "",
    .about = "Answers over HTTP: POST a picture to /classify, /localize, /segment or /embed; GET "
             "/openapi.json describes the rest.",
    .example = "gharial serve --listen 127.0.0.1:8080 --models models",
    .options = options,
};

static values defaults(void)
{
    gh_http_options o = gh_http_options_default();
    return (values){
        .listen = o.listen,
        .queue = o.queue,
        .connections = o.connections,
        .max_body = (int64_t)o.max_body,
        .max_bytes_in_flight = (int64_t)o.max_bytes_in_flight,
        .max_pixels = (int64_t)o.limits.max_pixels,
        .max_work = (int64_t)o.limits.max_work,
        .deadline_ms = o.deadline_ms,
        .body_timeout_s = o.body_timeout_s,
        .idle_timeout_s = o.idle_timeout_s,
        .drain_s = o.drain_s,
    };
}

static gh_http_options http_options(const values *v)
{
    gh_http_options o = gh_http_options_default();
    o.listen = v->listen;
    o.workers = (int)v->workers;
    o.threads = (int)v->threads;
    o.queue = (int)v->queue;
    o.connections = (int)v->connections;
    o.max_body = (size_t)v->max_body;
    o.max_bytes_in_flight = (size_t)v->max_bytes_in_flight;
    o.limits.max_pixels = (uint64_t)v->max_pixels;
    o.limits.max_work = (uint64_t)v->max_work;
    o.deadline_ms = (int)v->deadline_ms;
    o.body_timeout_s = (int)v->body_timeout_s;
    o.idle_timeout_s = (int)v->idle_timeout_s;
    o.drain_s = (int)v->drain_s;
    o.cors = v->cors && *v->cors ? v->cors : NULL;
    o.token_file = v->token_file && *v->token_file ? v->token_file : NULL;
    o.insecure = v->insecure;
    o.no_emotions = v->no_emotions;
    o.no_compat = v->no_compat;
    return o;
}

/* SIGHUP: the folders are read again; whatever happens, what serves now goes on until it is replaced. */
static void reload(gh_registry *models, const values *v)
{
    char fallback[PATH_MAX];
    const char *one = gh_cli_models_dir(fallback, sizeof fallback);
    gh_err e = {0};
    gh_status status = v->models.count ? gh_registry_reload(models, v->models.items, v->models.count, &e)
                                       : gh_registry_reload(models, &one, 1, &e);
    if (status)
        gh_log(GH_LOG_ERROR, "SIGHUP: the models stay as they are: %s", e.text);
    else
        gh_log(GH_LOG_INFO, "SIGHUP: models: %zu", gh_registry_count(models));
}

static gh_status open_models(gh_registry **out, const values *v, gh_err *e)
{
    char fallback[PATH_MAX];
    const char *one = gh_cli_models_dir(fallback, sizeof fallback);
    gh_registry *models = NULL;
    GH_TRY(v->models.count ? gh_registry_open(&models, v->models.items, v->models.count, e)
                           : gh_registry_open(&models, &one, 1, e));
    size_t n = gh_registry_count(models), failed = 0;
    gh_model *m;
    for (size_t i = 0; (m = gh_registry_at(models, i)); i++) {
        failed += m->state == GH_MODEL_FAILED;
        gh_model_put(&m);
    }
    gh_status status = GH_OK;
    if (n == 0)
        status = gh_fail(e, GH_NOTFOUND, "there is no model below %s; 'make models' fetches the default ones",
                         v->models.count ? v->models.items[0] : one);
    else if (failed && v->strict)
        status =
            gh_fail(e, GH_UNAVAILABLE, "%zu of %zu models failed to load, and --strict was given", failed, n);
    if (status == GH_OK)
        *out = models;
    else
        gh_registry_free(&models);
    return status;
}

/* A command that works as pasted: every address is reached by loopback, and `make serve` fetched a photo. */
static void print_try(const char *address, bool token)
{
    static const char photo[] = ".build/photos/chelsea.png";
    const char *port = strrchr(address, ':');
    const char *path = gh_unix_path(address);
    bool any = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
    printf("try: curl%s%s%s --data-binary @%s http://%s%s/classify\n",
           token ? " -H \"Authorization: Bearer TOKEN\"" : "", path ? " --unix-socket " : "",
           path ? path : "", access(photo, R_OK) == 0 ? photo : "PHOTO.jpg", any ? "127.0.0.1" : "",
           path  ? "localhost"
           : any ? port
                 : address);
    fflush(stdout);
}

/* SIGTERM and SIGINT may reach any thread, also one that a library started before main, so nothing is blocked
 * or waited for by sigwait: the handler tells the main thread through a descriptor. */
static int signal_fd = -1;
static volatile sig_atomic_t last_signal;

static void on_signal(int sig)
{
    int error = errno;
    uint64_t one = 1;
    if (last_signal != SIGTERM && last_signal != SIGINT) /* a reload must not hide the end */
        last_signal = sig;
    ssize_t n = write(signal_fd, &one, sizeof one);
    (void)n; /* cannot fail: the counter holds more signals than anybody sends */
    errno = error;
}

static gh_status catch_signals(gh_err *e)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (signal_fd < 0)
        return gh_fail(e, GH_IO, "no descriptor is left: %s", strerror(errno));
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return GH_OK;
}

/* Waits for a signal for at most `ms` (-1 = for ever); 0 = none came. */
static int wait_signal(int ms)
{
    uint64_t count;
    struct pollfd p = {.fd = signal_fd, .events = POLLIN};
    int n = poll(&p, 1, ms);
    return n == 1 && read(signal_fd, &count, sizeof count) == (ssize_t)sizeof count ? (int)last_signal : 0;
}

/* The heap keeps pages of what requests have freed, and more of them with every new mixture of sizes; a
 * server runs for months, so they go back to the system now and then. Takes about a millisecond; does nothing
 * where nothing was allocated since. */
static void trim_heap(uint64_t *seen)
{
    uint64_t now = gh_mem_allocs();
    if (now == *seen)
        return;
    *seen = now;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

/* SIGTERM or SIGINT, whichever comes; reloads meanwhile. */
static int wait_for_end(gh_registry *models, const values *v)
{
    uint64_t seen = 0;
    for (;;) {
        int sig = wait_signal(TRIM_EVERY_MS);
        if (sig == SIGTERM || sig == SIGINT)
            return sig;
        if (sig == SIGHUP)
            reload(models, v);
        else
            trim_heap(&seen);
    }
}

/* Lets work in flight finish; a second signal cuts it short. */
static void drain(gh_server *server, int64_t seconds)
{
    uint64_t until = gh_now_ns() + (uint64_t)seconds * 1000000000;
    int sig;
    gh_server_drain(server);
    while (gh_server_inflight(server) > 0 && gh_now_ns() < until)
        if ((sig = wait_signal(5)) && sig != SIGHUP)
            break;
    int left = gh_server_inflight(server);
    if (left > 0)
        gh_log(GH_LOG_WARN, "stopping with %d requests unfinished", left);
}

static gh_status serve(const values *v, gh_err *e)
{
    gh_http_options o = http_options(v);
    gh_server *server = NULL;
    gh_registry *models = NULL;
    uint64_t start = gh_now_ns();
    GH_TRY(catch_signals(e));
    GH_TRY(gh_server_start(&server, &o, e));
    const char *address = gh_server_address(server);
    printf("listening on %s%s\n", gh_unix_path(address) ? "" : "http://", address);
    fflush(stdout);
    gh_status status = open_models(&models, v, e);
    if (status == GH_OK)
        status = gh_server_models(server, models, e);
    if (status == GH_OK) {
        gh_log(GH_LOG_INFO, "%s after %.0f ms, models: %zu",
               gh_registry_ready(models) ? "ready" : "not ready", (double)(gh_now_ns() - start) / 1e6,
               gh_registry_count(models));
        print_try(address, o.token_file != NULL);
        int sig = wait_for_end(models, v);
        gh_log(GH_LOG_INFO, "%s: requests to finish: %d", sig == SIGINT ? "SIGINT" : "SIGTERM",
               gh_server_inflight(server));
        drain(server, v->drain_s);
    }
    gh_server_free(&server);
    gh_registry_free(&models);
    return status;
}

int gh_cmd_serve(int argc, char **argv)
{
    values v = defaults();
    gh_err e = {0};
    int code = gh_options_parse(&usage, &v, &argc, argv);
    if (code != GH_OPT_GO_ON)
        return code;
    gh_status status = gh_cli_precision(v.precision, &e);
    gh_tune_set(v.tune);
    if (status == GH_OK)
        status = serve(&v, &e);
    if (status == GH_OK)
        return 0;
    gh_cli_fail("serve", status, &e);
    return status == GH_ARG ? gh_status_exit(GH_ARG) : 1;
}
