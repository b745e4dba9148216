/* Replies: headers, problem documents (RFC 9457) and JSON strings. A problem never shows a path of this
 * machine or an internal name: the sentence comes from the code that found the fault. */
#include "http/http.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const gh_http_header_names[GH_H_COUNT] = {
    [GH_H_ACCEPT] = "Accept",
    [GH_H_AUTHORIZATION] = "Authorization",
    [GH_H_CONTENT_ENCODING] = "Content-Encoding",
    [GH_H_CONTENT_LENGTH] = "Content-Length",
    [GH_H_CONTENT_TYPE] = "Content-Type",
    [GH_H_CORS_METHOD] = "Access-Control-Request-Method",
    [GH_H_EXPECT] = "Expect",
    [GH_H_INFERENCE_LENGTH] = "Inference-Header-Content-Length",
    [GH_H_ORIGIN] = "Origin",
    [GH_H_REQUEST_ID] = "X-Request-ID",
    [GH_H_TRACEPARENT] = "traceparent",
    [GH_H_TRANSFER_ENCODING] = "Transfer-Encoding",
};

static const struct {
    int status;
    const char *title, *type; /* `type` ends the problem's URN */
} problems[] = {
    {400, "Bad Request", "malformed-request"},
    {401, "Unauthorized", "token-required"},
    {404, "Not Found", "not-found"},
    {405, "Method Not Allowed", "method-not-allowed"},
    {411, "Length Required", "length-required"},
    {413, "Content Too Large", "over-limit"},
    {415, "Unsupported Media Type", "unsupported-picture"},
    {422, "Unprocessable Content", "broken-picture"},
    {429, "Too Many Requests", "queue-full"},
    {500, "Internal Server Error", "internal"},
    {501, "Not Implemented", "unsupported"},
    {503, "Service Unavailable", "unavailable"},
    {504, "Gateway Timeout", "deadline-passed"},
};

/* What goes out when memory does not suffice for the real problem document. */
static const char bare_problem[] = "{\"type\":\"urn:gharial:problem:unavailable\",\"title\":\"Service "
                                   "Unavailable\",\"status\":503,\"detail\":\"memory is short\",\"error\":"
                                   "\"memory is short\"}\n";

static size_t problem_row(int status)
{
    for (size_t i = 0; i < GH_COUNT(problems); i++)
        if (problems[i].status == status)
            return i;
    return GH_COUNT(problems);
}

const char *gh_http_title(int status)
{
    size_t row = problem_row(status);
    return row < GH_COUNT(problems) ? problems[row].title : "Error";
}

const void *gh_reply_bytes(const gh_http_reply *r, size_t *len)
{
    *len = r->fixed ? r->fixed_len : r->body.len;
    return r->fixed ? (const void *)r->fixed : r->body.data;
}

void gh_reply_free(gh_http_reply *r)
{
    gh_buf_free(&r->body);
    gh_buf_free(&r->headers);
    memset(r, 0, sizeof *r);
}

void gh_reply_header(gh_http_reply *r, const char *name, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    size_t start = r->headers.len;
    if (len >= 0 && gh_buf_reserve(&r->headers, strlen(name) + (size_t)len + 2)) {
        gh_buf_add(&r->headers, name, strlen(name) + 1);
        char *value = (char *)r->headers.data + r->headers.len;
        vsnprintf(value, (size_t)len + 1, fmt, again);
        for (char *c = value; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f)
                *c = ' ';
        r->headers.len += (size_t)len + 1;
    } else {
        r->headers.len = start;
    }
    va_end(again);
    va_end(args);
}

bool gh_reply_next(const gh_http_reply *r, size_t *at, const char **name, const char **value)
{
    if (*at >= r->headers.len)
        return false;
    *name = (const char *)r->headers.data + *at;
    *at += strlen(*name) + 1;
    *value = (const char *)r->headers.data + *at;
    *at += strlen(*value) + 1;
    return true;
}

const char *gh_reply_find(const gh_http_reply *r, const char *name)
{
    size_t at = 0;
    const char *key, *value;
    while (gh_reply_next(r, &at, &key, &value))
        if (strcasecmp(key, name) == 0)
            return value;
    return NULL;
}

void gh_json_string(gh_buf *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    gh_buf_add(out, "\"", 1);
    while (*s) {
        size_t len = gh_utf8_length((const char *)s);
        if (len == 0)
            gh_buf_str(out, "\xef\xbf\xbd");
        else if (*s == '"' || *s == '\\')
            gh_buf_printf(out, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            gh_buf_printf(out, "\\u%04x", *s);
        else
            gh_buf_add(out, s, len);
        s += len ? len : 1;
    }
    gh_buf_add(out, "\"", 1);
}

static void member(gh_buf *out, const char *name, const char *text)
{
    gh_buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    gh_json_string(out, text);
}

static void write_problem(gh_http_reply *r, const gh_http_request *req, int status, const char *detail)
{
    size_t row = problem_row(status);
    char type[80];
    snprintf(type, sizeof type, "urn:gharial:problem:%s",
             row < GH_COUNT(problems) ? problems[row].type : "error");
    r->status = status;
    r->type = "application/problem+json";
    r->fixed = NULL;
    gh_buf_free(&r->body);
    gh_buf_str(&r->body, "{");
    member(&r->body, "type", type);
    member(&r->body, "title", gh_http_title(status));
    gh_buf_printf(&r->body, ",\"status\":%d", status);
    member(&r->body, "detail", detail);
    member(&r->body, "instance", req->path ? req->path : "");
    member(&r->body, "request_id", req->id);
    member(&r->body, "error", detail);
    gh_buf_str(&r->body, req->tells_success ? ",\"success\":false}\n" : "}\n");
    if (r->body.failed) {
        gh_buf_free(&r->body);
        r->status = 503;
        r->fixed = bare_problem;
        r->fixed_len = sizeof bare_problem - 1;
    }
}

void gh_reply_warn_truncated(gh_http_reply *r)
{
    gh_reply_header(r, "X-Warning", "the picture's file ends early; its last part is missing");
}

void gh_reply_problem(gh_http_reply *r, const gh_http_request *req, int status, const char *fmt, ...)
{
    char detail[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    write_problem(r, req, status, detail);
}

void gh_reply_error(gh_http_reply *r, const gh_http_request *req, const gh_err *e)
{
    int status = gh_status_http(e->status == GH_OK ? GH_INTERNAL : e->status);
    write_problem(r, req, status, e->text[0] ? e->text : gh_http_title(status));
}
