/* One pass over the rows: logits of all fits, their softmax and its difference from the targets, and the
 * gradients. A piece of rows has its own sums; pieces are added up in their order. */
#include "train/heads/softmax_loss.h"

#include "base/mem.h"
#include "train/heads/head_parts.h"
#include "train/products/blas.h"

#include <math.h>
#include <string.h>

enum {
    CHUNK = 256,      /* rows of one product: they stay in the second-level cache for both */
    MOST_PIECES = 32, /* of the rows; 32 threads can share a pass */
    PARTS = 32        /* of the features, when the pieces are added up */
};
#define PIECE_BYTES ((size_t)256 << 20) /* bound on the sums of all pieces */

/* What a piece of rows gathers. */
typedef struct sums {
    float *weights;                    /* [width][columns] */
    double *bias;                      /* [columns] */
    double *loss, *held, *held_weight; /* [fits] */
    float *logits;                     /* [CHUNK][columns] */
} sums;

struct gh_softmax_loss {
    const gh_rows *rows;
    const uint32_t *fold;
    const gh_standard *standard;
    uint32_t most;
    int pieces;
    double *total; /* weight of the rows of each fold, then of all others */
    uint32_t folds;
    float *wide, *wide_bias; /* weights of all fits side by side, on raw features */
    float *floats;           /* owns the sums' floats */
    double *doubles;
    sums piece[MOST_PIECES];
    /* the pass at hand */
    gh_softmax_fit *const *fits;
    uint32_t count;
    bool only_held;
    float *held_logits;
};

size_t gh_softmax_parameters(const gh_rows *rows)
{
    return (rows->width + 1) * rows->classes;
}

static int pieces_of(const gh_rows *rows, uint32_t most)
{
    int pieces = gh_pieces(rows->n, MOST_PIECES);
    size_t one = rows->width * rows->classes * most * sizeof(float);
    while (pieces > 1 && one > PIECE_BYTES / (size_t)pieces)
        pieces /= 2;
    return pieces;
}

size_t gh_softmax_loss_bytes(const gh_rows *rows, uint32_t most)
{
    size_t columns = (size_t)rows->classes * most;
    return columns * ((rows->width + CHUNK) * (size_t)pieces_of(rows, most) + rows->width) * sizeof(float);
}

static gh_status allocate(gh_softmax_loss *l, gh_err *e)
{
    size_t d = l->rows->width, columns = (size_t)l->rows->classes * l->most;
    size_t floats = columns * (d + CHUNK), doubles = columns + 3 * (size_t)l->most;
    l->floats = gh_alloc_aligned((size_t)l->pieces * floats * sizeof(float));
    l->doubles = gh_calloc((size_t)l->pieces, doubles * sizeof(double));
    l->wide = gh_alloc_aligned(columns * (d + 1) * sizeof(float));
    l->total = gh_calloc(l->folds + 1u, sizeof *l->total);
    if (!l->floats || !l->doubles || !l->wide || !l->total)
        return gh_fail(e, GH_NOMEM, "no memory to fit %u classes on %zu features", l->rows->classes, d);
    l->wide_bias = l->wide + columns * d;
    for (int p = 0; p < l->pieces; p++) {
        float *f = l->floats + (size_t)p * floats;
        double *n = l->doubles + (size_t)p * doubles;
        l->piece[p] = (sums){.weights = f,
                             .logits = f + columns * d,
                             .bias = n,
                             .loss = n + columns,
                             .held = n + columns + l->most,
                             .held_weight = n + columns + 2 * l->most};
    }
    return GH_OK;
}

gh_status gh_softmax_loss_new(gh_softmax_loss **out, const gh_rows *rows, const uint32_t *fold,
                              const gh_standard *standard, uint32_t most, gh_err *e)
{
    gh_softmax_loss *l = gh_calloc(1, sizeof *l);
    if (!l)
        return gh_fail(e, GH_NOMEM, "no memory to fit a head");
    *l = (gh_softmax_loss){.rows = rows, .fold = fold, .standard = standard, .most = most};
    l->pieces = pieces_of(rows, most);
    for (size_t i = 0; fold && i < rows->n; i++)
        if (fold[i] != GH_NO_FOLD && fold[i] >= l->folds)
            l->folds = fold[i] + 1;
    gh_status status = allocate(l, e);
    if (status) {
        gh_softmax_loss_free(&l);
        return status;
    }
    for (size_t i = 0; i < rows->n; i++)
        l->total[fold && fold[i] != GH_NO_FOLD ? fold[i] : l->folds] += gh_rows_weight(rows, i);
    *out = l;
    return GH_OK;
}

void gh_softmax_loss_free(gh_softmax_loss **loss)
{
    gh_softmax_loss *l = *loss;
    if (!l)
        return;
    gh_free(l->floats);
    gh_free(l->doubles);
    gh_free(l->wide);
    gh_free(l->total);
    gh_free(l);
    *loss = NULL;
}

/* Weight of the rows that a fit learns from. */
static double learnt(const gh_softmax_loss *l, const gh_softmax_fit *fit)
{
    double sum = 0;
    for (uint32_t f = 0; f <= l->folds; f++)
        sum += f == fit->left_out && f < l->folds ? 0 : l->total[f];
    return sum;
}

/* ---- weights on raw features ---- */

/* Columns [at, at + classes) of a matrix with `stride` columns. */
static void to_raw(float *weights, size_t stride, float *bias, const float *at, const gh_standard *s,
                   uint32_t classes)
{
    const float *b = at + s->width * classes;
    for (uint32_t c = 0; c < classes; c++) {
        double sum = b[c];
        for (size_t j = 0; j < s->width; j++) {
            float w = at[j * classes + c] * s->inverse[j];
            weights[j * stride + c] = w;
            sum -= (double)w * s->mean[j];
        }
        bias[c] = (float)sum;
    }
}

void gh_softmax_raw(float *weights, float *bias, const float *at, const gh_standard *s, uint32_t classes)
{
    to_raw(weights, classes, bias, at, s, classes);
}

static void widen(void *arg, int begin, int end, int thread)
{
    gh_softmax_loss *l = arg;
    uint32_t c = l->rows->classes;
    (void)thread;
    for (int f = begin; f < end; f++)
        to_raw(l->wide + (size_t)f * c, (size_t)l->count * c, l->wide_bias + (size_t)f * c, l->fits[f]->at,
               l->standard, c);
}

/* ---- rows ---- */

static void add_bias(float *z, const float *bias, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(z + i * columns, bias, columns * sizeof *z);
}

/* Cross entropy of one row; z becomes the gradient, scaled, where `scale` is not 0. */
static double row_loss(float *z, const gh_rows *rows, size_t i, float scale)
{
    uint32_t classes = rows->classes;
    float most = z[0], sum = 0;
    double loss = 0;
    for (uint32_t c = 1; c < classes; c++)
        most = z[c] > most ? z[c] : most;
    if (rows->votes) {
        const float *share = rows->votes + i * classes;
        for (uint32_t c = 0; c < classes; c++)
            loss -= (double)share[c] * (z[c] - most);
    } else {
        loss -= z[rows->label[i]] - most;
    }
    for (uint32_t c = 0; c < classes; c++) {
        float p = expf(z[c] - most);
        sum += p;
        if (scale > 0)
            z[c] = p;
    }
    if (scale > 0) {
        float one = scale / sum;
        for (uint32_t c = 0; c < classes; c++)
            z[c] *= one;
        for (uint32_t c = 0; rows->votes && c < classes; c++)
            z[c] -= scale * rows->votes[i * classes + c];
        if (!rows->votes)
            z[rows->label[i]] -= scale;
    }
    return loss + log((double)sum);
}

static void one_row(const gh_softmax_loss *l, sums *s, float *z, size_t i, const float *scales)
{
    const gh_rows *rows = l->rows;
    uint32_t classes = rows->classes;
    float weight = gh_rows_weight(rows, i);
    for (uint32_t f = 0; f < l->count; f++, z += classes) {
        bool held = l->fold && l->fold[i] == l->fits[f]->left_out && l->fold[i] != GH_NO_FOLD;
        if (held && l->only_held) {
            if (l->held_logits)
                memcpy(l->held_logits + i * classes, z, classes * sizeof *z);
            s->held[f] += weight * row_loss(z, rows, i, 0);
            s->held_weight[f] += weight;
        } else if (held || !(weight > 0)) {
            memset(z, 0, classes * sizeof *z);
        } else if (!l->only_held) {
            s->loss[f] += weight * row_loss(z, rows, i, weight * scales[f]);
            for (uint32_t c = 0; c < classes; c++)
                s->bias[(size_t)f * classes + c] += z[c];
        }
    }
}

static void one_chunk(const gh_softmax_loss *l, sums *s, size_t from, size_t rows, const float *scales)
{
    size_t d = l->rows->width, columns = (size_t)l->rows->classes * l->count;
    const float *x = l->rows->x + from * d;
    add_bias(s->logits, l->wide_bias, rows, columns);
    gh_gemm(&(gh_product){.m = (int)rows,
                          .n = (int)columns,
                          .k = (int)d,
                          .a = x,
                          .lda = (int)d,
                          .b = l->wide,
                          .ldb = (int)columns,
                          .c = s->logits,
                          .ldc = (int)columns,
                          .add = true});
    for (size_t i = 0; i < rows; i++)
        one_row(l, s, s->logits + i * columns, from + i, scales);
    if (!l->only_held)
        gh_gemm(&(gh_product){.ta = true,
                              .m = (int)d,
                              .n = (int)columns,
                              .k = (int)rows,
                              .a = x,
                              .lda = (int)d,
                              .b = s->logits,
                              .ldb = (int)columns,
                              .c = s->weights,
                              .ldc = (int)columns,
                              .add = true});
}

typedef struct pass {
    gh_softmax_loss *l;
    const float *scales; /* 1 / weight learnt, of each fit */
} pass;

static void run_pieces(void *arg, int begin, int end, int thread)
{
    const pass *job = arg;
    gh_softmax_loss *l = job->l;
    size_t n = l->rows->n, columns = (size_t)l->rows->classes * l->count;
    (void)thread;
    for (int p = begin; p < end; p++) {
        sums *s = &l->piece[p];
        size_t to = gh_piece_start(n, l->pieces, p + 1);
        if (!l->only_held)
            memset(s->weights, 0, columns * l->rows->width * sizeof *s->weights);
        memset(s->bias, 0, columns * sizeof *s->bias);
        for (uint32_t f = 0; f < l->count; f++)
            s->loss[f] = s->held[f] = s->held_weight[f] = 0;
        for (size_t i = gh_piece_start(n, l->pieces, p); i < to; i += CHUNK)
            one_chunk(l, s, i, to - i < CHUNK ? to - i : CHUNK, job->scales);
    }
}

/* ---- adding up ---- */

static double bias_sum(const gh_softmax_loss *l, size_t column)
{
    double sum = 0;
    for (int p = 0; p < l->pieces; p++)
        sum += l->piece[p].bias[column];
    return sum;
}

/* Gradient of features [from, to) of one fit. */
static void gather(const gh_softmax_loss *l, uint32_t f, size_t from, size_t to)
{
    uint32_t classes = l->rows->classes;
    const gh_softmax_fit *fit = l->fits[f];
    size_t columns = (size_t)classes * l->count;
    const float *mean = l->standard->mean, *inverse = l->standard->inverse;
    const float *bias = fit->gradient + l->rows->width * classes;
    for (size_t j = from; j < to; j++) {
        float *g = fit->gradient + j * classes;
        memset(g, 0, classes * sizeof *g);
        for (int p = 0; p < l->pieces; p++) {
            const float *sum = l->piece[p].weights + j * columns + (size_t)f * classes;
            for (uint32_t c = 0; c < classes; c++)
                g[c] += sum[c];
        }
        for (uint32_t c = 0; c < classes; c++)
            g[c] = (g[c] - mean[j] * bias[c]) * inverse[j] + fit->l2 * fit->at[j * classes + c];
    }
}

static void gather_parts(void *arg, int begin, int end, int thread)
{
    const gh_softmax_loss *l = arg;
    (void)thread;
    for (uint32_t f = 0; f < l->count; f++)
        gather(l, f, gh_piece_start(l->rows->width, PARTS, begin),
               gh_piece_start(l->rows->width, PARTS, end));
}

static double value_of(const gh_softmax_loss *l, uint32_t f)
{
    const gh_softmax_fit *fit = l->fits[f];
    size_t count = l->rows->width * l->rows->classes;
    double sum = 0;
    for (int p = 0; p < l->pieces; p++)
        sum += l->piece[p].loss[f];
    return sum / learnt(l, fit) + 0.5 * fit->l2 * gh_dot(count, fit->at, fit->at);
}

void gh_softmax_gradient(gh_softmax_loss *l, gh_softmax_fit *const *fits, uint32_t count, gh_pool *pool)
{
    float scales[64];
    GH_ASSERT(count >= 1 && count <= l->most && count <= GH_COUNT(scales));
    l->fits = fits;
    l->count = count;
    l->only_held = false;
    for (uint32_t f = 0; f < count; f++)
        scales[f] = (float)(1 / learnt(l, fits[f]));
    gh_pool_for(pool, (int)count, widen, l);
    gh_pool_for(pool, l->pieces, run_pieces, &(pass){l, scales});
    for (uint32_t f = 0; f < count; f++)
        for (uint32_t c = 0; c < l->rows->classes; c++)
            fits[f]->gradient[l->rows->width * l->rows->classes + c] =
                (float)bias_sum(l, (size_t)f * l->rows->classes + c);
    gh_pool_for(pool, PARTS, gather_parts, l);
    for (uint32_t f = 0; f < count; f++)
        fits[f]->loss = value_of(l, f);
}

double gh_softmax_held_out(gh_softmax_loss *l, gh_softmax_fit *const *fits, uint32_t count, float *logits,
                           double *weight, gh_pool *pool)
{
    double sum = 0;
    GH_ASSERT(count >= 1 && count <= l->most);
    l->fits = fits;
    l->count = count;
    l->only_held = true;
    l->held_logits = logits;
    gh_pool_for(pool, (int)count, widen, l);
    gh_pool_for(pool, l->pieces, run_pieces, &(pass){l, NULL});
    for (uint32_t f = 0; f < count; f++)
        for (int p = 0; p < l->pieces; p++) {
            sum += l->piece[p].held[f];
            *weight += l->piece[p].held_weight[f];
        }
    return sum;
}

/* ---- a finished head ---- */

typedef struct logits_job {
    float *logits;
    const float *weights, *bias, *x;
    size_t n, width;
    uint32_t classes;
} logits_job;

static void run_logits(void *arg, int begin, int end, int thread)
{
    const logits_job *j = arg;
    (void)thread;
    for (int b = begin; b < end; b++) {
        size_t from = (size_t)b * CHUNK, rows = j->n - from < CHUNK ? j->n - from : CHUNK;
        float *z = j->logits + from * j->classes;
        add_bias(z, j->bias, rows, j->classes);
        gh_gemm(&(gh_product){.m = (int)rows,
                              .n = (int)j->classes,
                              .k = (int)j->width,
                              .a = j->x + from * j->width,
                              .lda = (int)j->width,
                              .b = j->weights,
                              .ldb = (int)j->classes,
                              .c = z,
                              .ldc = (int)j->classes,
                              .add = true});
    }
}

void gh_softmax_logits(float *logits, const float *weights, const float *bias, const float *x, size_t n,
                       size_t width, uint32_t classes, gh_pool *pool)
{
    logits_job job = {logits, weights, bias, x, n, width, classes};
    gh_pool_for(pool, (int)((n + CHUNK - 1) / CHUNK), run_logits, &job);
}
