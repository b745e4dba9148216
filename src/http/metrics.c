/* Counters: atomics in fixed tables, so that counting never waits and never allocates. */
#include "http/metrics.h"

#include "base/mem.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdatomic.h>

enum { BUCKETS = 14, PIXEL_BUCKETS = 7 };

/* Upper ends, in seconds and in pixels; the last bucket of each histogram is +Inf. */
static const double seconds[BUCKETS - 1] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                            0.25,  0.5,    1,     2.5,  5,     10};
static const double pixels[PIXEL_BUCKETS - 1] = {1e5, 3e5, 1e6, 3e6, 1e7, 3e7};

/* What we send; 0 = the connection ended without a reply. */
static const int codes[] = {200, 204, 400, 401, 404, 405, 411, 413, 415, 422, 429, 500, 501, 503, 504, 0};

typedef struct histogram {
    atomic_uint_fast64_t buckets[BUCKETS]; /* not cumulative */
    atomic_uint_fast64_t micro;            /* sum, in millionths */
} histogram;

struct gh_metrics {
    size_t routes;
    histogram stages[GH_STAGE_COUNT], pixel;
    atomic_uint_fast64_t rejected[GH_REJECT_COUNT];
    struct endpoint {
        atomic_uint_fast64_t codes[GH_COUNT(codes)];
        histogram duration;
    } endpoints[];
};

gh_metrics *gh_metrics_new(size_t routes)
{
    gh_metrics *m = gh_calloc(1, sizeof *m + (routes + 1) * sizeof m->endpoints[0]);
    if (m)
        m->routes = routes;
    return m;
}

void gh_http_metrics_free(gh_metrics **m)
{
    gh_free(*m);
    *m = NULL;
}

static void observe(histogram *h, const double *ends, size_t n, double value)
{
    size_t i = 0;
    while (i < n && value > ends[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->micro, (uint64_t)(value * 1e6), memory_order_relaxed);
}

void gh_metrics_request(gh_metrics *m, size_t route, int status, double ms)
{
    size_t i = 0;
    while (i + 1 < GH_COUNT(codes) && codes[i] != status)
        i++;
    struct endpoint *e = &m->endpoints[route <= m->routes ? route : m->routes];
    atomic_fetch_add_explicit(&e->codes[i], 1, memory_order_relaxed);
    observe(&e->duration, seconds, GH_COUNT(seconds), ms / 1e3);
}

void gh_metrics_stage(gh_metrics *m, gh_stage stage, double ms)
{
    observe(&m->stages[stage], seconds, GH_COUNT(seconds), ms / 1e3);
}

void gh_metrics_pixels(gh_metrics *m, double count)
{
    observe(&m->pixel, pixels, GH_COUNT(pixels), count);
}

void gh_metrics_reject(gh_metrics *m, gh_rejection why)
{
    atomic_fetch_add_explicit(&m->rejected[why], 1, memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* `label` is "" or 'stage="decode"'. A histogram that saw nothing is left out. */
static void write_histogram(gh_buf *out, const char *name, const char *label, const histogram *h,
                            const double *ends, size_t n)
{
    uint64_t sum = 0;
    const char *comma = *label ? "," : "";
    for (size_t i = 0; i <= n; i++)
        sum += get(&h->buckets[i]);
    if (sum == 0)
        return;
    sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += get(&h->buckets[i]);
        gh_buf_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, label, comma, ends[i], sum);
    }
    sum += get(&h->buckets[n]);
    const char *open = *label ? "{" : "", *close = *label ? "}" : "";
    gh_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, sum);
    gh_buf_printf(out, "%s_sum%s%s%s %.6f\n", name, open, label, close, (double)get(&h->micro) / 1e6);
    gh_buf_printf(out, "%s_count%s%s%s %" PRIu64 "\n", name, open, label, close, sum);
}

static void head(gh_buf *out, const char *name, const char *type, const char *help)
{
    gh_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_endpoints(gh_buf *out, const gh_metrics *m, const char *(*name)(size_t route))
{
    head(out, "gharial_requests_total", "counter",
         "Requests by endpoint and status; 0 = ended without a reply.");
    for (size_t r = 0; r <= m->routes; r++)
        for (size_t c = 0; c < GH_COUNT(codes); c++)
            if (get(&m->endpoints[r].codes[c]))
                gh_buf_printf(out, "gharial_requests_total{endpoint=\"%s\",code=\"%d\"} %" PRIu64 "\n",
                              name(r), codes[c], get(&m->endpoints[r].codes[c]));
    head(out, "gharial_request_duration_seconds", "histogram",
         "From the headers to the last byte of the reply.");
    for (size_t r = 0; r <= m->routes; r++) {
        gh_buf label = {0};
        gh_buf_printf(&label, "endpoint=\"%s\"%c", name(r), 0);
        if (!label.failed)
            write_histogram(out, "gharial_request_duration_seconds", (const char *)label.data,
                            &m->endpoints[r].duration, seconds, GH_COUNT(seconds));
        gh_buf_free(&label);
    }
}

void gh_metrics_write(gh_buf *out, const gh_metrics *m, const char *(*name)(size_t route))
{
    static const char *const stages[GH_STAGE_COUNT] = {
        "stage=\"decode\"", "stage=\"queue\"", "stage=\"infer\"", "stage=\"crops\"", "stage=\"encode\""};
    static const char *const reasons[GH_REJECT_COUNT] = {"queue_full", "bytes_in_flight", "body", "deadline",
                                                         "client_gone"};
    write_endpoints(out, m, name);
    head(out, "gharial_stage_duration_seconds", "histogram", "Time in each stage of a picture's way.");
    for (size_t i = 0; i < GH_STAGE_COUNT; i++)
        write_histogram(out, "gharial_stage_duration_seconds", stages[i], &m->stages[i], seconds,
                        GH_COUNT(seconds));
    head(out, "gharial_queue_rejected_total", "counter", "Requests refused or dropped, by reason.");
    for (size_t i = 0; i < GH_REJECT_COUNT; i++)
        gh_buf_printf(out, "gharial_queue_rejected_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i],
                      get(&m->rejected[i]));
    head(out, "gharial_image_pixels", "histogram", "Pixels of the upright pictures.");
    write_histogram(out, "gharial_image_pixels", "", &m->pixel, pixels, GH_COUNT(pixels));
}
