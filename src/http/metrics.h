/* Counters of the server and their Prometheus text. */
#ifndef GH_HTTP_METRICS_H
#define GH_HTTP_METRICS_H

#include "base/buf.h"

typedef enum gh_stage {
    GH_STAGE_DECODE,
    GH_STAGE_QUEUE,
    GH_STAGE_INFER,
    GH_STAGE_CROPS,
    GH_STAGE_ENCODE,
    GH_STAGE_COUNT
} gh_stage;

typedef enum gh_rejection {
    GH_REJECT_QUEUE_FULL,
    GH_REJECT_BYTES,
    GH_REJECT_BODY,
    GH_REJECT_DEADLINE,
    GH_REJECT_CLIENT_GONE,
    GH_REJECT_COUNT
} gh_rejection;

typedef struct gh_metrics gh_metrics;

/* `routes` endpoints; number `routes` itself counts requests that met none. */
gh_metrics *gh_metrics_new(size_t routes);
void gh_http_metrics_free(gh_metrics **m);
void gh_metrics_request(gh_metrics *m, size_t route, int status, double ms);
void gh_metrics_stage(gh_metrics *m, gh_stage stage, double ms);
void gh_metrics_pixels(gh_metrics *m, double pixels);
void gh_metrics_reject(gh_metrics *m, gh_rejection why);
/* Appends the counters; name(i) is the endpoint of route i. */
void gh_metrics_write(gh_buf *out, const gh_metrics *m, const char *(*name)(size_t route));

#endif
