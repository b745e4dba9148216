/* Reading a graph for a tape: shapes at the fixed batch, values that are known before a run, what is learnt,
 * what depends on it, views, and activations joined to norms. */
#include "base/mem.h"
#include "engine/operands.h"
#include "engine/passes/passes.h"
#include "train/tape/parts.h"

#include <string.h>

/* What is computed once, before any run. */
#define KNOWN_ELEMENTS 0x1p22
#define KNOWN_WORK     0x1p27

typedef struct reader {
    gh_tape *t;
    const gh_tape_options *o;
    gh_graph *g;
    bool *live;     /* nodes that an output needs */
    uint32_t *uses; /* of values */
    gh_operands at; /* the node at hand */
    gh_budget budget;
    gh_err *e;
} reader;

static gh_status no_memory(const reader *r)
{
    return gh_fail(r->e, GH_NOMEM, "no memory for the tape");
}

static void mark_live(reader *r)
{
    gh_graph *g = r->g;
    bool *wanted = r->live + g->nnodes; /* values */
    for (uint32_t i = 0; i < g->noutputs; i++)
        wanted[g->outputs[i]] = true;
    for (uint32_t i = g->nnodes; i-- > 0;) {
        const gh_node *n = &g->nodes[i];
        for (uint32_t k = 0; k < n->noutputs; k++)
            r->live[i] |= n->outputs[k] != GH_NONE && wanted[n->outputs[k]] && !n->dead;
        for (uint32_t k = 0; k < n->ninputs && r->live[i]; k++)
            if (n->inputs[k] != GH_NONE)
                wanted[n->inputs[k]] = true;
    }
}

/* ---- shapes ---- */

static gh_status compute_known(reader *r, const gh_node *n)
{
    if (!gh_operands_place(&r->at, n, r->t->arena))
        return no_memory(r);
    return gh_op_eval(n, r->at.in, r->at.out, r->e);
}

static gh_status infer_node(reader *r, const gh_node *n)
{
    char text[96];
    gh_io io = gh_operands_load(&r->at, n, r->e);
    GH_TRY(n->op->infer(&io));
    for (uint32_t i = 0; i < n->noutputs; i++) {
        size_t count = 0;
        if (!gh_dtype_size(r->at.out[i].type) || !gh_shape_count(&count, &r->at.out[i].shape) ||
            count > INT32_MAX)
            return gh_io_fail(&io, GH_LIMIT, "its result of %s is more than gharial trains on",
                              gh_shape_text(&r->at.out[i].shape, text, sizeof text));
    }
    if (gh_operands_known(&r->at, n) && gh_budget_take(&r->budget, &io))
        GH_TRY(compute_known(r, n));
    gh_operands_store(&r->at, n);
    for (uint32_t i = 0; i < n->noutputs; i++)
        if (n->outputs[i] != GH_NONE && !r->at.out[i].data && gh_grad_count(&r->at.out[i]) == 0)
            return gh_io_fail(&io, GH_UNSUPPORTED, "its result has no elements");
    return GH_OK;
}

static gh_status infer_all(reader *r)
{
    gh_graph *g = r->g;
    char text[96];
    for (uint32_t v = 0; v < g->nvalues; v++) {
        if (g->values[v].data && !gh_graph_elements(g, v))
            return no_memory(r);
        r->t->values[v] =
            (gh_tensor){g->values[v].type, g->values[v].shape, (void *)(uintptr_t)g->values[v].data};
    }
    for (uint32_t i = 0; i < g->ninputs; i++) {
        gh_tensor *t = &r->t->values[g->inputs[i]];
        size_t count = 0;
        t->shape = r->o->inputs[i];
        if (t->type != GH_F32 || !gh_shape_count(&count, &t->shape) || count == 0 || count > INT32_MAX)
            return gh_fail(r->e, GH_UNSUPPORTED, "input \"%s\" is %s of %s; training wants float32",
                           g->values[g->inputs[i]].name, gh_dtype_name(t->type),
                           gh_shape_text(&t->shape, text, sizeof text));
    }
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (r->live[i])
            GH_TRY(infer_node(r, &g->nodes[i]));
    return GH_OK;
}

/* ---- what is learnt ---- */

/* A graph may not name a value twice, so a running statistic belongs to one norm or to several alike. */
static void add_state(reader *r, uint32_t v)
{
    gh_tape *t = r->t;
    for (size_t i = 0; i < t->nstates; i++)
        if (t->state_values[i] == v)
            return;
    t->state_values[t->nstates] = v;
    t->state_offsets[t->nstates++] = t->nstate;
    t->nstate += gh_grad_count(&t->values[v]);
}

static void add_param(reader *r, uint32_t v, bool decays)
{
    gh_tape *t = r->t;
    size_t count = gh_grad_count(&t->values[v]);
    t->param_of[v] = (uint32_t)t->nparams;
    t->leads[v] = true;
    t->params[t->nparams++] = (gh_tape_param){v, r->g->values[v].name, t->count, count, decays};
    t->count += (count + 15) / 16 * 16;
}

static void find_params(reader *r, const gh_node *n, const gh_grad *row)
{
    gh_tape *t = r->t;
    bool leads = false;
    for (uint32_t i = 0; i < n->ninputs; i++)
        leads |= n->inputs[i] != GH_NONE && t->leads[n->inputs[i]];
    for (uint32_t i = 0; i < n->ninputs; i++) {
        uint32_t v = n->inputs[i];
        if (v == GH_NONE || !(row->learns >> i & 1) || !r->g->values[v].data || t->param_of[v] != GH_NONE)
            continue;
        bool good = t->values[v].type == GH_F32 && gh_grad_count(&t->values[v]) > 0;
        if ((row->flags & GH_GRAD_WITH_LEARNT) && (!leads || gh_grad_count(&t->values[v]) < 2))
            good = false;
        if (good && (!r->o->trains || r->o->trains(r->o->arg, r->g, v)))
            add_param(r, v, row->decays >> i & 1);
    }
}

static gh_status read_node(reader *r, uint32_t at)
{
    gh_tape *t = r->t;
    const gh_node *n = &r->g->nodes[at];
    const gh_grad *row = gh_grad_find(n);
    gh_tape_node *own = &t->nodes[at];
    own->row = row;
    own->out = n->outputs[0];
    if (!r->live[at] || (n->outputs[0] != GH_NONE && t->values[n->outputs[0]].data))
        return GH_OK;
    own->role = GH_TAPE_RUNS;
    if (n->ninputs > GH_TAPE_OPERANDS || n->noutputs > GH_TAPE_OPERANDS)
        return gh_fail(r->e, GH_UNSUPPORTED, "node \"%s\" (%s) has more than %d inputs or outputs", n->name,
                       n->type, GH_TAPE_OPERANDS);
    if (row)
        find_params(r, n, row);
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (n->inputs[i] != GH_NONE && t->leads[n->inputs[i]] && t->values[n->inputs[i]].type == GH_F32)
            own->wanted |= 1u << i;
    bool view = (n->op->flags & GH_OP_VIEW) && n->outputs[0] != GH_NONE;
    if (own->wanted && !row && !view)
        return gh_fail(r->e, GH_UNSUPPORTED,
                       "node \"%s\" (%s) has no gradient in gharial, and stands between a learnt weight and "
                       "an output",
                       n->name, n->type);
    for (uint32_t i = 0; i < n->noutputs && own->wanted; i++)
        if (n->outputs[i] != GH_NONE && t->values[n->outputs[i]].type == GH_F32)
            t->leads[n->outputs[i]] = true;
    if (view && n->noutputs > 1 && n->outputs[1] != GH_NONE && r->uses[n->outputs[1]])
        return gh_fail(r->e, GH_UNSUPPORTED, "node \"%s\" (%s): its second output is not trained", n->name,
                       n->type);
    if (view) {
        own->role = GH_TAPE_SKIPPED;
        t->roots[n->outputs[0]] = t->roots[n->inputs[0]];
    }
    if (row && (row->flags & GH_GRAD_NORM)) {
        own->batch_statistics = !r->o->frozen_norms && (own->wanted & 6);
        add_state(r, n->inputs[3]);
        add_state(r, n->inputs[4]);
    }
    return GH_OK;
}

/* ---- activations joined to the node before them ---- */

static gh_status join_activation(reader *r, uint32_t at)
{
    gh_tape *t = r->t;
    const gh_node *n = &r->g->nodes[at];
    const gh_grad *row = t->nodes[at].row;
    gh_act act;
    if (t->nodes[at].role != GH_TAPE_RUNS || !row || !(row->flags & GH_GRAD_ACTIVATION))
        return GH_OK;
    uint32_t v = n->inputs[0], from = r->g->values[v].producer;
    if (from == GH_NONE || r->uses[v] != 1 || t->nodes[from].role != GH_TAPE_RUNS || !t->nodes[from].row ||
        !(t->nodes[from].row->flags & GH_GRAD_JOINS) || t->nodes[from].act.kind != GH_ACT_NONE)
        return GH_OK;
    gh_io io = gh_operands_load(&r->at, n, r->e);
    GH_TRY(gh_act_of(&io, &act));
    t->nodes[at].role = GH_TAPE_SKIPPED;
    t->nodes[from].act = act;
    t->nodes[from].out = n->outputs[0];
    return GH_OK;
}

/* ---- what rows keep between the passes, and work in ---- */

static void size_node(reader *r, uint32_t at)
{
    gh_tape *t = r->t;
    gh_tape_node *own = &t->nodes[at];
    if (own->role != GH_TAPE_RUNS || !own->row)
        return;
    gh_io io = gh_operands_load(&r->at, &r->g->nodes[at], r->e);
    if (own->row->saved && (own->wanted || own->batch_statistics)) {
        own->saved = t->saved_bytes;
        own->saved_bytes = (own->row->saved(&io) + GH_ALIGN - 1) / GH_ALIGN * GH_ALIGN;
        t->saved_bytes += own->saved_bytes;
    }
    size_t scratch = own->row->scratch ? own->row->scratch(&io, gh_pool_size(t->pool)) : 0;
    t->scratch_floats = scratch > t->scratch_floats ? scratch : t->scratch_floats;
}

static gh_status allocate(reader *r)
{
    gh_graph *g = r->g;
    gh_tape *t = r->t;
    uint32_t nodes = g->nnodes, values = g->nvalues;
    t->arena = gh_arena_new((size_t)1 << 30);
    t->values = gh_calloc(values + 1u, sizeof *t->values);
    t->roots = gh_calloc(values + 1u, sizeof *t->roots);
    t->param_of = gh_calloc(values + 1u, sizeof *t->param_of);
    t->leads = gh_calloc(values + 1u, sizeof *t->leads);
    t->params = gh_calloc(values + 1u, sizeof *t->params);
    t->stored = gh_calloc(values + 1u, sizeof *t->stored);
    t->state_values = gh_calloc(values + 1u, sizeof *t->state_values);
    t->state_offsets = gh_calloc(values + 1u, sizeof *t->state_offsets);
    t->nodes = gh_calloc(nodes + 1u, sizeof *t->nodes);
    r->live = gh_calloc((size_t)nodes + values + 1u, sizeof *r->live);
    bool placed = gh_operands_new(&r->at, g, t->values);
    r->uses = gh_graph_uses(g);
    if (!t->arena || !t->values || !t->roots || !t->param_of || !t->leads || !t->params || !t->stored ||
        !t->state_values || !t->state_offsets || !t->nodes || !r->live || !placed || !r->uses)
        return no_memory(r);
    for (uint32_t v = 0; v < values; v++) {
        t->roots[v] = v;
        t->param_of[v] = GH_NONE;
    }
    return GH_OK;
}

static gh_status read_all(reader *r)
{
    GH_TRY(allocate(r));
    mark_live(r);
    GH_TRY(infer_all(r));
    for (uint32_t i = 0; i < r->g->nnodes; i++)
        GH_TRY(read_node(r, i));
    for (uint32_t i = 0; i < r->g->nnodes; i++)
        GH_TRY(join_activation(r, i));
    for (uint32_t i = 0; i < r->g->nnodes; i++)
        size_node(r, i);
    if (r->t->nparams == 0)
        return gh_fail(r->e, GH_ARG, "nothing in the graph is learnt");
    return GH_OK;
}

gh_status gh_tape_read(gh_tape *t, const gh_tape_options *o, gh_err *e)
{
    reader r = {.t = t, .o = o, .g = t->graph, .budget = {KNOWN_ELEMENTS, KNOWN_WORK}, .e = e};
    gh_status status = gh_graph_bind(t->graph, e);
    if (!status)
        status = read_all(&r);
    gh_free(r.live);
    gh_operands_free(&r.at);
    gh_free(r.uses);
    return status;
}

gh_status gh_tape_vectors(gh_tape *t, gh_err *e)
{
    t->weights = gh_alloc_aligned(t->count * sizeof(float));
    t->gradients = gh_alloc_aligned(t->count * sizeof(float));
    t->state = gh_alloc_aligned((t->nstate + 1) * sizeof(float));
    if (!t->weights || !t->gradients || !t->state)
        return gh_fail(e, GH_NOMEM, "no memory for %zu MB of weights", t->count * sizeof(float) >> 20);
    memset(t->weights, 0, t->count * sizeof(float));
    memset(t->gradients, 0, t->count * sizeof(float));
    for (size_t i = 0; i < t->nparams; i++) {
        gh_tensor *v = &t->values[t->params[i].value];
        float *own = t->weights + t->params[i].offset;
        memcpy(own, v->data, t->params[i].count * sizeof(float));
        v->data = own;
    }
    for (size_t i = 0; i < t->nstates; i++) {
        gh_tensor *v = &t->values[t->state_values[i]];
        float *own = t->state + t->state_offsets[i];
        memcpy(own, v->data, gh_grad_count(v) * sizeof(float));
        v->data = own;
    }
    return GH_OK;
}
