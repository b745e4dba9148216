/* Gradients of activations, of Softmax and LogSoftmax, and of PRelu. */
#include "engine/ops/broadcast.h"
#include "train/tape/grad.h"

#include <math.h>
#include <string.h>

typedef struct act_job {
    gh_act act;
    const float *x, *y, *dy;
    float *dx;
    size_t count;
} act_job;

/* Where a bound is met exactly the gradient is 0 (ReLU) or the slope's (LeakyReLU), as in PyTorch. */
static void act_units(const void *arg, int begin, int end)
{
    const act_job *j = arg;
    size_t from = (size_t)begin * GH_GRAD_UNIT, to = (size_t)end * GH_GRAD_UNIT;
    const float *y = j->y, *dy = j->dy, *x = j->x;
    float *dx = j->dx, lo = j->act.lo, hi = j->act.hi;
    to = to < j->count ? to : j->count;
    switch (j->act.kind) {
    case GH_ACT_CLAMP:
        for (size_t i = from; i < to; i++)
            dx[i] = y[i] > lo && y[i] < hi ? dy[i] : 0;
        break;
    case GH_ACT_LEAKY:
        for (size_t i = from; i < to; i++)
            dx[i] = x[i] > 0 ? dy[i] : lo * dy[i];
        break;
    case GH_ACT_SIGMOID:
        for (size_t i = from; i < to; i++)
            dx[i] = dy[i] * y[i] * (1 - y[i]);
        break;
    case GH_ACT_TANH:
        for (size_t i = from; i < to; i++)
            dx[i] = dy[i] * (1 - y[i] * y[i]);
        break;
    case GH_ACT_HSIGMOID:
        for (size_t i = from; i < to; i++)
            dx[i] = y[i] > 0 && y[i] < 1 ? lo * dy[i] : 0;
        break;
    case GH_ACT_HSWISH:
        for (size_t i = from; i < to; i++)
            dx[i] = x[i] <= -3 ? 0 : x[i] >= 3 ? dy[i] : dy[i] * (x[i] / 3 + 0.5f);
        break;
    default:
        memmove(dx + from, dy + from, (to - from) * sizeof *dx);
    }
}

static gh_status act_backward(gh_grad_exec *x)
{
    gh_io io = gh_grad_io(x);
    act_job j = {.x = x->in[0].data,
                 .y = x->out[0].data,
                 .dy = x->dout[0].data,
                 .dx = x->din[0].data,
                 .count = gh_grad_count(&x->out[0])};
    GH_TRY(gh_act_of(&io, &j.act));
    if (x->din[0].data)
        gh_grad_for(x, (int)((j.count + GH_GRAD_UNIT - 1) / GH_GRAD_UNIT), act_units, &j);
    return GH_OK;
}

static void needs_out(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    (void)n;
    (void)wanted;
    (void)in;
    *out = 1;
}

static void needs_in(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    (void)n;
    (void)wanted;
    (void)out;
    *in = 1;
}

/* ---- Softmax ---- */

typedef struct softmax_job {
    const float *y, *dy;
    float *dx;
    size_t count, inner; /* of [outer][count][inner] */
    bool logarithm;
} softmax_job;

/* Units are the outer index. dx = y (dy - sum of dy y); of the logarithm dy - e^y times the sum of dy. */
static void softmax_units(const void *arg, int begin, int end)
{
    const softmax_job *j = arg;
    for (size_t u = (size_t)begin * j->inner; u < (size_t)end * j->inner; u++) {
        size_t at = u / j->inner * j->count * j->inner + u % j->inner;
        double sum = 0;
        for (size_t i = 0, k = at; i < j->count; i++, k += j->inner)
            sum += j->logarithm ? (double)j->dy[k] : (double)j->dy[k] * j->y[k];
        for (size_t i = 0, k = at; i < j->count; i++, k += j->inner)
            j->dx[k] =
                j->logarithm ? j->dy[k] - expf(j->y[k]) * (float)sum : j->y[k] * (j->dy[k] - (float)sum);
    }
}

static gh_status softmax_backward(gh_grad_exec *x)
{
    const gh_shape *s = &x->out[0].shape;
    bool flat = x->opset < 13;
    int64_t a = gh_node_int(x->node, "axis", flat ? 1 : -1);
    int axis = (int)(a < 0 ? a + s->rank : a), end = flat ? s->rank : axis + 1;
    softmax_job j = {.y = x->out[0].data,
                     .dy = x->dout[0].data,
                     .dx = x->din[0].data,
                     .count = gh_shape_span(s, axis, end),
                     .inner = gh_shape_span(s, end, s->rank),
                     .logarithm = x->node->type[0] == 'L'};
    if (j.dx)
        gh_grad_for(x, (int)gh_shape_span(s, 0, axis), softmax_units, &j);
    return GH_OK;
}

/* ---- PRelu ---- */

static gh_status prelu_backward(gh_grad_exec *x)
{
    const float *src = x->in[0].data, *slope = x->in[1].data, *dy = x->dout[0].data;
    float *dx = x->din[0].data, *ds = x->din[1].data;
    gh_walk w;
    if (x->opset < 7 && x->in[1].shape.rank == 1 && x->in[1].shape.dims[0] > 1)
        return gh_fail(x->e, GH_UNSUPPORTED, "node \"%s\" (PRelu): training wants opset 7 or later",
                       x->node->name);
    gh_walk_start(&w, &x->in[0].shape, (const gh_shape *[]){&x->in[1].shape}, 1);
    if (ds)
        memset(ds, 0, gh_grad_count(&x->in[1]) * sizeof *ds);
    for (size_t r = 0, at = 0; r < w.rows; r++, at += w.row, gh_walk_next(&w)) {
        double sum = 0; /* where a row has one slope */
        for (size_t i = 0; i < w.row; i++) {
            size_t k = w.at[0] + i * w.row_step[0];
            bool below = src[at + i] < 0;
            double part = below ? (double)dy[at + i] * src[at + i] : 0;
            if (dx)
                dx[at + i] = below ? slope[k] * dy[at + i] : dy[at + i];
            if (ds && w.row_step[0])
                ds[k] += (float)part;
            sum += part;
        }
        if (ds && !w.row_step[0])
            ds[w.at[0]] += (float)sum;
    }
    return GH_OK;
}

#define ROW(type, more, needs)                                                                               \
    {                                                                                                        \
        type, GH_GRAD_CHEAP | GH_GRAD_INPLACE | (more), 0, 0, needs, NULL, act_backward, NULL, NULL          \
    }
#define SOFTMAX(type)                                                                                        \
    {                                                                                                        \
        type, GH_GRAD_CHEAP | GH_GRAD_INPLACE, 0, 0, needs_out, NULL, softmax_backward, NULL, NULL           \
    }

const gh_grad gh_grads_act[] = {
    ROW("Relu", GH_GRAD_ACTIVATION, needs_out),
    ROW("Clip", GH_GRAD_ACTIVATION, needs_out),
    ROW("LeakyRelu", 0, needs_in),
    ROW("Sigmoid", 0, needs_out),
    ROW("Tanh", 0, needs_out),
    ROW("HardSigmoid", 0, needs_out),
    ROW("HardSwish", 0, needs_in),
    SOFTMAX("Softmax"),
    SOFTMAX("LogSoftmax"),
    {"PRelu", GH_GRAD_CHEAP, 2, 0, needs_in, NULL, prelu_backward, NULL, NULL},
};
const size_t gh_grads_act_count = GH_COUNT(gh_grads_act);
