/* The tape as its callers see it, and how it runs. Reading a graph is read.c, what is kept from the forward
 * pass keep.c, the schedule plan.c, what operators compute grad_*.c. */
#include "base/mem.h"
#include "train/tape/parts.h"

#include <math.h>
#include <string.h>

gh_status gh_tape_new(gh_tape **out, gh_graph *g, const gh_tape_options *o, gh_err *e)
{
    gh_tape *t = gh_calloc(1, sizeof *t);
    if (!t)
        return gh_fail(e, GH_NOMEM, "no memory for the tape");
    t->graph = g;
    t->pool = o->pool;
    t->k = gh_kernels_get();
    t->checkpointing = o->checkpointing;
    gh_status status = gh_tape_read(t, o, e);
    if (!status)
        status = gh_tape_vectors(t, e);
    if (!status)
        status = gh_tape_schedule(t, e);
    if (status)
        gh_tape_free(&t);
    else
        *out = t;
    return status;
}

void gh_tape_free(gh_tape **tape)
{
    gh_tape *t = *tape;
    if (!t)
        return;
    gh_arena_free(&t->arena);
    void *const owned[] = {
        t->values,  t->roots,        t->param_of,      t->leads,   t->nodes,   t->params,
        t->stored,  t->state_values, t->state_offsets, t->weights, t->state,   t->gradients,
        t->actions, t->slots,        t->buffers,       t->inputs,  t->outputs, t->output_gradients,
        t->memory,  t->saved,        t->scratch,       t};
    for (size_t i = 0; i < GH_COUNT(owned); i++)
        gh_free(owned[i]);
    *tape = NULL;
}

size_t gh_tape_params(const gh_tape *t, const gh_tape_param **list)
{
    *list = t->params;
    return t->nparams;
}

float *gh_tape_weights(gh_tape *t)
{
    return t->weights;
}

float *gh_tape_gradients(gh_tape *t)
{
    return t->gradients;
}

size_t gh_tape_count(const gh_tape *t)
{
    return t->count;
}

float *gh_tape_state(gh_tape *t, size_t *count)
{
    *count = t->nstate;
    return t->state;
}

float *gh_tape_input(gh_tape *t, size_t i)
{
    GH_ASSERT(i < t->graph->ninputs);
    return t->inputs[i].t.data;
}

const gh_tensor *gh_tape_output(const gh_tape *t, size_t i)
{
    GH_ASSERT(i < t->graph->noutputs);
    return &t->outputs[i].t;
}

float *gh_tape_output_gradient(gh_tape *t, size_t i)
{
    GH_ASSERT(i < t->graph->noutputs);
    return t->output_gradients[i].t.data;
}

size_t gh_tape_bytes(const gh_tape *t)
{
    return t->bytes + t->saved_bytes + (t->scratch_floats + 2 * t->count + t->nstate) * sizeof(float) +
           gh_arena_used(t->arena);
}

/* ---- running ---- */

static gh_status run_plain(const gh_tape *t, const gh_grad_exec *x)
{
    gh_exec plain = {.node = x->node,
                     .in = x->in,
                     .out = (gh_tensor *)(uintptr_t)x->out,
                     .nin = x->nin,
                     .nout = x->nout,
                     .act = x->act,
                     .pool = t->pool,
                     .k = t->k,
                     .e = x->e};
    return x->node->op->run(&plain);
}

static gh_tensor *tensors_of(gh_tensor *to, const gh_tape_slot *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = from[i].t;
    return to;
}

static gh_status run_node(gh_tape *t, const gh_tape_action *a, bool training, gh_err *e)
{
    const gh_node *n = &t->graph->nodes[a->node];
    const gh_tape_node *own = &t->nodes[a->node];
    const gh_tape_slot *slots = t->slots + a->slots;
    uint32_t nin = n->ninputs, nout = n->noutputs;
    gh_tensor in[GH_TAPE_OPERANDS], out[GH_TAPE_OPERANDS], dout[GH_TAPE_OPERANDS], din[GH_TAPE_OPERANDS];
    gh_grad_exec x = {.node = n,
                      .opset = gh_graph_opset(t->graph, n->domain),
                      .in = tensors_of(in, slots, nin),
                      .out = tensors_of(out, slots + nin, nout),
                      .nin = nin,
                      .nout = nout,
                      .saved = own->saved_bytes ? t->saved + own->saved : NULL,
                      .scratch = t->scratch,
                      .act = own->act,
                      .batch_statistics = training && own->batch_statistics,
                      .again = a->again,
                      .pool = t->pool,
                      .k = t->k,
                      .e = e};
    if (a->kind == GH_TAPE_FORWARD)
        return own->row && own->row->forward ? own->row->forward(&x) : run_plain(t, &x);
    x.dout = tensors_of(dout, slots + nin + nout, nout);
    x.din = tensors_of(din, slots + nin + 2 * nout, nin);
    return own->row->backward(&x);
}

typedef struct addition {
    const gh_tape *t;
    const gh_tape_slot *slots;
    size_t count;
} addition;

static void add_units(void *arg, int begin, int end, int thread)
{
    const addition *a = arg;
    (void)thread;
    size_t from = (size_t)begin * GH_GRAD_UNIT, to = (size_t)end * GH_GRAD_UNIT;
    to = to < a->count ? to : a->count;
    a->t->k->binary((float *)a->slots[0].t.data + from, (const float *)a->slots[1].t.data + from,
                    (const float *)a->slots[2].t.data + from, to - from, GH_ADD, (gh_act){GH_ACT_NONE, 0, 0});
}

static gh_status run_action(gh_tape *t, const gh_tape_action *a, bool training, gh_err *e)
{
    if (a->kind != GH_TAPE_ADD)
        return a->kind == GH_TAPE_LOSS ? GH_OK : run_node(t, a, training, e);
    addition add = {t, t->slots + a->slots, gh_grad_count(&t->slots[a->slots].t)};
    gh_pool_for(t->pool, (int)((add.count + GH_GRAD_UNIT - 1) / GH_GRAD_UNIT), add_units, &add);
    return GH_OK;
}

gh_status gh_tape_forward(gh_tape *t, bool training, gh_err *e)
{
    t->trained = false;
    for (uint32_t i = 0; i < t->loss; i++)
        GH_TRY(run_action(t, &t->actions[i], training, e));
    for (uint32_t i = 0; i < t->graph->noutputs && training; i++)
        if (t->output_gradients[i].t.data)
            memset(t->output_gradients[i].t.data, 0,
                   gh_grad_count(&t->output_gradients[i].t) * sizeof(float));
    t->trained = training;
    return GH_OK;
}

gh_status gh_tape_backward(gh_tape *t, gh_err *e)
{
    if (!t->trained)
        return gh_fail(e, GH_ARG, "a backward pass needs a forward pass that trains before it");
    t->trained = false;
    for (uint32_t i = t->loss; i < t->nactions; i++)
        GH_TRY(run_action(t, &t->actions[i], true, e));
    return GH_OK;
}

/* ---- the graph's constants ---- */

static gh_status store(gh_tape *t, uint32_t v, const float *from, gh_err *e)
{
    size_t count = gh_grad_count(&t->values[v]);
    if (!t->stored[v])
        t->stored[v] = gh_arena_array(t->graph->arena, count, sizeof(float));
    if (!t->stored[v])
        return gh_fail(e, GH_NOMEM, "no memory for the trained weights");
    memcpy(t->stored[v], from, count * sizeof(float));
    t->graph->values[v].data = t->stored[v];
    return GH_OK;
}

gh_status gh_tape_store(gh_tape *t, gh_err *e)
{
    for (size_t i = 0; i < t->nparams; i++)
        GH_TRY(store(t, t->params[i].value, t->weights + t->params[i].offset, e));
    for (size_t i = 0; i < t->nstates; i++)
        GH_TRY(store(t, t->state_values[i], t->state + t->state_offsets[i], e));
    return GH_OK;
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

const char *gh_tape_not_finite(const gh_tape *t)
{
    for (size_t i = 0; i < t->nparams; i++) {
        const gh_tape_param *p = &t->params[i];
        if (!all_finite(t->weights + p->offset, p->count) || !all_finite(t->gradients + p->offset, p->count))
            return p->name;
    }
    return NULL;
}
