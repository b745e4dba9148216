/* The parameters of a task request: one table of names, ranges and places, filled from the query, from form
 * fields or from JSON fields. */
#ifndef GH_HTTP_PARAMS_H
#define GH_HTTP_PARAMS_H

#include "base/status.h"

#include <stdbool.h>

#define GH_MAX_MODELS 16 /* names in model=a,b,c */

/* Which parameters an endpoint takes; others are ignored there. */
enum {
    GH_P_MODEL = 1 << 0,
    GH_P_TOP = 1 << 1,
    GH_P_THRESHOLD = 1 << 2,
    GH_P_LIMIT = 1 << 3,
    GH_P_TIMEOUT = 1 << 4,
    GH_P_NMS = 1 << 5,
    GH_P_MAX_SIDE = 1 << 6,
    GH_P_EMOTIONS = 1 << 7,
    GH_P_ANNOTATE = 1 << 8,
    GH_P_MIN_CONFIDENCE = 1 << 15, /* DeepStack's name of the threshold */
    GH_P_OUTPUT = 1 << 9,
    GH_P_MASK = 1 << 10,
};

typedef struct gh_params {
    unsigned given; /* GH_P_* that the request named */
    char models[GH_MAX_MODELS][65];
    int nmodels; /* 0 = the default model */
    int top, limit, timeout_ms, max_side;
    int emotions, annotate; /* 0 or 1 */
    int output;             /* a gh_mask_output */
    int mask;               /* 0 png, 1 rle */
    double threshold, nms;
} gh_params;

/* Sets the parameter `name` from text of `len` bytes when it is one of `accepted`; unknown names are no
 * error. GH_ARG: "top" must be ..., got "...". An empty text counts as not given. */
GH_MUST_CHECK gh_status gh_params_set(gh_params *p, unsigned accepted, const char *name, size_t name_len,
                                      const char *text, size_t len, gh_err *e);
/* True for the names that some endpoint takes as parameter. */
bool gh_params_known(const char *name, size_t name_len);

#endif
