/* Functions of one number that are no activation: Exp, Log, Sqrt, Floor, ... element by element on float32
 * and float64. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

static float reciprocal_f32(float x)
{
    return 1.0f / x;
}

static double reciprocal_f64(double x)
{
    return 1.0 / x;
}

static float softplus_f32(float x)
{
    return x > 20 ? x : log1pf(expf(x)); /* beyond 20 the difference is under half an ulp */
}

static double softplus_f64(double x)
{
    return x > 40 ? x : log1p(exp(x));
}

static float softsign_f32(float x)
{
    return x / (1 + fabsf(x));
}

static double softsign_f64(double x)
{
    return x / (1 + fabs(x));
}

typedef struct function {
    const char *type;
    float (*f32)(float x);
    double (*f64)(double x);
} function;

/* nearbyint: to the nearest, halves to the even neighbour, as ONNX says. */
static const function functions[] = {
    {"Exp", expf, exp},
    {"Log", logf, log},
    {"Sqrt", sqrtf, sqrt},
    {"Floor", floorf, floor},
    {"Ceil", ceilf, ceil},
    {"Round", nearbyintf, nearbyint},
    {"Erf", erff, erf},
    {"Reciprocal", reciprocal_f32, reciprocal_f64},
    {"Softplus", softplus_f32, softplus_f64},
    {"Softsign", softsign_f32, softsign_f64},
};

static gh_status math_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, io->in[0].type == GH_F64 ? GH_F64 : GH_F32, -1));
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

typedef struct math_job {
    const function *function;
    const gh_tensor *in;
    gh_tensor *out;
    size_t count;
} math_job;

#define UNIT 4096

static void math_units(const void *job, int begin, int end)
{
    const math_job *m = job;
    size_t from = (size_t)begin * UNIT, to = (size_t)end * UNIT < m->count ? (size_t)end * UNIT : m->count;
    for (size_t i = from; i < to && m->in->type == GH_F32; i++)
        ((float *)m->out->data)[i] = m->function->f32(((const float *)m->in->data)[i]);
    for (size_t i = from; i < to && m->in->type == GH_F64; i++)
        ((double *)m->out->data)[i] = m->function->f64(((const double *)m->in->data)[i]);
}

static gh_status math_run(gh_exec *x)
{
    math_job m = {.in = &x->in[0],
                  .out = &x->out[0],
                  .count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank)};
    for (size_t i = 0; i < GH_COUNT(functions); i++)
        if (strcmp(functions[i].type, x->node->type) == 0)
            m.function = &functions[i];
    GH_ASSERT(m.function);
    gh_exec_range(x, (int)((m.count + UNIT - 1) / UNIT), math_units, &m);
    return GH_OK;
}

#define ROW(type, since)                                                                                     \
    {                                                                                                        \
        type, "", since, 0, GH_OP_INPLACE, 1, 1, 1, math_infer, math_run, NULL, NULL                         \
    }

const gh_op gh_ops_math[] = {
    ROW("Exp", 1),    ROW("Log", 1), ROW("Sqrt", 1),       ROW("Floor", 1),    ROW("Ceil", 1),
    ROW("Round", 11), ROW("Erf", 9), ROW("Reciprocal", 1), ROW("Softplus", 1), ROW("Softsign", 1),
};
const size_t gh_ops_math_count = GH_COUNT(gh_ops_math);
