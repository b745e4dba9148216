/* BatchNormalization (Ioffe and Szegedy 2015), with a clamp (ReLU, ReLU6) joined to it: the output is
 * clamp(a * x + b), with a and b of each channel saved for the backward pass, which needs x alone. */
#include "train/tape/grad.h"

#include <math.h>

/* Saved, one of each a channel: the factor and shift of x, and the mean and 1 / deviation they came from. */
typedef struct norm {
    float *a, *b, *mean, *inverse;
    int n, channels;
    size_t plane;
    float lo, hi;
} norm;

static size_t saved(const gh_io *io)
{
    return (size_t)io->in[0].shape.dims[1] * 4 * sizeof(float);
}

static size_t scratch(const gh_io *io, int threads)
{
    (void)threads;
    return (size_t)io->in[0].shape.dims[1] * 4;
}

static norm norm_of(const gh_grad_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    norm m = {.n = (int)s->dims[0], .channels = (int)s->dims[1], .plane = gh_shape_span(s, 2, s->rank)};
    m.a = x->saved ? x->saved : x->scratch;
    m.b = m.a + m.channels;
    m.mean = m.b + m.channels;
    m.inverse = m.mean + m.channels;
    bool clamps = x->act.kind == GH_ACT_CLAMP;
    m.lo = clamps ? x->act.lo : -INFINITY;
    m.hi = clamps ? x->act.hi : INFINITY;
    return m;
}

typedef struct forward_job {
    norm m;
    const gh_grad_exec *x;
    float epsilon, momentum;
} forward_job;

static size_t plane_at(const norm *m, int image, int c)
{
    return ((size_t)image * (size_t)m->channels + (size_t)c) * m->plane;
}

/* Mean and variance of a channel, counted from one of its elements: sums of squares far from 0 cancel. */
static void moments(double *mean, double *variance, const forward_job *j, int c)
{
    const norm *m = &j->m;
    const float *x = j->x->in[0].data;
    double sums[2] = {0, 0}, count = (double)m->n * (double)m->plane;
    float middle = x[plane_at(m, 0, c)];
    for (int i = 0; i < m->n; i++)
        j->x->k->moments(sums, x + plane_at(m, i, c), m->plane, middle);
    double off = sums[0] / count;
    *mean = (double)middle + off;
    *variance = sums[1] / count - off * off;
    *variance = *variance > 0 ? *variance : 0;
}

/* The running variance is that of a sample (divided by count - 1), as elsewhere. */
static void find_factors(const forward_job *j, int c)
{
    const gh_grad_exec *x = j->x;
    const norm *m = &j->m;
    float *mean = (float *)x->in[3].data + c, *variance = (float *)x->in[4].data + c;
    double own_mean = *mean, own_variance = *variance;
    if (x->batch_statistics) {
        double count = (double)m->n * (double)m->plane, keep = j->momentum;
        moments(&own_mean, &own_variance, j, c);
        *mean = (float)(keep * *mean + (1 - keep) * own_mean);
        *variance =
            (float)(keep * *variance + (1 - keep) * own_variance * count / (count > 1 ? count - 1 : 1));
    }
    double inverse = 1 / sqrt(own_variance + j->epsilon);
    m->mean[c] = (float)own_mean;
    m->inverse[c] = (float)inverse;
    m->a[c] = (float)(((const float *)x->in[1].data)[c] * inverse);
    m->b[c] = (float)(((const float *)x->in[2].data)[c] - own_mean * m->a[c]);
}

/* Units are channels. */
static void forward_units(const void *arg, int begin, int end)
{
    const forward_job *j = arg;
    const norm *m = &j->m;
    for (int c = begin; c < end; c++) {
        if (!j->x->again)
            find_factors(j, c);
        for (int i = 0; i < m->n; i++)
            j->x->k->scale_clamp((float *)j->x->out[0].data + plane_at(m, i, c),
                                 (const float *)j->x->in[0].data + plane_at(m, i, c), m->plane, m->a[c],
                                 m->b[c], m->lo, m->hi);
    }
}

static gh_status forward(gh_grad_exec *x)
{
    forward_job j = {.m = norm_of(x),
                     .x = x,
                     .epsilon = gh_node_float(x->node, "epsilon", 1e-5f),
                     .momentum = gh_node_float(x->node, "momentum", 0.9f)};
    gh_grad_for(x, j.m.channels, forward_units, &j);
    return GH_OK;
}

static void needs(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    (void)n;
    (void)wanted;
    (void)out;
    *in = 1;
}

typedef struct backward_job {
    norm m;
    const gh_grad_exec *x;
} backward_job;

/* With g the output's gradient where nothing was clamped: dx = a * (g - mean of g - xhat * mean of g * xhat),
 * with running statistics a * g alone. Units are channels. */
static void backward_units(const void *arg, int begin, int end)
{
    const backward_job *j = arg;
    const norm *m = &j->m;
    const gh_grad_exec *x = j->x;
    const float *src = x->in[0].data, *dy = x->dout[0].data;
    double count = (double)m->n * (double)m->plane;
    for (int c = begin; c < end; c++) {
        gh_norm_job job = {.a = m->a[c], .b = m->b[c], .lo = m->lo, .hi = m->hi, .mean = m->mean[c]};
        double sums[2] = {0, 0}, inverse = m->inverse[c];
        for (int i = 0; i < m->n; i++)
            x->k->norm_sums(sums, dy + plane_at(m, i, c), src + plane_at(m, i, c), m->plane, &job);
        if (x->din[1].data)
            ((float *)x->din[1].data)[c] = (float)(sums[1] * inverse);
        if (x->din[2].data)
            ((float *)x->din[2].data)[c] = (float)sums[0];
        if (x->batch_statistics) {
            double slope = -(double)job.a * sums[1] / count * inverse * inverse;
            job.slope = (float)slope;
            job.shift = (float)(-slope * job.mean - (double)job.a * sums[0] / count);
        }
        for (int i = 0; i < m->n && x->din[0].data; i++)
            x->k->norm_gradient((float *)x->din[0].data + plane_at(m, i, c), dy + plane_at(m, i, c),
                                src + plane_at(m, i, c), m->plane, &job);
    }
}

static gh_status backward(gh_grad_exec *x)
{
    backward_job j = {norm_of(x), x};
    gh_grad_for(x, j.m.channels, backward_units, &j);
    return GH_OK;
}

const gh_grad gh_grads_norm[] = {
    {"BatchNormalization",
     GH_GRAD_CHEAP | GH_GRAD_INPLACE | GH_GRAD_JOINS | GH_GRAD_NORM | GH_GRAD_OUT_INPLACE, 6, 0, needs,
     forward, backward, saved, scratch},
};
const size_t gh_grads_norm_count = GH_COUNT(gh_grads_norm);
