/* Runs a light network as the ONNX project's own runner does: on a picture that rises from 0 to 1, against
 * the output that stands beside the model. */
#include "onnx/light.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "engine/net.h"
#include "engine/onnx.h"
#include "engine/onnx_proto.h"
#include "onnx/compare.h"

#include <stdio.h>

const char *const ol_names[] = {"bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50",
                                "shufflenet",   "squeezenet",  "vgg19",        "zfnet512"};
const int ol_count = (int)GH_COUNT(ol_names);

static void fill_ramp(gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(t->type == GH_F32 && gh_shape_count(&count, &t->shape));
    for (size_t i = 0; i < count; i++)
        ((float *)t->data)[i] = (float)((double)i / (double)count);
}

typedef struct run {
    gh_net *net;
    gh_plan *plan;
    gh_session *session;
    gh_graph *graph; /* holds the wanted tensor's elements */
    gh_buf file;
    gh_onnx_tensor want;
    uint64_t ns;
} run;

static gh_status open_all(run *r, const char *model, const char *output, gh_err *e)
{
    GH_TRY(gh_net_load(&r->net, model, GH_PASS_ALL, e));
    GH_TRY(gh_plan_get(&r->plan, r->net, &gh_net_input(r->net, 0)->shape, e));
    GH_TRY(gh_session_new(&r->session, NULL, e));
    GH_TRY(gh_session_bind(r->session, r->plan, e));
    GH_TRY(gh_graph_new(&r->graph, e));
    GH_TRY(gh_file_read(&r->file, output, GH_MAX_MODEL_BYTES, e));
    return gh_onnx_read_tensor(&r->want, r->graph, r->file.data, r->file.len, e);
}

static gh_status run_once(run *r, gh_err *e)
{
    fill_ramp(gh_session_input(r->session, 0));
    uint64_t start = gh_now_ns();
    GH_TRY(gh_session_run(r->session, e));
    r->ns = gh_now_ns() - start;
    return GH_OK;
}

bool ol_run(const char *dir, const char *name, char *text, int size)
{
    char model[600], output[600], why[300] = "";
    run r = {0};
    gh_err e = {0};
    bool same = false;
    snprintf(model, sizeof model, "%s/light_%s.onnx", dir, name);
    snprintf(output, sizeof output, "%s/light_%s_output_0.pb", dir, name);
    gh_status status = open_all(&r, model, output, &e);
    if (!status)
        status = run_once(&r, &e);
    if (status)
        snprintf(text, (size_t)size, "%s", e.text);
    else if (!(same = oc_same(gh_session_output(r.session, 0), &r.want.tensor, why, sizeof why)))
        snprintf(text, (size_t)size, "%s", why);
    else
        snprintf(text, (size_t)size, "matches; %.1f MB of activations, %.1f MB of packed weights, %.0f ms",
                 (double)gh_plan_arena_bytes(r.plan) / 1e6, (double)gh_net_packed_bytes(r.net) / 1e6,
                 (double)r.ns / 1e6);
    gh_session_free(&r.session);
    gh_plan_put(&r.plan);
    gh_net_free(&r.net);
    gh_graph_free(&r.graph);
    gh_buf_free(&r.file);
    return same;
}
