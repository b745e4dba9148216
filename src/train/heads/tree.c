/* Growing one tree. A node's items are sorted by bin for each feature looked at (a counting sort), then one
 * walk over them moves item after item to the left side; sums of squared class weights, kept up to date, give
 * the impurity of both sides at each place. */
#include "train/heads/tree.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 256, FEW = 24 /* items that are sorted by insertion */ };

typedef struct pending {
    uint32_t node;
    size_t from, to;
} pending;

/* Class weights of a node's items. */
typedef struct mixture {
    double *weight; /* [classes], zero outside of `present` */
    uint32_t *present, count;
    double total, squares; /* of the weights: sum, sum of squares */
} mixture;

/* The best cut seen in a node: between bins. */
typedef struct cut {
    uint32_t feature;
    uint8_t last; /* bin of the left side */
    double score; /* sum over both sides of squares / weight: larger is purer */
    size_t left;  /* items on the left */
} cut;

struct gh_tree_space {
    const gh_rows *rows;
    const gh_bins *bins;
    gh_tree_item *items, *moved;
    uint32_t *order;  /* features, drawn from the front */
    uint32_t *sorted; /* a node's items by bin */
    uint8_t *bin;     /* of the node's items */
    double *left;     /* [classes] weights on the left */
    pending *stack;
    mixture mix;
};

gh_status gh_tree_space_new(gh_tree_space **out, const gh_rows *rows, const gh_bins *bins, size_t items,
                            gh_err *e)
{
    gh_tree_space *s = gh_calloc(1, sizeof *s);
    if (!s)
        return gh_fail(e, GH_NOMEM, "no memory to grow trees");
    s->rows = rows;
    s->bins = bins;
    s->items = gh_calloc(items, sizeof *s->items);
    s->moved = gh_calloc(items, sizeof *s->moved);
    s->order = gh_calloc(rows->width, sizeof *s->order);
    s->sorted = gh_calloc(items, sizeof *s->sorted);
    s->bin = gh_calloc(items, sizeof *s->bin);
    s->left = gh_calloc(rows->classes, sizeof *s->left);
    s->stack = gh_calloc(items + 1, sizeof *s->stack); /* each waiting node has items of its own */
    s->mix.weight = gh_calloc(rows->classes, sizeof *s->mix.weight);
    s->mix.present = gh_calloc(rows->classes, sizeof *s->mix.present);
    if (!s->items || !s->moved || !s->order || !s->sorted || !s->bin || !s->left || !s->stack ||
        !s->mix.weight || !s->mix.present) {
        gh_tree_space_free(&s);
        return gh_fail(e, GH_NOMEM, "no memory to grow trees of %zu rows", items);
    }
    *out = s;
    return GH_OK;
}

void gh_tree_space_free(gh_tree_space **space)
{
    gh_tree_space *s = *space;
    if (!s)
        return;
    gh_free(s->items);
    gh_free(s->moved);
    gh_free(s->order);
    gh_free(s->sorted);
    gh_free(s->bin);
    gh_free(s->left);
    gh_free(s->stack);
    gh_free(s->mix.weight);
    gh_free(s->mix.present);
    gh_free(s);
    *space = NULL;
}

gh_tree_item *gh_tree_items(gh_tree_space *s)
{
    return s->items;
}

void gh_tree_free(gh_tree *t)
{
    gh_free(t->nodes);
    gh_free(t->shares);
    *t = (gh_tree){0};
}

const gh_tree_node *gh_tree_leaf(const gh_tree *t, const float *x)
{
    const gh_tree_node *n = t->nodes;
    while (n->feature != GH_LEAF)
        n = &t->nodes[n->next + !(x[n->feature] <= n->threshold)];
    return n;
}

/* ---- one node's items ---- */

static void mix_items(mixture *m, const gh_tree_item *items, size_t n)
{
    for (uint32_t i = 0; i < m->count; i++)
        m->weight[m->present[i]] = 0;
    m->count = 0;
    m->total = m->squares = 0;
    for (size_t i = 0; i < n; i++) {
        double *w = &m->weight[items[i].class_];
        if (*w == 0)
            m->present[m->count++] = items[i].class_;
        *w += items[i].weight;
        m->total += items[i].weight;
    }
    for (uint32_t i = 0; i < m->count; i++)
        m->squares += m->weight[m->present[i]] * m->weight[m->present[i]];
}

/* Positions of items in the order of their bins; false when all share one. */
static bool sort_by_bin(gh_tree_space *s, const gh_tree_item *items, size_t n, uint32_t feature)
{
    const uint8_t *column = s->bins->bin + (size_t)feature * s->bins->n;
    uint8_t low = 255, high = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = s->bin[i] = column[items[i].row];
        low = b < low ? b : low;
        high = b > high ? b : high;
    }
    if (low == high)
        return false;
    if (n <= FEW) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t at = i;
            for (; at > 0 && s->bin[s->sorted[at - 1]] > s->bin[i]; at--)
                s->sorted[at] = s->sorted[at - 1];
            s->sorted[at] = i;
        }
        return true;
    }
    uint32_t start[BINS + 1];
    memset(start + low, 0, ((size_t)high - low + 2) * sizeof *start);
    for (size_t i = 0; i < n; i++)
        start[s->bin[i] + 1]++;
    for (int b = low; b <= high; b++)
        start[b + 1] += start[b];
    for (size_t i = 0; i < n; i++)
        s->sorted[start[s->bin[i]]++] = (uint32_t)i;
    return true;
}

/* Walks the sorted items and keeps the best place to cut. */
static void walk(gh_tree_space *s, const gh_tree_item *items, size_t n, size_t least, uint32_t feature,
                 cut *best)
{
    const mixture *m = &s->mix;
    double left = 0, squares_left = 0, squares_right = m->squares;
    for (uint32_t i = 0; i < m->count; i++)
        s->left[m->present[i]] = 0;
    for (size_t i = 0; i + least < n; i++) {
        const gh_tree_item *item = &items[s->sorted[i]];
        double w = item->weight, *l = &s->left[item->class_], right = m->weight[item->class_] - *l;
        squares_left += w * (2 * *l + w);
        squares_right -= w * (2 * right - w);
        *l += w;
        left += w;
        if (s->bin[s->sorted[i]] == s->bin[s->sorted[i + 1]] || i + 1 < least)
            continue;
        double score = squares_left / left + squares_right / (m->total - left);
        if (score > best->score)
            *best = (cut){feature, s->bin[s->sorted[i]], score, i + 1};
    }
}

/* Looks at randomly drawn features, none twice. */
static bool find_cut(cut *best, gh_tree_space *s, const gh_tree_item *items, size_t n, size_t features,
                     size_t least, gh_rng *rng)
{
    /* A cut must gain more than rounding: the sums are of up to n weights. */
    double floor = s->mix.squares / s->mix.total;
    *best = (cut){.score = floor * (1 + 1e-12)};
    for (size_t drawn = 0; drawn < s->rows->width && (drawn < features || !best->left); drawn++) {
        size_t at = drawn + (size_t)gh_rng_below(rng, s->rows->width - drawn);
        uint32_t feature = s->order[at];
        s->order[at] = s->order[drawn];
        s->order[drawn] = feature;
        if (sort_by_bin(s, items, n, feature))
            walk(s, items, n, least, feature, best);
    }
    return best->left > 0;
}

/* Moves the left items to the front, both sides in their old order; gives the threshold between them. */
static float divide(gh_tree_space *s, gh_tree_item *items, size_t n, const cut *c)
{
    const uint8_t *column = s->bins->bin + (size_t)c->feature * s->bins->n;
    size_t l = 0, r = 0;
    float below = -INFINITY, above = INFINITY;
    for (size_t i = 0; i < n; i++) {
        float v = s->rows->x[(size_t)items[i].row * s->rows->width + c->feature];
        if (column[items[i].row] <= c->last) {
            below = fmaxf(below, v);
            items[l++] = items[i];
        } else {
            above = fminf(above, v);
            s->moved[r++] = items[i];
        }
    }
    memcpy(items + l, s->moved, r * sizeof *items);
    float middle = below / 2 + above / 2; /* halves first: their sum cannot overflow */
    return middle >= below && middle < above ? middle : below;
}

/* ---- the tree ---- */

static bool reserve(void **table, uint32_t count, uint32_t more, uint32_t *cap, size_t size)
{
    if (count + more <= *cap)
        return true;
    uint32_t want = (count + more) * 2 + 62;
    void *bigger = gh_realloc(*table, want, size);
    if (!bigger)
        return false;
    *table = bigger;
    *cap = want;
    return true;
}

static bool add_nodes(gh_tree *t, uint32_t more)
{
    if (!reserve((void **)&t->nodes, t->nnodes, more, &t->cap_nodes, sizeof *t->nodes))
        return false;
    for (uint32_t i = 0; i < more; i++)
        t->nodes[t->nnodes++] = (gh_tree_node){.feature = GH_LEAF};
    return true;
}

static int by_class(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool make_leaf(gh_tree *t, uint32_t node, mixture *m)
{
    if (!reserve((void **)&t->shares, t->nshares, m->count, &t->cap_shares, sizeof *t->shares))
        return false;
    qsort(m->present, m->count, sizeof *m->present, by_class);
    t->nodes[node].next = t->nshares;
    t->nodes[node].count = m->count;
    for (uint32_t i = 0; i < m->count; i++)
        t->shares[t->nshares++] =
            (gh_tree_share){m->present[i], (float)(m->weight[m->present[i]] / m->total)};
    return true;
}

gh_status gh_tree_grow(gh_tree *out, gh_tree_space *s, size_t n, size_t features, size_t least, gh_rng *rng,
                       gh_err *e)
{
    gh_tree t = {0};
    size_t depth = 0;
    double whole = 0;
    bool room = add_nodes(&t, 1);
    for (size_t j = 0; j < s->rows->width; j++)
        s->order[j] = (uint32_t)j;
    s->stack[depth++] = (pending){0, 0, n};
    while (room && depth) {
        pending p = s->stack[--depth];
        gh_tree_item *items = s->items + p.from;
        size_t count = p.to - p.from;
        cut best;
        mix_items(&s->mix, items, count);
        whole = whole > 0 ? whole : s->mix.total;
        if (s->mix.count < 2 || count < 2 * least ||
            !find_cut(&best, s, items, count, features, least, rng)) {
            room = make_leaf(&t, p.node, &s->mix);
            continue;
        }
        float threshold = divide(s, items, count, &best);
        uint32_t next = t.nnodes;
        room = add_nodes(&t, 2);
        if (!room)
            break;
        t.nodes[p.node] =
            (gh_tree_node){.feature = best.feature,
                           .threshold = threshold,
                           .next = next,
                           .gain = (float)((best.score - s->mix.squares / s->mix.total) / whole)};
        s->stack[depth++] = (pending){next + 1, p.from + best.left, p.to};
        s->stack[depth++] = (pending){next, p.from, p.from + best.left};
    }
    if (!room) {
        gh_tree_free(&t);
        return gh_fail(e, GH_NOMEM, "no memory for a tree of %zu rows", n);
    }
    *out = t;
    return GH_OK;
}
