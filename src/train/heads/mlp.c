/* Forward and backward in two parallel loops over fixed pieces: of the batch's rows up to the gradient of the
 * hidden layer, then of the parameters, each piece with its own step of Adam. */
#include "train/heads/mlp.h"

#include "base/mem.h"
#include "base/rng.h"
#include "train/products/blas.h"

#include <math.h>
#include <string.h>

enum {
    ROWS = 16,                        /* of a piece of the batch */
    ROW_PIECES = GH_MLP_BATCH / ROWS, /* at most */
    WIDTH_PIECES = 16                 /* of the first layer's weights; one more piece is all the rest */
};
#define BETA1   0.9f
#define BETA2   0.999f
#define EPSILON 1e-8f

struct gh_mlp_space {
    float *hidden, *back;    /* [BATCH][hidden]: activations, and the gradient of their sums */
    float *logits;           /* [BATCH][classes], then their gradient */
    double loss[ROW_PIECES]; /* weighted */
};

size_t gh_mlp_parameters(const gh_mlp *m)
{
    return (m->width + 1) * m->hidden + (m->hidden + 1) * m->classes;
}

static float *bias1(const gh_mlp *m, float *p)
{
    return p + m->width * m->hidden;
}

static float *weights2(const gh_mlp *m, float *p)
{
    return bias1(m, p) + m->hidden;
}

static float *bias2(const gh_mlp *m, float *p)
{
    return weights2(m, p) + m->hidden * m->classes;
}

gh_status gh_mlp_new(gh_mlp *out, size_t width, size_t hidden, size_t classes, uint64_t seed, gh_err *e)
{
    gh_mlp m = {.width = width, .hidden = hidden, .classes = classes};
    gh_rng rng;
    float first = sqrtf(2 / (float)width), second = sqrtf(1 / (float)hidden);
    m.p = gh_calloc(gh_mlp_parameters(&m), sizeof *m.p);
    if (!m.p)
        return gh_fail(e, GH_NOMEM, "no memory for a network of %zu hidden units", hidden);
    gh_rng_seed(&rng, seed);
    for (size_t i = 0; i < width * hidden; i++)
        m.p[i] = first * gh_rng_normal(&rng);
    for (size_t i = 0; i < hidden * classes; i++)
        weights2(&m, m.p)[i] = second * gh_rng_normal(&rng);
    *out = m;
    return GH_OK;
}

void gh_mlp_free(gh_mlp *m)
{
    gh_free(m->p);
    m->p = NULL;
}

gh_status gh_adam_new(gh_adam *out, const gh_mlp *m, float rate, float decay, gh_err *e)
{
    size_t n = gh_mlp_parameters(m);
    gh_adam a = {.rate = rate, .decay = decay, .m = gh_calloc(n, 2 * sizeof *a.m)};
    if (!a.m)
        return gh_fail(e, GH_NOMEM, "no memory for an optimiser of %zu parameters", n);
    a.v = a.m + n;
    *out = a;
    return GH_OK;
}

void gh_adam_free(gh_adam *a)
{
    gh_free(a->m);
    a->m = a->v = NULL;
}

gh_status gh_mlp_space_new(gh_mlp_space **out, const gh_mlp *m, gh_err *e)
{
    gh_mlp_space *s = gh_calloc(1, sizeof *s);
    if (s) {
        s->hidden = gh_calloc(GH_MLP_BATCH, m->hidden * sizeof *s->hidden);
        s->back = gh_calloc(GH_MLP_BATCH, m->hidden * sizeof *s->back);
        s->logits = gh_calloc(GH_MLP_BATCH, m->classes * sizeof *s->logits);
    }
    if (!s || !s->hidden || !s->back || !s->logits) {
        gh_mlp_space_free(&s);
        return gh_fail(e, GH_NOMEM, "no memory to train a network");
    }
    *out = s;
    return GH_OK;
}

void gh_mlp_space_free(gh_mlp_space **space)
{
    gh_mlp_space *s = *space;
    if (!s)
        return;
    gh_free(s->hidden);
    gh_free(s->back);
    gh_free(s->logits);
    gh_free(s);
    *space = NULL;
}

/* ---- forward and backward over rows ---- */

/* out[n][columns] = bias + in[n][rows] * weights[rows][columns] */
static void layer(float *out, const float *in, const float *weights, const float *bias, size_t n, size_t rows,
                  size_t columns)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * columns, bias, columns * sizeof *out);
    gh_gemm(&(gh_product){.m = (int)n,
                          .n = (int)columns,
                          .k = (int)rows,
                          .a = in,
                          .lda = (int)rows,
                          .b = weights,
                          .ldb = (int)columns,
                          .c = out,
                          .ldc = (int)columns,
                          .add = true});
}

void gh_mlp_logits(float *logits, float *hidden, const gh_mlp *m, const float *x, size_t n)
{
    layer(hidden, x, m->p, bias1(m, m->p), n, m->width, m->hidden);
    for (size_t i = 0; i < n * m->hidden; i++)
        hidden[i] = hidden[i] > 0 ? hidden[i] : 0;
    layer(logits, hidden, weights2(m, m->p), bias2(m, m->p), n, m->hidden, m->classes);
}

/* Cross entropy of a row; z becomes `scale` times its gradient. */
static double row_loss(float *z, const float *target, size_t classes, float scale)
{
    float most = z[0], sum = 0;
    double loss = 0;
    for (size_t c = 1; c < classes; c++)
        most = z[c] > most ? z[c] : most;
    for (size_t c = 0; c < classes; c++) {
        loss -= (double)target[c] * (z[c] - most);
        sum += z[c] = expf(z[c] - most);
    }
    for (size_t c = 0; c < classes; c++)
        z[c] = scale * (z[c] / sum - target[c]);
    return loss + log((double)sum);
}

typedef struct step {
    gh_mlp *m;
    gh_mlp_space *s;
    const gh_batch *b;
    float *gradient;
    gh_adam *adam;        /* or NULL */
    float one;            /* 1 / the batch's weight */
    float scale1, scale2; /* Adam's corrections of the means for their start at 0 */
} step;

static void run_rows(void *arg, int begin, int end, int thread)
{
    const step *t = arg;
    const gh_mlp *m = t->m;
    (void)thread;
    for (int p = begin; p < end; p++) {
        size_t from = (size_t)p * ROWS, n = t->b->n - from < ROWS ? t->b->n - from : ROWS;
        float *hidden = t->s->hidden + from * m->hidden, *back = t->s->back + from * m->hidden;
        float *z = t->s->logits + from * m->classes;
        gh_mlp_logits(z, hidden, m, t->b->x + from * m->width, n);
        t->s->loss[p] = 0;
        for (size_t i = 0; i < n; i++) {
            float w = t->b->weight[from + i];
            t->s->loss[p] += w * row_loss(z + i * m->classes, t->b->target + (from + i) * m->classes,
                                          m->classes, w * t->one);
        }
        gh_gemm(&(gh_product){.tb = true,
                              .m = (int)n,
                              .n = (int)m->hidden,
                              .k = (int)m->classes,
                              .a = z,
                              .lda = (int)m->classes,
                              .b = weights2(m, m->p),
                              .ldb = (int)m->classes,
                              .c = back,
                              .ldc = (int)m->hidden});
        for (size_t i = 0; i < n * m->hidden; i++)
            back[i] = hidden[i] > 0 ? back[i] : 0;
    }
}

/* ---- gradients and steps over parameters ---- */

/* Parameters [from, to) go one step of Adam. */
static void move(const step *t, size_t from, size_t to, float decay)
{
    gh_adam *a = t->adam;
    for (size_t i = from; a && i < to; i++) {
        float g = t->gradient[i];
        a->m[i] += (1 - BETA1) * (g - a->m[i]);
        a->v[i] += (1 - BETA2) * (g * g - a->v[i]);
        float way = a->m[i] * t->scale1 / (sqrtf(a->v[i] * t->scale2) + EPSILON);
        t->m->p[i] -= a->rate * (way + decay * t->m->p[i]);
    }
}

/* gradient[rows][columns] = in[n][from .. from + rows]^T * back[n][columns] */
static void outer(float *gradient, const float *in, size_t stride, size_t rows, const float *back,
                  size_t columns, size_t n)
{
    gh_gemm(&(gh_product){.ta = true,
                          .m = (int)rows,
                          .n = (int)columns,
                          .k = (int)n,
                          .a = in,
                          .lda = (int)stride,
                          .b = back,
                          .ldb = (int)columns,
                          .c = gradient,
                          .ldc = (int)columns});
}

static void sum_rows(float *sums, const float *rows, size_t n, size_t columns)
{
    memset(sums, 0, columns * sizeof *sums);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < columns; c++)
            sums[c] += rows[i * columns + c];
}

static void run_rest(const step *t)
{
    const gh_mlp *m = t->m;
    float *g = t->gradient;
    sum_rows(bias1(m, g), t->s->back, t->b->n, m->hidden);
    outer(weights2(m, g), t->s->hidden, m->hidden, m->hidden, t->s->logits, m->classes, t->b->n);
    sum_rows(bias2(m, g), t->s->logits, t->b->n, m->classes);
    size_t w2 = (size_t)(weights2(m, g) - g), b2 = (size_t)(bias2(m, g) - g);
    move(t, m->width * m->hidden, w2, 0);
    move(t, w2, b2, t->adam ? t->adam->decay : 0);
    move(t, b2, b2 + m->classes, 0);
}

static void run_parameters(void *arg, int begin, int end, int thread)
{
    const step *t = arg;
    const gh_mlp *m = t->m;
    (void)thread;
    for (int p = begin; p < end; p++) {
        if (p == WIDTH_PIECES) {
            run_rest(t);
            continue;
        }
        size_t from = m->width * (size_t)p / WIDTH_PIECES, to = m->width * (size_t)(p + 1) / WIDTH_PIECES;
        outer(t->gradient + from * m->hidden, t->b->x + from, m->width, to - from, t->s->back, m->hidden,
              t->b->n);
        move(t, from * m->hidden, to * m->hidden, t->adam ? t->adam->decay : 0);
    }
}

double gh_mlp_step(gh_mlp *m, float *gradient, gh_adam *adam, const gh_batch *batch, gh_mlp_space *space,
                   gh_pool *pool)
{
    step t = {.m = m, .s = space, .b = batch, .gradient = gradient, .adam = adam};
    double weight = 0, loss = 0;
    int pieces = (int)((batch->n + ROWS - 1) / ROWS);
    GH_ASSERT(batch->n >= 1 && batch->n <= GH_MLP_BATCH);
    for (size_t i = 0; i < batch->n; i++)
        weight += batch->weight[i];
    t.one = weight > 0 ? (float)(1 / weight) : 0;
    if (adam) {
        adam->step++;
        t.scale1 = (float)(1 / (1 - pow(BETA1, (double)adam->step)));
        t.scale2 = (float)(1 / (1 - pow(BETA2, (double)adam->step)));
    }
    gh_pool_for(pool, pieces, run_rows, &t);
    gh_pool_for(pool, WIDTH_PIECES + 1, run_parameters, &t);
    for (int p = 0; p < pieces; p++)
        loss += space->loss[p];
    return loss * t.one;
}
