/* A 1x1 convolution from colours to brightness. */
#include "train/nets/grey.h"

#include <string.h>

#define NAME   "body/grey"
#define WEIGHT NAME "/weight"
#define BIAS   NAME "/bias"

static const float share[3] = {.299f, .587f, .114f}; /* of red, green and blue in Y: ITU-R BT.601 */

bool gh_grey_is(const char *name)
{
    return strcmp(name, WEIGHT) == 0 || strcmp(name, BIAS) == 0;
}

static uint32_t add_conv(gh_graph *g, const uint32_t *in, uint32_t n)
{
    uint32_t x = gh_graph_op(g, "Conv", NAME, in, n);
    gh_graph_set_ints(g, x, "kernel_shape", (int64_t[]){1, 1}, 2);
    return x;
}

uint32_t gh_grey_one(gh_graph *g, uint32_t pixels)
{
    uint32_t w = gh_graph_const(g, WEIGHT, GH_F32, gh_shape_of(4, (int64_t[]){1, 3, 1, 1}), share, true);
    return add_conv(g, (uint32_t[]){pixels, w}, 2);
}

/* Channel c is (v - mean) * scale: that of the brightness, from the three that are there. */
static void fill(float weight[3][3], float bias[3], const gh_manifest_input *input)
{
    for (int c = 0; c < 3; c++) {
        double mean = 0;
        for (int k = 0; k < 3; k++) {
            float part = share[input->order == GH_ORDER_BGR ? 2 - k : k];
            weight[c][k] = part * input->scale[c] / input->scale[k];
            mean += (double)part * (double)input->mean[k];
        }
        bias[c] = (float)((mean - (double)input->mean[c]) * (double)input->scale[c]);
    }
}

gh_status gh_grey_entry(gh_graph *g, const gh_manifest_input *input, gh_err *e)
{
    float weight[3][3], bias[3];
    const uint32_t pixels = g->inputs[0], nnodes = g->nnodes;
    const gh_shape *shape = &g->values[pixels].shape;
    if (shape->rank != 4 || shape->dims[1] != 3)
        return gh_fail(e, GH_UNSUPPORTED, "the body does not see colours, so grey makes no difference to it");
    fill(weight, bias, input);
    uint32_t w = gh_graph_const(g, WEIGHT, GH_F32, gh_shape_of(4, (int64_t[]){3, 3, 1, 1}), weight, true);
    uint32_t b = gh_graph_const(g, BIAS, GH_F32, gh_shape_of(1, (int64_t[]){3}), bias, true);
    uint32_t grey = add_conv(g, (uint32_t[]){pixels, w, b}, 3);
    GH_TRY(gh_graph_check(g, e));
    for (uint32_t i = 0; i < nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] == pixels)
                g->nodes[i].inputs[k] = grey;
    return GH_OK;
}
