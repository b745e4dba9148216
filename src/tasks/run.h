/* One picture through one model: probe, decode, preprocess, run, decode the answer. The server's workers,
 * `predict`, `eval` and libgharial all come through here. */
#ifndef GH_TASKS_RUN_H
#define GH_TASKS_RUN_H

#include "tasks/result.h"

/* Outputs that a network may have: its own, and the cuts that heads stand on. */
#define GH_MAX_TAPS 16

/* What a request may choose; zero or NULL = the default of the model. */
typedef struct gh_run_options {
    int top;          /* classify: how many labels, default 5; at most the number of labels */
    double threshold; /* least score, default the manifest's */
    int limit;        /* most results */
    double nms;       /* localize: overlap (IoU) at which the weaker of two boxes goes; default the model's */
    int max_side;     /* localize: larger pictures are scaled to this longest side, default 1280 */
    gh_mask_output output; /* segment: the picture that is made, GH_MASK_PALETTE where nothing is said */
    bool regions, rle;     /* segment: areas are wanted, with their regions; with their run lengths */
    bool as_json;          /* segment: the picture will be told in JSON, which takes more memory */
    size_t held_bytes;     /* of the request's other replies: they count for the limit on memory */
    bool embed;            /* the feature vector instead of the task's answer (gh_model_features) */
    bool no_emotions;      /* steps of a pipeline whose key is "emotion" are left out */
    uint64_t deadline_ns;  /* by gh_now_ns: no further crop is begun after it (GH_TIMEOUT); 0 = none */
} gh_run_options;

/* A worker: a session, decode and preprocess scratch. One thread at a time. `pool` may be NULL; borrowed. */
typedef struct gh_worker gh_worker;
GH_MUST_CHECK gh_status gh_worker_new(gh_worker **out, gh_pool *pool, gh_err *e);
void gh_worker_free(gh_worker **w);

/* What the threads of a pool need for the crops of a pipeline, once for all workers that spread over it. */
typedef struct gh_lanes gh_lanes;
GH_MUST_CHECK gh_status gh_lanes_new(gh_lanes **out, gh_pool *pool, gh_err *e);
void gh_lanes_free(gh_lanes **lanes);
/* A worker beside others of one pool; `lanes` is borrowed. */
GH_MUST_CHECK gh_status gh_worker_new_beside(gh_worker **out, gh_lanes *lanes, gh_err *e);

/* Between these two calls, gh_run on the same bytes (the same address) computes a body once for all models
 * that stand on it. */
void gh_worker_share(gh_worker *w);
void gh_worker_unshare(gh_worker *w);

/* GH_ARG, GH_UNSUPPORTED, GH_FORMAT, GH_LIMIT from the picture as gh_image_probe has them. `limits` and
 * `options` may be NULL: the defaults. */
GH_MUST_CHECK gh_status gh_run(gh_result **out, gh_worker *w, gh_model *model, const uint8_t *data,
                               size_t len, const gh_image_limits *limits, const gh_run_options *options,
                               gh_err *e);
/* The boxes of several models of task localize in one result, the largest first; `limit` is for all together,
 * too. n >= 1; of one it is gh_run. */
GH_MUST_CHECK gh_status gh_run_merged(gh_result **out, gh_worker *w, gh_model *const *models, size_t n,
                                      const uint8_t *data, size_t len, const gh_image_limits *limits,
                                      const gh_run_options *options, gh_err *e);
void gh_result_free(gh_result **r);
/* Appends the reply of CONTRACT section 2 as one JSON object; queue_ms is the server's wait (0 elsewhere);
 * `file` (NULL = none) is added as "file". */
GH_MUST_CHECK gh_status gh_result_json(gh_buf *out, const gh_result *r, double queue_ms, const char *file,
                                       gh_err *e);

#endif
