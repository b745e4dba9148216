/* Multinomial logistic regression by L-BFGS. The penalty comes from cross-validation over a grid, each fit
 * starting where the one before ended; all folds advance together, so that one wide product serves them all.
 * Exported as one Gemm. */
#include "base/mem.h"
#include "train/heads/head_parts.h"
#include "train/heads/lbfgs.h"
#include "train/heads/softmax_loss.h"

#include <math.h>
#include <string.h>

enum { FOLDS = 5, MOST_FOLDS = 64, WEAKER = 9, STRONGER = 3, PATIENCE = 2 };
#define FIRST_L2   1.0f /* where the grid starts; its steps are the root of 10 */
#define DEFAULT_L2 0.1f /* where nothing can be held out */
#define MOST_BYTES ((size_t)2 << 30)

/* One penalty tried. */
typedef struct trial {
    float l2;
    double loss, accuracy; /* on held-out rows */
} trial;

typedef struct softmax_head {
    gh_head base;
    float *weights, *bias; /* on raw features: [width][classes], [classes] */
    float l2;
    int iterations;
    uint32_t folds;
    trial trials[WEAKER + STRONGER];
    int ntrials, best;
} softmax_head;

typedef struct fitter {
    softmax_head *head;
    const gh_rows *rows;
    const gh_fit_options *o;
    gh_standard standard;
    uint32_t *fold;
    size_t parameters;
    float *start; /* of the last fit: the mean of the folds' answers */
    gh_softmax_loss *loss;
    gh_lbfgs *solver[MOST_FOLDS];
    gh_softmax_fit fit[MOST_FOLDS];
    gh_err *e;
} fitter;

static void softmax_free(gh_head *h)
{
    softmax_head *head = (softmax_head *)h;
    if (!head)
        return;
    gh_free(head->weights);
    gh_free(head->bias);
    gh_free(head->base.held_out);
    gh_free(head);
}

/* ---- solving ---- */

/* Runs the first `count` solvers to their ends, all looking at the rows in the same pass. */
static gh_status solve(fitter *f, uint32_t count)
{
    gh_softmax_fit *active[MOST_FOLDS];
    uint32_t of[MOST_FOLDS], n = count;
    for (uint32_t i = 0; i < count; i++) {
        active[i] = &f->fit[i];
        of[i] = i;
    }
    while (n) {
        if (gh_stopped(f->o))
            return gh_fail_stopped(f->e);
        gh_softmax_gradient(f->loss, active, n, f->o->pool);
        uint32_t kept = 0;
        for (uint32_t i = 0; i < n; i++)
            if (gh_lbfgs_tell(f->solver[of[i]], active[i]->loss)) {
                active[kept] = active[i];
                of[kept++] = of[i];
            }
        n = kept;
    }
    return GH_OK;
}

static gh_status new_solvers(fitter *f, uint32_t count, gh_lbfgs_options options)
{
    for (uint32_t i = 0; i < count; i++) {
        gh_lbfgs_free(&f->solver[i]);
        GH_TRY(gh_lbfgs_new(&f->solver[i], f->parameters, &options, f->e));
        f->fit[i] = (gh_softmax_fit){.at = gh_lbfgs_point(f->solver[i]),
                                     .gradient = gh_lbfgs_gradient(f->solver[i]),
                                     .left_out = count > 1 ? i : GH_NO_FOLD};
    }
    return GH_OK;
}

/* ---- choosing the penalty ---- */

static double accuracy_of(const fitter *f, const float *logits)
{
    uint32_t classes = f->rows->classes;
    double right = 0, all = 0;
    for (size_t i = 0; i < f->rows->n; i++) {
        const float *z = logits + i * classes;
        uint32_t best = 0;
        if (f->fold[i] == GH_NO_FOLD)
            continue;
        for (uint32_t c = 1; c < classes; c++)
            best = z[c] > z[best] ? c : best;
        all += gh_rows_weight(f->rows, i);
        right += best == gh_rows_class(f->rows, i) ? gh_rows_weight(f->rows, i) : 0;
    }
    return all > 0 ? right / all : 0;
}

static void keep_best(fitter *f, const float *logits, size_t count)
{
    uint32_t folds = f->head->folds;
    memcpy(f->head->base.held_out, logits, count * sizeof *logits);
    memset(f->start, 0, f->parameters * sizeof *f->start);
    for (uint32_t i = 0; i < folds; i++)
        for (size_t j = 0; j < f->parameters; j++)
            f->start[j] += f->fit[i].at[j] / (float)folds;
}

/* One penalty, from where the solvers stand. */
static gh_status try_penalty(fitter *f, float l2, float *logits)
{
    softmax_head *h = f->head;
    gh_softmax_fit *fits[MOST_FOLDS];
    trial *t = &h->trials[h->ntrials];
    double weight = 0;
    for (uint32_t i = 0; i < h->folds; i++) {
        if (h->ntrials)
            gh_lbfgs_penalise(f->solver[i], (double)l2 - f->fit[i].l2, f->parameters - f->rows->classes);
        f->fit[i].l2 = l2;
        fits[i] = &f->fit[i];
    }
    GH_TRY(solve(f, h->folds));
    double loss = gh_softmax_held_out(f->loss, fits, h->folds, logits, &weight, f->o->pool);
    *t = (trial){l2, weight > 0 ? loss / weight : 0, accuracy_of(f, logits)};
    h->ntrials++;
    return GH_OK;
}

/* Penalties from `l2` on, each `factor` times the one before, until PATIENCE of them were no better. */
static gh_status walk(fitter *f, float l2, float factor, int count, float *logits)
{
    softmax_head *h = f->head;
    for (int i = 0, worse = 0; i < count && worse < PATIENCE; i++, l2 *= factor) {
        int at = h->ntrials;
        GH_TRY(try_penalty(f, l2, logits));
        bool better = at == 0 || h->trials[at].loss < h->trials[h->best].loss;
        worse = better ? 0 : worse + 1;
        if (better) {
            h->best = at;
            keep_best(f, logits, f->rows->n * f->rows->classes);
        }
    }
    return GH_OK;
}

static gh_status walk_grid(fitter *f, float *logits)
{
    const float step = 3.16227766f;
    if (f->o->l2 > 0)
        return walk(f, f->o->l2, 1, 1, logits);
    GH_TRY(walk(f, FIRST_L2, 1 / step, WEAKER, logits));
    return f->head->best ? GH_OK : walk(f, FIRST_L2 * step, step, STRONGER, logits);
}

static gh_status cross_validate(fitter *f)
{
    softmax_head *h = f->head;
    size_t count = f->rows->n * f->rows->classes;
    float *logits = gh_calloc(count, sizeof *logits);
    gh_status status = new_solvers(f, h->folds, (gh_lbfgs_options){.gradient = 1e-3f, .decrease = 1e-4});
    h->base.held_out = gh_alloc(count * sizeof(float));
    if (!status && (!logits || !h->base.held_out))
        status = gh_fail(f->e, GH_NOMEM, "no memory for cross-validation");
    for (size_t i = 0; !status && i < count; i++)
        logits[i] = NAN; /* rows that no fold holds out keep it */
    if (!status)
        status = walk_grid(f, logits);
    gh_free(logits);
    return status;
}

/* ---- fit ---- */

/* Bytes that `fits` fits side by side take, with the scores of what they leave out. */
static size_t bytes_for(const gh_rows *rows, uint32_t fits)
{
    size_t side = fits ? fits : 1, solvers, scores;
    if (!gh_mul_size(&solvers, gh_softmax_parameters(rows), (gh_lbfgs_floats(1, 0) + 2) * sizeof(float)) ||
        !gh_mul_size(&solvers, solvers, side) ||
        !gh_mul_size(&scores, rows->n, rows->classes * 2 * sizeof(float)))
        return SIZE_MAX;
    return solvers + gh_softmax_loss_bytes(rows, (uint32_t)side) + (fits ? scores : 0);
}

static gh_status softmax_check(const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    size_t bytes = bytes_for(rows, 0);
    (void)o;
    if (bytes <= MOST_BYTES)
        return GH_OK;
    return gh_fail(
        e, GH_LIMIT,
        "a softmax head of %u classes on %zu features needs %zu MB to be fitted; at most %zu MB are "
        "used. Fewer classes, a cut with fewer features, or --head knn or mlp fit",
        rows->classes, rows->width, bytes >> 20, MOST_BYTES >> 20);
}

static gh_status last_fit(fitter *f)
{
    softmax_head *h = f->head;
    GH_TRY(new_solvers(f, 1, (gh_lbfgs_options){.gradient = 1e-4f, .decrease = 1e-6}));
    f->fit[0].l2 = h->l2;
    memcpy(gh_lbfgs_point(f->solver[0]), f->start, f->parameters * sizeof *f->start);
    GH_TRY(solve(f, 1));
    h->iterations = gh_lbfgs_iterations(f->solver[0]);
    gh_softmax_raw(h->weights, h->bias, f->fit[0].at, &f->standard, h->base.classes);
    return GH_OK;
}

static gh_status fit_all(fitter *f)
{
    softmax_head *h = f->head;
    GH_TRY(gh_rows_folds(&f->fold, &h->folds, f->rows, FOLDS, f->o->seed, f->e));
    if (bytes_for(f->rows, h->folds) > MOST_BYTES)
        h->folds = 0; /* where cross-validation would take too much, there is none */
    GH_TRY(gh_standard_of(&f->standard, f->rows, f->o->pool, f->e));
    GH_TRY(gh_softmax_loss_new(&f->loss, f->rows, f->fold, &f->standard, h->folds ? h->folds : 1, f->e));
    f->start = gh_calloc(f->parameters, sizeof *f->start);
    if (!f->start)
        return gh_fail(f->e, GH_NOMEM, "no memory to fit a head");
    if (h->folds)
        GH_TRY(cross_validate(f));
    h->l2 = h->folds ? h->trials[h->best].l2 : f->o->l2 > 0 ? f->o->l2 : DEFAULT_L2;
    return last_fit(f);
}

static gh_status softmax_fit(gh_head **out, const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    GH_TRY(gh_rows_check(rows, o->pool, e));
    GH_TRY(softmax_check(rows, o, e));
    fitter f = {.rows = rows, .o = o, .e = e, .parameters = gh_softmax_parameters(rows)};
    gh_status status = GH_NOMEM;
    softmax_head *h = f.head = gh_calloc(1, sizeof *h);
    if (h) {
        h->base = (gh_head){.width = rows->width, .rows = rows->n, .classes = rows->classes};
        h->weights = gh_calloc(f.parameters, sizeof *h->weights);
        h->bias = gh_calloc(rows->classes, sizeof *h->bias);
    }
    if (!h || !h->weights || !h->bias)
        gh_fail(e, GH_NOMEM, "no memory for a head of %u classes", rows->classes);
    else
        status = fit_all(&f);
    for (int i = 0; i < MOST_FOLDS; i++)
        gh_lbfgs_free(&f.solver[i]);
    gh_softmax_loss_free(&f.loss);
    gh_standard_free(&f.standard);
    gh_free(f.fold);
    gh_free(f.start);
    if (status)
        softmax_free((gh_head *)h);
    else
        *out = &h->base;
    return status;
}

/* ---- use ---- */

static gh_status softmax_predict(float *scores, const gh_head *head, const float *x, size_t n, gh_pool *pool,
                                 gh_err *e)
{
    const softmax_head *h = (const softmax_head *)head;
    (void)e;
    gh_softmax_logits(scores, h->weights, h->bias, x, n, head->width, head->classes, pool);
    return GH_OK;
}

static uint32_t softmax_export(gh_graph *g, const gh_head *head, uint32_t features, float temperature)
{
    const softmax_head *h = (const softmax_head *)head;
    int64_t d = (int64_t)head->width, c = head->classes;
    float *weights = NULL, *bias = NULL;
    uint32_t w = gh_graph_const_f32(g, "head/weights", gh_shape_of(2, (int64_t[]){d, c}), &weights);
    uint32_t b = gh_graph_const_f32(g, "head/bias", gh_shape_of(1, &c), &bias);
    for (int64_t i = 0; weights && i < d * c; i++)
        weights[i] = h->weights[i] / temperature;
    for (int64_t i = 0; bias && i < c; i++)
        bias[i] = h->bias[i] / temperature;
    return gh_graph_op(g, "Gemm", "head/logits", (uint32_t[]){features, w, b}, 3);
}

static char *softmax_describe(const gh_head *head)
{
    const softmax_head *h = (const softmax_head *)head;
    gh_buf b = {0};
    gh_buf_printf(&b, "{\"l2\":%.6g,\"iterations\":%d,\"folds\":%u", h->l2, h->iterations, h->folds);
    for (int i = 0; i < h->ntrials; i++)
        gh_buf_printf(&b, "%s{\"l2\":%.6g,\"loss\":%.6g,\"accuracy\":%.6g}", i ? "," : ",\"tried\":[",
                      h->trials[i].l2, h->trials[i].loss, h->trials[i].accuracy);
    gh_buf_str(&b, h->ntrials ? "]}" : "}");
    return gh_buf_text(&b);
}

const gh_head_type gh_head_softmax = {
    .name = "softmax",
    .about = "multinomial logistic regression; the penalty is chosen by cross-validation",
    .logits = true,
    .check = softmax_check,
    .fit = softmax_fit,
    .predict = softmax_predict,
    .export = softmax_export,
    .describe = softmax_describe,
    .free = softmax_free,
};
