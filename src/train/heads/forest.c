/* Bootstrap, growing, scoring. A tree's random numbers depend on the seed and its place alone. */
#include "train/heads/forest.h"

#include "base/mem.h"
#include "train/heads/head_parts.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 64 /* rows scored together, so that a tree stays in the cache */ };

typedef struct growth {
    const gh_rows *rows;
    const gh_fit_options *o;
    gh_forest *forest;
    gh_bins bins;
    size_t least, features;
    gh_tree_space **space; /* one a thread */
    uint16_t **drawn;      /* one a thread: how often each row was drawn */
    uint32_t *usable;      /* rows with weight */
    size_t nusable;
    gh_status *status; /* of each tree */
    gh_err *errors;
} growth;

/* ---- bootstrap ---- */

/* A class drawn from a row's votes. */
static uint32_t draw_class(const gh_rows *rows, size_t row, gh_rng *rng)
{
    const float *votes = rows->votes + row * rows->classes;
    float u = gh_rng_float(rng), sum = 0;
    uint32_t last = 0;
    for (uint32_t c = 0; c < rows->classes; c++) {
        sum += votes[c];
        last = votes[c] > 0 ? c : last;
        if (u < sum)
            return c;
    }
    return last; /* the shares summed to a little less than 1 */
}

/* As many draws as usable rows, with replacement. A row drawn twice is one item of twice the weight; with
 * votes each draw is an item with a class of its own, so that the trees together see the shares. */
static size_t bootstrap(const growth *g, uint32_t tree, gh_tree_item *items, uint16_t *drawn, gh_rng *rng)
{
    const gh_rows *rows = g->rows;
    uint8_t *bag = g->forest->in_bag + (size_t)tree * ((rows->n + 7) / 8);
    size_t n = 0;
    memset(drawn, 0, rows->n * sizeof *drawn);
    for (size_t i = 0; i < g->nusable; i++) {
        uint32_t row = g->usable[gh_rng_below(rng, g->nusable)];
        drawn[row] += drawn[row] < UINT16_MAX;
    }
    for (size_t k = 0; k < g->nusable; k++) {
        uint32_t row = g->usable[k];
        if (drawn[row])
            bag[row / 8] |= (uint8_t)(1u << row % 8);
        float w = gh_rows_weight(rows, row);
        for (uint32_t i = 0; rows->votes && i < drawn[row]; i++)
            items[n++] = (gh_tree_item){row, draw_class(rows, row, rng), w};
        if (!rows->votes && drawn[row])
            items[n++] = (gh_tree_item){row, rows->label[row], w * drawn[row]};
    }
    return n;
}

/* ---- growing ---- */

static void grow_trees(void *arg, int begin, int end, int thread)
{
    growth *g = arg;
    gh_tree_space *s = g->space[thread];
    for (int t = begin; t < end; t++) {
        gh_rng rng;
        if (gh_stopped(g->o)) {
            g->status[t] = gh_fail_stopped(&g->errors[t]);
            return;
        }
        gh_rng_seed(&rng, g->o->seed + (uint64_t)t * UINT64_C(0x9E3779B97F4A7C15));
        size_t n = bootstrap(g, (uint32_t)t, gh_tree_items(s), g->drawn[thread], &rng);
        g->status[t] = gh_tree_grow(&g->forest->trees[t], s, n, g->features, g->least, &rng, &g->errors[t]);
        if (g->status[t])
            return;
    }
}

static gh_status allocate(growth *g, gh_err *e)
{
    int threads = gh_pool_size(g->o->pool);
    gh_forest *f = g->forest;
    size_t n = g->rows->n;
    f->trees = gh_calloc(f->ntrees, sizeof *f->trees);
    f->in_bag = gh_calloc(f->ntrees, (n + 7) / 8);
    g->space = gh_calloc((size_t)threads, sizeof(gh_tree_space *));
    g->drawn = gh_calloc((size_t)threads, sizeof(uint16_t *));
    g->usable = gh_calloc(n, sizeof *g->usable);
    g->status = gh_calloc(f->ntrees, sizeof *g->status);
    g->errors = gh_calloc(f->ntrees, sizeof *g->errors);
    if (!f->trees || !f->in_bag || !g->space || !g->drawn || !g->usable || !g->status || !g->errors)
        return gh_fail(e, GH_NOMEM, "no memory for a forest of %u trees", f->ntrees);
    GH_TRY(gh_bins_of(&g->bins, g->rows, g->o->pool, e));
    for (int t = 0; t < threads; t++) {
        GH_TRY(gh_tree_space_new(&g->space[t], g->rows, &g->bins, n, e));
        g->drawn[t] = gh_calloc(n, sizeof(uint16_t));
        if (!g->drawn[t])
            return gh_fail(e, GH_NOMEM, "no memory to draw %zu rows", n);
    }
    return GH_OK;
}

static gh_status grow_all(growth *g, gh_err *e)
{
    GH_TRY(allocate(g, e));
    for (size_t i = 0; i < g->rows->n; i++)
        if (gh_rows_weight(g->rows, i) > 0)
            g->usable[g->nusable++] = (uint32_t)i;
    gh_pool_for(g->o->pool, (int)g->forest->ntrees, grow_trees, g);
    for (uint32_t t = 0; t < g->forest->ntrees; t++)
        if (g->status[t]) {
            if (e)
                *e = g->errors[t];
            return g->status[t];
        }
    return GH_OK;
}

gh_status gh_forest_grow(gh_forest *out, const gh_rows *rows, uint32_t ntrees, size_t least,
                         const gh_fit_options *o, gh_err *e)
{
    gh_forest f = {.ntrees = ntrees, .classes = rows->classes, .rows = rows->n, .width = rows->width};
    growth g = {.rows = rows, .o = o, .forest = &f, .least = least};
    int threads = gh_pool_size(o->pool);
    g.features = (size_t)fmax(1, floor(sqrt((double)rows->width)));
    gh_status status = grow_all(&g, e);
    for (int t = 0; t < threads; t++) {
        if (g.space)
            gh_tree_space_free(&g.space[t]);
        if (g.drawn)
            gh_free(g.drawn[t]);
    }
    gh_free(g.space);
    gh_free(g.drawn);
    gh_free(g.usable);
    gh_free(g.status);
    gh_free(g.errors);
    gh_bins_free(&g.bins);
    if (status)
        gh_forest_free(&f);
    else
        *out = f;
    return status;
}

void gh_forest_free(gh_forest *f)
{
    for (uint32_t t = 0; f->trees && t < f->ntrees; t++)
        gh_tree_free(&f->trees[t]);
    gh_free(f->trees);
    gh_free(f->in_bag);
    *f = (gh_forest){0};
}

/* ---- scoring ---- */

typedef struct scoring {
    const gh_forest *f;
    const float *x;
    float *scores;
    size_t n;
    bool held_out;
} scoring;

static void score_chunk(const scoring *s, size_t from, size_t count)
{
    const gh_forest *f = s->f;
    uint32_t used[CHUNK] = {0}, classes = f->classes;
    float one = 1 / (float)f->ntrees;
    memset(s->scores + from * classes, 0, count * classes * sizeof *s->scores);
    for (uint32_t t = 0; t < f->ntrees; t++) {
        const gh_tree *tree = &f->trees[t];
        const uint8_t *bag = f->in_bag + (size_t)t * ((f->rows + 7) / 8);
        for (size_t i = from; i < from + count; i++) {
            if (s->held_out && bag[i / 8] >> i % 8 & 1)
                continue;
            const gh_tree_node *leaf = gh_tree_leaf(tree, s->x + i * f->width);
            const gh_tree_share *share = tree->shares + leaf->next;
            for (uint32_t k = 0; k < leaf->count; k++)
                s->scores[i * classes + share[k].class_] += share[k].share * one;
            used[i - from]++;
        }
    }
    for (size_t i = 0; s->held_out && i < count; i++)
        for (uint32_t c = 0; c < classes; c++)
            s->scores[(from + i) * classes + c] *= used[i] ? (float)f->ntrees / (float)used[i] : NAN;
}

static void score_chunks(void *arg, int begin, int end, int thread)
{
    const scoring *s = arg;
    (void)thread;
    for (int c = begin; c < end; c++) {
        size_t from = (size_t)c * CHUNK;
        score_chunk(s, from, s->n - from < CHUNK ? s->n - from : CHUNK);
    }
}

void gh_forest_scores(float *scores, const gh_forest *f, const float *x, size_t n, bool held_out,
                      gh_pool *pool)
{
    scoring s = {f, x, scores, n, held_out};
    gh_pool_for(pool, (int)((n + CHUNK - 1) / CHUNK), score_chunks, &s);
}

void gh_forest_importances(double *importance, const gh_forest *f)
{
    double sum = 0;
    for (size_t j = 0; j < f->width; j++)
        importance[j] = 0;
    for (uint32_t t = 0; t < f->ntrees; t++)
        for (uint32_t i = 0; i < f->trees[t].nnodes; i++) {
            const gh_tree_node *n = &f->trees[t].nodes[i];
            if (n->feature == GH_LEAF)
                continue;
            importance[n->feature] += n->gain;
            sum += n->gain;
        }
    for (size_t j = 0; j < f->width && sum > 0; j++)
        importance[j] /= sum;
}
