/* multipart/form-data (RFC 7578): parts as spans of the body, nothing copied. */
#ifndef GH_HTTP_MULTIPART_H
#define GH_HTTP_MULTIPART_H

#include "base/status.h"

#include <stdint.h>

#define GH_MAX_PARTS 32

typedef struct gh_part {
    const char *name; /* not terminated; borrowed from the body; quoted pairs are left as they are */
    size_t name_len;
    const uint8_t *data; /* borrowed from the body */
    size_t len;
} gh_part;

typedef struct gh_parts {
    gh_part items[GH_MAX_PARTS];
    size_t count;
} gh_parts;

/* `type` is the Content-Type with its boundary. GH_ARG says what is malformed, GH_LIMIT: too many parts. */
GH_MUST_CHECK gh_status gh_multipart_parse(gh_parts *out, const char *type, const uint8_t *body, size_t len,
                                           gh_err *e);

#endif
