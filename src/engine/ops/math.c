/* Functions of one number that are no activation: Exp, Log, Sqrt, Floor, ... element by element on float32.
 */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

static float reciprocal(float x)
{
    return 1.0f / x;
}

/* To the nearest, halves to the even neighbour, as ONNX says. */
static float round_even(float x)
{
    return nearbyintf(x);
}

static float softplus(float x)
{
    return x > 20 ? x : log1pf(expf(x)); /* beyond 20 the difference is under half an ulp */
}

static float softsign(float x)
{
    return x / (1 + fabsf(x));
}

static const struct {
    const char *type;
    float (*function)(float x);
} functions[] = {
    {"Exp", expf},          {"Log", logf},          {"Sqrt", sqrtf}, {"Floor", floorf},
    {"Ceil", ceilf},        {"Round", round_even},  {"Erf", erff},   {"Reciprocal", reciprocal},
    {"Softplus", softplus}, {"Softsign", softsign},
};

static gh_status math_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

typedef struct math_job {
    float (*function)(float x);
    float *dst;
    const float *src;
    size_t count;
} math_job;

#define UNIT 4096

static void math_units(const void *job, int begin, int end)
{
    const math_job *m = job;
    size_t to = (size_t)end * UNIT < m->count ? (size_t)end * UNIT : m->count;
    for (size_t i = (size_t)begin * UNIT; i < to; i++)
        m->dst[i] = m->function(m->src[i]);
}

static gh_status math_run(gh_exec *x)
{
    math_job m = {.dst = x->out[0].data,
                  .src = x->in[0].data,
                  .count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank)};
    for (size_t i = 0; i < GH_COUNT(functions); i++)
        if (strcmp(functions[i].type, x->node->type) == 0)
            m.function = functions[i].function;
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
