/* The schedule of a tape: a forward pass, a place for the loss, a backward pass.
 *
 * A value that the backward pass reads is kept from the forward pass, or computed again shortly before it is
 * read: the latter where its operator is cheap and it is made of what is kept anyway, or, with checkpointing,
 * wherever it does not cross from one segment of the graph to another. */
#include "base/mem.h"
#include "train/tape/parts.h"

#include <math.h>

/* A value computed again is good for this many nodes of the backward pass; then it is rather computed once
 * more than held. */
#define FRESH 3
/* Nodes in a row that are computed again for one value. */
#define LONGEST 4
#define FOREVER UINT32_MAX

typedef struct planner {
    gh_tape *t;
    gh_graph *g;
    uint32_t *now;     /* of a value (root): the buffer where it stands, or GH_NONE */
    uint32_t *made;    /* ... and the clock when it was computed again */
    bool *kept;        /* ... from the forward pass */
    bool *read;        /* ... by the backward pass */
    uint32_t *grad;    /* ... the buffer of its gradient, or GH_NONE */
    uint32_t *segment; /* of a value: that of its producer */
    uint32_t *holders; /* of a buffer: values whose gradient it is, and whose producers have yet to run */
    uint32_t *stack;
    uint32_t clock, segments;
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
    return gh_grad_count(&p->t->values[v]) * gh_dtype_size(p->t->values[v].type);
}

/* True for a value that stands in a buffer: not a constant, nor learnt. */
static bool is_computed(const planner *p, uint32_t v)
{
    return v != GH_NONE && !p->t->values[v].data;
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

/* ---- what is kept ---- */

static void needs_of(const planner *p, uint32_t at, uint32_t *in, uint32_t *out)
{
    const gh_tape_node *own = &p->t->nodes[at];
    *in = *out = 0;
    if (own->role == GH_TAPE_RUNS && own->wanted && own->row->needs)
        own->row->needs(&p->g->nodes[at], own->wanted, in, out);
}

static void mark_read(planner *p)
{
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        uint32_t in, out;
        needs_of(p, i, &in, &out);
        for (uint32_t k = 0; k < n->ninputs; k++)
            if ((in >> k & 1) && is_computed(p, n->inputs[k]))
                p->read[root(p, n->inputs[k])] = true;
        for (uint32_t k = 0; k < n->noutputs; k++) {
            uint32_t v = k ? n->outputs[k] : p->t->nodes[i].out;
            if ((out >> k & 1) && is_computed(p, v))
                p->read[root(p, v)] = true;
        }
    }
}

/* Segments of about as many bytes of outputs each, as many as the square root of the number of nodes. */
static void cut_segments(planner *p)
{
    double total = 0, sum = 0;
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < p->g->nnodes; i++)
        if (p->t->nodes[i].role == GH_TAPE_RUNS) {
            total += (double)bytes_of(p, p->t->nodes[i].out);
            nodes++;
        }
    p->segments = (uint32_t)sqrt((double)nodes);
    p->segments = p->segments ? p->segments : 1;
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        uint32_t s = total > 0 ? (uint32_t)(sum / total * p->segments) : 0;
        if (p->t->nodes[i].role == GH_TAPE_RUNS)
            sum += (double)bytes_of(p, p->t->nodes[i].out);
        for (uint32_t k = 0; k < n->noutputs; k++)
            if (n->outputs[k] != GH_NONE)
                p->segment[n->outputs[k]] = s;
        if (n->outputs[0] != GH_NONE)
            p->segment[p->t->nodes[i].out] = s;
    }
}

/* Marks what crosses from one segment to another, all in front of what learns nothing, and outputs that are
 * not a node's first: only what has none of them is computed again. */
static void keep_borders(planner *p)
{
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        if (p->t->nodes[i].role != GH_TAPE_RUNS)
            continue;
        for (uint32_t k = 0; k < n->ninputs; k++) {
            uint32_t v = n->inputs[k];
            if (!is_computed(p, v))
                continue;
            v = root(p, v);
            if (p->segment[v] != p->segment[p->t->nodes[i].out] || !p->t->leads[v])
                p->kept[v] = true;
        }
        if (n->noutputs > 1)
            for (uint32_t k = 0; k < n->noutputs; k++)
                if (is_computed(p, n->outputs[k]))
                    p->kept[root(p, n->outputs[k])] = true;
    }
}

static bool is_free(const planner *p, uint32_t v)
{
    return !is_computed(p, v) || p->kept[v] || p->g->values[v].producer == GH_NONE;
}

/* Bytes that would have to be kept to compute the node's result again; SIZE_MAX where that is not cheap, or
 * a chain longer than LONGEST. depth: of values, how long their chains are, 0 for what is not made again. */
static size_t price_of(const planner *p, uint32_t at, const uint8_t *depth, uint8_t *own_depth)
{
    const gh_node *n = &p->g->nodes[at];
    const gh_tape_node *own = &p->t->nodes[at];
    size_t more = 0;
    *own_depth = 1;
    if (!own->row || !(own->row->flags & GH_GRAD_CHEAP) || n->noutputs != 1)
        return SIZE_MAX;
    for (uint32_t k = 0; k < n->ninputs; k++) {
        uint32_t v = n->inputs[k] == GH_NONE ? GH_NONE : root(p, n->inputs[k]);
        if (v == GH_NONE || is_free(p, v))
            continue;
        if (depth[v] == 0)
            more += bytes_of(p, v);
        *own_depth = depth[v] >= *own_depth ? (uint8_t)(depth[v] + 1) : *own_depth;
    }
    return *own_depth > LONGEST ? SIZE_MAX : more;
}

static void keep_inputs(planner *p, uint32_t at, const uint8_t *depth)
{
    const gh_node *n = &p->g->nodes[at];
    for (uint32_t k = 0; k < n->ninputs; k++) {
        uint32_t from = n->inputs[k] == GH_NONE ? GH_NONE : root(p, n->inputs[k]);
        if (from != GH_NONE && !is_free(p, from) && depth[from] == 0)
            p->kept[from] = true;
    }
}

/* First what is read and cannot be made again cheaply, for it is there for others; then, in the graph's
 * order, what is worth making again. */
static gh_status choose_kept(planner *p)
{
    uint8_t *depth = gh_calloc(p->g->nvalues + 1u, sizeof *depth), own_depth;
    if (!depth)
        return no_memory(p);
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        const gh_tape_node *own = &p->t->nodes[i];
        bool cheap = own->row && (own->row->flags & GH_GRAD_CHEAP) && n->noutputs == 1;
        for (uint32_t k = 0; k < n->noutputs && own->role == GH_TAPE_RUNS; k++) {
            uint32_t v = k ? n->outputs[k] : own->out;
            if (v != GH_NONE && !cheap && p->read[root(p, v)])
                p->kept[root(p, v)] = true;
        }
    }
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        uint32_t v = p->t->nodes[i].out;
        if (p->t->nodes[i].role != GH_TAPE_RUNS || !is_computed(p, v) || p->kept[v])
            continue;
        size_t price = price_of(p, i, depth, &own_depth);
        if (price < (p->read[v] ? bytes_of(p, v) : 1)) {
            depth[v] = own_depth;
            keep_inputs(p, i, depth);
        } else {
            p->kept[v] = p->read[v];
        }
    }
    gh_free(depth);
    return GH_OK;
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
    if (!is_computed(p, v) || p->kept[v] || p->g->values[v].producer == GH_NONE)
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
    needs_of(p, at, &in, &out);
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
        uint32_t v = p->g->outputs[i], buffer = is_computed(p, v) ? p->now[root(p, v)] : GH_NONE;
        t->outputs[i] = (gh_tape_slot){t->values[v], buffer};
        t->output_gradients[i] = (gh_tape_slot){t->values[v], GH_NONE};
        t->output_gradients[i].t.data = NULL;
        if (buffer != GH_NONE)
            t->buffers[buffer].last = FOREVER;
        if (!is_computed(p, v) || !t->leads[v])
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
    p->read = gh_calloc(values, sizeof *p->read);
    p->grad = gh_calloc(values, sizeof *p->grad);
    p->segment = gh_calloc(values, sizeof *p->segment);
    p->stack = gh_calloc(values, sizeof *p->stack);
    t->inputs = gh_calloc(p->g->ninputs + 1u, sizeof *t->inputs);
    t->outputs = gh_calloc(p->g->noutputs + 1u, sizeof *t->outputs);
    t->output_gradients = gh_calloc(p->g->noutputs + 1u, sizeof *t->output_gradients);
    if (!p->now || !p->made || !p->kept || !p->read || !p->grad || !p->segment || !p->stack || !t->inputs ||
        !t->outputs || !t->output_gradients)
        return no_memory(p);
    for (size_t v = 0; v < values; v++)
        p->now[v] = p->grad[v] = GH_NONE;
    return GH_OK;
}

static gh_status plan_all(planner *p)
{
    GH_TRY(allocate(p));
    mark_read(p);
    if (p->t->checkpointing) {
        cut_segments(p);
        keep_borders(p);
    } else {
        GH_TRY(choose_kept(p));
    }
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
    gh_free(p.read);
    gh_free(p.grad);
    gh_free(p.segment);
    gh_free(p.holders);
    gh_free(p.stack);
    return status;
}
