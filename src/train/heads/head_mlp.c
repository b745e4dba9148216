/* One hidden layer, trained with Adam. A part of the rows is held out until their loss stops to fall; then
 * the network is trained anew on all rows for as many epochs. Exported as Gemm, Relu, Gemm; the standardising
 * stands in the first weights. */
#include "base/mem.h"
#include "base/rng.h"
#include "train/heads/head_parts.h"
#include "train/heads/mlp.h"
#include "train/heads/standard.h"

#include <math.h>
#include <string.h>

enum {
    HIDDEN = 128,
    MOST_HIDDEN = 8192,
    EPOCHS = 200,
    MOST_EPOCHS = 100000,
    PATIENCE = 6,
    FOLDS = 6,
    LEAST_STEPS = 16
};
#define BLIND_EPOCHS 30 /* where nothing can be held out */
#define RATE         1e-3f
#define DECAY        1.0f /* strong: features are many, pictures few */
#define LEAST_GAIN   1e-3 /* share of the loss that counts as a gain */
#define MOST_BYTES   ((size_t)2 << 30)

typedef struct mlp_head {
    gh_head base;
    gh_mlp net; /* on raw features, once fitted */
    int epochs;
    size_t held;           /* rows held out */
    double loss, accuracy; /* of those at the chosen epoch */
} mlp_head;

typedef struct trainer {
    mlp_head *head;
    const gh_rows *rows;
    const gh_fit_options *o;
    gh_standard standard;
    uint32_t *fold; /* NULL: nothing is held out */
    uint32_t *order;
    gh_mlp net;
    gh_adam adam;
    gh_mlp_space *space;
    float *gradient, *x, *target, *weight; /* the last three: a batch */
    float *hidden, *logits;                /* of a batch, for scoring */
    gh_err *e;
} trainer;

static void mlp_free(gh_head *head)
{
    mlp_head *h = (mlp_head *)head;
    if (!h)
        return;
    gh_mlp_free(&h->net);
    gh_free(h);
}

/* ---- batches ---- */

static void standardise(float *out, const float *x, const gh_standard *s)
{
    for (size_t j = 0; j < s->width; j++)
        out[j] = (x[j] - s->mean[j]) * s->inverse[j];
}

/* Rows order[from .. from + n) become a batch. */
static gh_batch gather(trainer *t, const uint32_t *order, size_t n)
{
    const gh_rows *r = t->rows;
    for (size_t i = 0; i < n; i++) {
        standardise(t->x + i * r->width, r->x + (size_t)order[i] * r->width, &t->standard);
        for (uint32_t c = 0; c < r->classes; c++)
            t->target[i * r->classes + c] = gh_rows_target(r, order[i], c);
        t->weight[i] = gh_rows_weight(r, order[i]);
    }
    return (gh_batch){t->x, t->target, t->weight, n};
}

static void shuffle(uint32_t *order, size_t n, gh_rng *rng)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)gh_rng_below(rng, i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
}

/* Once over the first n rows of t->order, or as often as it takes to make LEAST_STEPS steps. */
static void run_epoch(trainer *t, size_t n, gh_rng *rng)
{
    for (int steps = 0; steps < LEAST_STEPS;) {
        shuffle(t->order, n, rng);
        for (size_t i = 0; i < n; i += GH_MLP_BATCH, steps++) {
            gh_batch b = gather(t, t->order + i, n - i < GH_MLP_BATCH ? n - i : GH_MLP_BATCH);
            gh_mlp_step(&t->net, t->gradient, &t->adam, &b, t->space, t->o->pool);
        }
    }
}

/* ---- scoring what is held out: the last rows of t->order ---- */

static double score_batch(trainer *t, const gh_batch *b, double *right)
{
    size_t classes = t->rows->classes;
    double loss = 0;
    gh_mlp_logits(t->logits, t->hidden, &t->net, b->x, b->n);
    for (size_t i = 0; i < b->n; i++) {
        const float *z = t->logits + i * classes, *share = b->target + i * classes;
        size_t best = 0, truth = 0;
        double sum = 0;
        for (size_t c = 0; c < classes; c++) {
            best = z[c] > z[best] ? c : best;
            truth = share[c] > share[truth] ? c : truth;
        }
        for (size_t c = 0; c < classes; c++)
            sum += exp((double)z[c] - z[best]);
        for (size_t c = 0; c < classes; c++)
            loss += b->weight[i] * share[c] * (log(sum) - z[c] + z[best]);
        *right += best == truth ? b->weight[i] : 0;
    }
    return loss;
}

/* Weighted mean loss and accuracy. */
static double score_held(trainer *t, const uint32_t *rows, size_t n, double *accuracy)
{
    double loss = 0, right = 0, weight = 0;
    for (size_t i = 0; i < n; i += GH_MLP_BATCH) {
        gh_batch b = gather(t, rows + i, n - i < GH_MLP_BATCH ? n - i : GH_MLP_BATCH);
        loss += score_batch(t, &b, &right);
        for (size_t k = 0; k < b.n; k++)
            weight += b.weight[k];
    }
    *accuracy = weight > 0 ? right / weight : 0;
    return weight > 0 ? loss / weight : 0;
}

/* ---- fit ---- */

static gh_status start(trainer *t)
{
    mlp_head *h = t->head;
    gh_mlp_free(&t->net);
    gh_adam_free(&t->adam);
    GH_TRY(gh_mlp_new(&t->net, t->rows->width, h->net.hidden, t->rows->classes, t->o->seed, t->e));
    return gh_adam_new(&t->adam, &t->net, RATE, DECAY, t->e);
}

/* Rows to learn from in front, those of fold 0 behind; gives how many stand in front. */
static size_t split(trainer *t)
{
    size_t front = 0, back = t->rows->n;
    for (size_t i = 0; i < t->rows->n; i++)
        if (t->fold && t->fold[i] == 0)
            t->order[--back] = (uint32_t)i;
        else
            t->order[front++] = (uint32_t)i;
    return front;
}

/* Epochs until the held-out loss has not fallen for PATIENCE of them; remembers the best. */
static gh_status find_epochs(trainer *t, int most)
{
    mlp_head *h = t->head;
    gh_rng rng;
    size_t n = split(t);
    gh_rng_seed(&rng, t->o->seed + 1);
    GH_TRY(start(t));
    h->held = t->rows->n - n;
    h->loss = INFINITY;
    for (int epoch = 1; epoch <= most && epoch - h->epochs <= PATIENCE; epoch++) {
        double accuracy = 0;
        if (gh_stopped(t->o))
            return gh_fail_stopped(t->e);
        run_epoch(t, n, &rng);
        double loss = score_held(t, t->order + n, h->held, &accuracy);
        if (loss < h->loss * (1 - LEAST_GAIN)) {
            h->loss = loss;
            h->accuracy = accuracy;
            h->epochs = epoch;
        }
    }
    return GH_OK;
}

static gh_status train_all(trainer *t)
{
    gh_rng rng;
    gh_rng_seed(&rng, t->o->seed + 1);
    for (size_t i = 0; i < t->rows->n; i++)
        t->order[i] = (uint32_t)i;
    GH_TRY(start(t));
    for (int epoch = 0; epoch < t->head->epochs; epoch++) {
        if (gh_stopped(t->o))
            return gh_fail_stopped(t->e);
        run_epoch(t, t->rows->n, &rng);
    }
    return GH_OK;
}

/* The standardising moves into the first layer. */
static void take_net(trainer *t)
{
    gh_mlp *net = &t->net;
    float *bias = net->p + net->width * net->hidden;
    for (size_t k = 0; k < net->hidden; k++) {
        double sum = bias[k];
        for (size_t j = 0; j < net->width; j++) {
            float w = net->p[j * net->hidden + k] * t->standard.inverse[j];
            net->p[j * net->hidden + k] = w;
            sum -= (double)w * t->standard.mean[j];
        }
        bias[k] = (float)sum;
    }
    t->head->net = *net;
    net->p = NULL;
}

static size_t hidden_units(const gh_fit_options *o)
{
    return o->hidden ? (size_t)o->hidden : HIDDEN;
}

static size_t parameters_of(const gh_rows *rows, size_t hidden)
{
    return (rows->width + 1) * hidden + (hidden + 1) * rows->classes;
}

static gh_status mlp_check(const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    if (o->hidden < 0 || o->hidden > MOST_HIDDEN || o->epochs < 0 || o->epochs > MOST_EPOCHS)
        return gh_fail(e, GH_ARG, "%d hidden units and %d epochs; up to %d and %d are accepted", o->hidden,
                       o->epochs, MOST_HIDDEN, MOST_EPOCHS);
    size_t parameters = parameters_of(rows, hidden_units(o));
    if (parameters > MOST_BYTES / sizeof(float) / 4)
        return gh_fail(e, GH_LIMIT,
                       "a network of %zu parameters needs %zu MB to be trained; at most %zu MB are used",
                       parameters, parameters * 4 * sizeof(float) >> 20, MOST_BYTES >> 20);
    return GH_OK;
}

static gh_status allocate(trainer *t)
{
    size_t d = t->rows->width, classes = t->rows->classes, hidden = t->head->net.hidden;
    size_t parameters = parameters_of(t->rows, hidden);
    t->gradient = gh_calloc(parameters, sizeof *t->gradient);
    t->x = gh_alloc_aligned(GH_MLP_BATCH * d * sizeof *t->x);
    t->target = gh_calloc(GH_MLP_BATCH, classes * sizeof *t->target);
    t->weight = gh_calloc(GH_MLP_BATCH, sizeof *t->weight);
    t->hidden = gh_calloc(GH_MLP_BATCH, hidden * sizeof *t->hidden);
    t->logits = gh_calloc(GH_MLP_BATCH, classes * sizeof *t->logits);
    t->order = gh_calloc(t->rows->n, sizeof *t->order);
    if (!t->gradient || !t->x || !t->target || !t->weight || !t->hidden || !t->logits || !t->order)
        return gh_fail(t->e, GH_NOMEM, "no memory to train a network of %zu parameters", parameters);
    const gh_mlp shape = {d, hidden, classes, NULL};
    return gh_mlp_space_new(&t->space, &shape, t->e);
}

static gh_status train(trainer *t)
{
    int most = t->o->epochs ? t->o->epochs : EPOCHS;
    uint32_t folds;
    GH_TRY(gh_rows_folds(&t->fold, &folds, t->rows, FOLDS, t->o->seed, t->e));
    GH_TRY(allocate(t));
    GH_TRY(gh_standard_of(&t->standard, t->rows, t->o->pool, t->e));
    t->head->epochs = most < BLIND_EPOCHS ? most : BLIND_EPOCHS;
    if (t->fold) {
        t->head->epochs = 0;
        GH_TRY(find_epochs(t, most));
    }
    GH_TRY(train_all(t));
    take_net(t);
    return GH_OK;
}

static gh_status mlp_fit(gh_head **out, const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    GH_TRY(gh_rows_check(rows, o->pool, e));
    GH_TRY(mlp_check(rows, o, e));
    mlp_head *h = gh_calloc(1, sizeof *h);
    if (!h)
        return gh_fail(e, GH_NOMEM, "no memory for a network");
    h->base = (gh_head){.width = rows->width, .rows = rows->n, .classes = rows->classes};
    h->net.hidden = hidden_units(o);
    trainer t = {.head = h, .rows = rows, .o = o, .e = e};
    gh_status status = train(&t);
    gh_mlp_free(&t.net);
    gh_adam_free(&t.adam);
    gh_mlp_space_free(&t.space);
    gh_standard_free(&t.standard);
    gh_free(t.fold);
    gh_free(t.order);
    gh_free(t.gradient);
    gh_free(t.x);
    gh_free(t.target);
    gh_free(t.weight);
    gh_free(t.hidden);
    gh_free(t.logits);
    if (status)
        mlp_free(&h->base);
    else
        *out = &h->base;
    return status;
}

/* ---- use ---- */

typedef struct predict_job {
    const gh_mlp *net;
    const float *x;
    float *scores, *hidden; /* hidden: [BATCH][hidden] a thread */
    size_t n;
} predict_job;

static void predict_batches(void *arg, int begin, int end, int thread)
{
    const predict_job *j = arg;
    float *hidden = j->hidden + (size_t)thread * GH_MLP_BATCH * j->net->hidden;
    for (int b = begin; b < end; b++) {
        size_t from = (size_t)b * GH_MLP_BATCH, n = j->n - from < GH_MLP_BATCH ? j->n - from : GH_MLP_BATCH;
        gh_mlp_logits(j->scores + from * j->net->classes, hidden, j->net, j->x + from * j->net->width, n);
    }
}

static gh_status mlp_predict(float *scores, const gh_head *head, const float *x, size_t n, gh_pool *pool,
                             gh_err *e)
{
    predict_job j = {.net = &((const mlp_head *)head)->net, .x = x, .scores = scores, .n = n};
    j.hidden = gh_calloc((size_t)gh_pool_size(pool), GH_MLP_BATCH * j.net->hidden * sizeof *j.hidden);
    if (!j.hidden)
        return gh_fail(e, GH_NOMEM, "no memory to predict");
    gh_pool_for(pool, (int)((n + GH_MLP_BATCH - 1) / GH_MLP_BATCH), predict_batches, &j);
    gh_free(j.hidden);
    return GH_OK;
}

static uint32_t mlp_export(gh_graph *g, const gh_head *head, uint32_t features, float temperature)
{
    const gh_mlp *net = &((const mlp_head *)head)->net;
    int64_t d = (int64_t)net->width, k = (int64_t)net->hidden, c = (int64_t)net->classes;
    const float *p = net->p;
    float *last = NULL, *bias = NULL;
    uint32_t w1 = gh_graph_const(g, "head/weights1", GH_F32, gh_shape_of(2, (int64_t[]){d, k}), p, true);
    uint32_t b1 = gh_graph_const(g, "head/bias1", GH_F32, gh_shape_of(1, &k), p + d * k, true);
    uint32_t w2 = gh_graph_const_f32(g, "head/weights2", gh_shape_of(2, (int64_t[]){k, c}), &last);
    uint32_t b2 = gh_graph_const_f32(g, "head/bias2", gh_shape_of(1, &c), &bias);
    p += d * k + k;
    for (int64_t i = 0; last && i < k * c; i++)
        last[i] = p[i] / temperature;
    for (int64_t i = 0; bias && i < c; i++)
        bias[i] = p[k * c + i] / temperature;
    uint32_t sums = gh_graph_op(g, "Gemm", "head/sums", (uint32_t[]){features, w1, b1}, 3);
    uint32_t hidden = gh_graph_op(g, "Relu", "head/hidden", &sums, 1);
    return gh_graph_op(g, "Gemm", "head/logits", (uint32_t[]){hidden, w2, b2}, 3);
}

static char *mlp_describe(const gh_head *head)
{
    const mlp_head *h = (const mlp_head *)head;
    gh_buf b = {0};
    gh_buf_printf(&b, "{\"hidden\":%zu,\"epochs\":%d", h->net.hidden, h->epochs);
    if (h->held)
        gh_buf_printf(&b, ",\"held_out\":{\"rows\":%zu,\"loss\":%.6g,\"accuracy\":%.6g}", h->held, h->loss,
                      h->accuracy);
    gh_buf_str(&b, "}");
    return gh_buf_text(&b);
}

const gh_head_type gh_head_mlp = {
    .name = "mlp",
    .about = "one hidden layer, trained with Adam until held-out pictures stop to gain",
    .logits = true,
    .check = mlp_check,
    .fit = mlp_fit,
    .predict = mlp_predict,
    .export = mlp_export,
    .describe = mlp_describe,
    .free = mlp_free,
};
