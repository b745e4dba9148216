/* Parts of random networks that compute: functions, powers, choices, reductions, sums of products, norms.
 * What jumps (floor, comparisons, places of the best) reads exact values only. */
#include "base/mem.h"
#include "unit/random_maker.h"

#include "engine/op.h"

#include <string.h>

static rn_map inexact(rn_map v, uint32_t id)
{
    v.id = id;
    v.exact = false;
    return v;
}

/* |v| + some: what logarithms, roots and quotients can stand. */
static uint32_t positive(rn_maker *m, uint32_t v)
{
    return rn_op2(m, "Add", rn_op1(m, "Abs", v), rn_scalar(m, 0.5f));
}

static rn_map unary(rn_maker *m)
{
    enum { ANY, POSITIVE, SMALL, JUMPS, EXACT };
    static const struct {
        const char *type;
        int needs;
    } kinds[] = {{"Abs", EXACT},
                 {"Neg", EXACT},
                 {"Relu", EXACT},
                 {"Sqrt", POSITIVE},
                 {"Log", POSITIVE},
                 {"Exp", SMALL},
                 {"Reciprocal", POSITIVE},
                 {"Erf", ANY},
                 {"Softplus", ANY},
                 {"Softsign", ANY},
                 {"Elu", ANY},
                 {"Selu", ANY},
                 {"Celu", ANY},
                 {"Mish", ANY},
                 {"Gelu", ANY},
                 {"HardSigmoid", ANY},
                 {"ThresholdedRelu", JUMPS},
                 {"Sign", JUMPS},
                 {"Floor", JUMPS},
                 {"Ceil", JUMPS},
                 {"Round", JUMPS},
                 {"Sin", ANY},
                 {"Cos", ANY},
                 {"Atan", ANY}};
    int kind = rn_below(m, GH_COUNT(kinds)), needs = kinds[kind].needs;
    rn_map v = needs == JUMPS ? rn_pick_exact(m) : rn_pick(m);
    if (!gh_op_find("", kinds[kind].type, m->opset))
        return v;
    uint32_t in = needs == POSITIVE ? positive(m, v.id) : needs == SMALL ? rn_op1(m, "Tanh", v.id) : v.id;
    v.exact = v.exact && needs >= JUMPS;
    v.id = rn_op1(m, kinds[kind].type, in);
    return rn_keep(m, v);
}

static rn_map power(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int kind = rn_below(m, 4);
    int64_t two = 2;
    uint32_t exponent = kind == 0   ? rn_scalar(m, 2)
                        : kind == 1 ? rn_constant(m, gh_shape_of(3, (int64_t[]){v.c, 1, 1}), 0.5f, 1)
                        : kind == 2 ? gh_graph_const(m->g, "", GH_I64, gh_shape_of(0, NULL), &two, true)
                                    : rn_scalar(m, -0.75f);
    uint32_t base = kind % 2 ? positive(m, rn_op1(m, "Tanh", v.id)) : rn_op1(m, "Tanh", v.id);
    return rn_keep(m, inexact(v, rn_op2(m, "Pow", base, exponent)));
}

static uint32_t comparison(rn_maker *m, rn_map v)
{
    static const char *const types[] = {"Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"};
    rn_map other = rn_pick_like(m, v);
    uint32_t right = other.exact && rn_maybe(m)
                         ? other.id
                         : rn_constant(m, gh_shape_of(3, (int64_t[]){rn_maybe(m) ? v.c : 1, 1, 1}), 0, 1);
    return rn_typed(m, rn_op2(m, types[rn_below(m, 5)], v.id, right), GH_BOOL);
}

static rn_map where(rn_maker *m)
{
    static const char *const logic[] = {"And", "Or", "Xor"};
    rn_map v = rn_pick_exact(m), a = rn_pick_like(m, v), b = rn_pick_like(m, v);
    uint32_t choice = comparison(m, v);
    if (rn_maybe(m))
        choice = rn_typed(m, rn_op2(m, logic[rn_below(m, 3)], choice, comparison(m, v)), GH_BOOL);
    if (rn_maybe(m))
        choice = rn_typed(m, rn_op1(m, "Not", choice), GH_BOOL);
    if (rn_below(m, 4) == 0)
        gh_graph_output(m->g, choice);
    bool repeated = rn_maybe(m);
    uint32_t other = repeated ? rn_constant(m, gh_shape_of(2, (int64_t[]){1, v.w}), 0, 1) : b.id;
    a.exact = a.exact && (repeated || b.exact);
    a.id = rn_maybe(m) ? rn_op3(m, "Where", choice, a.id, other) : rn_op3(m, "Where", choice, other, a.id);
    return rn_keep(m, a);
}

/* Axes are an input since opset 18, of ReduceSum since 13. */
static uint32_t reduced(rn_maker *m, const char *type, uint32_t v, const int64_t *axes, int n, bool keep)
{
    bool sum = strcmp(type, "ReduceSum") == 0, input = sum || m->opset >= 18;
    uint32_t out = input && n ? rn_op2(m, type, v, rn_ints(m, axes, n)) : rn_op1(m, type, v);
    if (!input && n)
        gh_graph_set_ints(m->g, out, "axes", axes, (size_t)n);
    gh_graph_set_int(m->g, out, "keepdims", keep);
    return out;
}

/* A reduction over some axes, brought to the size of a mean; kept sides are spread over the picture again, or
 * it becomes an output. */
static rn_map reduce(rn_maker *m)
{
    static const char *const types[] = {"ReduceSum",    "ReduceMean",     "ReduceMax",       "ReduceMin",
                                        "ReduceL1",     "ReduceL2",       "ReduceSumSquare", "ReduceProd",
                                        "ReduceLogSum", "ReduceLogSumExp"};
    rn_map v = rn_pick(m);
    const char *type = types[rn_below(m, GH_COUNT(types))];
    int64_t axes[4];
    int n = 0, terms = 1;
    for (int axis = 1; axis < 4; axis++)
        if (rn_maybe(m)) {
            axes[n++] = rn_maybe(m) ? axis : axis - 4;
            terms *= rn_side(v, axis);
        }
    if (n == 0)
        terms = m->n * v.c * v.h * v.w; /* over everything */
    bool log = strcmp(type, "ReduceLogSum") == 0;
    uint32_t in = v.id;
    if (strcmp(type, "ReduceProd") == 0) /* of numbers near 1 */
        in = rn_op2(m, "Add", rn_op2(m, "Mul", rn_op1(m, "Tanh", in), rn_scalar(m, 0.05f)), rn_scalar(m, 1));
    bool keep = rn_below(m, 3) > 0;
    uint32_t out = reduced(m, type, log ? positive(m, in) : in, axes, n, keep);
    out = rn_op2(m, "Mul", out, rn_scalar(m, 1.0f / (float)terms));
    if (!keep) {
        gh_graph_output(m->g, out);
        return v;
    }
    return rn_keep(m, inexact(v, rn_op2(m, rn_maybe(m) ? "Add" : "Sub", v.id, out)));
}

static rn_map cum_sum(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = 1 + rn_below(m, 3);
    int64_t given = rn_maybe(m) ? axis : axis - 4;
    uint32_t out =
        rn_op2(m, "CumSum", v.id, gh_graph_const(m->g, "", GH_I64, gh_shape_of(0, NULL), &given, true));
    gh_graph_set_int(m->g, out, "exclusive", rn_maybe(m));
    gh_graph_set_int(m->g, out, "reverse", rn_maybe(m));
    return rn_keep(m, inexact(v, rn_op2(m, "Mul", out, rn_scalar(m, 1.0f / (float)rn_side(v, axis)))));
}

static uint32_t best(rn_maker *m, rn_map v, int axis, bool keep)
{
    uint32_t out = rn_typed(m, rn_op1(m, rn_maybe(m) ? "ArgMax" : "ArgMin", v.id), GH_I64);
    gh_graph_set_int(m->g, out, "axis", rn_maybe(m) ? axis : axis - 4);
    gh_graph_set_int(m->g, out, "keepdims", keep);
    gh_graph_set_int(m->g, out, "select_last_index", rn_maybe(m));
    return out;
}

static rn_map arg(rn_maker *m)
{
    rn_map v = rn_pick_exact(m);
    int axis = 1 + rn_below(m, 3);
    uint32_t out = best(m, v, axis, rn_maybe(m));
    gh_graph_output(m->g, out);
    if (rn_maybe(m))
        return v;
    out = rn_op2(m, "Mul", rn_cast(m, best(m, v, axis, true), GH_F32), rn_scalar(m, 0.125f));
    return rn_keep(m, inexact(v, rn_op2(m, "Add", v.id, out)));
}

static rn_map one_hot(rn_maker *m)
{
    rn_map v = rn_pick_exact(m);
    int64_t depth = v.c + rn_below(m, 3) - 1;
    float values[] = {0.25f, 1};
    if (depth < 1)
        return v;
    uint32_t in[3] = {best(m, v, 1, false),
                      gh_graph_const(m->g, "", GH_I64, gh_shape_of(0, NULL), &depth, true),
                      gh_graph_const(m->g, "", GH_F32, gh_shape_of(1, (int64_t[]){2}), values, true)};
    uint32_t out = rn_op(m, "OneHot", in, 3);
    gh_graph_set_int(m->g, out, "axis", rn_maybe(m) ? 1 : -3);
    v = rn_with_side(v, 1, (int)depth);
    v.id = out;
    return rn_keep(m, v);
}

static rn_map einsum(rn_maker *m)
{
    static const char *const forms[] = {"nchw,dc->ndhw", "n...w,wk->n...k", "bchw,bchw->bc",
                                        "abcd->abdc",    "...hw->...h",     "nchw,nchv->ncwv"};
    rn_map v = rn_pick(m), out = v;
    int form = rn_below(m, GH_COUNT(forms)), k = 1 + rn_below(m, 9);
    rn_map b = rn_pick_like(m, v);
    uint32_t in[2] = {v.id, b.id};
    float spread = 1;
    if (form == 0) {
        in[1] = rn_constant(m, gh_shape_of(2, (int64_t[]){k, v.c}), 0, spread / (float)v.c);
        out.c = k;
    } else if (form == 1) {
        in[1] = rn_constant(m, gh_shape_of(2, (int64_t[]){v.w, k}), 0, spread / (float)v.w);
        out.w = k;
    } else if (form == 3) {
        out.h = v.w;
        out.w = v.h;
    } else if (form == 5) {
        out.h = out.w = v.w;
    }
    out.id = rn_op(m, "Einsum", in, form == 3 || form == 4 ? 1 : 2);
    gh_graph_set_string(m->g, out.id, "equation", forms[form]);
    out.exact = false;
    if (form == 2 || form == 4) {
        gh_graph_output(m->g, out.id);
        return v;
    }
    if (form == 5)
        out.id = rn_op2(m, "Mul", out.id, rn_scalar(m, 1.0f / (float)v.h));
    return rn_keep(m, out);
}

/* Whole numbers made of exact values, and back. */
static rn_map integers(rn_maker *m)
{
    static const char *const pairs[] = {"Add", "Sub", "Mul", "Min", "Max", "Mod", "Div"};
    static const char *const ones[] = {"Neg", "Abs", "Sign"};
    rn_map v = rn_pick_exact(m);
    gh_dtype type = rn_maybe(m) ? GH_I64 : GH_I32;
    int kind = rn_below(m, 10);
    int64_t wide[] = {3 - 7 * rn_below(m, 2)};
    int32_t narrow[] = {(int32_t)wide[0]};
    uint32_t x = rn_cast(m, rn_op2(m, "Mul", v.id, rn_scalar(m, 4)), type);
    if (kind < 7) {
        if (kind == 6) /* which way a quotient is cut off below zero is the runtime's choice */
            x = rn_typed(m, rn_op1(m, "Abs", x), type);
        if (kind == 6)
            wide[0] = narrow[0] = 3;
        uint32_t c = gh_graph_const(m->g, "", type, gh_shape_of(1, (int64_t[]){1}),
                                    type == GH_I64 ? (const void *)wide : (const void *)narrow, true);
        x = rn_typed(m, rn_op2(m, pairs[kind], x, c), type);
    } else {
        x = rn_typed(m, rn_op1(m, ones[kind - 7], x), type);
    }
    if (rn_below(m, 4) == 0)
        gh_graph_output(m->g, x);
    v.id = rn_op2(m, "Mul", rn_cast(m, x, GH_F32), rn_scalar(m, 0.125f));
    return rn_keep(m, v);
}

static rn_map norm(rn_maker *m)
{
    rn_map v = rn_pick(m);
    uint32_t in[3] = {v.id}, out;
    int kind = rn_below(m, 5);
    if (kind == 2 && m->opset < 17)
        kind = 0;
    if (kind < 2) {
        out = rn_op1(m, kind ? "LogSoftmax" : "Softmax", v.id);
        gh_graph_set_int(m->g, out, "axis", rn_maybe(m) ? 1 : -1);
    } else if (kind == 2) {
        in[1] = rn_vector(m, v.w, 1, 0.5f);
        in[2] = rn_vector(m, v.w, 0, 0.5f);
        out = rn_op(m, "LayerNormalization", in, rn_maybe(m) ? 3 : 2);
        gh_graph_set_float(m->g, out, "epsilon", 0.01f);
    } else if (kind == 3) {
        in[1] = rn_vector(m, v.c, 1, 0.5f);
        in[2] = rn_vector(m, v.c, 0, 0.5f);
        out = rn_op(m, "InstanceNormalization", in, 3);
        gh_graph_set_float(m->g, out, "epsilon", 0.01f);
    } else {
        out = rn_op1(m, "LRN", v.id);
        gh_graph_set_int(m->g, out, "size", 3);
    }
    return rn_keep(m, inexact(v, out));
}

static rn_map several(rn_maker *m)
{
    static const char *const types[] = {"Sum", "Mean", "Max", "Min"};
    rn_map v = rn_pick(m), a = rn_pick_like(m, v), b = rn_pick_like(m, v);
    int kind = rn_below(m, 4);
    v.id = rn_op3(m, types[kind], v.id, a.id, b.id);
    v.exact = v.exact && a.exact && b.exact && kind > 1;
    if (kind == 0)
        v.id = rn_op1(m, "Tanh", v.id);
    return rn_keep(m, v);
}

static rn_map quotient(rn_maker *m)
{
    rn_map v = rn_pick(m), a = rn_pick_like(m, v);
    return rn_keep(m, inexact(v, rn_op2(m, "Div", v.id, positive(m, a.id))));
}

static rn_map product(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int k = 1 + rn_below(m, 12);
    v.id =
        rn_op2(m, "MatMul", v.id, rn_constant(m, gh_shape_of(2, (int64_t[]){v.w, k}), 0, 1.5f / (float)v.w));
    v.w = k;
    v.exact = false;
    return rn_keep(m, v);
}

static rn_map prelu(rn_maker *m)
{
    rn_map v = rn_pick(m);
    uint32_t slope = rn_constant(m, gh_shape_of(3, (int64_t[]){v.c, 1, 1}), 0.25f, 0.25f);
    return rn_keep(m, inexact(v, rn_op2(m, "PRelu", v.id, slope)));
}

const rn_part rn_math[] = {unary,   unary,  power,  where,    where, reduce,  reduce,   reduce,  cum_sum, arg,
                           one_hot, einsum, einsum, integers, norm,  several, quotient, product, prelu};
const int rn_math_count = GH_COUNT(rn_math);
