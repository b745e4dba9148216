/* Depthwise convolution: with planes padded, each tap of the window is one shift of a whole plane, so that
 * forward and backward are sums of shifted planes, and a weight's gradient a dot product. */
#include "train/products/depthwise.h"

#include "train/products/padded.h"

#include <string.h>

bool gh_depthwise_accepts(const gh_conv_shape *s)
{
    gh_padded p;
    return s->groups > 1 && s->groups == s->ic && s->ic == s->oc && gh_padded_make(&p, s, 1);
}

/* Floats of a thread: the places of an input plane; an output plane behind `reach` zeros; room for the last
 * vector of both. */
static size_t room(const gh_padded *p)
{
    return (p->plane * (size_t)p->places + 16) + ((p->reach + 15) / 16 * 16 + p->plane + 16);
}

size_t gh_depthwise_scratch(const gh_conv_shape *s, int threads)
{
    gh_padded p;
    gh_padded_make(&p, s, 1);
    return room(&p) * (size_t)threads;
}

typedef struct job {
    const gh_convolve *c;
    gh_padded p;
    const float *x, *y, *bias;
    float *to;
} job;

static size_t in_plane(const job *j)
{
    return (size_t)j->p.s.ih * (size_t)j->p.s.iw;
}

static size_t out_plane(const job *j)
{
    return (size_t)j->p.s.oh * (size_t)j->p.s.ow;
}

/* A thread's places, and the output plane behind its zeros. */
static float *places_of(const job *j, int thread, float **out)
{
    float *places = j->c->scratch + room(&j->p) * (size_t)thread;
    *out = places + j->p.plane * (size_t)j->p.places + 16 + (j->p.reach + 15) / 16 * 16;
    return places;
}

/* Units are planes of all pictures. */
static void forward_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_padded *p = &j->p;
    float *out, *places = places_of(j, thread, &out);
    for (int u = begin; u < end; u++) {
        int c = u % p->s.ic;
        gh_padded_input(p, places, j->x + (size_t)u * in_plane(j), p->plane);
        j->c->k->taps(out, places, p->offset, j->c->weights + (size_t)c * (size_t)p->taps, p->taps,
                      (size_t)p->s.oh * (size_t)p->pitch - (size_t)(p->pitch - p->s.ow),
                      j->bias ? j->bias[c] : 0);
        gh_padded_take_output(p, j->to + (size_t)u * out_plane(j), out);
    }
}

void gh_depthwise_forward(const gh_convolve *c, const float *x, const float *bias, float *y)
{
    job j = {.c = c, .x = x, .bias = bias, .to = y};
    gh_padded_make(&j.p, &c->s, 1);
    gh_pool_for(c->pool, c->s.n * c->s.ic, forward_units, &j);
}

/* What one place within the stride gets: the taps that meet it, shifted the other way. */
static void input_place(const job *j, float *to, const float *out, const float *weights, int place,
                        float bias)
{
    const gh_padded *p = &j->p;
    ptrdiff_t offset[GH_PADDED_TAPS];
    float weight[GH_PADDED_TAPS];
    int n = 0;
    for (int t = 0; t < p->taps; t++)
        if (p->place[t] == place) {
            offset[n] = -p->shift[t];
            weight[n++] = weights[t];
        }
    if (n)
        j->c->k->taps(to, out, offset, weight, n, (size_t)p->rows * (size_t)p->pitch, bias);
    for (size_t i = 0; n == 0 && i < p->plane; i++)
        to[i] = bias;
}

static void input_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_padded *p = &j->p;
    float *out, *places = places_of(j, thread, &out);
    size_t before = (p->reach + 15) / 16 * 16;
    memset(out - before, 0, before * sizeof *out);
    for (int u = begin; u < end; u++) {
        int c = u % p->s.ic;
        gh_padded_output(p, out, j->y + (size_t)u * out_plane(j));
        for (int place = 0; place < p->places; place++)
            input_place(j, places + (size_t)place * p->plane, out,
                        j->c->weights + (size_t)c * (size_t)p->taps, place, j->bias ? j->bias[c] : 0);
        gh_padded_take_input(p, j->to + (size_t)u * in_plane(j), places, p->plane, j->bias ? j->bias[c] : 0);
    }
}

void gh_depthwise_input(const gh_convolve *c, const float *dy, const float *bias, float *dx)
{
    job j = {.c = c, .y = dy, .bias = bias, .to = dx};
    gh_padded_make(&j.p, &c->s, 1);
    gh_pool_for(c->pool, c->s.n * c->s.ic, input_units, &j);
}

/* Units are channels. */
static void weight_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_padded *p = &j->p;
    float *out, *places = places_of(j, thread, &out);
    for (int c = begin; c < end; c++) {
        double sums[GH_PADDED_TAPS] = {0};
        for (int i = 0; i < p->s.n; i++) {
            size_t u = (size_t)i * (size_t)p->s.ic + (size_t)c;
            gh_padded_input(p, places, j->x + u * in_plane(j), p->plane);
            gh_padded_output(p, out, j->y + u * out_plane(j));
            j->c->k->tap_dots(sums, out, places, p->offset, p->taps, (size_t)p->s.oh * (size_t)p->pitch);
        }
        for (int t = 0; t < p->taps; t++)
            j->to[(size_t)c * (size_t)p->taps + (size_t)t] = (float)sums[t];
    }
}

void gh_depthwise_weights(const gh_convolve *c, const float *x, const float *dy, float *dw)
{
    job j = {.c = c, .x = x, .y = dy, .to = dw};
    gh_padded_make(&j.p, &c->s, 1);
    gh_pool_for(c->pool, c->s.ic, weight_units, &j);
}
