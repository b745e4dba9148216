/* Random networks. Sizes are followed while building, since weights and paddings depend on them. */
#include "unit/random_net.h"

#include "base/mem.h"
#include "unit/random_maker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t activation(rn_maker *m, uint32_t v)
{
    static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish"};
    uint32_t in[3] = {v, GH_NONE, GH_NONE};
    int kind = rn_below(m, 8);
    if (kind < 4)
        return rn_op1(m, plain[m->opset < 14 ? kind % 3 : kind], v); /* HardSwish came with opset 14 */
    if (kind == 4) {
        v = rn_op1(m, "LeakyRelu", v);
        gh_graph_set_float(m->g, v, "alpha", 0.1f);
        return v;
    }
    if (kind == 5) {
        v = rn_op1(m, "HardSigmoid", v);
        gh_graph_set_float(m->g, v, "alpha", 1.0f / 6);
        return v;
    }
    if (kind == 6 || rn_maybe(m))
        in[1] = rn_constant(m, gh_shape_of(0, NULL), kind == 6 ? 0 : -0.5f, 0);
    if (kind == 6 || in[1] == GH_NONE)
        in[2] = rn_constant(m, gh_shape_of(0, NULL), kind == 6 ? 6 : 0.75f, 0);
    return rn_op(m, "Clip", in, in[2] == GH_NONE ? 2 : 3);
}

static uint32_t batch_norm(rn_maker *m, uint32_t v, int c)
{
    uint32_t in[5] = {v, rn_vector(m, c, 1, 0.5f), rn_vector(m, c, 0, 0.5f), rn_vector(m, c, 0, 0.5f),
                      rn_vector(m, c, 1, 0.5f)};
    v = rn_op(m, "BatchNormalization", in, 5);
    if (rn_maybe(m))
        gh_graph_set_float(m->g, v, "epsilon", 0.001f);
    return v;
}

typedef struct window {
    int k[2], stride[2], dilation[2], pad[4];
} window;

static int out_side(int in, const window *w, int axis)
{
    int reach = w->dilation[axis] * (w->k[axis] - 1) + 1;
    return (in + w->pad[axis] + w->pad[axis + 2] - reach) / w->stride[axis] + 1;
}

/* A window that gives at least one pixel: where it would not, a 1x1 that changes nothing. */
static window random_window(rn_maker *m, rn_map v, bool dilate)
{
    static const int sides[] = {1, 1, 2, 3, 3, 3, 5};
    window w;
    for (int a = 0; a < 2; a++) {
        w.k[a] = a && rn_maybe(m) ? w.k[0] : sides[rn_below(m, 7)];
        w.stride[a] = a && rn_below(m, 4) ? w.stride[0] : 1 + rn_below(m, 5) / 3;
        w.dilation[a] = dilate && rn_below(m, 5) == 0 ? 2 : 1;
        w.pad[a] = rn_below(m, w.k[a]);
        w.pad[a + 2] = rn_maybe(m) ? w.pad[a] : rn_below(m, w.k[a]);
        int least = m->flags & RN_FREE_SIZE ? 8 : 0, side = a ? v.w : v.h;
        if (w.dilation[a] * (w.k[a] - 1) + 1 > side - least)
            w.k[a] = w.stride[a] = w.dilation[a] = 1, w.pad[a] = w.pad[a + 2] = 0;
    }
    return w;
}

/* A window of odd sides that keeps the size. */
static window same_window(rn_maker *m)
{
    window w = {.stride = {1, 1}, .dilation = {1, 1}};
    for (int a = 0; a < 2; a++) {
        w.k[a] = 1 + 2 * rn_below(m, 2);
        w.pad[a] = w.pad[a + 2] = w.k[a] / 2;
    }
    return w;
}

static void set_window(rn_maker *m, uint32_t v, const window *w, bool kernel)
{
    int64_t k[] = {w->k[0], w->k[1]}, s[] = {w->stride[0], w->stride[1]};
    int64_t d[] = {w->dilation[0], w->dilation[1]}, p[] = {w->pad[0], w->pad[1], w->pad[2], w->pad[3]};
    if (kernel)
        gh_graph_set_ints(m->g, v, "kernel_shape", k, 2);
    gh_graph_set_ints(m->g, v, "strides", s, 2);
    gh_graph_set_ints(m->g, v, "pads", p, 4);
    if (d[0] != 1 || d[1] != 1)
        gh_graph_set_ints(m->g, v, "dilations", d, 2);
}

/* Convolution, then perhaps a batch norm; values between are kept for others now and then. */
static rn_map conv_with(rn_maker *m, rn_map v, int oc, int groups, const window *w)
{
    int64_t dims[] = {oc, v.c / groups, w->k[0], w->k[1]};
    float spread = 1.5f / sqrtf((float)(dims[1] * dims[2] * dims[3]));
    uint32_t in[3] = {v.id, rn_constant(m, gh_shape_of(4, dims), 0, spread), GH_NONE};
    if (rn_maybe(m))
        in[2] = rn_vector(m, oc, 0, 0.5f);
    rn_map out = {rn_op(m, "Conv", in, in[2] == GH_NONE ? 2 : 3), oc, out_side(v.h, w, 0),
                  out_side(v.w, w, 1), false};
    set_window(m, out.id, w, rn_maybe(m));
    if (groups != 1)
        gh_graph_set_int(m->g, out.id, "group", groups);
    if (rn_below(m, 12) == 0)
        rn_keep(m, out);
    if (rn_maybe(m))
        out.id = batch_norm(m, out.id, oc);
    return out;
}

static rn_map conv(rn_maker *m)
{
    static const int channels[] = {1, 3, 4, 8, 12, 16, 17, 24, 33};
    rn_map v = rn_pick(m);
    window w = random_window(m, v, true);
    int oc = channels[rn_below(m, 9)], groups = 1, kind = rn_below(m, 5);
    if (kind == 0)
        groups = oc = v.c;
    if (kind == 1 && v.c % 2 == 0)
        groups = 2, oc += oc % 2;
    rn_map out = conv_with(m, v, oc, groups, &w);
    if (rn_below(m, 3))
        out.id = activation(m, out.id);
    return rn_keep(m, out);
}

static rn_map residual(rn_maker *m)
{
    rn_map x = rn_pick(m), y = x;
    window w = same_window(m);
    int kind = rn_below(m, 5);
    rn_map a = conv_with(m, x, x.c, kind == 0 ? x.c : 1, &w);
    if (kind == 1) { /* both sides are convolutions */
        w = same_window(m);
        y = conv_with(m, x, x.c, 1, &w);
    }
    if (kind == 2) { /* a convolution after a convolution */
        a.id = activation(m, a.id);
        w = same_window(m);
        a = conv_with(m, a, x.c, 1, &w);
    }
    a.id = rn_maybe(m) ? rn_op2(m, "Add", a.id, y.id) : rn_op2(m, "Add", y.id, a.id);
    if (rn_below(m, 6) == 0)
        rn_keep(m, a);
    if (rn_maybe(m))
        a.id = activation(m, a.id);
    return rn_keep(m, a);
}

/* Element by element, with another value of the same size, with itself, or with constants that are repeated.
 */
static rn_map binary(rn_maker *m)
{
    static const char *const types[] = {"Add", "Sub", "Mul", "Min", "Max"};
    rn_map a = rn_pick(m), b = rn_pick(m);
    const char *type = types[rn_below(m, 5)];
    if (a.c != b.c || a.h != b.h || a.w != b.w) {
        int64_t dims[] = {rn_maybe(m) ? 1 : a.c, 1, 1};
        b.id = rn_constant(m, gh_shape_of(3, dims), 0.5f, 1);
    }
    a.id = rn_maybe(m) ? rn_op2(m, type, a.id, b.id) : rn_op2(m, type, b.id, a.id);
    a.exact = false;
    if (strcmp(type, "Mul") == 0) /* so that products of products stay small */
        a.id = rn_op1(m, "Tanh", a.id);
    else if (rn_maybe(m))
        a.id = activation(m, a.id);
    return rn_keep(m, a);
}

static rn_map pool(rn_maker *m)
{
    rn_map v = rn_pick(m);
    window w = random_window(m, v, false);
    bool average = rn_maybe(m);
    rn_map out = {rn_op1(m, average ? "AveragePool" : "MaxPool", v.id), v.c, out_side(v.h, &w, 0),
                  out_side(v.w, &w, 1), v.exact && !average};
    set_window(m, out.id, &w, true);
    if (average && rn_maybe(m))
        gh_graph_set_int(m->g, out.id, "count_include_pad", 1);
    return rn_keep(m, out);
}

static rn_map concat(rn_maker *m)
{
    rn_map a = rn_pick(m), b = rn_pick(m);
    if (a.h != b.h || a.w != b.w || a.c + b.c > 70)
        return a;
    a.id = rn_op2(m, "Concat", a.id, b.id);
    gh_graph_set_int(m->g, a.id, "axis", 1);
    a.c += b.c;
    a.exact = a.exact && b.exact;
    return rn_keep(m, a);
}

/* Squeeze and excitation: one factor a channel, from the channel's mean (Hu et al. 2018). */
static rn_map excite(rn_maker *m)
{
    rn_map v = rn_pick(m), s = {.c = v.c, .h = 1, .w = 1};
    window w = {.k = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    s.id = rn_op1(m, "GlobalAveragePool", v.id);
    s = conv_with(m, s, 1 + v.c / 4, 1, &w);
    s.id = rn_op1(m, "Relu", s.id);
    s = conv_with(m, s, v.c, 1, &w);
    s.id = rn_op1(m, "Sigmoid", s.id);
    v.id = rn_maybe(m) ? rn_op2(m, "Mul", v.id, s.id) : rn_op2(m, "Mul", s.id, v.id);
    v.exact = false;
    return rn_keep(m, v);
}

/* Outputs that are views of values which others may overwrite, or that turn them. */
static void view_output(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int64_t shape[] = {0, -1};
    uint32_t out;
    switch (rn_below(m, 4)) {
    case 0:
        out = rn_op2(m, "Reshape", v.id, rn_ints(m, shape, 2));
        break;
    case 1:
        out = rn_op1(m, "Flatten", v.id);
        break;
    case 2:
        out = rn_op1(m, "Transpose", v.id);
        gh_graph_set_ints(m->g, out, "perm", (int64_t[]){0, 2, 3, 1}, 4);
        break;
    default:
        out = rn_op1(m, "Identity", v.id);
    }
    if (rn_maybe(m))
        gh_graph_output(m->g, rn_op1(m, "Relu", out));
    gh_graph_output(m->g, out);
}

static void head(rn_maker *m)
{
    rn_map v = rn_pick(m);
    uint32_t in[3] = {rn_op1(m, rn_maybe(m) ? "GlobalAveragePool" : "GlobalMaxPool", v.id), GH_NONE, GH_NONE};
    int classes = 1 + rn_below(m, 20);
    bool turned = rn_maybe(m);
    in[0] = rn_op1(m, "Flatten", in[0]);
    int64_t dims[] = {turned ? classes : v.c, turned ? v.c : classes};
    in[1] = rn_constant(m, gh_shape_of(2, dims), 0, 0.5f);
    in[2] = rn_vector(m, classes, 0, 0.5f);
    uint32_t out = rn_op(m, "Gemm", in, rn_maybe(m) ? 3 : 2);
    if (turned)
        gh_graph_set_int(m->g, out, "transB", 1);
    if (rn_maybe(m))
        out = activation(m, out);
    gh_graph_output(m->g, rn_op1(m, "Softmax", out));
}

static void odd_outputs(rn_maker *m, uint32_t input)
{
    if (rn_maybe(m))
        gh_graph_output(m->g, input);
    if (rn_maybe(m))
        gh_graph_output(m->g, m->g->outputs[rn_below(m, (int)m->g->noutputs)]);
    if (rn_maybe(m))
        gh_graph_output(m->g, rn_vector(m, 3, 0, 1));
}

static const rn_part parts[] = {conv, conv, conv, residual, residual, binary, pool, concat, excite};

static rn_map input(rn_maker *m)
{
    static const int channels[] = {1, 3, 4, 8, 16, 20};
    rn_map x = {
        .c = channels[rn_below(m, 6)], .h = 7 + rn_below(m, 12), .w = 7 + rn_below(m, 12), .exact = true};
    m->n = 1 + rn_below(m, 5) / 4;
    int64_t dims[] = {m->n, x.c, x.h, x.w};
    if (m->flags & RN_FREE_SIZE) {
        x.h = x.w = 24; /* the least that the caller gives */
        dims[2] = dims[3] = -1;
    }
    x.id = gh_graph_input(m->g, "x", GH_F32, gh_shape_of(4, dims));
    return rn_keep(m, x);
}

static void fill(rn_maker *m)
{
    rn_map x = input(m), last = x;
    for (int i = 3 + rn_below(m, 10); i > 0; i--) {
        last = parts[rn_below(m, GH_COUNT(parts))](m);
        if (rn_below(m, 5) == 0)
            view_output(m);
        if (rn_below(m, 8) == 0 && m->nmaps > 1)
            gh_graph_output(m->g, m->maps[1 + rn_below(m, m->nmaps - 1)].id);
    }
    gh_graph_output(m->g, last.id == x.id ? rn_op1(m, "Relu", x.id) : last.id);
    head(m);
    if (m->flags & RN_ODD_OUTPUTS)
        odd_outputs(m, x.id);
}

/* Parts of every family, as long as the last one surely fits into RN_WIDE_NODES. */
static void fill_wide(rn_maker *m)
{
    int target = 8 + rn_below(m, RN_WIDE_NODES - 7);
    rn_map x = input(m), last = x;
    while ((int)m->g->nnodes + RN_LONGEST_PART < target) {
        int family = rn_below(m, 5);
        const rn_part *from = family == 0 ? parts : family < 3 ? rn_moves : rn_math;
        int n = family == 0 ? (int)GH_COUNT(parts) : family < 3 ? rn_moves_count : rn_math_count;
        last = from[rn_below(m, n)](m);
        if (rn_below(m, 6) == 0 && last.id != x.id)
            gh_graph_output(m->g, last.id);
    }
    gh_graph_output(m->g, last.id == x.id ? rn_op1(m, "Relu", x.id) : last.id);
}

/* Other runtimes want each output once. */
static void drop_repeated(gh_graph *g)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->noutputs; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < kept; k++)
            seen |= g->outputs[k] == g->outputs[i];
        if (!seen)
            g->outputs[kept++] = g->outputs[i];
    }
    g->noutputs = kept;
}

gh_graph *rn_build(uint64_t seed, unsigned flags)
{
    static const int opsets[] = {13, 15, 17, 18, 19, 20, 21};
    rn_maker m = {.flags = flags};
    gh_rng_seed(&m.rng, seed);
    if (gh_graph_new(&m.g, NULL))
        return NULL;
    m.opset = 17;
    if (flags & RN_WIDE)
        m.opset = opsets[rn_below(&m, GH_COUNT(opsets))];
    m.g->opsets[0].version = m.opset;
    if (flags & RN_WIDE)
        fill_wide(&m);
    else
        fill(&m);
    if (gh_graph_check(m.g, NULL))
        gh_graph_free(&m.g);
    else if (!(flags & RN_ODD_OUTPUTS))
        drop_repeated(m.g);
    return m.g;
}
