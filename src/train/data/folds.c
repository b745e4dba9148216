/* Stratified folds: whatever belongs together (twins, groups) is one cluster; clusters are shuffled, largest
 * first, and each goes to the fold that has fewest of its class. */
#include "base/mem.h"
#include "base/rng.h"
#include "train/data/trainset.h"

#include <stdlib.h>
#include <string.h>

typedef struct cluster {
    uint32_t first; /* example that names it */
    uint32_t size, label;
    uint64_t shuffle;
} cluster;

/* Union-find over examples, by halving paths. */
static uint32_t find(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = find(parent, a);
    b = find(parent, b);
    parent[a > b ? a : b] = a > b ? b : a;
}

static int larger_first(const void *a, const void *b)
{
    const cluster *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->shuffle != y->shuffle)
        return x->shuffle < y->shuffle ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

typedef struct folder {
    const gh_trainset *t;
    uint32_t *parent, *of_group, *fold_of;
    cluster *clusters;
    uint64_t *filled; /* [fold][class + 1]: pictures of a class, and last of all classes */
} folder;

static void link(folder *f, const bool *use)
{
    const gh_trainset *t = f->t;
    for (uint32_t i = 0; i < t->nexamples; i++) {
        f->parent[i] = i;
        f->of_group[i] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < t->nexamples; i++) {
        if (use && !use[i])
            continue;
        uint32_t group = t->examples[i].group, twin = t->examples[i].twin;
        if (!use || use[twin])
            join(f->parent, i, twin);
        if (group == UINT32_MAX)
            continue;
        if (f->of_group[group] == UINT32_MAX)
            f->of_group[group] = i;
        join(f->parent, i, f->of_group[group]);
    }
}

static uint32_t count_clusters(folder *f, const bool *use, uint64_t seed)
{
    uint32_t n = 0;
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < f->t->nexamples; i++)
        f->fold_of[i] = UINT32_MAX;
    for (uint32_t i = 0; i < f->t->nexamples; i++) {
        if (use && !use[i])
            continue;
        uint32_t root = find(f->parent, i);
        if (f->fold_of[root] == UINT32_MAX) { /* its cluster's number, until the fold is known */
            f->fold_of[root] = n;
            f->clusters[n++] =
                (cluster){.first = root, .label = f->t->examples[i].label, .shuffle = gh_rng_u64(&rng)};
        }
        f->clusters[f->fold_of[root]].size++;
    }
    return n;
}

static uint32_t emptiest(const folder *f, uint32_t k, uint32_t label)
{
    uint32_t best = 0, stride = f->t->nclasses + 1;
    for (uint32_t i = 1; i < k; i++) {
        const uint64_t *a = f->filled + (size_t)i * stride, *b = f->filled + (size_t)best * stride;
        if (a[label] < b[label] || (a[label] == b[label] && a[stride - 1] < b[stride - 1]))
            best = i;
    }
    return best;
}

static void deal(folder *f, uint32_t *fold, const bool *use, uint32_t k, uint32_t n)
{
    uint32_t stride = f->t->nclasses + 1;
    qsort(f->clusters, n, sizeof *f->clusters, larger_first);
    for (uint32_t i = 0; i < n; i++) {
        const cluster *c = &f->clusters[i];
        uint32_t at = emptiest(f, k, c->label);
        f->filled[(size_t)at * stride + c->label] += c->size;
        f->filled[(size_t)at * stride + stride - 1] += c->size;
        f->fold_of[c->first] = at;
    }
    for (uint32_t i = 0; i < f->t->nexamples; i++)
        fold[i] = use && !use[i] ? UINT32_MAX : f->fold_of[find(f->parent, i)];
}

gh_status gh_trainset_folds(uint32_t *fold, const gh_trainset *t, const bool *use, uint32_t k, uint64_t seed,
                            gh_err *e)
{
    folder f = {.t = t};
    size_t n = t->nexamples + 1u;
    gh_status status = GH_OK;
    GH_ASSERT(k >= 1);
    f.parent = gh_calloc(n, sizeof *f.parent);
    f.of_group = gh_calloc(n, sizeof *f.of_group);
    f.fold_of = gh_calloc(n, sizeof *f.fold_of);
    f.clusters = gh_calloc(n, sizeof *f.clusters);
    f.filled = gh_calloc((size_t)k * (t->nclasses + 1u), sizeof *f.filled);
    if (!f.parent || !f.of_group || !f.fold_of || !f.clusters || !f.filled) {
        status = gh_fail(e, GH_NOMEM, "memory ran out at the folds");
    } else {
        link(&f, use);
        deal(&f, fold, use, k, count_clusters(&f, use, seed));
    }
    gh_free(f.parent);
    gh_free(f.of_group);
    gh_free(f.fold_of);
    gh_free(f.clusters);
    gh_free(f.filled);
    return status;
}
