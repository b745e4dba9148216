/* Small things around JSON: texts that need not be UTF-8, and reading a bounded text. */
#ifndef GH_TASKS_JSONTEXT_H
#define GH_TASKS_JSONTEXT_H

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A JSON string; when `s` is not UTF-8, its bytes beyond ASCII become '?'. NULL when memory is short. */
json_t *gh_json_text(const char *s);
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
