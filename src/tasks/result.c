/* A result as JSON: CONTRACT section 2. */
#include "tasks/jsontext.h"
#include "tasks/kind.h"

#include <math.h>
#include <stdlib.h>

/* Digits of every number with a fraction: a float32 score has seven, and times need no more. */
#define DIGITS 6

/* Milliseconds with three decimals; a whole number stays whole. */
static json_t *milliseconds(double ms)
{
    double rounded = round(ms * 1000) / 1000;
    return rounded == floor(rounded) ? json_integer((json_int_t)rounded) : json_real(rounded);
}

bool gh_reply_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0; /* refuses NULL, which is lack of memory */
}

/* The model's name or version; of several models all of them, with commas between. */
static json_t *title(const gh_result *r, bool version)
{
    gh_buf text = {0};
    for (size_t i = 0; i < (r->nparts ? r->nparts : 1); i++) {
        const gh_manifest *m = (r->nparts ? r->parts[i] : r)->model->manifest;
        gh_buf_printf(&text, "%s%s", i ? "," : "", version ? m->version : m->name);
    }
    json_t *value = text.failed ? NULL : json_stringn((const char *)text.data, text.len);
    gh_buf_free(&text);
    return value;
}

static bool fill(json_t *o, const gh_result *r, double queue_ms, const char *file)
{
    bool ok = !file || gh_reply_set(o, "file", gh_json_text(file));
    ok = ok && gh_reply_set(o, "model", title(r, false)) && gh_reply_set(o, "version", title(r, true));
    ok = ok && gh_reply_set(o, "width", json_integer(r->width)) &&
         gh_reply_set(o, "height", json_integer(r->height));
    ok = ok && gh_kind_of(r->task)->reply(o, r);
    if (r->truncated)
        ok = ok && gh_reply_set(o, "warnings",
                                json_pack("[s]", "the picture's file ends early; its last part is missing"));
    json_t *times = json_object();
    ok = ok && times && gh_reply_set(times, "decode", milliseconds(r->decode_ms + r->preproc_ms));
    ok = ok && gh_reply_set(times, "queue", milliseconds(queue_ms)) &&
         gh_reply_set(times, "infer", milliseconds(r->infer_ms));
    if (r->has_crops)
        ok = ok && gh_reply_set(times, "crops", milliseconds(r->crops_ms));
    if (r->encode_ms > 0)
        ok = ok && gh_reply_set(times, "encode", milliseconds(r->encode_ms));
    if (!ok) {
        json_decref(times);
        return false;
    }
    return gh_reply_set(o, "time_ms", times);
}

/* Adds a mask's picture to the object that `out` ends with. It may be as large as a whole photo, so it never
 * goes through the tree. */
static void add_picture(gh_buf *out, const gh_buf *picture)
{
    if (!picture->len || out->failed || !out->len)
        return;
    out->len--;
    gh_buf_str(out, ",\"mask\":\"");
    gh_buf_base64(out, picture->data, picture->len);
    gh_buf_str(out, "\"}");
}

gh_status gh_result_json(gh_buf *out, const gh_result *r, double queue_ms, const char *file, gh_err *e)
{
    json_t *object = json_object();
    char *text = NULL;
    if (object && fill(object, r, queue_ms, file))
        text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    json_decref(object);
    if (text)
        gh_buf_str(out, text);
    if (text)
        add_picture(out, &r->picture);
    bool ok = text && !out->failed;
    free(text);
    return ok ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at a reply");
}
