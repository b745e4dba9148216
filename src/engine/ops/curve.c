/* Activations with parameters of their own, and the functions of trigonometry: element by element on float32.
 * Those that keep finite values finite run on the blocked layout, too. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

/* At most two attributes of a node. */
typedef float (*curve_fn)(float x, float a, float b);

static float elu(float x, float a, float b)
{
    (void)b;
    return x < 0 ? a * expm1f(x) : x;
}

static float selu(float x, float a, float b)
{
    return b * (x > 0 ? x : a * expm1f(x));
}

static float celu(float x, float a, float b)
{
    (void)b;
    return x < 0 ? a * expm1f(x / a) : x;
}

static float thresholded(float x, float a, float b)
{
    (void)b;
    return x > a || isnan(x) ? x : 0;
}

static float shrink(float x, float a, float b)
{
    return x < -a ? x + b : x > a ? x - b : isnan(x) ? x : 0;
}

/* x tanh(ln(1 + e^x)) (Misra 2019). With u = e^x the tangent is u (u + 2) / (u (u + 2) + 2). */
static float mish(float x, float a, float b)
{
    (void)a;
    (void)b;
    if (x > 20) /* the tangent is 1 to the last bit */
        return x;
    float u = expf(x), v = u * (u + 2);
    return x * (v / (v + 2));
}

static float gelu(float x, float a, float b)
{
    (void)a;
    (void)b;
    return 0.5f * x * (1 + erff(x * 0.70710678f));
}

/* The approximation of Hendrycks and Gimpel (2016); 0.79788456 is sqrt(2 / pi). */
static float gelu_tanh(float x, float a, float b)
{
    (void)a;
    (void)b;
    return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

#define OF_LIBM(name, function)                                                                              \
    static float name(float x, float a, float b)                                                             \
    {                                                                                                        \
        (void)a;                                                                                             \
        (void)b;                                                                                             \
        return function(x);                                                                                  \
    }

OF_LIBM(sine, sinf)
OF_LIBM(cosine, cosf)
OF_LIBM(tangent, tanf)
OF_LIBM(arc_sine, asinf)
OF_LIBM(arc_cosine, acosf)
OF_LIBM(arc_tangent, atanf)
OF_LIBM(sine_h, sinhf)
OF_LIBM(cosine_h, coshf)
OF_LIBM(arc_sine_h, asinhf)
OF_LIBM(arc_cosine_h, acoshf)
OF_LIBM(arc_tangent_h, atanhf)

typedef struct curve {
    const char *type;
    curve_fn function;
    const char *a, *b; /* names of attributes, or NULL */
    float a_default, b_default;
} curve;

/* Defaults: ONNX, the operators' own pages. */
static const curve curves[] = {
    {"Elu", elu, "alpha", NULL, 1, 0},
    {"Selu", selu, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {"Celu", celu, "alpha", NULL, 1, 0},
    {"ThresholdedRelu", thresholded, "alpha", NULL, 1, 0},
    {"Shrink", shrink, "lambd", "bias", 0.5f, 0},
    {"Mish", mish, NULL, NULL, 0, 0},
    {"Gelu", gelu, NULL, NULL, 0, 0},
    {"Sin", sine, NULL, NULL, 0, 0},
    {"Cos", cosine, NULL, NULL, 0, 0},
    {"Tan", tangent, NULL, NULL, 0, 0},
    {"Asin", arc_sine, NULL, NULL, 0, 0},
    {"Acos", arc_cosine, NULL, NULL, 0, 0},
    {"Atan", arc_tangent, NULL, NULL, 0, 0},
    {"Sinh", sine_h, NULL, NULL, 0, 0},
    {"Cosh", cosine_h, NULL, NULL, 0, 0},
    {"Asinh", arc_sine_h, NULL, NULL, 0, 0},
    {"Acosh", arc_cosine_h, NULL, NULL, 0, 0},
    {"Atanh", arc_tangent_h, NULL, NULL, 0, 0},
};

typedef struct curve_job {
    curve_fn function;
    float a, b;
    float *dst;
    const float *src;
    size_t count;
} curve_job;

static void choose(curve_job *j, const gh_node *n)
{
    const curve *c = NULL;
    for (size_t i = 0; i < GH_COUNT(curves) && !c; i++)
        c = strcmp(curves[i].type, n->type) == 0 ? &curves[i] : NULL;
    GH_ASSERT(c);
    j->function = c->function;
    j->a = c->a ? gh_node_float(n, c->a, c->a_default) : 0;
    j->b = c->b ? gh_node_float(n, c->b, c->b_default) : 0;
    if (c->function == gelu && strcmp(gh_node_string(n, "approximate", "none"), "tanh") == 0)
        j->function = gelu_tanh;
}

static gh_status curve_infer(gh_io *io)
{
    const char *approximate = gh_node_string(io->node, "approximate", "none");
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        return gh_io_fail(io, GH_FORMAT, "approximate is \"%.40s\"; none and tanh are known", approximate);
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

#define UNIT 4096

static void curve_units(const void *job, int begin, int end)
{
    const curve_job *j = job;
    size_t to = (size_t)end * UNIT < j->count ? (size_t)end * UNIT : j->count;
    for (size_t i = (size_t)begin * UNIT; i < to; i++)
        j->dst[i] = j->function(j->src[i], j->a, j->b);
}

static gh_status run_counted(gh_exec *x, size_t count)
{
    curve_job j = {.dst = x->out[0].data, .src = x->in[0].data, .count = count};
    choose(&j, x->node);
    gh_exec_range(x, (int)((count + UNIT - 1) / UNIT), curve_units, &j);
    return GH_OK;
}

static gh_status curve_run(gh_exec *x)
{
    return run_counted(x, gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank));
}

static gh_status curve_prepare(gh_prepare *p)
{
    if (!p->in_blocked[0])
        return GH_OK;
    p->want_blocked = 1;
    p->out_blocked = p->accepted = true;
    return GH_OK;
}

static gh_status curve_run_blocked(gh_exec *x)
{
    return run_counted(x, gh_blocked_count(&x->out[0].shape, x->k->block));
}

static const gh_blocked curve_blocked = {curve_prepare, curve_run_blocked};

#define ROW(type, since, blocked)                                                                            \
    {                                                                                                        \
        type, "", since, 0, GH_OP_INPLACE, 1, 1, 1, curve_infer, curve_run, blocked, NULL                    \
    }

const gh_op gh_ops_curve[] = {
    ROW("Elu", 1, &curve_blocked),
    ROW("Selu", 6, &curve_blocked),
    ROW("Celu", 12, &curve_blocked),
    ROW("ThresholdedRelu", 10, &curve_blocked),
    ROW("Shrink", 9, &curve_blocked),
    ROW("Mish", 18, &curve_blocked),
    ROW("Gelu", 20, &curve_blocked),
    ROW("Sin", 7, NULL),
    ROW("Cos", 7, NULL),
    ROW("Tan", 7, NULL),
    ROW("Asin", 7, NULL),
    ROW("Acos", 7, NULL),
    ROW("Atan", 7, NULL),
    ROW("Sinh", 9, NULL),
    ROW("Cosh", 9, NULL),
    ROW("Asinh", 9, NULL),
    ROW("Acosh", 9, NULL),
    ROW("Atanh", 9, NULL),
};
const size_t gh_ops_curve_count = GH_COUNT(gh_ops_curve);
