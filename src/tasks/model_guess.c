/* The manifest that a bare .onnx file would have. */
#include "tasks/model_parts.h"

#include <stdio.h>
#include <string.h>

/* The file's name without folder and ending, as a model name. */
static void name_from(char name[65], const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    snprintf(name, 65, "%.*s", (int)(len < 64 ? len : 64), base);
    for (char *c = name; *c; c++)
        if (!gh_model_name_ok((char[]){*c, 'x', '\0'}))
            *c = '_';
    if (!gh_model_name_ok(name))
        strcpy(name, "model");
}

/* True when the network itself ends in a function that gives 0..1. */
static bool ends_in_probabilities(const gh_net *net)
{
    uint32_t producer = gh_net_output(net, 0)->producer;
    const gh_graph *g = gh_net_graph(net);
    if (producer == GH_NONE || producer >= g->nnodes)
        return false;
    const char *type = g->nodes[producer].type;
    return strcmp(type, "Softmax") == 0 || strcmp(type, "Sigmoid") == 0;
}

static gh_status text_of(gh_buf *text, const char *path, gh_net *net, gh_err *e)
{
    char name[65], text_of_shape[80];
    const gh_shape *in = &gh_net_input(net, 0)->shape;
    gh_tensor out = {0};
    if (in->rank != 4 || in->dims[2] < 1 || in->dims[3] < 1 || in->dims[2] > GH_MAX_SIDE ||
        in->dims[3] > GH_MAX_SIDE)
        return gh_fail(
            e, GH_UNSUPPORTED,
            "%.200s takes a %s input; without a model.json it has to fix the size, at most %d a side", path,
            gh_shape_text(in, text_of_shape, sizeof text_of_shape), GH_MAX_SIDE);
    GH_TRY(gh_model_output(&out, net, 0, (int)in->dims[3], (int)in->dims[2], e));
    int64_t classes = out.shape.rank >= 2 ? out.shape.dims[1] : -1;
    if (classes < 1 || classes > GH_MAX_LABELS)
        return gh_fail(e, GH_UNSUPPORTED,
                       "%.200s gives a %s output; without a model.json it has to be 1 x classes", path,
                       gh_shape_text(&out.shape, text_of_shape, sizeof text_of_shape));
    name_from(name, path);
    gh_buf_printf(
        text,
        "{\"name\":\"%s\",\"version\":\"0\",\"task\":\"classify\",\"output\":\"%s\",\"input\":{"
        "\"width\":%lld,\"height\":%lld,\"mean\":0,\"scale\":0.00392156863,\"fit\":\"crop\"},\"labels\":",
        name, ends_in_probabilities(net) ? "probabilities" : "softmax", (long long)in->dims[3],
        (long long)in->dims[2]);
    for (int64_t i = 0; i < classes; i++)
        gh_buf_printf(text, "%s\"%lld\"", i ? "," : "[", (long long)i);
    gh_buf_str(text, "]}");
    return text->failed ? gh_fail(e, GH_NOMEM, "memory ran out at a manifest") : GH_OK;
}

gh_status gh_manifest_guess(gh_manifest **out, const char *path, gh_net *net, gh_err *e)
{
    gh_buf text = {0};
    if (gh_net_inputs(net) < 1 || gh_net_outputs(net) < 1)
        return gh_fail(e, GH_UNSUPPORTED, "%.200s has no input or no output", path);
    gh_status status = text_of(&text, path, net, e);
    if (status == GH_OK)
        status = gh_manifest_parse(out, path, (const char *)text.data, text.len, e);
    gh_buf_free(&text);
    return status;
}
