/* The scan over a JSON text: iterative, one pass, no state but a depth. */
#include "http/json_scan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gh_json_scan_free(gh_json_scan *s)
{
    gh_buf_free(&s->text);
    s->nspans = 0;
}

/* Characters of base64 in both alphabets, and of a data: URL's head. */
static bool is_plain(unsigned char c)
{
    return isalnum(c) || (c && strchr("+/-_=:;,. ", c));
}

static bool is_light_escape(char c)
{
    return c == '/' || c == 'n' || c == 'r' || c == 't';
}

/* Walks a string literal whose first character is json[at]; *end becomes the place of its closing quote. */
static gh_status walk_string(gh_json_span *span, bool *plain, const char *json, size_t len, size_t at,
                             gh_err *e)
{
    *span = (gh_json_span){.at = at};
    *plain = true;
    while (at < len && json[at] != '"') {
        if (json[at] != '\\') {
            *plain = *plain && is_plain((unsigned char)json[at]);
            at++;
            continue;
        }
        if (len - at >= 6 && memcmp(json + at, "\\u0000", 6) == 0)
            return gh_fail(e, GH_ARG, "the JSON has \\u0000 in a string, at byte %zu", at + 1);
        *plain = *plain && len - at > 1 && is_light_escape(json[at + 1]);
        span->escaped = true;
        at += 2;
    }
    if (at >= len)
        return gh_fail(e, GH_ARG, "the JSON ends within a string that starts at byte %zu", span->at);
    span->len = at - span->at;
    return GH_OK;
}

/* Copies text into what the parser will see. */
static gh_status keep(gh_json_scan *s, const char *text, size_t len, gh_err *e)
{
    if (len > GH_JSON_TEXT - s->text.len)
        return gh_fail(e, GH_LIMIT,
                       "the JSON is too large: apart from base64 pictures %zu kB of text are accepted",
                       GH_JSON_TEXT >> 10);
    gh_buf_add(&s->text, text, len);
    return s->text.failed ? gh_fail(e, GH_NOMEM, "memory is short") : GH_OK;
}

static gh_status take_out(gh_json_scan *s, const gh_json_span *span, gh_err *e)
{
    if (s->nspans == GH_JSON_SPANS)
        return gh_fail(e, GH_LIMIT, "the JSON has more than %d long strings", GH_JSON_SPANS);
    char mark[32];
    int n = snprintf(mark, sizeof mark, "\\u0000%zu", s->nspans);
    s->spans[s->nspans++] = *span;
    return keep(s, mark, (size_t)n, e);
}

static gh_status scan(gh_json_scan *s, const char *json, size_t len, gh_err *e)
{
    size_t depth = 0, from = 0; /* json[from..] is not yet in the reduced text */
    for (size_t i = 0; i < len; i++) {
        if (json[i] == '{' || json[i] == '[') {
            if (++depth > GH_JSON_DEPTH)
                return gh_fail(e, GH_ARG, "the JSON is nested deeper than %d, at byte %zu", GH_JSON_DEPTH,
                               i + 1);
        } else if (json[i] == '}' || json[i] == ']') {
            depth -= depth > 0;
        } else if (json[i] == '"') {
            gh_json_span span;
            bool plain;
            GH_TRY(walk_string(&span, &plain, json, len, i + 1, e));
            if (plain && span.len >= GH_JSON_LONG) {
                GH_TRY(keep(s, json + from, i + 1 - from, e));
                GH_TRY(take_out(s, &span, e));
                from = span.at + span.len;
            }
            i = span.at + span.len;
        }
    }
    return keep(s, json + from, len - from, e);
}

gh_status gh_json_scan_run(gh_json_scan *out, const char *json, size_t len, gh_err *e)
{
    gh_json_scan s = {.nspans = 0};
    gh_status status = scan(&s, json, len, e);
    if (status == GH_OK)
        *out = s;
    else
        gh_json_scan_free(&s);
    return status;
}

int gh_json_span_of(const gh_json_scan *s, const char *value, size_t len)
{
    if (len < 2 || value[0] != 0)
        return -1;
    long n = strtol(value + 1, NULL, 10);
    return n >= 0 && (size_t)n < s->nspans ? (int)n : -1;
}

size_t gh_json_unescape(char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < len) {
            c = text[++i];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
        text[n++] = c;
    }
    return n;
}
