/* The task localize: what its models have to be, which decoder reads their outputs, and its part of a reply.
 */
#include "tasks/detect.h"
#include "tasks/jsontext.h"
#include "tasks/kind.h"
#include "tasks/model_parts.h"

#include <stdio.h>

static gh_status check_manifest(const gh_manifest *m, gh_err *e)
{
    const gh_manifest_input *in = &m->input;
    if (!gh_detect_knows(m->decoder))
        return gh_fail(e, GH_UNSUPPORTED,
                       "model '%s': task localize takes the decoders anchors, centernet and box", m->name);
    if (m->boxes.activation == GH_ACTIVATION_MINMAX)
        return gh_fail(e, GH_UNSUPPORTED,
                       "model '%s': task localize takes the activations none, sigmoid and softmax", m->name);
    if (in->stride && in->fit != GH_FIT_STRETCH && in->fit != GH_FIT_PAD)
        return gh_fail(e, GH_UNSUPPORTED,
                       "model '%s': an input of any size (\"stride\") takes the fits stretch and pad",
                       m->name);
    if (in->stride && (in->width % in->stride || in->height % in->stride))
        return gh_fail(e, GH_FORMAT,
                       "model '%s': the input of %d x %d is no multiple of its stride, %d pixels", m->name,
                       in->width, in->height, in->stride);
    return GH_OK;
}

static gh_status check_network(gh_net *net, const gh_manifest *m, gh_err *e)
{
    gh_tensor tensors[GH_DETECT_OUTPUTS];
    const gh_tensor *outputs[GH_DETECT_OUTPUTS] = {NULL};
    int roles[GH_DETECT_OUTPUTS];
    gh_status status = gh_detect_roles(roles, m, net, e);
    for (int i = 0; i < GH_DETECT_OUTPUTS && status == GH_OK; i++)
        if (roles[i] >= 0) {
            status = gh_model_output(&tensors[i], net, (size_t)roles[i], m->input.width, m->input.height, e);
            outputs[i] = &tensors[i];
        }
    if (status == GH_OK)
        status = gh_detect_check(outputs, m, &m->input, e);
    return status == GH_OK ? GH_OK : gh_err_prefix(e, status, "model '%s'", m->name);
}

static gh_status decode(gh_result *r, const gh_outputs *o, const gh_run_options *options, gh_err *e)
{
    const gh_tensor *outputs[GH_DETECT_OUTPUTS] = {NULL};
    int roles[GH_DETECT_OUTPUTS];
    GH_TRY(gh_detect_roles(roles, r->model->manifest, r->model->net, e));
    for (int i = 0; i < GH_DETECT_OUTPUTS; i++)
        if (roles[i] >= 0 && (size_t)roles[i] < o->count)
            outputs[i] = &o->tensors[roles[i]];
    return gh_detect_decode(r, outputs, o->input, options, e);
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

/* "emotion": "happiness", "emotions": {"anger": 0.01, ...} */
static bool add_fact(json_t *object, const gh_fact *f)
{
    char plural[80];
    json_t *all = json_object();
    bool ok = all != NULL;
    for (size_t i = 0; ok && i < f->nlabels; i++) {
        json_t *label = gh_json_text(f->labels[i]);
        const char *key = label ? json_string_value(label) : "";
        double before = json_real_value(json_object_get(all, key)); /* ImageNet has two labels "crane" */
        ok = label && gh_reply_set(all, key, json_real(before + f->scores[i]));
        json_decref(label);
    }
    snprintf(plural, sizeof plural, "%ss", f->key);
    ok = ok && gh_reply_set(object, f->key, f->best < 0 ? json_null() : gh_json_text(f->labels[f->best]));
    if (ok)
        return gh_reply_set(object, plural, all);
    json_decref(all);
    return false;
}

static json_t *object_list(const gh_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->nobjects; i++) {
        const gh_object *b = &r->objects[i];
        json_t *one = json_pack("{s:o, s:f, s:i, s:i, s:i, s:i}", "label", gh_json_text(b->label), "score",
                                (double)b->score, "x", b->x, "y", b->y, "w", b->w, "h", b->h);
        bool ok = one && (!b->nlandmarks || gh_reply_set(one, "landmarks", landmark_list(b)));
        for (int k = 0; ok && k < b->nfacts; k++)
            ok = add_fact(one, &b->facts[k]);
        if (!ok || json_array_append(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
        json_decref(one);
    }
    return list;
}

static bool reply(json_t *o, const gh_result *r)
{
    return gh_reply_set(o, "objects", object_list(r));
}

const gh_kind gh_kind_localize = {
    .check_manifest = check_manifest,
    .check_network = check_network,
    .decode = decode,
    .reply = reply,
};
