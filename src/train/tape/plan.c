/* The schedule of a tape: a forward pass, a place for the loss, a backward pass. A value that the backward
 * pass reads and that is not kept (keep.c) is computed again shortly before it is read. */
#include "base/mem.h"
#include "train/tape/parts.h"

/* A value computed again is good for this many nodes of the backward pass; then it is rather computed once
 * more than held. */
#define FRESH   3
#define FOREVER UINT32_MAX

typedef struct planner {
    gh_tape *t;
    gh_graph *g;
    uint32_t *now;     /* of a value (root): the buffer where it stands, or GH_NONE */
    uint32_t *made;    /* ... and the clock when it was computed again */
    bool *kept;        /* ... from the forward pass */
    uint32_t *grad;    /* ... the buffer of its gradient, or GH_NONE */
    uint32_t *holders; /* of a buffer: values whose gradient it is, and whose producers have yet to run */
    uint32_t *stack;
    uint32_t clock;
    gh_err *e;
} planner;

static gh_status no_memory(const planner *p)
{
    return gh_fail(p->e, GH_NOMEM, "no memory for the tape");
}

static uint32_t root(const planner *p, uint32_t v)
{
    return p->t->roots[v];
}

static size_t bytes_of(const planner *p, uint32_t v)
{
    return gh_tape_value_bytes(p->t, v);
}

/* ---- tables of the tape ---- */

static gh_status new_buffer(planner *p, uint32_t *out, size_t bytes)
{
    gh_tape *t = p->t;
    uint32_t cap = t->cap_buffers;
    gh_buffer *bigger = gh_table_grow(t->buffers, t->nbuffers, 1, &t->cap_buffers, sizeof *bigger);
    if (!bigger)
        return no_memory(p);
    t->buffers = bigger;
    if (t->cap_buffers != cap) {
        uint32_t *holders = gh_realloc(p->holders, t->cap_buffers, sizeof *holders);
        if (!holders)
            return no_memory(p);
        p->holders = holders;
    }
    p->holders[t->nbuffers] = 0;
    bigger[t->nbuffers] = (gh_buffer){.bytes = bytes, .first = t->nactions, .last = t->nactions};
    *out = t->nbuffers++;
    return GH_OK;
}

static gh_status start_action(planner *p, gh_tape_kind kind, uint32_t node, bool again)
{
    gh_tape *t = p->t;
    gh_tape_action *bigger = gh_table_grow(t->actions, t->nactions, 1, &t->cap_actions, sizeof *bigger);
    if (!bigger)
        return no_memory(p);
    t->actions = bigger;
    bigger[t->nactions] = (gh_tape_action){kind, node, t->nslots, again};
    return GH_OK;
}

static void end_action(planner *p)
{
    p->t->nactions++;
}

/* Puts a tensor behind the slots of the action at hand, which uses its buffer. */
static gh_status add_slot(planner *p, gh_tensor tensor, uint32_t buffer)
{
    gh_tape *t = p->t;
    gh_tape_slot *bigger = gh_table_grow(t->slots, t->nslots, 1, &t->cap_slots, sizeof *bigger);
    if (!bigger)
        return no_memory(p);
    t->slots = bigger;
    if (buffer != GH_NONE && t->buffers[buffer].last < t->nactions)
        t->buffers[buffer].last = t->nactions;
    bigger[t->nslots++] = (gh_tape_slot){tensor, buffer};
    return GH_OK;
}

static gh_status add_absent(planner *p)
{
    return add_slot(p, (gh_tensor){.shape.rank = -1}, GH_NONE);
}

/* The value v as an operand; with its elements if it stands anywhere. */
static gh_status add_value(planner *p, uint32_t v, bool with_elements)
{
    if (v == GH_NONE)
        return add_absent(p);
    gh_tensor t = p->t->values[v];
    return add_slot(p, t, with_elements && !t.data ? p->now[root(p, v)] : GH_NONE);
}

/* ---- forward ---- */

static gh_status emit_forward(planner *p, uint32_t at, bool again)
{
    const gh_node *n = &p->g->nodes[at];
    GH_TRY(start_action(p, GH_TAPE_FORWARD, at, again));
    for (uint32_t k = 0; k < n->ninputs; k++)
        GH_TRY(add_value(p, n->inputs[k], true));
    for (uint32_t k = 0; k < n->noutputs; k++) {
        uint32_t v = k ? n->outputs[k] : p->t->nodes[at].out, buffer;
        if (v == GH_NONE) {
            GH_TRY(add_absent(p));
            continue;
        }
        GH_TRY(new_buffer(p, &buffer, bytes_of(p, v)));
        p->now[root(p, v)] = buffer;
        p->made[root(p, v)] = p->clock;
        GH_TRY(add_value(p, v, true));
    }
    end_action(p);
    return GH_OK;
}

/* ---- backward ---- */

/* True when the elements of v can be read now. */
static bool stands(const planner *p, uint32_t v)
{
    if (gh_tape_is_free(p->t, p->kept, v))
        return true;
    if (p->now[v] == GH_NONE)
        return false;
    if (p->t->checkpointing)
        return p->made[v] > 0;
    return p->made[v] > 0 && p->made[v] + FRESH >= p->clock;
}

/* The node that computes a value, past joined activations and views. */
static uint32_t producer_of(const planner *p, uint32_t v)
{
    uint32_t at = p->g->values[v].producer;
    while (p->t->nodes[at].role != GH_TAPE_RUNS)
        at = p->g->values[p->g->nodes[at].inputs[0]].producer;
    return at;
}

/* Computes v again, and first what it is made of. */
static gh_status make_again(planner *p, uint32_t v)
{
    uint32_t depth = 0;
    p->stack[depth++] = v;
    while (depth) {
        uint32_t top = p->stack[depth - 1], missing = GH_NONE;
        if (stands(p, top)) {
            depth--;
            continue;
        }
        uint32_t at = producer_of(p, top);
        const gh_node *n = &p->g->nodes[at];
        for (uint32_t k = 0; k < n->ninputs && missing == GH_NONE; k++)
            if (n->inputs[k] != GH_NONE && !stands(p, root(p, n->inputs[k])))
                missing = root(p, n->inputs[k]);
        if (missing != GH_NONE) {
            p->stack[depth++] = missing;
            continue;
        }
        GH_TRY(emit_forward(p, at, true));
        depth--;
    }
    return GH_OK;
}

static gh_status emit_add(planner *p, uint32_t to, uint32_t a, uint32_t b, gh_tensor shape, float *fixed)
{
    shape.data = fixed;
    GH_TRY(start_action(p, GH_TAPE_ADD, 0, false));
    GH_TRY(add_slot(p, shape, to));
    GH_TRY(add_slot(p, shape, a));
    shape.data = NULL;
    GH_TRY(add_slot(p, shape, b));
    end_action(p);
    return GH_OK;
}

/* One gradient of an input while its node's backward action is made. */
typedef struct target {
    uint32_t value;  /* root */
    uint32_t buffer; /* what the action writes, or GH_NONE */
    float *fixed;    /* of something learnt: where it writes */
    bool adds;       /* the buffer is to be added to what is there already */
    bool passes;     /* the gradient of the output is that of the input */
} target;

static float *gradient_of(const planner *p, uint32_t v)
{
    uint32_t i = p->t->param_of[v];
    return i == GH_NONE ? NULL : p->t->gradients + p->t->params[i].offset;
}

/* Marks in `grad` that something learnt has a gradient: there is no buffer to remember. */
#define WRITTEN (UINT32_MAX - 1)

static gh_status choose_target(planner *p, target *to, uint32_t at, uint32_t k, uint32_t dout)
{
    const gh_node *n = &p->g->nodes[at];
    const gh_tape_node *own = &p->t->nodes[at];
    uint32_t v = root(p, n->inputs[k]);
    *to = (target){.value = v, .buffer = GH_NONE, .fixed = gradient_of(p, v)};
    to->adds = p->grad[v] != GH_NONE;
    to->passes = (own->row->flags & GH_GRAD_PASS) && !to->fixed && own->act.kind == GH_ACT_NONE &&
                 gh_shape_equal(&p->t->values[n->inputs[k]].shape, &p->t->values[own->out].shape);
    if (to->passes) {
        to->buffer = dout;
    } else if (to->adds || !to->fixed) {
        GH_TRY(new_buffer(p, &to->buffer, bytes_of(p, v)));
    }
    if (!to->adds) {
        p->grad[v] = to->fixed ? WRITTEN : to->buffer;
        if (!to->fixed)
            p->holders[to->buffer]++;
    }
    return GH_OK;
}

/* Adds what the action wrote to the gradient that was there. A buffer that stands for another value's
 * gradient, too, is left as it is. */
static gh_status settle(planner *p, const target *to)
{
    gh_tensor shape = p->t->values[to->value];
    uint32_t have = p->grad[to->value], sum = have;
    if (!to->adds)
        return GH_OK;
    if (to->fixed)
        return emit_add(p, GH_NONE, GH_NONE, to->buffer, shape, to->fixed);
    if (p->holders[have] > 1) {
        GH_TRY(new_buffer(p, &sum, bytes_of(p, to->value)));
        p->holders[have]--;
        p->holders[sum] = 1;
        p->grad[to->value] = sum;
    }
    return emit_add(p, sum, have, to->buffer, shape, NULL);
}

static gh_status need_values(planner *p, uint32_t at, uint32_t in, uint32_t out)
{
    const gh_node *n = &p->g->nodes[at];
    for (uint32_t k = 0; k < n->ninputs; k++)
        if ((in >> k & 1) && n->inputs[k] != GH_NONE)
            GH_TRY(make_again(p, root(p, n->inputs[k])));
    for (uint32_t k = 0; k < n->noutputs; k++)
        if (out >> k & 1)
            GH_TRY(make_again(p, root(p, k ? n->outputs[k] : p->t->nodes[at].out)));
    return GH_OK;
}

/* The gradient of output k, or GH_NONE. */
static uint32_t incoming(const planner *p, uint32_t at, uint32_t k)
{
    uint32_t v = k ? p->g->nodes[at].outputs[k] : p->t->nodes[at].out;
    return v == GH_NONE ? GH_NONE : p->grad[root(p, v)];
}

static gh_status emit_slots(planner *p, uint32_t at, const target *to, uint32_t in, uint32_t out)
{
    const gh_node *n = &p->g->nodes[at];
    const gh_tape_node *own = &p->t->nodes[at];
    for (uint32_t k = 0; k < n->ninputs; k++)
        GH_TRY(add_value(p, n->inputs[k], in >> k & 1));
    for (uint32_t k = 0; k < n->noutputs; k++)
        GH_TRY(add_value(p, k ? n->outputs[k] : own->out, out >> k & 1));
    for (uint32_t k = 0; k < n->noutputs; k++) {
        uint32_t buffer = incoming(p, at, k), v = k ? n->outputs[k] : own->out;
        GH_TRY(buffer == GH_NONE ? add_absent(p) : add_slot(p, p->t->values[v], buffer));
    }
    for (uint32_t k = 0; k < n->ninputs; k++) {
        if (!(own->wanted >> k & 1) || to[k].passes) {
            GH_TRY(add_absent(p));
            continue;
        }
        gh_tensor t = p->t->values[n->inputs[k]];
        t.data = to[k].buffer == GH_NONE ? to[k].fixed : NULL;
        GH_TRY(add_slot(p, t, to[k].buffer));
    }
    return GH_OK;
}

static gh_status emit_backward(planner *p, uint32_t at)
{
    const gh_node *n = &p->g->nodes[at];
    const gh_tape_node *own = &p->t->nodes[at];
    target to[GH_TAPE_OPERANDS];
    uint32_t in, out;
    bool any = false, all_pass = true;
    if (own->role != GH_TAPE_RUNS || !own->wanted)
        return GH_OK;
    for (uint32_t k = 0; k < n->noutputs; k++)
        any |= incoming(p, at, k) != GH_NONE;
    if (!any)
        return GH_OK;
    p->clock++;
    gh_tape_needs(p->t, at, &in, &out);
    GH_TRY(need_values(p, at, in, out));
    for (uint32_t k = 0; k < n->ninputs; k++)
        if (own->wanted >> k & 1) {
            GH_TRY(choose_target(p, &to[k], at, k, incoming(p, at, 0)));
            all_pass &= to[k].passes;
        }
    if (!all_pass) {
        GH_TRY(start_action(p, GH_TAPE_BACKWARD, at, false));
        GH_TRY(emit_slots(p, at, to, in, out));
        end_action(p);
    }
    for (uint32_t k = 0; k < n->noutputs; k++) {
        uint32_t buffer = incoming(p, at, k);
        if (buffer != GH_NONE)
            p->holders[buffer]--;
    }
    for (uint32_t k = 0; k < n->ninputs; k++)
        if (own->wanted >> k & 1)
            GH_TRY(settle(p, &to[k]));
    return GH_OK;
}

/* ---- the ends ---- */

static gh_status start_inputs(planner *p)
{
    gh_tape *t = p->t;
    for (uint32_t i = 0; i < p->g->ninputs; i++) {
        uint32_t v = p->g->inputs[i];
        GH_TRY(new_buffer(p, &p->now[v], bytes_of(p, v)));
        t->buffers[p->now[v]].last = FOREVER;
        t->inputs[i] = (gh_tape_slot){t->values[v], p->now[v]};
    }
    return GH_OK;
}

/* Two outputs that are one value have a gradient each, which are added first. */
static gh_status emit_loss(planner *p)
{
    gh_tape *t = p->t;
    t->loss = t->nactions;
    GH_TRY(start_action(p, GH_TAPE_LOSS, 0, false));
    for (uint32_t i = 0; i < p->g->noutputs; i++) {
        uint32_t v = p->g->outputs[i], buffer = gh_tape_computes(p->t, v) ? p->now[root(p, v)] : GH_NONE;
        t->outputs[i] = (gh_tape_slot){t->values[v], buffer};
        t->output_gradients[i] = (gh_tape_slot){t->values[v], GH_NONE};
        t->output_gradients[i].t.data = NULL;
        if (buffer != GH_NONE)
            t->buffers[buffer].last = FOREVER;
        if (!gh_tape_computes(p->t, v) || !t->leads[v])
            continue;
        GH_TRY(new_buffer(p, &t->output_gradients[i].buffer, bytes_of(p, v)));
        p->holders[t->output_gradients[i].buffer] = 1;
    }
    end_action(p);
    for (uint32_t i = 0; i < p->g->noutputs; i++) {
        uint32_t v = root(p, p->g->outputs[i]), buffer = t->output_gradients[i].buffer;
        if (buffer == GH_NONE)
            continue;
        if (p->grad[v] == GH_NONE)
            p->grad[v] = buffer;
        else
            GH_TRY(emit_add(p, p->grad[v], p->grad[v], buffer, t->values[v], NULL));
    }
    return GH_OK;
}

/* ---- the whole ---- */

static gh_status allocate(planner *p)
{
    size_t values = p->g->nvalues + 1u;
    gh_tape *t = p->t;
    p->now = gh_calloc(values, sizeof *p->now);
    p->made = gh_calloc(values, sizeof *p->made);
    p->kept = gh_calloc(values, sizeof *p->kept);
    p->grad = gh_calloc(values, sizeof *p->grad);
    p->stack = gh_calloc(values, sizeof *p->stack);
    t->inputs = gh_calloc(p->g->ninputs + 1u, sizeof *t->inputs);
    t->outputs = gh_calloc(p->g->noutputs + 1u, sizeof *t->outputs);
    t->output_gradients = gh_calloc(p->g->noutputs + 1u, sizeof *t->output_gradients);
    if (!p->now || !p->made || !p->kept || !p->grad || !p->stack || !t->inputs || !t->outputs ||
        !t->output_gradients)
        return no_memory(p);
    for (size_t v = 0; v < values; v++)
        p->now[v] = p->grad[v] = GH_NONE;
    return GH_OK;
}

static gh_status plan_all(planner *p)
{
    GH_TRY(allocate(p));
    GH_TRY(gh_tape_keep(p->kept, p->t, p->e));
    GH_TRY(start_inputs(p));
    for (uint32_t i = 0; i < p->g->nnodes; i++)
        if (p->t->nodes[i].role == GH_TAPE_RUNS)
            GH_TRY(emit_forward(p, i, false));
    GH_TRY(emit_loss(p));
    for (uint32_t i = p->g->nnodes; i-- > 0;)
        GH_TRY(emit_backward(p, i));
    return gh_tape_memory(p->t, p->e);
}

gh_status gh_tape_schedule(gh_tape *t, gh_err *e)
{
    planner p = {.t = t, .g = t->graph, .e = e};
    gh_status status = plan_all(&p);
    gh_free(p.now);
    gh_free(p.made);
    gh_free(p.kept);
    gh_free(p.grad);
    gh_free(p.holders);
    gh_free(p.stack);
    return status;
}
