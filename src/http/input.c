/* Pictures and parameters out of a request: query first, then the body, whose fields win. */
#include "http/input.h"

#include <string.h>
#include <strings.h>

void gh_input_free(gh_input *in)
{
    gh_buf_free(&in->store);
    in->count = 0;
}

/* True when the media type of a Content-Type is `want`, whatever parameters follow. */
static bool media_is(const char *type, const char *want)
{
    size_t n = strcspn(type, "; \t,");
    return n == strlen(want) && strncasecmp(type, want, n) == 0;
}

static bool is_json_type(const char *type)
{
    size_t n = strcspn(type, "; \t,");
    return media_is(type, "application/json") || media_is(type, "text/json") ||
           (n > 5 && strncasecmp(type + n - 5, "+json", 5) == 0);
}

gh_body_form gh_body_form_of(const char *type, const uint8_t *body, size_t len)
{
    if (type && media_is(type, "multipart/form-data"))
        return GH_BODY_MULTIPART;
    if (type && is_json_type(type))
        return GH_BODY_JSON;
    size_t i = 0;
    while (i < len && i < 64 && strchr(" \t\r\n", body[i]) && body[i])
        i++;
    return i < len && body[i] == '{' ? GH_BODY_JSON : GH_BODY_RAW;
}

static gh_status read_query(gh_params *p, const gh_http_request *req, unsigned accepted, gh_err *e)
{
    if (req->bad_query)
        return gh_fail(e, GH_ARG, "the query has more than %d parameters or a zero byte in one",
                       GH_HTTP_MAX_QUERY);
    for (size_t i = 0; i < req->nquery; i++) {
        const gh_http_pair *q = &req->query[i];
        GH_TRY(gh_params_set(p, accepted, q->name, strlen(q->name), q->value, strlen(q->value), e));
    }
    return GH_OK;
}

/* "image", "file", "images[]" and the like. */
static bool is_picture_part(const gh_part *part)
{
    static const char *const names[] = {"image", "images", "file", "files"};
    size_t n = part->name_len;
    if (n > 2 && memcmp(part->name + n - 2, "[]", 2) == 0)
        n -= 2;
    for (size_t i = 0; i < GH_COUNT(names); i++)
        if (strlen(names[i]) == n && memcmp(names[i], part->name, n) == 0)
            return true;
    return false;
}

static gh_status read_multipart(gh_input *in, const gh_http_request *req, unsigned accepted, gh_err *e)
{
    gh_parts parts;
    GH_TRY(gh_multipart_parse(&parts, req->headers[GH_H_CONTENT_TYPE], req->body, req->body_len, e));
    for (size_t i = 0; i < parts.count; i++) {
        const gh_part *part = &parts.items[i];
        if (is_picture_part(part)) {
            gh_picture *p = &in->pictures[in->count++];
            p->data = part->data;
            p->len = part->len;
        } else {
            GH_TRY(gh_params_set(&in->params, accepted, part->name, part->name_len, (const char *)part->data,
                                 part->len, e));
        }
    }
    in->batch = in->count > 1;
    if (in->count == 0 && parts.count == 0)
        return gh_fail(e, GH_ARG, "the multipart body has no part; send the picture as part \"image\"");
    if (in->count == 0)
        return gh_fail(
            e, GH_ARG, "no part of the multipart body is named \"image\" or \"file\"; the first is \"%.*s\"",
            (int)(parts.items[0].name_len < 40 ? parts.items[0].name_len : 40), parts.items[0].name);
    return GH_OK;
}

/* The part of the only picture. */
static bool peek_multipart(gh_peek *out, const gh_http_request *req)
{
    gh_parts parts;
    size_t pictures = 0;
    if (gh_multipart_parse(&parts, req->headers[GH_H_CONTENT_TYPE], req->body, req->body_len, NULL) != GH_OK)
        return false;
    for (size_t i = 0; i < parts.count; i++)
        if (is_picture_part(&parts.items[i]) && pictures++ == 0) {
            out->data = parts.items[i].data;
            out->len = parts.items[i].len;
        }
    out->whole = true;
    return pictures == 1;
}

bool gh_input_peek(gh_peek *out, const gh_http_request *req)
{
    switch (gh_body_form_of(req->headers[GH_H_CONTENT_TYPE], req->body, req->body_len)) {
    case GH_BODY_MULTIPART:
        return peek_multipart(out, req);
    case GH_BODY_JSON:
        return gh_input_json_peek(out, req->body, req->body_len);
    case GH_BODY_RAW:
        break;
    }
    out->data = req->body;
    out->len = req->body_len;
    out->whole = true;
    return true;
}

void gh_peek_free(gh_peek *peek)
{
    gh_buf_free(&peek->store);
}

gh_status gh_input_read(gh_input *out, gh_http_request *req, unsigned accepted, gh_err *e)
{
    memset(out, 0, sizeof *out);
    GH_TRY(read_query(&out->params, req, accepted, e));
    if (req->body_len == 0)
        return gh_fail(e, GH_ARG,
                       "the body is empty; send a picture's bytes, a multipart form with a part \"image\", "
                       "or JSON with \"image\" in base64");
    switch (gh_body_form_of(req->headers[GH_H_CONTENT_TYPE], req->body, req->body_len)) {
    case GH_BODY_MULTIPART:
        return read_multipart(out, req, accepted, e);
    case GH_BODY_JSON:
        return gh_input_json(out, req->body, req->body_len, accepted, e);
    case GH_BODY_RAW:
        break;
    }
    out->pictures[0].data = req->body;
    out->pictures[0].len = req->body_len;
    out->count = 1;
    return GH_OK;
}
