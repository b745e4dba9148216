/* Neighbours by cosine, on standardised features. Without a number of neighbours: the cosine to each class's
 * prototype. With one: every training row votes with weight exp(sharpness * cosine), where the sharpness
 * makes the votes spread over that many rows on average (by their perplexity); this smooth form needs no
 * sorting, so that it exports to Gemm, Softmax and MatMul. */
#include "base/mem.h"
#include "train/heads/cosine.h"
#include "train/heads/head_parts.h"
#include "train/heads/standard.h"
#include "train/products/blas.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 256, MOST_QUERIES = 256 };
#define PROTOTYPE_SCALE 20.0f             /* cosine to logit, before any temperature */
#define LEAST_SHARE     1e-6f             /* added before the logarithm */
#define ABSENT          -2.0f             /* cosine of a class without rows: below all others */
#define MOST_BYTES      ((size_t)1 << 30) /* of the rows that an exported head carries */

typedef struct knn_head {
    gh_head base;
    int neighbours; /* 0 = prototypes */
    float scale;    /* or sharpness */
    size_t keys;    /* classes, or rows */
    gh_standard standard;
    float *key, *bias; /* unit rows [keys][width], [keys] added to the scaled cosine */
    float *share;      /* [keys][classes] votes of each row; NULL for prototypes */
} knn_head;

static void knn_free(gh_head *head)
{
    knn_head *h = (knn_head *)head;
    if (!h)
        return;
    gh_standard_free(&h->standard);
    gh_free(h->key);
    gh_free(h->bias);
    gh_free(h->share);
    gh_free(h);
}

/* ---- fit ---- */

static gh_status fit_prototypes(knn_head *h, const gh_rows *rows, gh_pool *pool, gh_err *e)
{
    bool *present = gh_calloc(rows->classes, sizeof *present);
    gh_status status = present ? gh_prototypes(h->key, present, rows, &h->standard, pool, e)
                               : gh_fail(e, GH_NOMEM, "no memory for prototypes");
    for (uint32_t c = 0; !status && c < rows->classes; c++)
        h->bias[c] = present[c] ? 0 : ABSENT * PROTOTYPE_SCALE;
    h->scale = PROTOTYPE_SCALE;
    gh_free(present);
    return status;
}

/* Cosines of `n` unit rows to all keys. */
static void cosines(float *out, const knn_head *h, const float *unit, size_t n)
{
    gh_gemm(&(gh_product){.tb = true,
                          .m = (int)n,
                          .n = (int)h->keys,
                          .k = (int)h->base.width,
                          .a = unit,
                          .lda = (int)h->base.width,
                          .b = h->key,
                          .ldb = (int)h->base.width,
                          .c = out,
                          .ldc = (int)h->keys});
}

/* Number of rows that a query's votes spread over: exp of their entropy. `skip` is the query itself. */
static double perplexity(const float *cosine, const float *bias, size_t keys, size_t skip, double sharpness)
{
    double most = -INFINITY, sum = 0, moment = 0;
    for (size_t i = 0; i < keys; i++)
        if (i != skip)
            most = fmax(most, sharpness * cosine[i] + bias[i]);
    for (size_t i = 0; i < keys; i++) {
        double z = i == skip ? -INFINITY : sharpness * cosine[i] + bias[i] - most, w = exp(z);
        sum += w;
        moment += w > 0 ? w * z : 0;
    }
    return exp(log(sum) - moment / sum);
}

/* Finds the sharpness by bisection over its logarithm: the spread falls as it grows. */
static double sharpness_for(const float *cosine, const knn_head *h, const size_t *query, size_t n)
{
    double low = log(0.1), high = log(1000);
    for (int step = 0; step < 24; step++) {
        double middle = (low + high) / 2, mean = 0;
        for (size_t q = 0; q < n; q++)
            mean += perplexity(cosine + q * h->keys, h->bias, h->keys, query[q], exp(middle)) / (double)n;
        *(mean > h->neighbours ? &low : &high) = middle;
    }
    return exp((low + high) / 2);
}

static gh_status choose_sharpness(knn_head *h, gh_err *e)
{
    size_t n = h->keys < MOST_QUERIES ? h->keys : MOST_QUERIES, query[MOST_QUERIES];
    float *cosine = gh_alloc_aligned(n * h->keys * sizeof *cosine);
    if (!cosine)
        return gh_fail(e, GH_NOMEM, "no memory to compare rows");
    for (size_t q = 0; q < n; q++) {
        query[q] = gh_piece_start(h->keys, (int)n, (int)q);
        cosines(cosine + q * h->keys, h, h->key + query[q] * h->base.width, 1);
    }
    h->scale = (float)sharpness_for(cosine, h, query, n);
    gh_free(cosine);
    return GH_OK;
}

/* Rows without weight do not vote and are left out. */
static gh_status fit_neighbours(knn_head *h, const gh_rows *rows, gh_err *e)
{
    size_t at = 0;
    for (size_t i = 0; i < rows->n; i++) {
        float w = gh_rows_weight(rows, i);
        if (!(w > 0))
            continue;
        gh_unit_rows(h->key + at * rows->width, rows->x + i * rows->width, &h->standard, 1, rows->width);
        h->bias[at] = logf(w);
        for (uint32_t c = 0; c < rows->classes; c++)
            h->share[at * rows->classes + c] = gh_rows_target(rows, i, c);
        at++;
    }
    h->keys = at;
    if (h->keys < 2)
        return gh_fail(e, GH_ARG, "%zu row has weight; neighbours need at least two", h->keys);
    return choose_sharpness(h, e);
}

/* A row that is carried: its features, a bias and, of neighbours, its share in every class. */
static gh_status knn_check(const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    size_t keys = o->neighbours ? rows->n : rows->classes;
    size_t row = rows->width + 1 + (o->neighbours ? rows->classes : 0);
    if (o->neighbours < 0)
        return gh_fail(e, GH_ARG, "%d neighbours; 0 (class prototypes) or more are accepted", o->neighbours);
    if (keys > MOST_BYTES / sizeof(float) / row)
        return gh_fail(e, GH_LIMIT,
                       "a knn head would carry %zu rows of %zu numbers; at most %zu MB are accepted.%s", keys,
                       row, MOST_BYTES >> 20,
                       o->neighbours ? " Without a number of neighbours it carries one row a class" : "");
    return GH_OK;
}

static gh_status allocate(knn_head *h, const gh_rows *rows, gh_err *e)
{
    h->base = (gh_head){.width = rows->width, .rows = rows->n, .classes = rows->classes};
    h->keys = h->neighbours ? rows->n : rows->classes;
    h->key = gh_calloc(h->keys, rows->width * sizeof *h->key);
    h->bias = gh_calloc(h->keys, sizeof *h->bias);
    h->share = h->neighbours ? gh_calloc(h->keys, rows->classes * sizeof *h->share) : NULL;
    if (!h->key || !h->bias || (h->neighbours && !h->share))
        return gh_fail(e, GH_NOMEM, "no memory for a knn head");
    return GH_OK;
}

static gh_status knn_fit(gh_head **out, const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    GH_TRY(gh_rows_check(rows, o->pool, e));
    GH_TRY(knn_check(rows, o, e));
    knn_head *h = gh_calloc(1, sizeof *h);
    if (!h)
        return gh_fail(e, GH_NOMEM, "no memory for a knn head");
    h->neighbours = o->neighbours;
    gh_status status = allocate(h, rows, e);
    if (!status)
        status = gh_standard_of(&h->standard, rows, o->pool, e);
    if (!status)
        status = h->neighbours ? fit_neighbours(h, rows, e) : fit_prototypes(h, rows, o->pool, e);
    if (!status && gh_stopped(o))
        status = gh_fail_stopped(e);
    if (status)
        knn_free(&h->base);
    else
        *out = &h->base;
    return status;
}

/* ---- use ---- */

/* Scaled cosines of one row become the logarithm of the classes' shares in the votes. */
static void vote(float *scores, float *z, const knn_head *h)
{
    float most = -INFINITY, sum = 0;
    for (size_t i = 0; i < h->keys; i++)
        most = fmaxf(most, z[i]);
    for (size_t i = 0; i < h->keys; i++)
        sum += z[i] = expf(z[i] - most);
    memset(scores, 0, h->base.classes * sizeof *scores);
    for (size_t i = 0; i < h->keys; i++)
        for (uint32_t c = 0; c < h->base.classes; c++)
            scores[c] += z[i] / sum * h->share[i * h->base.classes + c];
    for (uint32_t c = 0; c < h->base.classes; c++)
        scores[c] = logf(scores[c] + LEAST_SHARE);
}

typedef struct knn_job {
    const knn_head *h;
    float *scores, *space; /* CHUNK * (width + keys) floats a thread */
    const float *x;
    size_t n, chunk;
} knn_job;

static void predict_chunks(void *arg, int begin, int end, int thread)
{
    const knn_job *j = arg;
    const knn_head *h = j->h;
    size_t d = h->base.width, classes = h->base.classes;
    float *unit = j->space + (size_t)thread * j->chunk * (d + h->keys), *z = unit + j->chunk * d;
    for (int b = begin; b < end; b++) {
        size_t from = (size_t)b * j->chunk, n = j->n - from < j->chunk ? j->n - from : j->chunk;
        gh_unit_rows(unit, j->x + from * d, &h->standard, n, d);
        cosines(z, h, unit, n);
        for (size_t i = 0; i < n; i++) {
            float *row = z + i * h->keys, *scores = j->scores + (from + i) * classes;
            for (size_t k = 0; k < h->keys; k++)
                row[k] = h->scale * row[k] + h->bias[k];
            if (h->share)
                vote(scores, row, h);
            else
                memcpy(scores, row, classes * sizeof *scores);
        }
    }
}

static gh_status knn_predict(float *scores, const gh_head *head, const float *x, size_t n, gh_pool *pool,
                             gh_err *e)
{
    const knn_head *h = (const knn_head *)head;
    knn_job j = {.h = h, .scores = scores, .x = x, .n = n, .chunk = h->keys > 4096 ? 16 : CHUNK};
    size_t floats = (size_t)gh_pool_size(pool) * j.chunk * (head->width + h->keys);
    j.space = gh_alloc_aligned(floats * sizeof *j.space);
    if (!j.space)
        return gh_fail(e, GH_NOMEM, "no memory to predict");
    gh_pool_for(pool, (int)((n + j.chunk - 1) / j.chunk), predict_chunks, &j);
    gh_free(j.space);
    return GH_OK;
}

/* ---- export ---- */

/* Scaled keys as columns: a Gemm of unit rows gives what predict_chunks calls z, divided by `temperature`. */
static uint32_t export_keys(gh_graph *g, const knn_head *h, uint32_t unit, float temperature)
{
    int64_t dims[2] = {(int64_t)h->base.width, (int64_t)h->keys};
    float *key = NULL, *bias = NULL, scale = h->scale / temperature;
    uint32_t w = gh_graph_const_f32(g, "head/keys", gh_shape_of(2, dims), &key);
    uint32_t b = gh_graph_const_f32(g, "head/bias", gh_shape_of(1, dims + 1), &bias);
    for (size_t j = 0; key && j < h->base.width; j++)
        for (size_t i = 0; i < h->keys; i++)
            key[j * h->keys + i] = scale * h->key[i * h->base.width + j];
    for (size_t i = 0; bias && i < h->keys; i++)
        bias[i] = h->bias[i] / temperature;
    return gh_graph_op(g, "Gemm", h->share ? "head/cosines" : "head/logits", (uint32_t[]){unit, w, b}, 3);
}

static uint32_t knn_export(gh_graph *g, const gh_head *head, uint32_t features, float temperature)
{
    const knn_head *h = (const knn_head *)head;
    uint32_t unit = gh_export_unit_rows(g, "head", features, &h->standard);
    uint32_t z = export_keys(g, h, unit, h->share ? 1 : temperature);
    if (!h->share)
        return z;
    int64_t dims[2] = {(int64_t)h->keys, head->classes};
    float least = LEAST_SHARE, factor = 1 / temperature;
    uint32_t share = gh_graph_const(g, "head/shares", GH_F32, gh_shape_of(2, dims), h->share, true);
    uint32_t floor = gh_graph_const(g, "head/floor", GH_F32, gh_shape_of(0, NULL), &least, true);
    uint32_t scale = gh_graph_const(g, "head/scale", GH_F32, gh_shape_of(0, NULL), &factor, true);
    uint32_t votes = gh_graph_op(g, "Softmax", "head/votes", &z, 1);
    gh_graph_set_int(g, votes, "axis", 1);
    uint32_t sums = gh_graph_op(g, "MatMul", "head/sums", (uint32_t[]){votes, share}, 2);
    uint32_t bounded = gh_graph_op(g, "Add", "head/floored", (uint32_t[]){sums, floor}, 2);
    uint32_t logs = gh_graph_op(g, "Log", "head/logs", &bounded, 1);
    return gh_graph_op(g, "Mul", "head/logits", (uint32_t[]){logs, scale}, 2);
}

static char *knn_describe(const gh_head *head)
{
    const knn_head *h = (const knn_head *)head;
    gh_buf b = {0};
    gh_buf_printf(&b, "{\"neighbours\":%d,\"rows\":%zu,\"scale\":%.6g}", h->neighbours, h->keys, h->scale);
    return gh_buf_text(&b);
}

const gh_head_type gh_head_knn = {
    .name = "knn",
    .about = "cosine to the prototype of each class, or to the nearest neighbours",
    .logits = true,
    .check = knn_check,
    .fit = knn_fit,
    .predict = knn_predict,
    .export = knn_export,
    .describe = knn_describe,
    .free = knn_free,
};
