/* Finding the layer of scores, and giving it other classes. */
#include "train/nets/score_layer.h"

#include "base/mem.h"
#include "base/rng.h"
#include "engine/passes/passes.h"

#include <math.h>
#include <string.h>

#define FRESH_GAIN 0.3 /* small scores at first, as in fresh decoders */

/* What may follow the scores without changing what they are scores of. */
static const char *const after[] = {"Sigmoid", "Softmax", "LogSoftmax", "HardSigmoid",
                                    "Clip",    "Resize",  "Upsample",   "Identity"};

static bool may_follow(const gh_node *n)
{
    for (size_t i = 0; i < GH_COUNT(after); i++)
        if (!*n->domain && strcmp(n->type, after[i]) == 0)
            return n->ninputs > 0;
    return false;
}

static bool constant(const gh_graph *g, const gh_node *n, uint32_t k, int rank)
{
    const gh_value *v = k < n->ninputs && n->inputs[k] != GH_NONE ? &g->values[n->inputs[k]] : NULL;
    return v && v->data && v->type == GH_F32 && v->shape.rank == rank;
}

bool gh_score_layer_find(gh_score_layer *out, const gh_graph *g)
{
    uint32_t v = g->noutputs ? g->outputs[0] : GH_NONE;
    while (v != GH_NONE && g->values[v].producer != GH_NONE && may_follow(&g->nodes[g->values[v].producer]))
        v = g->nodes[g->values[v].producer].inputs[0];
    if (v == GH_NONE || g->values[v].producer == GH_NONE)
        return false;
    gh_score_layer l = {.node = g->values[v].producer, .bias = GH_NONE};
    const gh_node *n = &g->nodes[l.node];
    l.transposed = strcmp(n->type, "ConvTranspose") == 0;
    if (*n->domain || (!l.transposed && strcmp(n->type, "Conv") != 0) || !constant(g, n, 1, 4) ||
        gh_node_int(n, "group", 1) != 1)
        return false;
    l.weight = n->inputs[1];
    if (n->ninputs > 2 && n->inputs[2] != GH_NONE) {
        if (!constant(g, n, 2, 1))
            return false;
        l.bias = n->inputs[2];
    }
    const int64_t *d = g->values[l.weight].shape.dims;
    l.out = (int)d[l.transposed ? 1 : 0];
    l.in = (int)d[l.transposed ? 0 : 1];
    *out = l;
    return true;
}

/* ---- new classes ---- */

typedef struct renewal {
    const gh_score_layer *l;
    const gh_score_start *start;
    const float *old;
    size_t inner; /* kh x kw */
    gh_rng rng;
} renewal;

/* Where the weight of one channel in, one out, stands. */
static size_t place(const renewal *r, int classes, int in, int out)
{
    return (r->l->transposed ? (size_t)in * (size_t)classes + (size_t)out
                             : (size_t)out * (size_t)r->l->in + (size_t)in) *
           r->inner;
}

static float share(const gh_score_start *s, int row)
{
    return !s->halves ? 1 : row ? 0.5f : -0.5f;
}

static void fill_class(float *w, renewal *r, int c)
{
    int row = r->start->row[c];
    double deviation = FRESH_GAIN * sqrt(2 / ((double)r->l->in * (double)r->inner));
    for (int in = 0; in < r->l->in; in++) {
        float *to = w + place(r, r->start->classes, in, c);
        const float *from = r->old + place(r, r->l->out, in, r->start->halves || row < 0 ? 0 : row);
        for (size_t i = 0; i < r->inner; i++)
            to[i] = row < 0 ? (float)deviation * gh_rng_normal(&r->rng) : from[i] * share(r->start, row);
    }
}

static float bias_of(const gh_graph *g, const renewal *r, int c)
{
    int row = r->start->row[c];
    const float *old = r->l->bias == GH_NONE ? NULL : g->values[r->l->bias].data;
    if (!old || row < 0)
        return 0;
    return old[r->start->halves ? 0 : row] * share(r->start, row);
}

gh_status gh_score_layer_renew(uint32_t *scores, gh_graph *g, const gh_score_layer *l,
                               const gh_score_start *start, gh_err *e)
{
    gh_shape shape = g->values[l->weight].shape;
    float *w = NULL, *b = NULL;
    renewal r = {.l = l, .start = start};
    if (!gh_graph_elements(g, l->weight) || (l->bias != GH_NONE && !gh_graph_elements(g, l->bias)))
        return gh_fail(e, GH_NOMEM, "memory ran out at the layer of scores");
    r.old = g->values[l->weight].data;
    r.inner = (size_t)(shape.dims[2] * shape.dims[3]);
    gh_rng_seed(&r.rng, start->seed);
    shape.dims[l->transposed ? 1 : 0] = start->classes;
    const uint32_t weight = gh_graph_const_f32(g, "decoder/score/weight", shape, &w),
                   bias = gh_graph_const_f32(g, "decoder/score/bias",
                                             gh_shape_of(1, (int64_t[]){start->classes}), &b);
    for (int c = 0; w && b && c < start->classes; c++) {
        fill_class(w, &r, c);
        b[c] = bias_of(g, &r, c);
    }
    gh_node *n = &g->nodes[l->node];
    *scores = gh_graph_op(g, n->type, "decoder/score", (uint32_t[]){n->inputs[0], weight, bias}, 3);
    GH_TRY(gh_graph_check(g, e));
    n = &g->nodes[l->node]; /* the table may have moved */
    gh_node *renewed = &g->nodes[g->values[*scores].producer];
    renewed->attrs = n->attrs;
    renewed->nattrs = n->nattrs;
    return GH_OK;
}
