/* Optimisers. The vector is cut in pieces of a fixed size; norms are summed piece by piece. */
#include "train/learn/optim.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { PIECE = 1 << 14 };

/* Lies before the vectors in the block of the state. */
typedef struct head {
    uint64_t step;
    double kept;
    uint8_t pad[48]; /* the vectors begin at a cache line */
} head;

struct gh_optim {
    gh_optim_options o;
    gh_optim_part *parts;
    size_t nparts, count, bytes;
    head *state;        /* block of the state */
    float *m, *v, *ema; /* inside it; v and ema may be NULL */
    float *rate;        /* of each element, then what decays of it; one block with `decays` */
    float *decays;
    double *norms; /* of each piece */
    /* the step that runs */
    float *weights, *gradients;
    double at_rate, shrink, correct1, correct2;
};

static size_t pieces(const gh_optim *o)
{
    return (o->count + PIECE - 1) / PIECE;
}

static gh_status allocate(gh_optim *o, gh_err *e)
{
    size_t vectors = 1u + (o->o.kind == GH_OPTIM_ADAMW) + (o->o.ema > 0), size;
    if (!gh_mul_size(&size, o->count, vectors * sizeof(float)) || !gh_add_size(&size, size, sizeof(head)))
        return gh_fail(e, GH_LIMIT, "a network of %zu parameters is too large to train", o->count);
    o->bytes = size;
    o->state = gh_alloc_aligned(size);
    o->rate = gh_calloc(o->count + 1, 2 * sizeof *o->rate);
    o->norms = gh_calloc(pieces(o) + 1, sizeof *o->norms);
    if (!o->state || !o->rate || !o->norms)
        return gh_fail(e, GH_NOMEM, "no memory for an optimiser of %zu parameters", o->count);
    memset(o->state, 0, size);
    float *at = (float *)(o->state + 1);
    o->m = at;
    at += o->count;
    if (o->o.kind == GH_OPTIM_ADAMW) {
        o->v = at;
        at += o->count;
    }
    o->ema = o->o.ema > 0 ? at : NULL;
    o->decays = o->rate + o->count;
    return GH_OK;
}

gh_status gh_optim_new(gh_optim **out, const gh_optim_options *options, const gh_optim_part *parts,
                       size_t nparts, size_t count, gh_err *e)
{
    gh_optim *o = gh_calloc(1, sizeof *o);
    if (!o)
        return gh_fail(e, GH_NOMEM, "no memory for an optimiser");
    o->o = *options;
    o->count = count;
    o->o.beta1 = options->beta1 > 0 ? options->beta1 : .9f;
    o->o.beta2 = options->beta2 > 0 ? options->beta2 : .999f;
    o->o.small = options->small > 0 ? options->small : 1e-8f;
    gh_status status = allocate(o, e);
    for (size_t i = 0; !status && i < nparts; i++) {
        GH_ASSERT(parts[i].offset <= count && parts[i].count <= count - parts[i].offset);
        for (size_t k = parts[i].offset; k < parts[i].offset + parts[i].count; k++) {
            o->rate[k] = parts[i].rate > 0 ? parts[i].rate : 1;
            o->decays[k] = parts[i].decays ? o->o.decay : 0;
        }
    }
    if (status)
        gh_optim_free(&o);
    *out = o;
    return status;
}

void gh_optim_free(gh_optim **optim)
{
    gh_optim *o = *optim;
    if (!o)
        return;
    gh_free(o->state);
    gh_free(o->rate);
    gh_free(o->norms);
    gh_free(o);
    *optim = NULL;
}

const float *gh_optim_average(const gh_optim *o)
{
    return o->ema;
}

double gh_optim_kept(const gh_optim *o)
{
    return o->state->kept;
}

void *gh_optim_state(gh_optim *o, size_t *bytes)
{
    *bytes = o->bytes;
    return o->state;
}

/* ---- a step ---- */

static size_t piece_end(const gh_optim *o, int piece)
{
    size_t end = ((size_t)piece + 1) * PIECE;
    return end < o->count ? end : o->count;
}

static void measure(void *arg, int begin, int end, int thread)
{
    gh_optim *o = arg;
    (void)thread;
    for (int p = begin; p < end; p++) {
        double sum = 0;
        for (size_t i = (size_t)p * PIECE; i < piece_end(o, p); i++)
            sum += (double)o->gradients[i] * (double)o->gradients[i];
        o->norms[p] = sum;
    }
}

static void adamw(gh_optim *o, size_t first, size_t last)
{
    const float b1 = o->o.beta1, b2 = o->o.beta2, small = o->o.small, shrink = (float)o->shrink,
                rate = (float)o->at_rate, c1 = (float)(1 / o->correct1), c2 = (float)(1 / sqrt(o->correct2));
    for (size_t i = first; i < last; i++) {
        float g = o->gradients[i] *= shrink, step = rate * o->rate[i];
        o->m[i] = b1 * o->m[i] + (1 - b1) * g;
        o->v[i] = b2 * o->v[i] + (1 - b2) * g * g;
        float w = o->weights[i] * (1 - step * o->decays[i]);
        o->weights[i] = w - step * c1 * o->m[i] / (sqrtf(o->v[i]) * c2 + small);
    }
}

static void sgd(gh_optim *o, size_t first, size_t last)
{
    const float momentum = o->o.momentum, shrink = (float)o->shrink, rate = (float)o->at_rate;
    for (size_t i = first; i < last; i++) {
        float g = o->gradients[i] *= shrink;
        g += o->decays[i] * o->weights[i];
        o->m[i] = momentum * o->m[i] + g;
        g = o->o.nesterov ? g + momentum * o->m[i] : o->m[i];
        o->weights[i] -= rate * o->rate[i] * g;
    }
}

static void update(void *arg, int begin, int end, int thread)
{
    gh_optim *o = arg;
    (void)thread;
    for (int p = begin; p < end; p++) {
        size_t first = (size_t)p * PIECE, last = piece_end(o, p);
        if (o->o.kind == GH_OPTIM_ADAMW)
            adamw(o, first, last);
        else
            sgd(o, first, last);
        float kept = (float)o->state->kept;
        for (size_t i = first; o->ema && i < last; i++)
            o->ema[i] = kept * o->ema[i] + (1 - kept) * o->weights[i];
    }
}

double gh_optim_step(gh_optim *o, float *weights, float *gradients, double rate, gh_pool *pool)
{
    double sum = 0;
    o->weights = weights;
    o->gradients = gradients;
    gh_pool_for(pool, (int)pieces(o), measure, o);
    for (size_t p = 0; p < pieces(o); p++)
        sum += o->norms[p];
    double norm = sqrt(sum), t = (double)++o->state->step;
    if (!isfinite(norm)) {
        o->state->step--;
        return norm;
    }
    o->at_rate = rate;
    o->shrink = o->o.clip > 0 && norm > (double)o->o.clip ? (double)o->o.clip / norm : 1;
    o->correct1 = 1 - pow((double)o->o.beta1, t);
    o->correct2 = 1 - pow((double)o->o.beta2, t);
    /* at first a mean over the few steps there were: what the weights began as is soon forgotten */
    o->state->kept = fmin((double)o->o.ema, t / (10 + t));
    if (o->ema && t < 2)
        memcpy(o->ema, weights, o->count * sizeof *o->ema);
    gh_pool_for(pool, (int)pieces(o), update, o);
    return norm;
}
