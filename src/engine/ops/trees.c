/* TreeEnsembleClassifier and TreeEnsembleRegressor of ai.onnx.ml. Where the standard leaves room (two classes
 * of which only one has weights, transforms of a single target) the answers are those of ONNX Runtime. With
 * text labels a classifier's first output is the class's number: we have no tensors of text. */
#include "engine/ops/trees.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define MOST_BYTES ((size_t)1 << 30)

static gh_status trees_infer(gh_io *io)
{
    uint32_t targets;
    bool classifier = strcmp(io->node->type, "TreeEnsembleClassifier") == 0;
    GH_TRY(gh_io_need(io, 0, GH_F32, 2));
    GH_TRY(gh_trees_targets(io, &targets));
    if (classifier && io->nout != 2)
        return gh_io_fail(io, GH_FORMAT, "it has %u outputs; it gives labels and scores", io->nout);
    int64_t dims[2] = {io->in[0].shape.dims[0], targets};
    if (classifier)
        io->out[0] = (gh_tensor){.type = GH_I64, .shape = gh_shape_of(1, dims)};
    io->out[classifier] = (gh_tensor){.type = GH_F32, .shape = gh_shape_of(2, dims)};
    return GH_OK;
}

/* ---- one row ---- */

static bool goes_yes(const gh_flat_node *n, float v)
{
    switch ((gh_tree_mode)n->mode) {
    case GH_TREE_LEQ:
        return v <= n->value;
    case GH_TREE_LT:
        return v < n->value;
    case GH_TREE_GTE:
        return v >= n->value;
    case GH_TREE_GT:
        return v > n->value;
    case GH_TREE_EQ:
        return v == n->value;
    default:
        return v != n->value;
    }
}

static const gh_flat_node *leaf_of(const gh_flat_trees *t, uint32_t root, const float *x)
{
    const gh_flat_node *n = &t->nodes[root];
    while (n->mode != GH_TREE_LEAF) {
        float v = x[n->feature];
        bool yes = n->mode == GH_TREE_LEQ ? v <= n->value : goes_yes(n, v);
        n = &t->nodes[yes || (n->missing_yes && isnan(v)) ? n->yes : n->no];
    }
    return n;
}

/* NaN stands for a target that no leaf has given anything yet. */
static void join(float *score, float weight, gh_tree_sum sum)
{
    if (isnan(*score))
        *score = weight;
    else if (sum == GH_TREE_MIN)
        *score = weight < *score ? weight : *score;
    else if (sum == GH_TREE_MAX)
        *score = weight > *score ? weight : *score;
    else
        *score += weight;
}

/* What the leaves of a row give each target; NaN: nothing. */
static void gather(float *scores, const gh_flat_trees *t, const float *x)
{
    for (uint32_t c = 0; c < t->targets; c++)
        scores[c] = NAN;
    for (uint32_t i = 0; i < t->ntrees; i++) {
        const gh_flat_node *leaf = leaf_of(t, t->roots[i], x);
        for (uint32_t k = leaf->yes; k < leaf->yes + leaf->no; k++)
            join(&scores[t->weights[k].target], t->weights[k].weight, t->sum);
    }
    for (uint32_t c = 0; t->sum == GH_TREE_AVERAGE && c < t->targets; c++)
        scores[c] /= (float)t->ntrees;
}

/* Class with the highest score; one without a score only when there is no other. */
static uint32_t best_of(const float *scores, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < n; c++)
        best = scores[c] > scores[best] || (isnan(scores[best]) && !isnan(scores[c])) ? c : best;
    return best;
}

static void add_base(float *scores, const gh_flat_trees *t)
{
    for (uint32_t c = 0; c < t->targets; c++)
        scores[c] = (isnan(scores[c]) ? 0 : scores[c]) + (c < t->nbase ? t->base[c] : 0);
}

/* ---- transforms ---- */

static float logistic(float x)
{
    float p = 1 / (1 + expf(-fabsf(x)));
    return x < 0 ? 1 - p : p;
}

/* Quantile of the normal distribution by the inverse error function of Winitzki (2008), a = 0.147. */
static float probit(float p)
{
    const float a = 0.147f;
    float x = 2 * p - 1, l = logf((1 - x) * (1 + x)), half = 2 / (3.14159f * a) + l / 2;
    float r = sqrtf(sqrtf(half * half - l / a) - half);
    return 1.41421356f * (x < 0 ? -r : r);
}

/* With `zero`, scores of 0 stay 0 and the others share the whole. */
static void softmax(float *scores, uint32_t n, bool zero)
{
    float most = scores[0], sum = 0;
    for (uint32_t c = 1; c < n; c++)
        most = scores[c] > most ? scores[c] : most;
    for (uint32_t c = 0; c < n; c++) {
        if (zero && fabsf(scores[c]) <= 1e-7f)
            scores[c] *= expf(-most);
        else
            sum += scores[c] = expf(scores[c] - most);
    }
    for (uint32_t c = 0; c < n; c++)
        scores[c] /= sum;
}

void gh_trees_transform(float *scores, uint32_t n, gh_tree_post post)
{
    for (uint32_t c = 0; c < n; c++) {
        if (post == GH_TREE_LOGISTIC)
            scores[c] = logistic(scores[c]);
        if (post == GH_TREE_PROBIT)
            scores[c] = probit(scores[c]);
    }
    if (post == GH_TREE_SOFTMAX || post == GH_TREE_SOFTMAX_ZERO)
        softmax(scores, n, post == GH_TREE_SOFTMAX_ZERO);
}

/* Weights for the first class alone are the score of the second: a probability where none is negative, else a
 * margin. */
static uint32_t score_margin(float *scores, const gh_flat_trees *t)
{
    float s = scores[0];
    bool yes = s > (t->negative ? 0.0f : 0.5f);
    bool sigmoid = t->post == GH_TREE_LOGISTIC;
    scores[0] = sigmoid ? logistic(-s) : t->negative ? -s : 1 - s;
    scores[1] = sigmoid ? logistic(s) : s;
    if (t->post == GH_TREE_PROBIT)
        gh_trees_transform(scores, 2, t->post);
    return yes;
}

static uint32_t score_classes(float *scores, const gh_flat_trees *t)
{
    uint32_t best = best_of(scores, t->targets);
    add_base(scores, t);
    if (t->one_sided && t->side == 0 && t->nbase < 2)
        return score_margin(scores, t);
    if (t->nbase)
        best = best_of(scores, t->targets);
    if (t->one_sided)
        best = scores[1] > (t->negative ? 0.0f : 0.5f);
    gh_trees_transform(scores, t->targets, t->post);
    return best;
}

static void score_row(const gh_flat_trees *t, const float *x, float *scores, int64_t *label)
{
    gather(scores, t, x);
    if (t->classifier) {
        *label = t->labels[score_classes(scores, t)];
        return;
    }
    add_base(scores, t);
    if (t->targets > 1 || t->post == GH_TREE_PROBIT)
        gh_trees_transform(scores, t->targets, t->post);
}

/* ---- running ---- */

typedef struct trees_job {
    const gh_flat_trees *t;
    const float *x;
    float *scores;
    int64_t *labels; /* NULL for a regressor */
    size_t columns;
} trees_job;

static void run_rows(const void *job, int begin, int end)
{
    const trees_job *j = job;
    for (int i = begin; i < end; i++)
        score_row(j->t, j->x + (size_t)i * j->columns, j->scores + (size_t)i * j->t->targets,
                  j->labels ? &j->labels[i] : NULL);
}

static void run_flat(gh_exec *x, const gh_flat_trees *t)
{
    trees_job j = {.t = t,
                   .x = x->in[0].data,
                   .scores = x->out[t->classifier].data,
                   .labels = t->classifier ? x->out[0].data : NULL,
                   .columns = (size_t)x->in[0].shape.dims[1]};
    gh_exec_range(x, (int)x->in[0].shape.dims[0], run_rows, &j);
}

static gh_status check_columns(const gh_io *io, const gh_flat_trees *t)
{
    if (t->features > io->in[0].shape.dims[1])
        return gh_io_fail(io, GH_FORMAT, "its trees read feature %u of %lld", t->features - 1,
                          (long long)io->in[0].shape.dims[1]);
    return GH_OK;
}

/* The plain way reads the attributes anew in each run. */
static gh_status trees_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    gh_flat_trees *t = NULL;
    GH_TRY(gh_trees_build(&t, &io, MOST_BYTES));
    gh_status status = check_columns(&io, t);
    if (!status)
        run_flat(x, t);
    gh_free(t);
    return status;
}

static gh_status trees_prepare(gh_prepare *p)
{
    if (!p->packed->weights) {
        gh_flat_trees *t = NULL;
        GH_TRY(gh_trees_build(&t, p->io, p->room < MOST_BYTES ? p->room : MOST_BYTES));
        *p->packed = (gh_packed){.kernel = t, .weights = (float *)(void *)t, .bytes = t->bytes};
    }
    p->kernel = "trees";
    p->accepted = true;
    return check_columns(p->io, (const gh_flat_trees *)(const void *)p->packed->weights);
}

static gh_status trees_run_packed(gh_exec *x)
{
    run_flat(x, (const gh_flat_trees *)(const void *)x->packed->weights);
    return GH_OK;
}

static const gh_blocked trees_packed = {trees_prepare, trees_run_packed};

const gh_op gh_ops_trees[] = {
    {"TreeEnsembleClassifier", "ai.onnx.ml", 1, 4, 0, 1, 1, 2, trees_infer, trees_run, &trees_packed, NULL},
    {"TreeEnsembleRegressor", "ai.onnx.ml", 1, 4, 0, 1, 1, 1, trees_infer, trees_run, &trees_packed, NULL},
};
const size_t gh_ops_trees_count = GH_COUNT(gh_ops_trees);
