/* What a task request brings: pictures and parameters, whichever of the three forms the body has. */
#ifndef GH_HTTP_INPUT_H
#define GH_HTTP_INPUT_H

#include "http/http.h"
#include "http/multipart.h"
#include "http/params.h"

#define GH_MAX_PICTURES GH_MAX_PARTS

typedef enum gh_body_form { GH_BODY_RAW, GH_BODY_MULTIPART, GH_BODY_JSON } gh_body_form;

typedef struct gh_picture {
    const uint8_t *data; /* within the request's body or the input's store */
    size_t len;
    gh_err fault; /* this picture could not be read (bad base64); the others of a batch go on */
} gh_picture;

typedef struct gh_input {
    gh_params params;
    gh_picture pictures[GH_MAX_PICTURES];
    size_t count;
    bool batch;   /* answer with "results", even for one picture */
    gh_buf store; /* decoded pictures that do not lie in the body */
} gh_input;

/* The form that the Content-Type (NULL = none) names; a body that starts with '{' is JSON unless the label
 * says multipart. */
gh_body_form gh_body_form_of(const char *type, const uint8_t *body, size_t len);
/* Reads pictures and parameters; `accepted` are the GH_P_* that the endpoint takes. The request's body is
 * overwritten by base64 decoding. `out` is freed with gh_input_free in every case. */
GH_MUST_CHECK gh_status gh_input_read(gh_input *out, gh_http_request *req, unsigned accepted, gh_err *e);
void gh_input_free(gh_input *in);

/* The only picture of a request, or its first bytes. */
typedef struct gh_peek {
    const uint8_t *data;
    size_t len;
    bool whole;   /* it is all of the picture */
    gh_buf store; /* where it does not lie in the body */
} gh_peek;

/* Finds it without changing the body. False: there are several, or what there is takes a worker to tell. Free
 * in every case. */
bool gh_input_peek(gh_peek *out, const gh_http_request *req);
void gh_peek_free(gh_peek *peek);

/* Parts of the above with files of their own. */
bool gh_input_json_peek(gh_peek *out, const uint8_t *body, size_t len);
GH_MUST_CHECK gh_status gh_input_json(gh_input *out, uint8_t *body, size_t len, unsigned accepted, gh_err *e);

#endif
