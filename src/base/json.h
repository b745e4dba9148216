/* Reading a bounded JSON text by jansson. */
#ifndef GH_BASE_JSON_H
#define GH_BASE_JSON_H

#include "base/status.h"

#include <jansson.h>
#include <stddef.h>

/* What a text may be: jansson recurses a level a bracket, so that depth is asked before it sees the text. */
typedef struct gh_json_limits {
    size_t bytes;
    int depth;
    size_t flags; /* jansson's, of reading */
} gh_json_limits;
/* Reads a text; the caller owns the value. `what` is how the sentences name it. GH_LIMIT, GH_FORMAT with line
 * and column, GH_NOMEM. */
GH_MUST_CHECK gh_status gh_json_load(json_t **out, const char *what, const char *text, size_t len,
                                     const gh_json_limits *limits, gh_err *e);

#endif
