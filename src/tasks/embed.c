/* The task embed: a body's feature vector, as it is. Such a model is what heads stand on. */
#include "base/mem.h"
#include "tasks/kind.h"
#include "tasks/model_parts.h"

#include <math.h>
#include <string.h>

static gh_status check_manifest(const gh_manifest *m, gh_err *e)
{
    if (m->decoder != GH_DECODE_FEATURES)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s': task embed takes the decoder features", m->name);
    if (m->selftest.input)
        return gh_fail(e, GH_UNSUPPORTED,
                       "model '%s': a model of task embed has no self-test of its own; those of the heads on "
                       "it test it, too",
                       m->name);
    return GH_OK;
}

static gh_status check_network(gh_net *net, const gh_manifest *m, gh_err *e)
{
    gh_tensor out = {0};
    size_t count = 0;
    char text[80];
    GH_TRY(gh_model_output(&out, net, 0, m->input.width, m->input.height, e));
    if (out.type != GH_F32 || out.shape.rank < 1 || !gh_shape_count(&count, &out.shape) || count < 1 ||
        (int64_t)count != out.shape.dims[out.shape.rank - 1])
        return gh_fail(e, GH_FORMAT,
                       "model '%s': the network's output '%.60s' is %s %s; of task embed it is a float32 "
                       "vector a picture",
                       m->name, gh_net_output(net, 0)->name, gh_dtype_name(out.type),
                       gh_shape_text(&out.shape, text, sizeof text));
    return GH_OK;
}

static gh_status decode(gh_result *r, const gh_outputs *o, const gh_run_options *options, gh_err *e)
{
    const gh_tensor *t = &o->tensors[0];
    size_t n = 0;
    (void)options;
    if (t->type != GH_F32 || !gh_shape_count(&n, &t->shape) || n == 0)
        return gh_fail(e, GH_INTERNAL, "the network gave no features");
    const float *v = t->data;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return gh_fail(e, GH_INTERNAL, "the network's feature %zu is not a finite number", i);
    float *copy = gh_calloc(n, sizeof *copy);
    if (!copy)
        return gh_fail(e, GH_NOMEM, "memory ran out at the features");
    memcpy(copy, v, n * sizeof *copy);
    gh_free(r->features);
    r->features = copy;
    r->nfeatures = n;
    return GH_OK;
}

static bool reply(json_t *o, const gh_result *r)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < r->nfeatures; i++)
        ok = json_array_append_new(list, json_real((double)r->features[i])) == 0;
    if (ok)
        return gh_reply_set(o, "embedding", list);
    json_decref(list);
    return false;
}

const gh_kind gh_kind_embed = {
    .shares = true,
    .check_manifest = check_manifest,
    .check_network = check_network,
    .decode = decode,
    .reply = reply,
};
