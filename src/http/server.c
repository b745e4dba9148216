/* The only file that knows libmicrohttpd. One thread of its own serves every connection by epoll; a picture's
 * request is suspended while it waits and is worked on, so a connection never holds a worker. */
#include "http/server.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "http/hangup.h"
#include "http/linger.h"
#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors beyond the connections: sockets that linger, models, the library's own. */
enum { SPARE_FILES = 512, CONNECTION_BYTES = 32768 };

/* What the replies of dropped jobs get to leave the house at the end. */
enum { LAST_WORDS_MS = 300 };

struct gh_server {
    gh_app *app;
    gh_linger *linger;
    gh_hangup *hangup;
    struct MHD_Daemon *daemon;
    gh_listener listener;
};

/* What we know of a connection. */
typedef struct connection {
    bool linger; /* a reply went out before its body was read */
} connection;

static int descriptor(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static connection *of_connection(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    gh_exchange *x = cls;
    (void)kind;
    for (size_t i = 0; i < GH_H_COUNT; i++)
        if (strcasecmp(name, gh_http_header_names[i]) == 0 && !x->req.headers[i])
            x->req.headers[i] = value ? value : "";
    return MHD_YES;
}

static enum MHD_Result take_query(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                  const char *value, size_t len)
{
    gh_exchange *x = cls;
    (void)kind;
    if (x->req.nquery == GH_HTTP_MAX_QUERY || strlen(name) != name_len || (value && strlen(value) != len)) {
        x->req.bad_query = true;
        return MHD_NO;
    }
    x->req.query[x->req.nquery++] = (gh_http_pair){name, value ? value : ""};
    return MHD_YES;
}

static enum MHD_Result send_reply(struct MHD_Connection *c, gh_exchange *x)
{
    size_t len, at = 0;
    const char *name, *value;
    const void *bytes = gh_reply_bytes(&x->reply, &len);
    /* The exchange, and so the bytes, live until the request is completed. */
    struct MHD_Response *r =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
    if (!r)
        return MHD_NO;
    if (x->reply.type && len > 0)
        MHD_add_response_header(r, "Content-Type", x->reply.type);
    while (gh_reply_next(&x->reply, &at, &name, &value))
        MHD_add_response_header(r, name, value);
    enum MHD_Result result = MHD_queue_response(c, (unsigned)x->reply.status, r);
    MHD_destroy_response(r);
    return result;
}

/* From a worker, or from the queue's watcher. */
static void wake(gh_exchange *x)
{
    MHD_resume_connection(x->connection);
}

/* From the thread that watches suspended connections. */
static void hung_up(void *exchange)
{
    gh_exchange *x = exchange;
    if (gh_exchange_hang_up(x))
        MHD_resume_connection(x->connection);
}

static enum MHD_Result begin(struct MHD_Connection *c, gh_server *s, const char *path, const char *method,
                             void **state)
{
    gh_exchange *x = gh_exchange_new(s->app, method, path);
    if (!x)
        return MHD_NO;
    *state = x;
    x->connection = c;
    x->wake = wake;
    MHD_get_connection_values(c, MHD_HEADER_KIND, take_header, x);
    MHD_get_connection_values_n(c, MHD_GET_ARGUMENT_KIND, take_query, x);
    if (!gh_exchange_begin(x) || !x->has_body)
        return MHD_YES; /* go on to the body, or come back at once where there is none */
    connection *con = of_connection(c);
    if (con)
        con->linger = true;
    return send_reply(c, x);
}

/* A body may take as long as --body-timeout allows in all, and be silent no longer than an idle connection.
 */
static void limit_silence(struct MHD_Connection *c, const gh_exchange *x)
{
    int idle = x->app->options.idle_timeout_s, left = gh_exchange_body_seconds(x);
    MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)(left < idle ? left : idle));
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *path, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
    gh_server *s = cls;
    gh_exchange *x = *state;
    (void)version;
    if (!x) {
        enum MHD_Result result = begin(c, s, path, method, state);
        if (result == MHD_YES && *state && ((gh_exchange *)*state)->has_body)
            limit_silence(c, *state);
        return result;
    }
    if (*size > 0) {
        size_t len = *size;
        *size = 0;
        if (!gh_exchange_body(x, data, len))
            return MHD_NO;
        if (gh_exchange_body_seconds(x) < x->app->options.body_timeout_s)
            limit_silence(c, x);
        return MHD_YES;
    }
    gh_hangup_forget(s->hangup, descriptor(c), x); /* after the suspension */
    if (x->gone)
        return MHD_NO;
    if (!gh_exchange_will_queue(x)) {
        gh_exchange_end(x); /* decided already, or after the suspension */
        return send_reply(c, x);
    }
    MHD_suspend_connection(c);
    if (gh_exchange_end(x))
        MHD_resume_connection(c);
    else
        gh_hangup_watch(s->hangup, descriptor(c), x); /* x lives until this thread goes on with it */
    return MHD_YES;
}

static const char *cut_reason(enum MHD_RequestTerminationCode code)
{
    switch (code) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK:
        return NULL;
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return "timeout";
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return "shutdown";
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
    case MHD_REQUEST_TERMINATED_READ_ERROR:
        return "client";
    default:
        return "error";
    }
}

static void completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
    gh_server *s = cls;
    gh_exchange *x = *state;
    if (!x)
        return;
    gh_hangup_forget(s->hangup, descriptor(c), x);
    if (x->has_body && code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)s->app->options.idle_timeout_s);
    if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED && x->has_body && !x->decided)
        gh_metrics_reject(s->app->metrics, GH_REJECT_BODY); /* it fell silent within its body */
    gh_exchange_log(x, x->gone ? "client" : cut_reason(code));
    gh_exchange_free(&x);
    *state = NULL;
}

static void connected(void *cls, struct MHD_Connection *c, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    gh_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = gh_calloc(1, sizeof(connection));
        return;
    }
    connection *con = *context;
    if (con && con->linger) {
        int fd = fcntl(descriptor(c), F_DUPFD_CLOEXEC, 0);
        if (fd >= 0)
            gh_linger_take(s->linger, fd);
    }
    gh_free(con);
    *context = NULL;
}

static void library_log(void *cls, const char *fmt, va_list args)
{
    char text[512];
    (void)cls;
    if (!gh_log_enabled(GH_LOG_DEBUG))
        return;
    int n = vsnprintf(text, sizeof text, fmt, args);
    while (n > 0 && (size_t)n < sizeof text && text[n - 1] == '\n')
        text[--n] = 0;
    gh_log(GH_LOG_DEBUG, "http library: %s", text);
}

/* Raises the limit of descriptors to what the connections need; gives the connections that fit. */
static int fit_connections(int wanted)
{
    struct rlimit r;
    rlim_t need = (rlim_t)wanted + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= need)
        return wanted;
    r.rlim_cur = r.rlim_max < need ? r.rlim_max : need;
    if (setrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur >= need)
        return wanted;
    getrlimit(RLIMIT_NOFILE, &r);
    int fit = r.rlim_cur > 2 * SPARE_FILES ? (int)(r.rlim_cur - SPARE_FILES) : (int)(r.rlim_cur / 2);
    gh_log(GH_LOG_WARN, "only %d of %d connections are possible: the limit of open files is %llu", fit,
           wanted, (unsigned long long)r.rlim_cur);
    return fit;
}

static gh_status start_daemon(gh_server *s, gh_err *e)
{
    const gh_http_options *o = &s->app->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    sigset_t every, old;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, answer, s, MHD_OPTION_EXTERNAL_LOGGER, library_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, s->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)fit_connections(o->connections), MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, completed,
        s, MHD_OPTION_NOTIFY_CONNECTION, connected, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!s->daemon)
        return gh_fail(e, GH_IO, "the HTTP server does not start: %s", strerror(errno));
    s->listener.fd = -1; /* the library closes it */
    return GH_OK;
}

static gh_status start(gh_server *s, const gh_http_options *options, gh_err *e)
{
    GH_TRY(gh_app_new(&s->app, options, e));
    GH_TRY(gh_listen(&s->listener, options->listen, e));
    if (!s->listener.loopback && !s->app->token && !options->insecure)
        return gh_fail(e, GH_ARG,
                       "%s can be reached from outside: give a --token-file, or --insecure when anyone "
                       "may use this server",
                       s->listener.address);
    GH_TRY(gh_linger_new(&s->linger, e));
    GH_TRY(gh_hangup_new(&s->hangup, hung_up, e));
    return start_daemon(s, e);
}

gh_status gh_server_start(gh_server **out, const gh_http_options *options, gh_err *e)
{
    gh_server *s = gh_calloc(1, sizeof *s);
    if (!s)
        return gh_fail(e, GH_NOMEM, "memory is short");
    s->listener.fd = -1;
    gh_status status = start(s, options, e);
    if (status == GH_OK)
        *out = s;
    else
        gh_server_free(&s);
    return status;
}

gh_status gh_server_models(gh_server *s, gh_registry *models, gh_err *e)
{
    return gh_app_models(s->app, models, e);
}

const char *gh_server_address(const gh_server *s)
{
    return s->listener.address;
}

void gh_server_drain(gh_server *s)
{
    atomic_store(&s->app->draining, true);
}

int gh_server_inflight(gh_server *s)
{
    return atomic_load(&s->app->inflight);
}

void gh_server_free(gh_server **server)
{
    gh_server *s = *server;
    if (!s)
        return;
    if (s->app) {
        /* Every suspended connection must be resumed before the library may stop: jobs that wait are
         * dropped here, those that run end with the queue's threads. */
        gh_server_drain(s);
        gh_queue_stop(s->app->queue);
        if (s->hangup)
            gh_hangup_stop(s->hangup); /* what it was about to resume is resumed */
        for (int i = 0; i < LAST_WORDS_MS && gh_server_inflight(s) > 0; i++)
            usleep(1000);
    }
    gh_listener_remove_file(&s->listener);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    if (s->listener.fd >= 0)
        close(s->listener.fd);
    gh_hangup_free(&s->hangup);
    gh_linger_free(&s->linger);
    gh_app_free(&s->app);
    gh_free(s);
    *server = NULL;
}
