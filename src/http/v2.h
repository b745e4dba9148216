/* Requests and replies of the Open Inference Protocol v2, with the extension for binary tensors: bytes to
 * tensors and back. Knows nothing of models. */
#ifndef GH_HTTP_V2_H
#define GH_HTTP_V2_H

#include "base/buf.h"
#include "tasks/raw.h"

#include <jansson.h>

#define GH_V2_MAX_TENSORS 64

typedef struct gh_v2_input {
    const char *name; /* borrowed from the request */
    gh_tensor tensor; /* data is owned */
} gh_v2_input;

typedef struct gh_v2_request {
    json_t *json;   /* owned */
    const char *id; /* NULL = none; borrowed */
    gh_v2_input *inputs;
    size_t ninputs;
    bool binary; /* outputs that do not say otherwise come as bytes */
} gh_v2_request;

/* "FP32" and so on; NULL for a type that the protocol has not. */
const char *gh_v2_type_name(gh_dtype type);
/* Reads a body whose first `header_len` bytes are JSON (0 = all of it) and the rest binary tensors. GH_ARG
 * and GH_LIMIT say what is wrong; tensors hold at most `max_bytes` together. Free with gh_v2_free, also after
 * a failure. */
GH_MUST_CHECK gh_status gh_v2_read(gh_v2_request *out, const uint8_t *body, size_t len, size_t header_len,
                                   size_t max_bytes, gh_err *e);
void gh_v2_free(gh_v2_request *r);
/* Whether the request wants the output: those it names, or all when it names none. */
bool gh_v2_wants(const gh_v2_request *r, const char *output);
/* Whether it comes as bytes. */
bool gh_v2_binary(const gh_v2_request *r, const char *output);
/* The first output that the request names and `known` does not hold, or NULL. */
const char *gh_v2_unknown_output(const gh_v2_request *r, const char *const *known, size_t count);
/* Appends {"name":..,"datatype":..,"shape":[..]} with the values, or with their size where they are bytes. */
void gh_v2_write(gh_buf *out, const char *name, const gh_tensor *t, bool binary);

#endif
