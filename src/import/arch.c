/* The table of networks. */
#include "import/arch.h"

#include <string.h>

static const struct {
    const char *name;
    gh_arch_builder *build;
    gh_arch_args args;
} archs[] = {
    /* width, depth, input: table of the EfficientNet-Lite release (Liu, TensorFlow blog, March 2020) */
    {"efficientnet-lite0", gh_arch_efficientnet_lite, {.width = 1.0, .depth = 1.0, .size = 224}},
    {"efficientnet-lite1", gh_arch_efficientnet_lite, {.width = 1.0, .depth = 1.1, .size = 240}},
    {"efficientnet-lite2", gh_arch_efficientnet_lite, {.width = 1.1, .depth = 1.2, .size = 260}},
    {"efficientnet-lite3", gh_arch_efficientnet_lite, {.width = 1.2, .depth = 1.4, .size = 280}},
    {"efficientnet-lite4", gh_arch_efficientnet_lite, {.width = 1.4, .depth = 1.8, .size = 300}},
    {"mobilenet-v2", gh_arch_mobilenet_v2, {.size = 0}},
    /* blocks: table 1 of He et al. 2016 */
    {"resnet18", gh_arch_resnet, {.blocks = {2, 2, 2, 2}}},
    {"resnet34", gh_arch_resnet, {.blocks = {3, 4, 6, 3}}},
    {"resnet50", gh_arch_resnet, {.blocks = {3, 4, 6, 3}, .bottleneck = true}},
    {"retinaface-mobilenet0.25", gh_arch_retinaface, {.size = 0}},
    {"face-expression", gh_arch_face_expression, {.size = 112}},
};

const char *gh_arch_name(size_t i)
{
    return i < GH_COUNT(archs) ? archs[i].name : NULL;
}

static gh_status unknown(const char *arch, gh_err *e)
{
    gh_buf names = {0};
    for (size_t i = 0; i < GH_COUNT(archs); i++)
        gh_buf_printf(&names, "%s%s", i ? ", " : "", archs[i].name);
    gh_buf_add(&names, "", 1);
    gh_status status = gh_fail(e, GH_NOTFOUND, "no network is called \"%.60s\"; there are %s", arch,
                               names.failed ? "others" : (const char *)names.data);
    gh_buf_free(&names);
    return status;
}

gh_status gh_arch_build(gh_graph **out, const char *arch, gh_weights *weights, gh_err *e)
{
    size_t i = 0;
    while (i < GH_COUNT(archs) && strcmp(archs[i].name, arch) != 0)
        i++;
    if (i == GH_COUNT(archs))
        return unknown(arch, e);
    gh_graph *g = NULL;
    gh_params p = {0};
    GH_TRY(gh_params_open(&p, weights, e));
    gh_status status = gh_graph_new(&g, e);
    if (status == GH_OK) {
        g->name = archs[i].name;
        archs[i].build(g, &p, &archs[i].args);
        status = gh_params_check(&p, arch, e);
    }
    if (status == GH_OK)
        status = gh_graph_check(g, e);
    gh_params_close(&p);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}

gh_status gh_arch_build_torch(gh_graph **out, const char *arch, const gh_torch *t, gh_err *e)
{
    gh_weights weights;
    GH_TRY(gh_torch_weights(&weights, t, e));
    gh_status status = gh_arch_build(out, arch, &weights, e);
    gh_weights_close(&weights);
    return status;
}
