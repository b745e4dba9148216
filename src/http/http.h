/* A request and a reply as handlers see them. Nothing here knows of sockets or of the HTTP library, so that
 * tests drive handlers with plain structs. */
#ifndef GH_HTTP_HTTP_H
#define GH_HTTP_HTTP_H

#include "base/buf.h"
#include "base/status.h"

#include <stdatomic.h>
#include <stdint.h>

#define GH_HTTP_MAX_QUERY 64  /* query parameters kept; more is a 400 */
#define GH_HTTP_MAX_ID    128 /* characters of X-Request-ID */

/* The request headers that anyone here reads; their names stand in gh_http_header_names. */
typedef enum gh_http_header {
    GH_H_ACCEPT,
    GH_H_AUTHORIZATION,
    GH_H_CONTENT_ENCODING,
    GH_H_CONTENT_LENGTH,
    GH_H_CONTENT_TYPE,
    GH_H_CORS_METHOD,
    GH_H_EXPECT,
    GH_H_INFERENCE_LENGTH,
    GH_H_ORIGIN,
    GH_H_REQUEST_ID,
    GH_H_TRACEPARENT,
    GH_H_TRANSFER_ENCODING,
    GH_H_COUNT
} gh_http_header;

extern const char *const gh_http_header_names[GH_H_COUNT];

typedef struct gh_http_pair {
    const char *name, *value; /* borrowed, percent-decoded; value "" when there is none */
} gh_http_pair;

typedef struct gh_http_request {
    const char *method, *path;       /* borrowed; the path is percent-decoded and has no query */
    const char *headers[GH_H_COUNT]; /* borrowed; NULL = absent */
    gh_http_pair query[GH_HTTP_MAX_QUERY];
    size_t nquery;
    bool bad_query;              /* too many parameters, or a zero byte in one */
    uint8_t *body;               /* the handler may overwrite it: base64 is decoded in place */
    size_t body_len;             /* bytes */
    char param[72];              /* what {name} of the route stands for; longer is cut, thus unknown */
    char id[GH_HTTP_MAX_ID + 1]; /* the client's X-Request-ID, or one made here */
    uint64_t received_ns;        /* when the last byte of the body came; the deadline counts from here */
    uint64_t deadline_ns;        /* 0 = none */
    bool tells_success;          /* a problem says "success": false, as clients of another server read it */
    double queue_ms;             /* what the request waited for a worker */
    atomic_bool gone;            /* its client hung up while it was being worked on */
} gh_http_request;

typedef struct gh_http_reply {
    int status;       /* HTTP status; 0 = none yet */
    const char *type; /* Content-Type, static text; NULL = no body */
    gh_buf body;
    const char *fixed; /* static body instead of `body`; NULL = none */
    size_t fixed_len;
    gh_buf headers; /* name, zero byte, value, zero byte, ... */
} gh_http_reply;

/* Bytes of the body. */
const void *gh_reply_bytes(const gh_http_reply *r, size_t *len);
void gh_reply_free(gh_http_reply *r);
/* Adds a header; control characters in the value become spaces. */
void gh_reply_header(gh_http_reply *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The first header of that name, or NULL. */
const char *gh_reply_find(const gh_http_reply *r, const char *name);
/* Steps through the headers: `at` starts at 0; false at the end. */
bool gh_reply_next(const gh_http_reply *r, size_t *at, const char **name, const char **value);

/* What "warnings" say in JSON, for replies that are pictures: the file ended early. */
void gh_reply_warn_truncated(gh_http_reply *r);

/* Turns the reply into an application/problem+json (RFC 9457) of that HTTP status. Headers stay. */
void gh_reply_problem(gh_http_reply *r, const gh_http_request *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same from a status of ours. */
void gh_reply_error(gh_http_reply *r, const gh_http_request *req, const gh_err *e);
/* Appends "text" with quotes and JSON escapes; bytes that are not UTF-8 become U+FFFD. */
void gh_json_string(gh_buf *out, const char *text);
/* Standard reason phrase of a status that we send, "Error" for others. */
const char *gh_http_title(int status);

#endif
