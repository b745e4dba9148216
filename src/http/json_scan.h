/* A look over a JSON text before it is parsed: depth is checked, and long strings that look like base64 are
 * left out, so that the parser sees a small text and pictures are never copied by it. */
#ifndef GH_HTTP_JSON_SCAN_H
#define GH_HTTP_JSON_SCAN_H

#include "base/buf.h"
#include "base/status.h"

#define GH_JSON_DEPTH 16
#define GH_JSON_LONG  512               /* a string of at least this many bytes may be taken out */
#define GH_JSON_TEXT  ((size_t)1 << 20) /* bytes that may be left for the parser */
#define GH_JSON_SPANS 64

/* A string literal's inside within the scanned text. */
typedef struct gh_json_span {
    size_t at, len;
    bool escaped; /* holds \/ \n \r \t, which gh_json_unescape turns into characters */
} gh_json_span;

typedef struct gh_json_scan {
    gh_buf text; /* the reduced text; a string taken out is "\u0000" and its number in decimal */
    gh_json_span spans[GH_JSON_SPANS];
    size_t nspans;
} gh_json_scan;

/* GH_ARG: nested too deep, a string that does not end, the escape \u0000; GH_LIMIT: too much text. The syntax
 * itself is the parser's business. */
GH_MUST_CHECK gh_status gh_json_scan_run(gh_json_scan *out, const char *json, size_t len, gh_err *e);
void gh_json_scan_free(gh_json_scan *s);
/* Number of the span that a parsed string stands for, or -1 for a string of its own. */
int gh_json_span_of(const gh_json_scan *s, const char *value, size_t len);
/* Resolves the escapes of a span in place; gives the new length. */
size_t gh_json_unescape(char *text, size_t len);

#endif
