/* A result as JSON: CONTRACT section 2. */
#include "tasks/run.h"

#include "tasks/jsontext.h"

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

static bool set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0; /* refuses NULL, which is lack of memory */
}

static json_t *label_list(const gh_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->nlabels; i++) {
        const gh_label *l = &r->labels[i];
        json_t *one = json_pack("{s:o, s:i, s:f}", "label", gh_json_text(l->label), "index", l->index,
                                "score", (double)l->score);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *landmark_list(const gh_object *b)
{
    json_t *list = json_array();
    for (int i = 0; list && i < b->nlandmarks; i++) {
        json_t *point = json_pack("[i, i]", b->landmarks[i][0], b->landmarks[i][1]);
        if (json_array_append_new(list, point) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *object_list(const gh_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->nobjects; i++) {
        const gh_object *b = &r->objects[i];
        json_t *one = json_pack("{s:o, s:f, s:i, s:i, s:i, s:i}", "label", gh_json_text(b->label), "score",
                                (double)b->score, "x", b->x, "y", b->y, "w", b->w, "h", b->h);
        bool ok = one && (!b->nlandmarks || set(one, "landmarks", landmark_list(b)));
        if (!ok || json_array_append(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
        json_decref(one);
    }
    return list;
}

static bool fill(json_t *o, const gh_result *r, double queue_ms, const char *file)
{
    const gh_manifest *m = r->model->manifest;
    bool ok = !file || set(o, "file", gh_json_text(file));
    ok = ok && set(o, "model", json_string(m->name)) && set(o, "version", json_string(m->version));
    ok = ok && set(o, "width", json_integer(r->width)) && set(o, "height", json_integer(r->height));
    if (r->task == GH_TASK_LOCALIZE)
        ok = ok && set(o, "objects", object_list(r));
    else
        ok = ok && set(o, "labels", label_list(r));
    if (r->unknown)
        ok = ok && set(o, "unknown", json_true());
    if (r->truncated)
        ok = ok &&
             set(o, "warnings", json_pack("[s]", "the picture's file ends early; its last part is missing"));
    json_t *times = json_object();
    ok = ok && times && set(times, "decode", milliseconds(r->decode_ms + r->preproc_ms));
    ok = ok && set(times, "queue", milliseconds(queue_ms)) && set(times, "infer", milliseconds(r->infer_ms));
    if (!ok) {
        json_decref(times);
        return false;
    }
    return set(o, "time_ms", times);
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
    bool ok = text && !out->failed;
    free(text);
    return ok ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at a reply");
}
