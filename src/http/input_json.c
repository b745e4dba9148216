/* The JSON form of a request: parameters and base64 pictures. Long pictures were taken out by the scan and
 * are decoded where they lie in the body; jansson sees what is left. */
#include "http/base64.h"
#include "http/input.h"
#include "http/json_scan.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* gh_input_json_peek, on the thread of all connections: characters of base64 that it decodes, and bytes
 * beside the pictures that it has parsed. */
enum { PEEK_CHARACTERS = 1 << 16, MOST_PEEKED_TEXT = 4096 };

typedef struct reader {
    gh_input *in;
    gh_json_scan scan;
    char *body;
    unsigned accepted;
} reader;

/* Base64 of a string that jansson holds goes into the store, which was reserved large enough at the start. */
static gh_status decode_short(gh_picture *p, reader *r, const char *text, size_t len, gh_err *e)
{
    gh_buf *store = &r->in->store;
    if (!gh_buf_reserve(store, len / 4 * 3 + 3))
        return gh_fail(e, GH_NOMEM, "memory is short");
    p->data = store->data + store->len;
    GH_TRY(gh_base64_decode(&p->len, store->data + store->len, text, len, e));
    store->len += p->len;
    return GH_OK;
}

/* A fault stays with the picture, so that the others of a batch go on. */
static gh_status decode_picture(gh_picture *p, reader *r, const json_t *value, gh_err *e)
{
    if (!json_is_string(value))
        return gh_fail(e, GH_ARG, "a picture must be base64 text");
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    int number = gh_json_span_of(&r->scan, text, len);
    if (number < 0)
        return decode_short(p, r, text, len, e);
    gh_json_span *span = &r->scan.spans[number];
    char *at = r->body + span->at;
    size_t n = span->escaped ? gh_json_unescape(at, span->len) : span->len;
    p->data = (const uint8_t *)at;
    return gh_base64_decode(&p->len, (uint8_t *)at, at, n, e);
}

static gh_status read_pictures(reader *r, const json_t *root, gh_err *e)
{
    gh_input *in = r->in;
    const json_t *one = json_object_get(root, "image"), *many = json_object_get(root, "images");
    if (one && json_is_null(one))
        one = NULL;
    if (many && json_is_null(many))
        many = NULL;
    if (!one == !many)
        return gh_fail(e, GH_ARG,
                       "the JSON must have either \"image\", base64 text, or \"images\", an array of such; "
                       "it has %s",
                       one ? "both" : "neither");
    if (one) {
        in->count = 1;
        gh_status status = decode_picture(&in->pictures[0], r, one, e);
        return status == GH_OK ? status : gh_err_prefix(e, status, "\"image\"");
    }
    if (!json_is_array(many) || json_array_size(many) == 0)
        return gh_fail(e, GH_ARG, "\"images\" must be an array of 1 to %d base64 texts", GH_MAX_PICTURES);
    if (json_array_size(many) > GH_MAX_PICTURES)
        return gh_fail(e, GH_LIMIT, "\"images\" has %zu pictures; at most %d are accepted",
                       json_array_size(many), GH_MAX_PICTURES);
    for (size_t i = 0; i < json_array_size(many); i++) {
        gh_picture *p = &in->pictures[in->count++];
        if (decode_picture(p, r, json_array_get(many, i), &p->fault) != GH_OK)
            p->len = 0;
    }
    in->batch = true;
    return GH_OK;
}

/* Numbers go through the same reader as the query's text, so that ranges and sentences are the same. */
static gh_status read_parameter(reader *r, const char *key, const json_t *value, gh_err *e)
{
    char number[40];
    const char *text = number;
    size_t len;
    if (json_is_integer(value)) {
        len = (size_t)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        double v = json_real_value(value);
        bool whole = v < 1e15 && v > -1e15 && v == (double)(long long)v;
        len = (size_t)snprintf(number, sizeof number, whole ? "%.0f" : "%.17g", v);
    } else if (json_is_string(value)) {
        text = json_string_value(value);
        len = json_string_length(value);
    } else if (json_is_boolean(value)) {
        text = json_is_true(value) ? "true" : "false";
        len = strlen(text);
    } else if (json_is_null(value)) {
        return GH_OK;
    } else {
        return gh_fail(e, GH_ARG, "\"%s\" must be a number or a text, not a JSON %s", key,
                       json_is_array(value) ? "array" : "object");
    }
    return gh_params_set(&r->in->params, r->accepted, key, strlen(key), text, len, e);
}

static gh_status read_root(reader *r, json_t *root, gh_err *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return gh_fail(e, GH_ARG, "the JSON must be an object with \"image\" or \"images\"");
    json_object_foreach(root, key, value)
    {
        if (gh_params_known(key, strlen(key)))
            GH_TRY(read_parameter(r, key, value, e));
    }
    return read_pictures(r, root, e);
}

/* The first bytes of a picture: what its header says is in them. */
static bool peek_text(gh_peek *out, const char *text, size_t len)
{
    size_t n = len < PEEK_CHARACTERS ? len : PEEK_CHARACTERS;
    if (!gh_buf_reserve(&out->store, n / 4 * 3 + 3))
        return false;
    out->data = out->store.data;
    out->whole = n == len;
    if (gh_base64_decode(&out->len, out->store.data, text, n, NULL) == GH_OK)
        return true;
    /* a cut may leave one character of four, which is no byte */
    return !out->whole && gh_base64_decode(&out->len, out->store.data, text, n - 1, NULL) == GH_OK;
}

static bool peek_picture(gh_peek *out, const gh_json_scan *scan, const uint8_t *body)
{
    json_t *root = json_loadb((const char *)scan->text.data, scan->text.len, JSON_ALLOW_NUL, NULL);
    const json_t *one = json_object_get(root, "image");
    bool found = false;
    if (json_is_string(one)) {
        const char *text = json_string_value(one);
        size_t len = json_string_length(one);
        int number = gh_json_span_of(scan, text, len);
        const gh_json_span *span = number < 0 ? NULL : &scan->spans[number];
        found = !span ? peek_text(out, text, len)
                      : !span->escaped && peek_text(out, (const char *)body + span->at, span->len);
    }
    found = found && !json_object_get(root, "images");
    json_decref(root);
    return found;
}

bool gh_input_json_peek(gh_peek *out, const uint8_t *body, size_t len)
{
    gh_json_scan scan = {0};
    bool found = gh_json_scan_run(&scan, (const char *)body, len, NULL) == GH_OK &&
                 scan.text.len <= MOST_PEEKED_TEXT && peek_picture(out, &scan, body);
    gh_json_scan_free(&scan);
    return found;
}

gh_status gh_input_json(gh_input *out, uint8_t *body, size_t len, unsigned accepted, gh_err *e)
{
    reader r = {.in = out, .body = (char *)body, .accepted = accepted};
    json_error_t fault;
    GH_TRY(gh_json_scan_run(&r.scan, r.body, len, e));
    gh_status status = GH_OK;
    json_t *root = json_loadb((const char *)r.scan.text.data, r.scan.text.len, JSON_ALLOW_NUL, &fault);
    if (!root)
        status = gh_fail(e, GH_ARG, "the body is not valid JSON: line %d: %.100s", fault.line, fault.text);
    else if (!gh_buf_reserve(&out->store, r.scan.text.len + 3 * GH_MAX_PICTURES))
        status = gh_fail(e, GH_NOMEM, "memory is short");
    else
        status = read_root(&r, root, e);
    json_decref(root);
    gh_json_scan_free(&r.scan);
    return status;
}
