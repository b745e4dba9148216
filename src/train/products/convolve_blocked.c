/* Convolutions of a tape by the serving kernels: pictures are turned to the blocked layout, a few at a time,
 * and results back. The gradient of the input is a convolution, too: with the window turned round and the
 * channels exchanged, or, with a stride, the transposed one. */
#include "train/products/convolve_blocked.h"

#include <string.h>

enum {
    MOST_FLOATS = 1 << 20, /* of blocked pictures at a time, unless one needs more */
    MOST_LOSS = 4,         /* Winograd's F(4x4, 3x3) is still accurate to 1e-4 or so */
    FEWEST = 8,            /* channels: fewer leave most of a block empty */
    FEW_PIXELS = 512,      /* of all pictures: packing Winograd's weights for them costs more than it saves */
};

static const gh_conv_kernel *choose(const gh_kernels *k, const gh_conv_shape *s)
{
    bool few = (size_t)s->n * (size_t)s->oh * (size_t)s->ow < FEW_PIXELS;
    return gh_conv_choose(k, s, few ? 0 : MOST_LOSS, false);
}

/* One product: its shape as the kernel sees it, and where things stand in the scratch. */
typedef struct product {
    gh_conv_shape s;
    const gh_conv_kernel *kernel;
    int block, pictures;
    size_t turned, packed, bias, in, out, thread, shared; /* floats; `turned` of weights turned round */
} product;

static size_t rounded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

static size_t blocked(const product *p, int channels, int h, int w)
{
    return (size_t)((channels + p->block - 1) / p->block * p->block) * (size_t)h * (size_t)w;
}

static bool size_up(product *p, const gh_kernels *k)
{
    gh_conv_shape *s = &p->s;
    p->block = k->block;
    p->in = p->kernel->src_blocked ? blocked(p, s->ic, s->ih, s->iw) : 0;
    p->out = blocked(p, s->oc, s->oh, s->ow);
    size_t most = MOST_FLOATS / (p->in + p->out);
    p->pictures = most < 1 ? 1 : most < (size_t)s->n ? (int)most : s->n;
    s->n = p->pictures;
    p->packed = rounded(p->kernel->packed(s));
    p->bias = rounded(blocked(p, s->oc, 1, 1));
    p->thread = rounded(p->kernel->scratch(s));
    p->shared = rounded(p->kernel->shared ? p->kernel->shared(s) : 0);
    return true;
}

static bool fits(const gh_conv_shape *s)
{
    return s->groups == 1 && s->oc >= FEWEST;
}

static bool plan_forward(product *p, const gh_conv_shape *s, const gh_kernels *k)
{
    *p = (product){.s = *s};
    if (!fits(s))
        return false;
    p->kernel = choose(k, s);
    return p->kernel && (!p->kernel->src_blocked || s->ic >= FEWEST) && size_up(p, k);
}

static bool plan_input(product *p, const gh_conv_shape *s, const gh_kernels *k)
{
    gh_conv_shape r = gh_conv_reversed(s);
    *p = (product){.s = r};
    if (!fits(&r) || s->oc < FEWEST)
        return false;
    if (s->sh > 1 || s->sw > 1) {
        p->kernel = k->conv_transpose;
        return p->kernel->accepts(&r) && size_up(p, k);
    }
    p->s.pt = (s->kh - 1) * s->dh - s->pt;
    p->s.pl = (s->kw - 1) * s->dw - s->pl;
    p->turned = rounded((size_t)r.ic * (size_t)r.oc * (size_t)(s->kh * s->kw));
    if (p->s.pt < 0 || p->s.pl < 0)
        return false;
    p->kernel = choose(k, &p->s);
    return p->kernel && p->kernel->src_blocked && size_up(p, k);
}

static size_t scratch_of(const product *p, int threads)
{
    return p->turned + p->packed + p->bias + (p->in + p->out) * (size_t)p->pictures +
           p->thread * (size_t)threads + p->shared;
}

size_t gh_convolve_blocked_scratch(const gh_conv_shape *s, const gh_kernels *k, int threads)
{
    product p;
    size_t one = plan_forward(&p, s, k) ? scratch_of(&p, threads) : 0;
    size_t two = plan_input(&p, s, k) ? scratch_of(&p, threads) : 0;
    return one > two ? one : two;
}

typedef struct job {
    const gh_convolve *c;
    const product *p;
    gh_conv_job conv;
    const float *src;
    float *dst, *in, *threads;
    int first; /* unit of the stage at hand */
} job;

/* Units are blocks of channels of all pictures. */
static void to_blocked_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->conv.shape;
    int block = j->p->block, blocks = (s->ic + block - 1) / block, plane = s->ih * s->iw;
    (void)thread;
    for (int u = begin; u < end; u++) {
        int image = u / blocks, first = u % blocks * block;
        int lanes = s->ic - first < block ? s->ic - first : block;
        j->c->k->to_blocked(j->in + (size_t)u * (size_t)block * (size_t)plane,
                            j->src + ((size_t)image * (size_t)s->ic + (size_t)first) * (size_t)plane, lanes,
                            plane, 0, gh_layout_units(j->c->k, 1, plane));
    }
}

static void to_plain_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->conv.shape;
    int block = j->p->block, blocks = (s->oc + block - 1) / block, plane = s->oh * s->ow;
    (void)thread;
    for (int u = begin; u < end; u++) {
        int image = u / blocks, first = u % blocks * block;
        int lanes = s->oc - first < block ? s->oc - first : block;
        j->c->k->to_plain(j->dst + ((size_t)image * (size_t)s->oc + (size_t)first) * (size_t)plane,
                          j->conv.dst + (size_t)u * (size_t)block * (size_t)plane, lanes, plane, 0,
                          gh_layout_units(j->c->k, 1, plane));
    }
}

static void conv_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    gh_conv_job conv = j->conv;
    conv.scratch = j->threads + j->p->thread * (size_t)thread;
    j->p->kernel->run(&conv, j->first + begin, j->first + end);
}

static void run_stages(job *j)
{
    const gh_conv_kernel *kernel = j->p->kernel;
    const gh_conv_shape *s = &j->conv.shape;
    for (int units = kernel->units(s), end; j->first < units; j->first = end) {
        end = kernel->stage ? kernel->stage(s, j->first) : units;
        gh_pool_for(j->c->pool, end - j->first, conv_units, j);
    }
    j->first = 0;
}

static void run(const gh_convolve *c, const product *p, const float *weights, const float *bias,
                const float *src, float *dst)
{
    float *at = c->scratch + p->turned;
    job j = {.c = c, .p = p, .conv = {.shape = p->s, .weights = at}};
    int blocks_in = (p->s.ic + p->block - 1) / p->block, blocks_out = (p->s.oc + p->block - 1) / p->block;
    size_t in_floats = (size_t)p->s.ic * (size_t)p->s.ih * (size_t)p->s.iw;
    size_t out_floats = (size_t)p->s.oc * (size_t)p->s.oh * (size_t)p->s.ow;
    p->kernel->pack(at, weights, &p->s);
    at += p->packed;
    if (bias) {
        memset(at, 0, p->bias * sizeof *at);
        memcpy(at, bias, (size_t)p->s.oc * sizeof *at);
        j.conv.bias = at;
    }
    j.in = at + p->bias;
    j.conv.dst = j.in + p->in * (size_t)p->pictures;
    j.conv.shared = j.conv.dst + p->out * (size_t)p->pictures;
    j.threads = j.conv.shared + p->shared;
    for (int first = 0; first < c->s.n; first += p->pictures) {
        int n = c->s.n - first < p->pictures ? c->s.n - first : p->pictures;
        j.conv.shape.n = n;
        j.src = src + (size_t)first * in_floats;
        j.dst = dst + (size_t)first * out_floats;
        j.conv.src = p->kernel->src_blocked ? j.in : j.src;
        if (p->kernel->src_blocked)
            gh_pool_for(c->pool, n * blocks_in, to_blocked_units, &j);
        run_stages(&j);
        gh_pool_for(c->pool, n * blocks_out, to_plain_units, &j);
    }
}

bool gh_convolve_blocked_forward(const gh_convolve *c, const float *x, const float *bias, float *y)
{
    product p;
    if (!plan_forward(&p, &c->s, c->k))
        return false;
    run(c, &p, c->weights, bias, x, y);
    return true;
}

typedef struct turn {
    const float *src;
    float *dst;
    int ic, oc, taps;
} turn;

/* [oc][ic][taps] to [ic][oc][taps from last to first]. Units are input channels. */
static void turn_units(void *arg, int begin, int end, int thread)
{
    const turn *t = arg;
    (void)thread;
    for (int i = begin; i < end; i++)
        for (int o = 0; o < t->oc; o++)
            for (int k = 0; k < t->taps; k++)
                t->dst[((size_t)i * (size_t)t->oc + (size_t)o) * (size_t)t->taps + (size_t)k] =
                    t->src[((size_t)o * (size_t)t->ic + (size_t)i) * (size_t)t->taps +
                           (size_t)(t->taps - 1 - k)];
}

bool gh_convolve_blocked_input(const gh_convolve *c, const float *dy, const float *bias, float *dx)
{
    product p;
    const float *weights = c->weights;
    if (!plan_input(&p, &c->s, c->k))
        return false;
    if (p.turned) {
        turn t = {c->weights, c->scratch, c->s.ic, c->s.oc, c->s.kh * c->s.kw};
        gh_pool_for(c->pool, t.ic, turn_units, &t);
        weights = c->scratch;
    }
    run(c, &p, weights, bias, dy, dx);
    return true;
}
