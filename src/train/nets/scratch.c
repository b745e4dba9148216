/* Encoders of convolutions and max pooling. */
#include "train/nets/scratch.h"

#include "train/nets/layers.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int width, most; /* channels at stride 1; at most */
    int levels;      /* strides 1 << 0 .. levels - 1 */
} nets[] = {{"unet", 16, 256, 5}, {"segnet", 16, 128, 6}};

static uint32_t add_pool(gh_graph *g, uint32_t x, int level)
{
    char name[32];
    snprintf(name, sizeof name, "body/pool%d", 1 << level);
    x = gh_graph_op(g, "MaxPool", name, &x, 1);
    gh_graph_set_ints(g, x, "kernel_shape", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(g, x, "strides", (int64_t[]){2, 2}, 2);
    return x;
}

static uint32_t add_stage(gh_layers *b, uint32_t x, int level, int in, int out)
{
    char name[32];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "stage%d.%d", 1 << level, i);
        x = gh_layer_add_block(b, name, x,
                               &(gh_layer_conv){.in = i ? out : in, .out = out, .kernel = 3, .stride = 1});
    }
    return x;
}

gh_status gh_scratch_body(gh_graph **out, const gh_scratch_options *o, gh_err *e)
{
    gh_graph *g = NULL;
    size_t net = 0;
    while (net < GH_COUNT(nets) && strcmp(nets[net].name, o->name) != 0)
        net++;
    if (net == GH_COUNT(nets))
        return gh_fail(e, GH_ARG, "--from-scratch '%.40s' is not known; unet and segnet are", o->name);
    GH_TRY(gh_graph_new(&g, e));
    gh_layers b = {.g = g, .prefix = "body"};
    gh_rng_seed(&b.rng, o->seed);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){-1, 3, -1, -1}));
    int channels = 3, width = o->width ? o->width : nets[net].width;
    for (int level = 0; level < nets[net].levels; level++) {
        int wide = width << level < nets[net].most ? width << level : nets[net].most;
        if (level)
            x = add_pool(g, x, level);
        x = add_stage(&b, x, level, channels, wide);
        channels = wide;
    }
    gh_graph_output(g, x);
    gh_status status = gh_graph_check(g, e);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}
