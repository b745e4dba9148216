/* Losses over classes: softmax's cross entropy and Dice. Elements are walked in tiles along the innermost
 * dimension, so that every loop runs over neighbours in memory; tiles are dealt out in a fixed number of
 * pieces, whose sums are added in their order. */
#include "train/learn/loss.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { PIECES = 64, TILE = 128 };

typedef struct tile {
    size_t at;    /* of the first class's first element, in logits and shares */
    size_t label; /* of the first element, in labels */
    size_t n;     /* elements, at most TILE */
} tile;

typedef struct job {
    const gh_class_targets *t;
    const float *logits;
    gh_gradient to;
    float *p;                          /* Dice: softmax of the logits */
    const double *slope;               /* Dice: [classes][2], dL/dp = slope[0] + target * slope[1] */
    double scale;                      /* softmax: weight over mass */
    double mass[PIECES], loss[PIECES]; /* of each piece */
    void (*each)(struct job *j, int piece, const tile *at);
} job;

static size_t tiles_in_row(const gh_class_targets *t)
{
    return (t->inner + TILE - 1) / TILE;
}

static void run_pieces(void *arg, int begin, int end, int thread)
{
    job *j = arg;
    const gh_class_targets *t = j->t;
    size_t row = tiles_in_row(t), tiles = t->n * row;
    (void)thread;
    for (int piece = begin; piece < end; piece++) {
        size_t last = tiles * ((size_t)piece + 1) / PIECES;
        for (size_t i = tiles * (size_t)piece / PIECES; i < last; i++) {
            size_t x = i % row * TILE, n = i / row;
            size_t left = t->inner - x;
            tile at = {n * t->classes * t->inner + x, n * t->inner + x, left < TILE ? left : TILE};
            j->each(j, piece, &at);
        }
    }
}

static void run(job *j, void (*each)(job *, int, const tile *), gh_pool *pool)
{
    j->each = each;
    gh_pool_for(pool, PIECES, run_pieces, j);
}

static double sum(const double *parts)
{
    double total = 0;
    for (int i = 0; i < PIECES; i++)
        total += parts[i];
    return total;
}

/* ---- targets ---- */

/* Shares of class `c`; of labels, 1 or 0. */
static void shares_of(float *share, const gh_class_targets *t, size_t c, const tile *at)
{
    if (t->labels)
        for (size_t i = 0; i < at->n; i++)
            share[i] = t->labels[at->label + i] == c;
    else
        memcpy(share, t->shares + at->at + c * t->inner, at->n * sizeof *share);
}

/* Sum of an element's shares: 1, or 0 where it does not count. */
static void totals_of(float *total, const gh_class_targets *t, const tile *at)
{
    memset(total, 0, at->n * sizeof *total);
    if (t->labels)
        for (size_t i = 0; i < at->n; i++)
            total[i] = t->labels[at->label + i] < t->classes && t->labels[at->label + i] != GH_LOSS_IGNORED;
    else
        for (size_t c = 0; c < t->classes; c++)
            for (size_t i = 0; i < at->n; i++)
                total[i] += t->shares[at->at + c * t->inner + i];
}

/* Smoothed and weighted shares of class `c`. */
static void wanted(float *out, const gh_class_targets *t, size_t c, const float *total, const tile *at)
{
    float w = t->class_weight ? t->class_weight[c] : 1, keep = w * (1 - t->smoothing),
          even = w * t->smoothing / (float)t->classes;
    shares_of(out, t, c, at);
    for (size_t i = 0; i < at->n; i++)
        out[i] = total[i] > 0 ? keep * out[i] + even * total[i] : 0;
}

/* ---- softmax ---- */

static void weigh(job *j, int piece, const tile *at)
{
    float total[TILE], share[TILE];
    totals_of(total, j->t, at);
    for (size_t c = 0; c < j->t->classes; c++) {
        wanted(share, j->t, c, total, at);
        for (size_t i = 0; i < at->n; i++)
            j->mass[piece] += (double)share[i];
    }
}

/* The largest logit of each element, and the sum of exp(logit - largest). */
static void exponents(float *most, float *sums, const float *z, size_t classes, size_t stride, size_t n)
{
    memcpy(most, z, n * sizeof *most);
    for (size_t c = 1; c < classes; c++)
        for (size_t i = 0; i < n; i++)
            most[i] = z[c * stride + i] > most[i] ? z[c * stride + i] : most[i];
    memset(sums, 0, n * sizeof *sums);
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i < n; i++)
            sums[i] += expf(z[c * stride + i] - most[i]);
}

static void cross_entropy(job *j, int piece, const tile *at)
{
    const gh_class_targets *t = j->t;
    const float *z = j->logits + at->at;
    float most[TILE], sums[TILE], total[TILE], share[TILE], mass[TILE] = {0};
    totals_of(total, t, at);
    exponents(most, sums, z, t->classes, t->inner, at->n);
    for (size_t i = 0; i < at->n; i++)
        most[i] += logf(sums[i]); /* log of the sum of exponents */
    double loss = 0;
    for (size_t c = 0; c < t->classes; c++) {
        wanted(share, t, c, total, at);
        for (size_t i = 0; i < at->n; i++) {
            mass[i] += share[i];
            loss += share[i] > 0 ? (double)(share[i] * (most[i] - z[c * t->inner + i])) : 0;
        }
    }
    j->loss[piece] += loss;
    for (size_t c = 0; j->to.at && c < t->classes; c++) {
        float *g = j->to.at + at->at + c * t->inner, scale = (float)j->scale;
        wanted(share, t, c, total, at);
        for (size_t i = 0; i < at->n; i++) {
            float d = mass[i] > 0 ? scale * (mass[i] * expf(z[c * t->inner + i] - most[i]) - share[i]) : 0;
            g[i] = j->to.add ? g[i] + d : d;
        }
    }
}

double gh_loss_softmax(gh_gradient to, const float *logits, const gh_class_targets *t, gh_pool *pool)
{
    job j = {.t = t, .logits = logits, .to = to};
    run(&j, weigh, pool);
    double mass = sum(j.mass);
    j.scale = mass > 0 ? to.weight / mass : 0;
    run(&j, cross_entropy, pool);
    return j.scale * sum(j.loss);
}

/* ---- Dice ---- */

/* p = softmax, or sigmoid of the one class; 0 where the element does not count. */
static void probabilities(job *j, int piece, const tile *at)
{
    const gh_class_targets *t = j->t;
    const float *z = j->logits + at->at;
    float most[TILE], sums[TILE], total[TILE], *p = j->p + at->at;
    (void)piece;
    totals_of(total, t, at);
    if (t->classes == 1) {
        for (size_t i = 0; i < at->n; i++) {
            bool counts = !t->labels || t->labels[at->label + i] != GH_LOSS_IGNORED;
            p[i] = counts ? 1 / (1 + expf(-z[i])) : 0;
        }
        return;
    }
    exponents(most, sums, z, t->classes, t->inner, at->n);
    for (size_t c = 0; c < t->classes; c++)
        for (size_t i = 0; i < at->n; i++)
            p[c * t->inner + i] = total[i] > 0 ? expf(z[c * t->inner + i] - most[i]) / sums[i] : 0;
}

static size_t foreground(const gh_class_targets *t, size_t c)
{
    return t->classes == 1 && t->labels ? 1 : c;
}

static void dice_gradient(job *j, int piece, const tile *at)
{
    const gh_class_targets *t = j->t;
    const float *p = j->p + at->at;
    float share[TILE], mean[TILE] = {0};
    (void)piece;
    for (int pass = t->classes == 1; pass < 2; pass++)
        for (size_t c = 0; c < t->classes; c++) {
            float *g = j->to.at + at->at + c * t->inner;
            shares_of(share, t, foreground(t, c), at);
            for (size_t i = 0; i < at->n; i++) {
                float q = (float)(j->slope[2 * c] + (double)share[i] * j->slope[2 * c + 1]),
                      pi = p[c * t->inner + i];
                if (pass == 0) {
                    mean[i] += pi * q;
                    continue;
                }
                float d = t->classes == 1 ? pi * (1 - pi) * q : pi * (q - mean[i]);
                g[i] = j->to.add ? g[i] + d : d;
            }
        }
}

/* Sums over one class, in order: what is shared, predicted and true. */
static double class_dice(double slope[2], const job *j, size_t c, double weight)
{
    const gh_class_targets *t = j->t;
    double both = 0, all = 0;
    float share[TILE];
    for (size_t n = 0; n < t->n; n++)
        for (size_t x = 0; x < t->inner; x += TILE) {
            size_t left = t->inner - x;
            tile at = {n * t->classes * t->inner + x, n * t->inner + x, left < TILE ? left : TILE};
            shares_of(share, t, foreground(t, c), &at);
            for (size_t i = 0; i < at.n; i++) {
                double p = (double)j->p[at.at + c * t->inner + i];
                both += p * (double)share[i];
                all += p + (double)share[i];
            }
        }
    double dice = (2 * both + 1) / (all + 1);
    slope[0] = weight * dice / (all + 1);
    slope[1] = -2 * weight / (all + 1);
    return weight * (1 - dice);
}

gh_status gh_loss_dice(double *loss, gh_gradient to, const float *logits, const gh_class_targets *t,
                       gh_pool *pool, gh_err *e)
{
    double *slope = gh_calloc(t->classes, 2 * sizeof *slope), value = 0, weights = 0;
    job j = {.t = t, .logits = logits, .to = to, .slope = slope};
    j.p = gh_calloc(t->n * t->classes, t->inner * sizeof *j.p);
    if (j.p && slope) {
        run(&j, probabilities, pool);
        for (size_t c = 0; c < t->classes; c++)
            weights += t->class_weight ? (double)t->class_weight[c] : 1;
        for (size_t c = 0; c < t->classes; c++) {
            double w = t->class_weight ? (double)t->class_weight[c] : 1;
            value += class_dice(slope + 2 * c, &j, c, weights > 0 ? to.weight * w / weights : 0);
        }
        if (to.at)
            run(&j, dice_gradient, pool);
        *loss = value;
    }
    gh_status status = j.p && slope ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the Dice loss");
    gh_free(j.p);
    gh_free(slope);
    return status;
}
