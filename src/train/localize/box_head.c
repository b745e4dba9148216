/* The heads' nodes. Biases of the centres' logits begin where a cell is a centre once in ten (Zhou et al.
 * 2019), so that the first steps do not spend themselves on the background. */
#include "train/localize/box_head.h"

#include "engine/cut.h"
#include "engine/passes/passes.h"
#include "train/nets/layers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH   64
#define HIDDEN  256
#define LEVEL   3
#define MOST_AT 8      /* sides of the grid that the dense layer sees */
#define PRIOR   -2.19f /* logit of .1 */

static const char *const kinds[] = {"box", "detect"};

gh_status gh_box_head_kind_of(gh_box_head_kind *out, const char *name, gh_err *e)
{
    for (size_t i = 0; i < GH_COUNT(kinds); i++)
        if (strcmp(kinds[i], name) == 0) {
            *out = (gh_box_head_kind)i;
            return GH_OK;
        }
    return gh_fail(e, GH_ARG, "--head is '%.40s'; box (one object a picture) and detect are known", name);
}

size_t gh_box_head_outputs(gh_box_head_kind kind)
{
    return kind == GH_BOX_HEAD_BOX ? 2 : 3;
}

gh_status gh_box_head_levels(int *first, const gh_taps *taps, const gh_box_head_options *o, gh_err *e)
{
    int level = o->level ? o->level : LEVEL;
    *first = o->kind == GH_BOX_HEAD_BOX ? taps->deepest : level;
    if (*first <= taps->deepest)
        return GH_OK;
    return gh_fail(e, GH_UNSUPPORTED, "the body ends at stride %d; the head needs stride %d",
                   1 << taps->deepest, 1 << *first);
}

gh_status gh_box_head_keep(gh_graph *g, const uint32_t *values, size_t n, gh_err *e)
{
    g->noutputs = 0;
    for (size_t i = 0; i < n; i++)
        gh_graph_output(g, values[i]);
    GH_TRY(gh_graph_check(g, e));
    return gh_pass_dead(g, e);
}

/* ---- box ---- */

/* A dense layer over the whole grid, as a convolution of the grid's size: N x out x 1 x 1. */
static uint32_t add_dense(gh_layers *b, const char *name, uint32_t x, const int64_t in[3], int out,
                          double gain)
{
    char text[80];
    float *w = NULL, *bias = NULL;
    size_t sum = (size_t)(in[0] * in[1] * in[2]);
    snprintf(text, sizeof text, "%.20s/%.40s/weight", b->prefix, name);
    uint32_t weight =
        gh_graph_const_f32(b->g, text, gh_shape_of(4, (int64_t[]){out, in[0], in[1], in[2]}), &w);
    snprintf(text, sizeof text, "%.20s/%.40s/bias", b->prefix, name);
    uint32_t shift = gh_graph_const_f32(b->g, text, gh_shape_of(1, (int64_t[]){out}), &bias);
    for (size_t i = 0; w && i < sum * (size_t)out; i++)
        w[i] = (float)(gain * sqrt(2.0 / (double)sum)) * gh_rng_normal(&b->rng);
    for (int i = 0; bias && i < out; i++)
        bias[i] = 0;
    snprintf(text, sizeof text, "%.20s/%.40s", b->prefix, name);
    uint32_t y = gh_graph_op(b->g, "Conv", text, (uint32_t[]){x, weight, shift}, 3);
    gh_graph_set_ints(b->g, y, "kernel_shape", in + 1, 2);
    return y;
}

/* Halves the grid until neither side is over MOST_AT. */
static uint32_t add_pooling(gh_layers *b, uint32_t x, int *width, int *height)
{
    char name[32];
    for (int i = 0; *width > MOST_AT || *height > MOST_AT; i++) {
        snprintf(name, sizeof name, "%.12s/pool%d", b->prefix, i);
        x = gh_graph_op(b->g, "AveragePool", name, &x, 1);
        gh_graph_set_ints(b->g, x, "kernel_shape", (int64_t[]){2, 2}, 2);
        gh_graph_set_ints(b->g, x, "strides", (int64_t[]){2, 2}, 2);
        *width /= 2;
        *height /= 2;
    }
    return x;
}

static void add_box(uint32_t out[GH_BOX_OUTPUTS], gh_layers *b, const gh_taps *taps,
                    const gh_box_head_options *o)
{
    const gh_tap *t = &taps->at[taps->deepest];
    int channels = o->width ? o->width : WIDTH, hidden = o->hidden ? o->hidden : HIDDEN;
    int width = o->in_width >> taps->deepest, height = o->in_height >> taps->deepest;
    uint32_t x =
        gh_layer_add_block(b, "reduce", t->value,
                           &(gh_layer_conv){.in = t->channels, .out = channels, .kernel = 1, .stride = 1});
    x = add_pooling(b, x, &width, &height);
    const int64_t grid[] = {channels, height, width}, one[] = {hidden, 1, 1};
    x = gh_layer_add_relu(b, "relu", add_dense(b, "dense", x, grid, hidden, 1));
    out[0] = add_dense(b, "box", x, one, 4, 0.1);
    out[1] = add_dense(b, "score", x, one, o->classes, 0.1);
}

/* ---- detect ---- */

/* Two convolutions from the neck to one of the maps. */
static uint32_t add_map(gh_layers *b, const char *name, uint32_t x, int width, int out)
{
    char inner[32];
    snprintf(inner, sizeof inner, "%.20s/block", name);
    x = gh_layer_add_block(b, inner, x,
                           &(gh_layer_conv){.in = width, .out = width, .kernel = 3, .stride = 1});
    return gh_layer_add_conv(
        b, name, x,
        &(gh_layer_conv){.in = width, .out = out, .kernel = 1, .stride = 1, .bias = true, .gain = 0.1f});
}

/* Splits the two maps of a value of 4 channels into sizes and offsets. */
static void add_halves(uint32_t out[2], gh_graph *g, uint32_t x)
{
    static const int64_t halves[] = {2, 2};
    out[0] = gh_graph_value(g, GH_BOX_HEAD "sizes", GH_F32, (gh_shape){.rank = -1});
    out[1] = gh_graph_value(g, GH_BOX_HEAD "offsets", GH_F32, (gh_shape){.rank = -1});
    uint32_t parts =
        gh_graph_const(g, GH_BOX_HEAD "halves", GH_I64, gh_shape_of(1, (int64_t[]){2}), halves, true);
    gh_graph_node(g, "Split", GH_BOX_HEAD "split", (uint32_t[]){x, parts}, 2, out, 2);
    gh_graph_set_int(g, out[0], "axis", 1);
}

static void set_prior(gh_graph *g, uint32_t map, int classes)
{
    const gh_node *n = map == GH_NONE ? NULL : &g->nodes[g->values[map].producer];
    float *bias = n ? (float *)(uintptr_t)g->values[n->inputs[2]].data : NULL; /* ours, in the arena */
    for (int i = 0; bias && i < classes; i++)
        bias[i] = PRIOR;
}

static void add_detect(uint32_t out[GH_BOX_OUTPUTS], gh_layers *b, const gh_taps *taps, int first,
                       const gh_box_head_options *o)
{
    const gh_tap *t = &taps->at[taps->deepest];
    int width = o->width ? o->width : WIDTH;
    char name[32];
    uint32_t x = gh_layer_add_block(
        b, "neck", t->value, &(gh_layer_conv){.in = t->channels, .out = width, .kernel = 1, .stride = 1});
    for (int level = taps->deepest - 1; level >= first; level--) {
        t = &taps->at[level];
        snprintf(name, sizeof name, "up%d", 1 << level);
        x = gh_layer_add_nearest(b, name, x);
        snprintf(name, sizeof name, "side%d", 1 << level);
        uint32_t side = gh_layer_add_block(
            b, name, t->value, &(gh_layer_conv){.in = t->channels, .out = width, .kernel = 1, .stride = 1});
        snprintf(name, sizeof name, GH_BOX_HEAD "add%d", 1 << level);
        x = gh_graph_op(b->g, "Add", name, (uint32_t[]){x, side}, 2);
        snprintf(name, sizeof name, "neck%d", 1 << level);
        x = gh_layer_add_block(b, name, x,
                               &(gh_layer_conv){.in = width, .out = width, .kernel = 3, .stride = 1});
    }
    out[0] = add_map(b, "centre", x, width, o->classes);
    set_prior(b->g, out[0], o->classes);
    add_halves(out + 1, b->g, add_map(b, "place", x, width, 4));
}

gh_status gh_box_head_add(gh_graph *g, const gh_taps *taps, const gh_box_head_options *o, gh_err *e)
{
    gh_layers b = {.g = g, .prefix = "localize"};
    uint32_t out[GH_BOX_OUTPUTS];
    int first = 0;
    GH_TRY(gh_box_head_levels(&first, taps, o, e));
    gh_rng_seed(&b.rng, o->seed);
    if (o->kind == GH_BOX_HEAD_BOX)
        add_box(out, &b, taps, o);
    else
        add_detect(out, &b, taps, first, o);
    GH_TRY(gh_graph_check(g, e));
    GH_TRY(gh_box_head_keep(g, out, gh_box_head_outputs(o->kind), e));
    GH_TRY(gh_graph_unique_names(g, e));
    return gh_graph_bind(g, e);
}

/* ---- serving ---- */

static uint32_t add_output(gh_graph *g, const char *type, const char *name, const uint32_t *in, uint32_t nin,
                           gh_shape shape)
{
    uint32_t out = gh_graph_value(g, name, GH_F32, shape);
    if (out != GH_NONE)
        gh_graph_node(g, type, name, in, nin, &out, 1);
    return out;
}

/* The scores of cells that are the largest of their neighbourhood, 0 elsewhere. */
static uint32_t add_peaks(gh_graph *g, uint32_t logits, gh_shape shape)
{
    uint32_t heat = gh_graph_op(g, "Sigmoid", GH_BOX_HEAD "heat", &logits, 1);
    uint32_t most = gh_graph_op(g, "MaxPool", GH_BOX_HEAD "most", &heat, 1);
    gh_graph_set_ints(g, most, "kernel_shape", (int64_t[]){3, 3}, 2);
    gh_graph_set_ints(g, most, "strides", (int64_t[]){1, 1}, 2);
    gh_graph_set_ints(g, most, "pads", (int64_t[]){1, 1, 1, 1}, 4);
    uint32_t peak = gh_graph_op(g, "Equal", GH_BOX_HEAD "peak", (uint32_t[]){heat, most}, 2);
    uint32_t kept = gh_graph_op(g, "Cast", GH_BOX_HEAD "kept", &peak, 1);
    gh_graph_set_int(g, kept, "to", GH_F32);
    return add_output(g, "Mul", "heat", (uint32_t[]){heat, kept}, 2, shape);
}

/* Sigmoids of N x n x 1 x 1 as N x n. */
static uint32_t add_row(gh_graph *g, const char *name, uint32_t logits, int n)
{
    char text[32];
    snprintf(text, sizeof text, GH_BOX_HEAD "%.16s", name);
    uint32_t v = gh_graph_op(g, "Sigmoid", text, &logits, 1);
    return add_output(g, "Flatten", name, &v, 1, gh_shape_of(2, (int64_t[]){-1, n}));
}

gh_status gh_box_head_finish(gh_graph *g, const gh_box_head_options *o, gh_err *e)
{
    uint32_t out[GH_BOX_OUTPUTS];
    size_t n = gh_box_head_outputs(o->kind);
    int level = o->level ? o->level : LEVEL;
    if (g->noutputs != n)
        return gh_fail(e, GH_INTERNAL, "the head has %u outputs instead of %zu", g->noutputs, n);
    if (o->kind == GH_BOX_HEAD_BOX) {
        out[0] = add_row(g, "boxes", g->outputs[0], 4);
        out[1] = add_row(g, "scores", g->outputs[1], o->classes);
    } else {
        gh_shape two = gh_shape_of(4, (int64_t[]){-1, 2, o->in_height >> level, o->in_width >> level});
        gh_shape one = two;
        one.dims[1] = o->classes;
        out[0] = add_peaks(g, g->outputs[0], one);
        out[1] = add_output(g, "Identity", "size", &g->outputs[1], 1, two);
        out[2] = add_output(g, "Identity", "offset", &g->outputs[2], 1, two);
    }
    GH_TRY(gh_graph_check(g, e));
    GH_TRY(gh_box_head_keep(g, out, n, e));
    GH_TRY(gh_graph_unique_names(g, e));
    return gh_graph_bind(g, e);
}
