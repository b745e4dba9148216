/* The manifest, model.json: what a model folder says of itself. Read by jansson; an unknown key is a warning
 * in the log, a wrong type or a missing key an error that names it. Labels may stand inline or in a text
 * file, one a line. */
#ifndef GH_TASKS_MANIFEST_H
#define GH_TASKS_MANIFEST_H

#include "image/resize.h"

typedef enum gh_task {
    GH_TASK_CLASSIFY,
    GH_TASK_LOCALIZE,
    GH_TASK_SEGMENT,
    GH_TASK_EMBED,
    GH_TASK_COUNT
} gh_task;

typedef enum gh_fit {
    GH_FIT_CROP,      /* short side to size / crop, centre crop */
    GH_FIT_LETTERBOX, /* long side to size, the rest filled */
    GH_FIT_STRETCH,   /* both sides to size */
} gh_fit;

typedef struct gh_manifest_input {
    int width, height;       /* pixels */
    bool bgr;                /* colour order of the network */
    float mean[3], scale[3]; /* network's order: (v - mean) * scale, v in 0..255 */
    gh_fit fit;
    double crop; /* 0..1, the share that the centre crop keeps; 0.875 is usual, 1 = all */
    gh_filter filter;
} gh_manifest_input;

typedef struct gh_manifest {
    char *folder; /* as given */
    char *name, *version;
    gh_task task;
    bool is_default, internal;
    gh_manifest_input input;
    char *decoder; /* "softmax" (logits), "probabilities" (already 0..1), ... */
    char **labels;
    size_t nlabels;
    char *selftest_input; /* file in the folder, or NULL */
    int selftest_index;   /* expected best class */
    double selftest_score, selftest_tolerance;
    char *json; /* the whole manifest as served by GET /models/{name}: compact JSON, without paths */
} gh_manifest;

/* Reads folder/model.json. GH_NOTFOUND, GH_FORMAT (names the key, what came and what is accepted), GH_LIMIT.
 */
GH_MUST_CHECK gh_status gh_manifest_read(gh_manifest **out, const char *folder, gh_err *e);
void gh_manifest_free(gh_manifest **m);
const char *gh_task_name(gh_task task);
/* True for [A-Za-z0-9._-]{1,64} that is neither "." nor "..". */
bool gh_model_name_ok(const char *name);

#endif
