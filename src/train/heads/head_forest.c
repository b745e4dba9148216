/* The forest as a head: its out-of-bag scores, its most used features. */
#include "base/mem.h"
#include "train/heads/forest.h"
#include "train/heads/head_parts.h"

#include <math.h>
#include <string.h>

enum { TREES = 200, MOST_TREES = 10000, MOST_LISTED = 20 };
/* A leaf holds at least one row, and one more for each of these: a tree stays within some 40,000 nodes. */
#define ROWS_A_LEAF ((size_t)20000)
#define MOST_SCORES ((size_t)1 << 27) /* out of bag; for more rows x classes there are none */

typedef struct forest_head {
    gh_head base;
    gh_forest forest;
    double *importance; /* [width] */
    double accuracy;    /* out of bag; NaN when no row was */
    size_t scored;
} forest_head;

static void forest_free(gh_head *head)
{
    forest_head *h = (forest_head *)head;
    if (!h)
        return;
    gh_forest_free(&h->forest);
    gh_free(h->importance);
    gh_free(h->base.held_out);
    gh_free(h);
}

/* Weighted share of right answers among the rows that some tree did not see. */
static void score_out_of_bag(forest_head *h, const gh_rows *rows, gh_pool *pool)
{
    double right = 0, all = 0;
    gh_forest_scores(h->base.held_out, &h->forest, rows->x, rows->n, true, pool);
    for (size_t i = 0; i < rows->n; i++) {
        const float *p = h->base.held_out + i * rows->classes;
        uint32_t best = 0;
        if (isnan(p[0]))
            continue;
        for (uint32_t c = 1; c < rows->classes; c++)
            best = p[c] > p[best] ? c : best;
        h->scored++;
        all += gh_rows_weight(rows, i);
        right += best == gh_rows_class(rows, i) ? gh_rows_weight(rows, i) : 0;
    }
    h->accuracy = all > 0 ? right / all : NAN;
}

static gh_status forest_fit(gh_head **out, const gh_rows *rows, const gh_fit_options *o, gh_err *e)
{
    GH_TRY(gh_rows_check(rows, o->pool, e));
    if (o->trees < 0 || o->trees > MOST_TREES)
        return gh_fail(e, GH_ARG, "%d trees; 1 to %d are accepted, or 0 for %d", o->trees, MOST_TREES, TREES);
    gh_status status = GH_NOMEM;
    bool scored = rows->n <= MOST_SCORES / rows->classes;
    forest_head *h = gh_calloc(1, sizeof *h);
    if (h) {
        h->base = (gh_head){.width = rows->width, .rows = rows->n, .classes = rows->classes};
        h->importance = gh_calloc(rows->width, sizeof *h->importance);
        if (scored)
            h->base.held_out = gh_calloc(rows->n, rows->classes * sizeof(float));
    }
    if (!h || !h->importance || (scored && !h->base.held_out))
        gh_fail(e, GH_NOMEM, "no memory for a forest");
    else
        status = gh_forest_grow(&h->forest, rows, o->trees ? (uint32_t)o->trees : TREES,
                                1 + rows->n / ROWS_A_LEAF, o, e);
    if (status) {
        forest_free((gh_head *)h);
        return status;
    }
    gh_forest_importances(h->importance, &h->forest);
    if (scored)
        score_out_of_bag(h, rows, o->pool);
    *out = &h->base;
    return GH_OK;
}

static gh_status forest_predict(float *scores, const gh_head *head, const float *x, size_t n, gh_pool *pool,
                                gh_err *e)
{
    (void)e;
    gh_forest_scores(scores, &((const forest_head *)head)->forest, x, n, false, pool);
    return GH_OK;
}

static uint32_t forest_export(gh_graph *g, const gh_head *head, uint32_t features, float temperature)
{
    (void)temperature;
    return gh_forest_export(g, &((const forest_head *)head)->forest, features);
}

/* The next most used feature after `last`: by importance, then by number. */
static size_t next_feature(const forest_head *h, size_t last)
{
    size_t best = SIZE_MAX;
    const double *v = h->importance;
    for (size_t j = 0; j < h->base.width; j++) {
        bool after = last == SIZE_MAX || v[j] < v[last] || (v[j] == v[last] && j > last);
        if (after && v[j] > 0 && (best == SIZE_MAX || v[j] > v[best]))
            best = j;
    }
    return best;
}

static char *forest_describe(const gh_head *head)
{
    const forest_head *h = (const forest_head *)head;
    gh_buf b = {0};
    size_t nodes = 0, last = SIZE_MAX;
    for (uint32_t t = 0; t < h->forest.ntrees; t++)
        nodes += h->forest.trees[t].nnodes;
    gh_buf_printf(&b, "{\"trees\":%u,\"nodes\":%zu,\"out_of_bag\":{\"rows\":%zu", h->forest.ntrees, nodes,
                  h->scored);
    if (h->scored)
        gh_buf_printf(&b, ",\"accuracy\":%.6g", h->accuracy);
    gh_buf_str(&b, "},\"importances\":[");
    for (int i = 0; i < MOST_LISTED && (last = next_feature(h, last)) != SIZE_MAX; i++)
        gh_buf_printf(&b, "%s{\"feature\":%zu,\"share\":%.6g}", i ? "," : "", last, h->importance[last]);
    gh_buf_str(&b, "]}");
    return gh_buf_text(&b);
}

const gh_head_type gh_head_forest = {
    .name = "forest",
    .about = "random forest; knows its score on the pictures that each tree left out",
    .logits = false,
    .fit = forest_fit,
    .predict = forest_predict,
    .export = forest_export,
    .describe = forest_describe,
    .free = forest_free,
};
