/* BatchNormalization (Ioffe and Szegedy 2015), with a clamp (ReLU, ReLU6) joined to it: the output is
 * clamp(a * x + b), with a and b of each channel saved for the backward pass, which needs x alone. */
#include "train/grad.h"

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

/* Mean and variance of a channel, in double: sums of squares of large pictures cancel. */
static void moments(double *mean, double *variance, const norm *m, const float *x, int c)
{
    double sum = 0, squares = 0, count = (double)m->n * (double)m->plane;
    for (int i = 0; i < m->n; i++) {
        const float *p = x + ((size_t)i * (size_t)m->channels + (size_t)c) * m->plane;
        for (size_t k = 0; k < m->plane; k++) {
            sum += p[k];
            squares += (double)p[k] * p[k];
        }
    }
    *mean = sum / count;
    *variance = squares / count - *mean * *mean;
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
        moments(&own_mean, &own_variance, m, x->in[0].data, c);
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
        float a = m->a[c], b = m->b[c];
        for (int i = 0; i < m->n; i++) {
            size_t at = ((size_t)i * (size_t)m->channels + (size_t)c) * m->plane;
            const float *src = (const float *)j->x->in[0].data + at;
            float *dst = (float *)j->x->out[0].data + at;
            for (size_t k = 0; k < m->plane; k++) {
                float v = a * src[k] + b;
                v = v > m->lo ? v : m->lo;
                dst[k] = v < m->hi ? v : m->hi;
            }
        }
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

static inline float masked(const norm *m, float dy, float x, float a, float b)
{
    float v = a * x + b;
    return v > m->lo && v < m->hi ? dy : 0;
}

/* The sums of a channel's gradient, and of it times the normalised input. */
static void channel_sums(double *sum, double *dot, const norm *m, const gh_grad_exec *x, int c)
{
    float a = m->a[c], b = m->b[c], mean = m->mean[c], inverse = m->inverse[c];
    *sum = *dot = 0;
    for (int i = 0; i < m->n; i++) {
        size_t at = ((size_t)i * (size_t)m->channels + (size_t)c) * m->plane;
        const float *src = (const float *)x->in[0].data + at, *dy = (const float *)x->dout[0].data + at;
        for (size_t k = 0; k < m->plane; k++) {
            float g = masked(m, dy[k], src[k], a, b);
            *sum += g;
            *dot += (double)g * (src[k] - mean) * inverse;
        }
    }
}

typedef struct backward_job {
    norm m;
    const gh_grad_exec *x;
} backward_job;

/* dx = a * (g - mean of g - xhat * mean of g * xhat); with running statistics a * g alone. */
static void backward_units(const void *arg, int begin, int end)
{
    const backward_job *j = arg;
    const norm *m = &j->m;
    const gh_grad_exec *x = j->x;
    double count = (double)m->n * (double)m->plane, sum, dot;
    for (int c = begin; c < end; c++) {
        float a = m->a[c], b = m->b[c];
        channel_sums(&sum, &dot, m, x, c);
        if (x->din[1].data)
            ((float *)x->din[1].data)[c] = (float)dot;
        if (x->din[2].data)
            ((float *)x->din[2].data)[c] = (float)sum;
        float shift = x->batch_statistics ? (float)(sum / count) : 0;
        float slope = x->batch_statistics ? (float)(dot / count * m->inverse[c]) : 0;
        for (int i = 0; i < m->n && x->din[0].data; i++) {
            size_t at = ((size_t)i * (size_t)m->channels + (size_t)c) * m->plane;
            const float *src = (const float *)x->in[0].data + at, *dy = (const float *)x->dout[0].data + at;
            float *dx = (float *)x->din[0].data + at;
            for (size_t k = 0; k < m->plane; k++) {
                float g = masked(m, dy[k], src[k], a, b);
                dx[k] = a * (g - shift - (src[k] - m->mean[c]) * slope);
            }
        }
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
