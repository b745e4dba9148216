/* Random networks. Sizes are followed while building, since weights and paddings depend on them. */
#include "unit/random_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST 96

/* A picture-shaped value: n x c x h x w. */
typedef struct map {
    uint32_t id;
    int c, h, w;
} map;

typedef struct maker {
    gh_graph *g;
    gh_rng rng;
    unsigned flags;
    int n, names;
    map maps[MOST];
    int nmaps;
} maker;

static int below(maker *m, int n)
{
    return (int)gh_rng_below(&m->rng, (uint64_t)n);
}

static bool maybe(maker *m)
{
    return below(m, 2) == 0;
}

static const char *name_of(maker *m, char *text, const char *what)
{
    snprintf(text, 32, "%s%d", what, m->names++);
    return text;
}

void rn_fill(gh_rng *rng, float *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data[i] = 4 * gh_rng_float(rng) - 2;
}

/* A constant with elements in centre +- spread. */
static uint32_t constant(maker *m, gh_shape shape, float centre, float spread)
{
    char name[32];
    float *data = NULL;
    size_t count = 0;
    uint32_t id = gh_graph_const_f32(m->g, name_of(m, name, "w"), shape, &data);
    if (id == GH_NONE || !gh_shape_count(&count, &shape))
        return GH_NONE;
    for (size_t i = 0; i < count; i++)
        data[i] = centre + spread * (2 * gh_rng_float(&m->rng) - 1);
    return id;
}

static uint32_t vector(maker *m, int n, float centre, float spread)
{
    return constant(m, gh_shape_of(1, (int64_t[]){n}), centre, spread);
}

static uint32_t ints(maker *m, const int64_t *values, int n)
{
    char name[32];
    return gh_graph_const(m->g, name_of(m, name, "i"), GH_I64, gh_shape_of(1, (int64_t[]){n}), values, true);
}

static uint32_t op(maker *m, const char *type, const uint32_t *in, uint32_t n)
{
    char name[32];
    return gh_graph_op(m->g, type, name_of(m, name, "n"), in, n);
}

static uint32_t op1(maker *m, const char *type, uint32_t a)
{
    return op(m, type, &a, 1);
}

static uint32_t op2(maker *m, const char *type, uint32_t a, uint32_t b)
{
    uint32_t in[2] = {a, b};
    return op(m, type, in, 2);
}

static map keep(maker *m, map v)
{
    if (m->nmaps < MOST)
        m->maps[m->nmaps++] = v;
    return v;
}

/* A value made before, rather a late one. */
static map pick(maker *m)
{
    int back = below(m, m->nmaps < 4 || maybe(m) ? m->nmaps : 4);
    return m->maps[m->nmaps - 1 - back];
}

static uint32_t activation(maker *m, uint32_t v)
{
    static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish"};
    uint32_t in[3] = {v, GH_NONE, GH_NONE};
    int kind = below(m, 8);
    if (kind < 4)
        return op1(m, plain[kind], v);
    if (kind == 4) {
        v = op1(m, "LeakyRelu", v);
        gh_graph_set_float(m->g, v, "alpha", 0.1f);
        return v;
    }
    if (kind == 5) {
        v = op1(m, "HardSigmoid", v);
        gh_graph_set_float(m->g, v, "alpha", 1.0f / 6);
        return v;
    }
    if (kind == 6 || maybe(m))
        in[1] = constant(m, gh_shape_of(0, NULL), kind == 6 ? 0 : -0.5f, 0);
    if (kind == 6 || in[1] == GH_NONE)
        in[2] = constant(m, gh_shape_of(0, NULL), kind == 6 ? 6 : 0.75f, 0);
    return op(m, "Clip", in, in[2] == GH_NONE ? 2 : 3);
}

static uint32_t batch_norm(maker *m, uint32_t v, int c)
{
    uint32_t in[5] = {v, vector(m, c, 1, 0.5f), vector(m, c, 0, 0.5f), vector(m, c, 0, 0.5f),
                      vector(m, c, 1, 0.5f)};
    v = op(m, "BatchNormalization", in, 5);
    if (maybe(m))
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
static window random_window(maker *m, map v, bool dilate)
{
    static const int sides[] = {1, 1, 2, 3, 3, 3, 5};
    window w;
    for (int a = 0; a < 2; a++) {
        w.k[a] = a && maybe(m) ? w.k[0] : sides[below(m, 7)];
        w.stride[a] = a && below(m, 4) ? w.stride[0] : 1 + below(m, 5) / 3;
        w.dilation[a] = dilate && below(m, 5) == 0 ? 2 : 1;
        w.pad[a] = below(m, w.k[a]);
        w.pad[a + 2] = maybe(m) ? w.pad[a] : below(m, w.k[a]);
        int least = m->flags & RN_FREE_SIZE ? 8 : 0, side = a ? v.w : v.h;
        if (w.dilation[a] * (w.k[a] - 1) + 1 > side - least)
            w.k[a] = w.stride[a] = w.dilation[a] = 1, w.pad[a] = w.pad[a + 2] = 0;
    }
    return w;
}

/* A window of odd sides that keeps the size. */
static window same_window(maker *m)
{
    window w = {.stride = {1, 1}, .dilation = {1, 1}};
    for (int a = 0; a < 2; a++) {
        w.k[a] = 1 + 2 * below(m, 2);
        w.pad[a] = w.pad[a + 2] = w.k[a] / 2;
    }
    return w;
}

static void set_window(maker *m, uint32_t v, const window *w, bool kernel)
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
static map conv_with(maker *m, map v, int oc, int groups, const window *w)
{
    int64_t dims[] = {oc, v.c / groups, w->k[0], w->k[1]};
    float spread = 1.5f / sqrtf((float)(dims[1] * dims[2] * dims[3]));
    uint32_t in[3] = {v.id, constant(m, gh_shape_of(4, dims), 0, spread), GH_NONE};
    if (maybe(m))
        in[2] = vector(m, oc, 0, 0.5f);
    map out = {op(m, "Conv", in, in[2] == GH_NONE ? 2 : 3), oc, out_side(v.h, w, 0), out_side(v.w, w, 1)};
    set_window(m, out.id, w, maybe(m));
    if (groups != 1)
        gh_graph_set_int(m->g, out.id, "group", groups);
    if (below(m, 12) == 0)
        keep(m, out);
    if (maybe(m))
        out.id = batch_norm(m, out.id, oc);
    return out;
}

static map conv(maker *m)
{
    static const int channels[] = {1, 3, 4, 8, 12, 16, 17, 24, 33};
    map v = pick(m);
    window w = random_window(m, v, true);
    int oc = channels[below(m, 9)], groups = 1, kind = below(m, 5);
    if (kind == 0)
        groups = oc = v.c;
    if (kind == 1 && v.c % 2 == 0)
        groups = 2, oc += oc % 2;
    map out = conv_with(m, v, oc, groups, &w);
    if (below(m, 3))
        out.id = activation(m, out.id);
    return keep(m, out);
}

static map residual(maker *m)
{
    map x = pick(m), y = x;
    window w = same_window(m);
    int kind = below(m, 5);
    map a = conv_with(m, x, x.c, kind == 0 ? x.c : 1, &w);
    if (kind == 1) { /* both sides are convolutions */
        w = same_window(m);
        y = conv_with(m, x, x.c, 1, &w);
    }
    if (kind == 2) { /* a convolution after a convolution */
        a.id = activation(m, a.id);
        w = same_window(m);
        a = conv_with(m, a, x.c, 1, &w);
    }
    a.id = maybe(m) ? op2(m, "Add", a.id, y.id) : op2(m, "Add", y.id, a.id);
    if (below(m, 6) == 0)
        keep(m, a);
    if (maybe(m))
        a.id = activation(m, a.id);
    return keep(m, a);
}

/* Element by element, with another value of the same size, with itself, or with constants that are repeated.
 */
static map binary(maker *m)
{
    static const char *const types[] = {"Add", "Sub", "Mul", "Min", "Max"};
    map a = pick(m), b = pick(m);
    const char *type = types[below(m, 5)];
    if (a.c != b.c || a.h != b.h || a.w != b.w) {
        int64_t dims[] = {maybe(m) ? 1 : a.c, 1, 1};
        b.id = constant(m, gh_shape_of(3, dims), 0.5f, 1);
    }
    a.id = maybe(m) ? op2(m, type, a.id, b.id) : op2(m, type, b.id, a.id);
    if (strcmp(type, "Mul") == 0) /* so that products of products stay small */
        a.id = op1(m, "Tanh", a.id);
    else if (maybe(m))
        a.id = activation(m, a.id);
    return keep(m, a);
}

static map pool(maker *m)
{
    map v = pick(m);
    window w = random_window(m, v, false);
    bool average = maybe(m);
    map out = {op1(m, average ? "AveragePool" : "MaxPool", v.id), v.c, out_side(v.h, &w, 0),
               out_side(v.w, &w, 1)};
    set_window(m, out.id, &w, true);
    if (average && maybe(m))
        gh_graph_set_int(m->g, out.id, "count_include_pad", 1);
    return keep(m, out);
}

static map concat(maker *m)
{
    map a = pick(m), b = pick(m);
    if (a.h != b.h || a.w != b.w || a.c + b.c > 70)
        return a;
    a.id = op2(m, "Concat", a.id, b.id);
    gh_graph_set_int(m->g, a.id, "axis", 1);
    a.c += b.c;
    return keep(m, a);
}

/* Squeeze and excitation: one factor a channel, from the channel's mean (Hu et al. 2018). */
static map excite(maker *m)
{
    map v = pick(m), s = {.c = v.c, .h = 1, .w = 1};
    window w = {.k = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    s.id = op1(m, "GlobalAveragePool", v.id);
    s = conv_with(m, s, 1 + v.c / 4, 1, &w);
    s.id = op1(m, "Relu", s.id);
    s = conv_with(m, s, v.c, 1, &w);
    s.id = op1(m, "Sigmoid", s.id);
    v.id = maybe(m) ? op2(m, "Mul", v.id, s.id) : op2(m, "Mul", s.id, v.id);
    return keep(m, v);
}

/* Outputs that are views of values which others may overwrite, or that turn them. */
static void view_output(maker *m)
{
    map v = pick(m);
    int64_t shape[] = {0, -1};
    uint32_t out;
    switch (below(m, 4)) {
    case 0:
        out = op2(m, "Reshape", v.id, ints(m, shape, 2));
        break;
    case 1:
        out = op1(m, "Flatten", v.id);
        break;
    case 2:
        out = op1(m, "Transpose", v.id);
        gh_graph_set_ints(m->g, out, "perm", (int64_t[]){0, 2, 3, 1}, 4);
        break;
    default:
        out = op1(m, "Identity", v.id);
    }
    if (maybe(m))
        gh_graph_output(m->g, op1(m, "Relu", out));
    gh_graph_output(m->g, out);
}

static void head(maker *m)
{
    map v = pick(m);
    uint32_t in[3] = {op1(m, maybe(m) ? "GlobalAveragePool" : "GlobalMaxPool", v.id), GH_NONE, GH_NONE};
    int classes = 1 + below(m, 20);
    bool turned = maybe(m);
    in[0] = op1(m, "Flatten", in[0]);
    int64_t dims[] = {turned ? classes : v.c, turned ? v.c : classes};
    in[1] = constant(m, gh_shape_of(2, dims), 0, 0.5f);
    in[2] = vector(m, classes, 0, 0.5f);
    uint32_t out = op(m, "Gemm", in, maybe(m) ? 3 : 2);
    if (turned)
        gh_graph_set_int(m->g, out, "transB", 1);
    if (maybe(m))
        out = activation(m, out);
    gh_graph_output(m->g, op1(m, "Softmax", out));
}

static void odd_outputs(maker *m, uint32_t input)
{
    if (maybe(m))
        gh_graph_output(m->g, input);
    if (maybe(m))
        gh_graph_output(m->g, m->g->outputs[below(m, (int)m->g->noutputs)]);
    if (maybe(m))
        gh_graph_output(m->g, vector(m, 3, 0, 1));
}

static void fill(maker *m)
{
    static map (*const parts[])(maker *) = {conv,   conv, conv,   residual, residual,
                                            binary, pool, concat, excite};
    static const int channels[] = {1, 3, 4, 8, 16, 20};
    map x = {.c = channels[below(m, 6)], .h = 7 + below(m, 12), .w = 7 + below(m, 12)};
    m->n = 1 + below(m, 5) / 4;
    int64_t dims[] = {m->n, x.c, x.h, x.w};
    if (m->flags & RN_FREE_SIZE) {
        x.h = x.w = 24; /* the least that the caller gives */
        dims[2] = dims[3] = -1;
    }
    x.id = gh_graph_input(m->g, "x", GH_F32, gh_shape_of(4, dims));
    keep(m, x);
    map last = x;
    for (int i = 3 + below(m, 10); i > 0; i--) {
        last = parts[below(m, 9)](m);
        if (below(m, 5) == 0)
            view_output(m);
        if (below(m, 8) == 0 && m->nmaps > 1)
            gh_graph_output(m->g, m->maps[1 + below(m, m->nmaps - 1)].id);
    }
    gh_graph_output(m->g, last.id == x.id ? op1(m, "Relu", x.id) : last.id);
    head(m);
    if (m->flags & RN_ODD_OUTPUTS)
        odd_outputs(m, x.id);
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
    maker m = {.flags = flags};
    gh_rng_seed(&m.rng, seed);
    if (gh_graph_new(&m.g, NULL))
        return NULL;
    m.g->opsets[0].version = 17;
    fill(&m);
    if (gh_graph_check(m.g, NULL))
        gh_graph_free(&m.g);
    else if (!(flags & RN_ODD_OUTPUTS))
        drop_repeated(m.g);
    return m.g;
}
