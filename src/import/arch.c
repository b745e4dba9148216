/* The table of networks. */
#include "import/arch.h"

#include <string.h>

static const struct {
    const char *name;
    gh_efficientnet_args args;
    void (*plain)(gh_graph *g, gh_params *p);
} archs[] = {
    /* width, depth, input: table of the EfficientNet-Lite release (Liu, TensorFlow blog, March 2020) */
    {"efficientnet-lite0", {1.0, 1.0, 224}, NULL},
    {"efficientnet-lite1", {1.0, 1.1, 240}, NULL},
    {"efficientnet-lite2", {1.1, 1.2, 260}, NULL},
    {"efficientnet-lite3", {1.2, 1.4, 280}, NULL},
    {"efficientnet-lite4", {1.4, 1.8, 300}, NULL},
    {"retinaface-mobilenet0.25", {0, 0, 0}, gh_arch_retinaface},
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

gh_status gh_arch_build(gh_graph **out, const char *arch, gh_torch *weights, gh_err *e)
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
        if (archs[i].plain)
            archs[i].plain(g, &p);
        else
            gh_arch_efficientnet_lite(g, &p, &archs[i].args);
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
