/* From a graph to a plan: the whole, and its steps, with the layout that each wants. Shapes are
 * plan_shapes.c, additions joined to convolutions plan_join.c, memory plan_memory.c. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/plan_parts.h"

gh_status gh_plan_no_memory(const gh_plan_builder *b)
{
    return gh_fail(b->e, GH_NOMEM, "no memory for a plan");
}

/* ---- tables of the plan ---- */

static gh_status add_operand(gh_plan_builder *b, gh_tensor t, uint32_t buffer)
{
    gh_plan *p = b->plan;
    gh_operand *bigger = gh_table_grow(p->operands, p->noperands, 1, &p->cap_operands, sizeof *bigger);
    if (!bigger)
        return gh_plan_no_memory(b);
    p->operands = bigger;
    if (buffer != GH_NONE)
        t.data = NULL;
    bigger[p->noperands++] = (gh_operand){t, buffer};
    return GH_OK;
}

static gh_status add_buffer(gh_plan_builder *b, uint32_t *out, size_t bytes)
{
    gh_plan *p = b->plan;
    gh_buffer *bigger = gh_table_grow(p->buffers, p->nbuffers, 1, &p->cap_buffers, sizeof *bigger);
    if (!bigger)
        return gh_plan_no_memory(b);
    p->buffers = bigger;
    bigger[p->nbuffers] = (gh_buffer){.bytes = bytes, .first = p->nsteps, .last = p->nsteps};
    *out = p->nbuffers++;
    return GH_OK;
}

static gh_status add_step(gh_plan_builder *b, gh_step step)
{
    gh_plan *p = b->plan;
    gh_step *bigger = gh_table_grow(p->steps, p->nsteps, 1, &p->cap_steps, sizeof *bigger);
    if (!bigger)
        return gh_plan_no_memory(b);
    p->steps = bigger;
    for (uint32_t i = step.in; i < step.in + step.nin; i++)
        if (p->operands[i].buffer != GH_NONE)
            p->buffers[p->operands[i].buffer].last = p->nsteps;
    p->scratch = step.scratch > p->scratch ? step.scratch : p->scratch;
    p->shared = step.shared > p->shared ? step.shared : p->shared;
    p->macs += step.macs;
    bigger[p->nsteps++] = step;
    return GH_OK;
}

/* ---- layouts ---- */

typedef struct turn {
    void (*fn)(float *dst, const float *src, int c, int hw, int begin, int end);
    float *dst;
    const float *src;
    int c, hw;
} turn;

static void turn_units(const void *job, int begin, int end)
{
    const turn *t = job;
    t->fn(t->dst, t->src, t->c, t->hw, begin, end);
}

static gh_status run_turn(gh_exec *x, bool blocked)
{
    const gh_shape *s = &x->in[0].shape;
    turn t = {blocked ? x->k->to_blocked : x->k->to_plain, x->out[0].data, x->in[0].data, (int)s->dims[1],
              (int)(s->dims[2] * s->dims[3])};
    gh_exec_range(x, gh_layout_units(x->k, (int)s->dims[0], t.hw), turn_units, &t);
    return GH_OK;
}

static gh_status run_to_blocked(gh_exec *x)
{
    return run_turn(x, true);
}

static gh_status run_to_plain(gh_exec *x)
{
    return run_turn(x, false);
}

static size_t bytes_of(const gh_plan_builder *b, const gh_tensor *t, bool blocked)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    return (blocked ? gh_blocked_count(&t->shape, b->net->k->block) : count) * gh_dtype_size(t->type);
}

/* Makes value v stand in the wanted layout, with a step that turns it where it does not yet. */
static gh_status in_layout(gh_plan_builder *b, uint32_t v, bool blocked)
{
    gh_plan_place *p = &b->places[v];
    uint32_t *want = blocked ? &p->blocked : &p->plain, *have = blocked ? &p->plain : &p->blocked;
    if (*want != GH_NONE || *have == GH_NONE)
        return GH_OK;
    gh_step step = {.run = blocked ? run_to_blocked : run_to_plain,
                    .nin = 1,
                    .nout = 1,
                    .in = b->plan->noperands,
                    .out = b->plan->noperands + 1,
                    .kernel = blocked ? "to_blocked" : "to_plain"};
    GH_TRY(add_buffer(b, want, bytes_of(b, &b->values[v], blocked)));
    GH_TRY(add_operand(b, b->values[v], *have));
    GH_TRY(add_operand(b, b->values[v], *want));
    return bytes_of(b, &b->values[v], false) ? add_step(b, step) : GH_OK;
}

static gh_status add_input(gh_plan_builder *b, uint32_t v, bool blocked, bool packed)
{
    if (v == GH_NONE)
        return add_operand(b, (gh_tensor){.shape.rank = -1}, GH_NONE);
    gh_tensor t = b->values[v];
    if (t.data && b->g->values[v].gone && !packed)
        return gh_plan_gone(b, v);
    if (t.data) {
        if (!packed && !gh_tensor_aligned(&t))
            t.data = (void *)(uintptr_t)gh_graph_elements(b->g, v);
        return t.data ? add_operand(b, t, GH_NONE) : gh_plan_no_memory(b);
    }
    return add_operand(b, t, blocked ? b->places[v].blocked : b->places[v].plain);
}

/* ---- steps ---- */

static gh_status choose(gh_plan_builder *b, gh_prepare *p, const gh_io *io, gh_packed *packed)
{
    const gh_node *n = io->node;
    *p = (gh_prepare){.io = io,
                      .k = b->net->k,
                      .in_blocked = b->blocked,
                      .arena = b->plan->arena,
                      .packed = packed,
                      .bf16 = b->net->passes & GH_NET_BF16,
                      .room = b->net->packed_room,
                      .kernel = "ref"};
    bool fixed = true, packs = !(n->op->flags & GH_OP_UNPACKED);
    for (uint32_t i = 0; i < n->ninputs; i++) {
        b->blocked[i] = n->inputs[i] != GH_NONE && b->places[n->inputs[i]].blocked != GH_NONE;
        fixed = fixed && (!packs || !b->at.in[i].data || gh_plan_constant(b, n->inputs[i]));
    }
    /* elements that only this plan knows must not be packed for all */
    if (!fixed || !n->op->blocked || !(b->net->passes & GH_PASS_LAYOUT))
        return GH_OK;
    size_t before = packed->bytes;
    gh_status status = n->op->blocked->prepare(p);
    b->net->packed_bytes += packed->bytes - before;
    b->net->packed_room -= packed->bytes - before;
    return status;
}

/* True when the node's fast form reads input i blocked; a Concat may have more inputs than the mask has bits.
 */
static bool wants_blocked(const gh_prepare *p, uint32_t i)
{
    return i < 32 && (p->want_blocked >> i & 1);
}

/* One node as a step; `add` is the addition that it computes too, or NULL, and `residual` that one's other
 * value. */
static gh_status emit(gh_plan_builder *b, uint32_t node, const gh_node *add, uint32_t residual)
{
    const gh_node *n = &b->g->nodes[node];
    gh_plan *plan = b->plan;
    gh_prepare p;
    gh_io io = gh_operands_load(&b->at, n, b->e);
    if (n->noutputs > 1) /* one that is left out has a shape, too, and a place */
        GH_TRY(n->op->infer(&io));
    GH_TRY(choose(b, &p, &io, &b->net->packed[node]));
    GH_ASSERT(p.accepted || !add);
    for (uint32_t i = 0; i < n->ninputs; i++)
        if (n->inputs[i] != GH_NONE)
            GH_TRY(in_layout(b, n->inputs[i], wants_blocked(&p, i)));
    if (add)
        GH_TRY(in_layout(b, residual, true));
    gh_step step = {.run = p.accepted ? n->op->blocked->run : n->op->run,
                    .node = n,
                    .params = p.params,
                    .packed = p.packed->weights && p.accepted ? p.packed : NULL,
                    .scratch = p.scratch,
                    .shared = p.shared,
                    .act = add ? add->act : n->act,
                    .kernel = p.kernel,
                    .in = plan->noperands,
                    .nin = n->ninputs + (add ? 1 : 0),
                    .nout = n->noutputs,
                    .macs = n->op->macs ? n->op->macs(&io) : 0,
                    .strings = p.strings,
                    .inplace = add || (n->op->flags & GH_OP_INPLACE)};
    for (uint32_t i = 0; i < n->ninputs; i++)
        GH_TRY(add_input(b, n->inputs[i], wants_blocked(&p, i), step.packed != NULL && i > 0));
    if (add)
        GH_TRY(add_input(b, residual, true, false));
    step.out = plan->noperands;
    bool empty = true; /* a step that has nothing to give is not run: kernels see at least one element */
    for (uint32_t i = 0; i < n->noutputs; i++) {
        uint32_t v = add ? add->outputs[0] : n->outputs[i], buffer;
        gh_tensor t = v == GH_NONE ? b->at.out[i] : b->values[v];
        GH_TRY(add_buffer(b, &buffer, bytes_of(b, &t, p.out_blocked)));
        GH_TRY(add_operand(b, t, buffer));
        empty = empty && bytes_of(b, &t, false) == 0;
        if (v != GH_NONE)
            *(p.out_blocked ? &b->places[v].blocked : &b->places[v].plain) = buffer;
    }
    return empty ? GH_OK : add_step(b, step);
}

static gh_status emit_node(gh_plan_builder *b, uint32_t i)
{
    const gh_node *n = &b->g->nodes[i];
    if (n->outputs[0] != GH_NONE && b->values[n->outputs[0]].data)
        return GH_OK; /* known already */
    if (b->joined[i] == i)
        return GH_OK; /* waits for its addition */
    if (b->joined[i] != GH_NONE) {
        uint32_t conv = b->joined[i], own = b->g->nodes[conv].outputs[0];
        return emit(b, conv, n, n->inputs[0] == own ? n->inputs[1] : n->inputs[0]);
    }
    if ((n->op->flags & GH_OP_VIEW) && n->noutputs == 1 && !b->values[n->inputs[0]].data) {
        GH_TRY(in_layout(b, n->inputs[0], false));
        b->places[n->outputs[0]].plain = b->places[n->inputs[0]].plain;
        return GH_OK;
    }
    return emit(b, i, NULL, GH_NONE);
}

/* The operand through which the step that gives counted value v tells its shape. */
static uint32_t told_by_step(const gh_plan_builder *b, uint32_t v)
{
    uint32_t i = 0;
    while (b->plan->operands[i].buffer != b->places[v].plain)
        i++;
    return i;
}

static gh_status emit_all(gh_plan_builder *b)
{
    gh_graph *g = b->g;
    for (uint32_t i = 0; i < g->ninputs; i++) {
        gh_tensor *t = &b->values[g->inputs[i]];
        b->plan->inputs[i] = b->plan->noperands;
        GH_TRY(add_buffer(b, &b->places[g->inputs[i]].plain, bytes_of(b, t, false)));
        GH_TRY(add_operand(b, *t, b->places[g->inputs[i]].plain));
    }
    for (uint32_t i = 0; i < g->nnodes; i++)
        GH_TRY(emit_node(b, i));
    for (uint32_t i = 0; i < g->noutputs; i++) {
        GH_TRY(in_layout(b, g->outputs[i], false));
        if (gh_plan_counted(b, g->outputs[i])) {
            b->plan->outputs[i] = told_by_step(b, g->outputs[i]);
            continue;
        }
        b->plan->outputs[i] = b->plan->noperands;
        GH_TRY(add_input(b, g->outputs[i], false, false));
    }
    for (uint32_t i = 0; i < g->noutputs; i++) {
        uint32_t buffer = b->plan->operands[b->plan->outputs[i]].buffer;
        if (buffer != GH_NONE)
            b->plan->buffers[buffer].last = b->plan->nsteps; /* outlives the last step */
    }
    return GH_OK;
}

/* ---- the whole ---- */

static gh_status allocate(gh_plan_builder *b, const gh_shape *inputs)
{
    const gh_graph *g = b->g;
    gh_plan *p = b->plan;
    p->arena = gh_arena_new((size_t)1 << 30);
    p->shapes = gh_calloc(g->ninputs + 1u, sizeof *p->shapes);
    p->inputs = gh_calloc(g->ninputs + 1u, sizeof *p->inputs);
    p->outputs = gh_calloc(g->noutputs + 1u, sizeof *p->outputs);
    b->values = gh_calloc(g->nvalues + 1u, sizeof *b->values);
    b->places = gh_calloc(g->nvalues + 1u, sizeof *b->places);
    b->joined = gh_calloc(g->nnodes + 1u, sizeof *b->joined);
    bool placed = gh_operands_new(&b->at, g, b->values);
    b->blocked = gh_calloc(b->at.most, sizeof *b->blocked);
    b->uses = gh_graph_uses(g);
    if (!p->arena || !p->shapes || !p->inputs || !p->outputs || !b->values || !b->places || !b->joined ||
        !placed || !b->blocked || !b->uses)
        return gh_plan_no_memory(b);
    for (uint32_t i = 0; i < g->ninputs; i++)
        p->shapes[i] = inputs[i];
    return GH_OK;
}

gh_status gh_plan_build(gh_plan **out, gh_net *net, const gh_shape *inputs, gh_err *e)
{
    gh_plan_builder b = {.net = net, .g = net->graph, .e = e, .plan = gh_calloc(1, sizeof *b.plan)};
    if (!b.plan)
        return gh_plan_no_memory(&b);
    b.plan->net = net;
    gh_status status = allocate(&b, inputs);
    if (!status)
        status = gh_plan_shapes(&b, inputs);
    if (!status) {
        gh_plan_join(&b);
        status = emit_all(&b);
    }
    if (!status)
        status = gh_plan_memory(b.plan, e);
    gh_free(b.values);
    gh_free(b.places);
    gh_free(b.joined);
    gh_free(b.uses);
    gh_operands_free(&b.at);
    gh_free(b.blocked);
    if (status)
        gh_plan_free(&b.plan);
    else
        *out = b.plan;
    return status;
}

void gh_plan_free(gh_plan **plan)
{
    gh_plan *p = *plan;
    if (!p)
        return;
    gh_arena_free(&p->arena);
    gh_free(p->shapes);
    gh_free(p->steps);
    gh_free(p->operands);
    gh_free(p->buffers);
    gh_free(p->inputs);
    gh_free(p->outputs);
    gh_free(p);
    *plan = NULL;
}
