/* Loading a network and keeping its plans. */
#include "base/mem.h"
#include "engine/cut.h"
#include "engine/onnx.h"
#include "engine/passes/passes.h"
#include "engine/plan.h"

#include <string.h>

/* Pixels a side that a free size stands for while kernels are chosen. */
#define NOMINAL_SIDE 224

static gh_status run_passes(gh_graph *g, unsigned passes, gh_err *e)
{
    GH_TRY(gh_graph_sort(g, e));
    GH_TRY(gh_graph_bind(g, e));
    GH_TRY(gh_pass_dead(g, e));
    if (passes & GH_PASS_FOLD)
        GH_TRY(gh_pass_fold(g, e));
    if (passes & GH_PASS_FUSE) {
        GH_TRY(gh_pass_batch_norm(g, e));
        GH_TRY(gh_pass_activation(g, e));
        GH_TRY(gh_pass_quant(g, e));
    }
    return gh_pass_dead(g, e);
}

static void destroy(gh_net *net)
{
    for (uint32_t i = 0; net->packed && i < net->graph->nnodes; i++) {
        gh_free(net->packed[i].weights);
        gh_free(net->packed[i].bias);
    }
    gh_free(net->packed);
    gh_graph_free(&net->graph);
    pthread_mutex_destroy(&net->lock);
    gh_free(net);
}

static gh_status check_io(const gh_graph *g, gh_err *e)
{
    if (g->ninputs < 1 || g->noutputs < 1)
        return gh_fail(e, GH_FORMAT, "the model has %u inputs and %u outputs; at least one of each is needed",
                       g->ninputs, g->noutputs);
    for (uint32_t i = 0; i < g->ninputs; i++) {
        const gh_value *v = &g->values[g->inputs[i]];
        if (v->type == GH_UNKNOWN)
            return gh_fail(e, GH_UNSUPPORTED, "input \"%s\" is not declared as a tensor", v->name);
        if (!gh_dtype_size(v->type))
            return gh_fail(e, GH_UNSUPPORTED, "input \"%s\" is %s, which gharial does not read", v->name,
                           gh_dtype_name(v->type));
        if (v->shape.rank < 0)
            return gh_fail(e, GH_UNSUPPORTED, "input \"%s\" has no declared shape", v->name);
    }
    return GH_OK;
}

/* Batch, height and width of the inputs, and of the outputs that follow from them. */
static void free_sizes(gh_graph *g)
{
    for (uint32_t i = 0; i < g->ninputs + g->noutputs; i++) {
        gh_shape *s = &g->values[i < g->ninputs ? g->inputs[i] : g->outputs[i - g->ninputs]].shape;
        if (s->rank == 4)
            s->dims[0] = s->dims[2] = s->dims[3] = -1;
    }
}

/* The declared shapes of the inputs, one picture where the batch is free; true when all sides are known. */
static bool declared_shapes(gh_shape *shapes, const gh_graph *g)
{
    bool fixed = true;
    for (uint32_t i = 0; i < g->ninputs; i++) {
        shapes[i] = g->values[g->inputs[i]].shape;
        if (shapes[i].rank > 0 && shapes[i].dims[0] < 0)
            shapes[i].dims[0] = 1;
        fixed = fixed && gh_shape_known(&shapes[i]);
    }
    return fixed;
}

/* Chooses kernels and packs weights for a network that takes many sizes by one of them, so that no choice
 * hangs on which size comes first. A size that the network does not take after all decides nothing. */
static void pack_nominal(gh_net *net, gh_shape *shapes)
{
    gh_plan *plan = NULL;
    bool known = true;
    for (uint32_t i = 0; i < net->graph->ninputs; i++) {
        for (int d = 2; d < shapes[i].rank; d++)
            if (shapes[i].dims[d] < 0)
                shapes[i].dims[d] = NOMINAL_SIDE;
        known = known && gh_shape_known(&shapes[i]);
    }
    pthread_mutex_lock(&net->lock);
    if (known && gh_plan_build(&plan, net, shapes, NULL) == GH_OK)
        gh_plan_free(&plan);
    pthread_mutex_unlock(&net->lock);
}

/* A plan at once where the model fixes its sizes: what is wrong with it shows at load. */
static gh_status first_plan(gh_net *net, gh_shape *shapes, bool fixed, gh_err *e)
{
    gh_plan *plan = NULL;
    if (!fixed) {
        pack_nominal(net, shapes);
        return GH_OK;
    }
    GH_TRY(gh_plan_get(&plan, net, shapes, e));
    gh_plan_put(&plan);
    return GH_OK;
}

/* Packed weights that a model may have: padding makes them larger than its constants, and nodes that share
 * constants pack them each, but a small file must not ask for gigabytes. */
static size_t room_for_packing(const gh_graph *g)
{
    size_t bytes = (size_t)256 << 20, count;
    for (uint32_t i = 0; i < g->nvalues; i++)
        if (g->values[i].data && gh_shape_count(&count, &g->values[i].shape))
            bytes += 8 * count * gh_dtype_size(g->values[i].type);
    return bytes;
}

/* Constants that are not worth giving back; the first layer's weights stay, which `inspect` looks at. */
#define FEW_BYTES ((size_t)256 << 10)

/* True where input i of a node is read while it is packed, and never again in any plan. */
static bool packed_for_good(const gh_net *net, uint32_t node, uint32_t i)
{
    const char *type = net->graph->nodes[node].type;
    return i > 0 && net->packed[node].weights &&
           (strcmp(type, "Conv") == 0 || strcmp(type, "Gemm") == 0 || strcmp(type, "MatMul") == 0);
}

/* Packed weights are the only copy: what the passes made of the file's goes, and the file's pages may. Who
 * lends elements of a graph's arena to others hands a net a copy of that graph, in which they are not its
 * own. */
static void give_back_packed(gh_net *net)
{
    gh_graph *g = net->graph;
    bool *needed = gh_calloc(g->nvalues + 1u, sizeof *needed);
    for (uint32_t i = 0; needed && i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] != GH_NONE && !packed_for_good(net, i, k))
                needed[g->nodes[i].inputs[k]] = true;
    for (uint32_t i = 0; needed && i < g->noutputs; i++)
        needed[g->outputs[i]] = true;
    for (uint32_t i = 0; needed && i < g->nvalues; i++) {
        gh_value *v = &g->values[i];
        size_t count = 0;
        if (needed[i] || !v->data || !v->own || !gh_shape_count(&count, &v->shape) ||
            count * gh_dtype_size(v->type) < FEW_BYTES)
            continue;
        gh_arena_give_back((void *)(uintptr_t)v->data, count * gh_dtype_size(v->type));
        v->gone = true;
    }
    gh_free(needed);
    gh_map_give_back(&g->map);
}

static gh_status make_net(gh_net **out, gh_graph **graph, unsigned passes, bool any_size, gh_err *e)
{
    gh_net *net = gh_calloc(1, sizeof *net);
    gh_shape *shapes = NULL;
    gh_status status = GH_OK;
    bool fixed = false;
    if (!net) {
        gh_graph_free(graph);
        return gh_fail(e, GH_NOMEM, "no memory for a network");
    }
    pthread_mutex_init(&net->lock, NULL);
    net->graph = *graph;
    *graph = NULL;
    net->passes = passes;
    net->refs = 1;
    net->k = gh_kernels_get();
    status = gh_graph_check(net->graph, e);
    if (!status)
        status = check_io(net->graph, e);
    if (!status) {
        shapes = gh_calloc(net->graph->ninputs, sizeof *shapes);
        status = shapes ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for a network");
    }
    if (!status) {
        fixed = declared_shapes(shapes, net->graph);
        if (any_size)
            free_sizes(net->graph);
        status = run_passes(net->graph, passes, e);
    }
    if (!status) {
        net->packed_room = room_for_packing(net->graph);
        net->packed = gh_calloc(net->graph->nnodes + 1u, sizeof *net->packed);
        status = net->packed ? first_plan(net, shapes, fixed && !any_size, e)
                             : gh_fail(e, GH_NOMEM, "no memory for a network");
    }
    gh_free(shapes);
    if (status) {
        gh_net_free(&net);
    } else {
        give_back_packed(net);
        *out = net;
    }
    return status;
}

gh_status gh_net_from_graph(gh_net **out, gh_graph **graph, unsigned passes, gh_err *e)
{
    return make_net(out, graph, passes, false, e);
}

static gh_status add_taps(gh_graph *g, const char *const *taps, size_t ntaps, gh_err *e)
{
    for (size_t i = 0; i < ntaps; i++) {
        uint32_t value = gh_graph_find(g, taps[i]);
        if (value == GH_NONE)
            return gh_fail(e, GH_NOTFOUND, "the network has no value \"%.60s\"", taps[i]);
        bool there = false; /* a body may end where its heads begin */
        for (uint32_t k = 0; k < g->noutputs; k++)
            there |= g->outputs[k] == value;
        if (!there)
            gh_graph_output(g, value);
    }
    return GH_OK;
}

static gh_status load(gh_net **out, const char *path, unsigned passes, const char *const *taps, size_t ntaps,
                      bool any_size, gh_err *e)
{
    gh_graph *g = NULL;
    gh_status status = gh_onnx_read(&g, path, e);
    if (status == GH_OK)
        status = add_taps(g, taps, ntaps, e);
    if (status) {
        gh_graph_free(&g);
        return status;
    }
    return make_net(out, &g, passes, any_size, e);
}

gh_status gh_net_load(gh_net **out, const char *path, unsigned passes, gh_err *e)
{
    return load(out, path, passes, NULL, 0, false, e);
}

gh_status gh_net_load_tapped(gh_net **out, const char *path, unsigned passes, const char *const *taps,
                             size_t ntaps, gh_err *e)
{
    return load(out, path, passes, taps, ntaps, false, e);
}

gh_status gh_net_load_any_size(gh_net **out, const char *path, unsigned passes, const char *const *taps,
                               size_t ntaps, gh_err *e)
{
    return load(out, path, passes, taps, ntaps, true, e);
}

/* Drops the cache's hold on a plan, or a user's; true when the net itself is no longer held. Under the lock.
 */
static bool release(gh_net *net, gh_plan *plan)
{
    if (--plan->refs)
        return false;
    gh_plan_free(&plan);
    return --net->refs == 0;
}

void gh_net_free(gh_net **net)
{
    gh_net *n = *net;
    bool last;
    if (!n)
        return;
    *net = NULL;
    pthread_mutex_lock(&n->lock);
    for (size_t i = 0; i < GH_MAX_PLANS; i++)
        if (n->plans[i])
            release(n, n->plans[i]);
    memset(n->plans, 0, sizeof n->plans);
    last = --n->refs == 0;
    pthread_mutex_unlock(&n->lock);
    if (last)
        destroy(n);
}

static bool same_key(const gh_plan *p, const gh_shape *inputs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!gh_shape_equal(&p->shapes[i], &inputs[i]))
            return false;
    return true;
}

static gh_status check_shapes(const gh_net *net, const gh_shape *inputs, gh_err *e)
{
    for (uint32_t i = 0; i < net->graph->ninputs; i++) {
        const gh_value *v = &net->graph->values[net->graph->inputs[i]];
        char want[96], came[96];
        bool fits = inputs[i].rank == v->shape.rank && gh_shape_known(&inputs[i]);
        size_t count = 0;
        for (int d = 0; fits && d < v->shape.rank; d++)
            fits = v->shape.dims[d] < 0 || v->shape.dims[d] == inputs[i].dims[d];
        bool small = gh_shape_count(&count, &inputs[i]) && count <= INT32_MAX;
        for (int d = 0; d < inputs[i].rank; d++) /* beside a side of 0, too */
            small = small && inputs[i].dims[d] <= INT32_MAX;
        if (!fits)
            return gh_fail(e, GH_ARG, "input \"%s\" is %s; the model takes %s", v->name,
                           gh_shape_text(&inputs[i], came, sizeof came),
                           gh_shape_text(&v->shape, want, sizeof want));
        if (!small)
            return gh_fail(e, GH_LIMIT, "input \"%s\" of %s is larger than gharial accepts", v->name,
                           gh_shape_text(&inputs[i], came, sizeof came));
    }
    return GH_OK;
}

/* A free place in the cache, or that of the plan whose last use is longest ago. */
static size_t oldest(const gh_net *net)
{
    size_t at = 0;
    for (size_t i = 0; i < GH_MAX_PLANS; i++) {
        if (!net->plans[i])
            return i;
        if (net->plans[i]->used < net->plans[at]->used)
            at = i;
    }
    return at;
}

static gh_status find_or_build(gh_plan **out, gh_net *net, const gh_shape *inputs, gh_err *e)
{
    gh_plan *plan = NULL;
    for (size_t i = 0; i < GH_MAX_PLANS && !plan; i++)
        if (net->plans[i] && same_key(net->plans[i], inputs, net->graph->ninputs))
            plan = net->plans[i];
    if (!plan) {
        GH_TRY(gh_plan_build(&plan, net, inputs, e));
        plan->refs = 1;
        net->refs++;
        size_t at = oldest(net);
        if (net->plans[at])
            release(net, net->plans[at]);
        net->plans[at] = plan;
    }
    plan->refs++;
    plan->used = ++net->clock;
    *out = plan;
    return GH_OK;
}

gh_status gh_plan_get(gh_plan **out, gh_net *net, const gh_shape *inputs, gh_err *e)
{
    GH_TRY(check_shapes(net, inputs, e));
    pthread_mutex_lock(&net->lock);
    gh_status status = find_or_build(out, net, inputs, e);
    pthread_mutex_unlock(&net->lock);
    return status;
}

void gh_plan_put(gh_plan **plan)
{
    if (!*plan)
        return;
    gh_net *net = (*plan)->net;
    pthread_mutex_lock(&net->lock);
    bool last = release(net, *plan);
    pthread_mutex_unlock(&net->lock);
    *plan = NULL;
    if (last)
        destroy(net);
}

gh_status gh_net_output_for(gh_tensor *out, gh_net *net, size_t i, const gh_shape *inputs, gh_err *e)
{
    gh_plan *plan = NULL;
    uint32_t from = gh_net_output(net, i)->producer;
    if (from != GH_NONE && (net->graph->nodes[from].op->flags & GH_OP_COUNTED))
        return gh_fail(e, GH_UNSUPPORTED, "the size of output \"%s\" depends on the data",
                       gh_net_output(net, i)->name);
    GH_TRY(gh_plan_get(&plan, net, inputs, e));
    const gh_tensor *t = &plan->operands[plan->outputs[i]].t;
    *out = (gh_tensor){.type = t->type, .shape = t->shape};
    gh_plan_put(&plan);
    return GH_OK;
}

size_t gh_net_inputs(const gh_net *net)
{
    return net->graph->ninputs;
}

size_t gh_net_outputs(const gh_net *net)
{
    return net->graph->noutputs;
}

const gh_value *gh_net_input(const gh_net *net, size_t i)
{
    return &net->graph->values[net->graph->inputs[i]];
}

const gh_value *gh_net_output(const gh_net *net, size_t i)
{
    return &net->graph->values[net->graph->outputs[i]];
}

int gh_net_find_output(const gh_net *net, const char *name)
{
    for (size_t i = 0; i < gh_net_outputs(net); i++)
        if (strcmp(gh_net_output(net, i)->name, name) == 0)
            return (int)i;
    return -1;
}

const gh_graph *gh_net_graph(const gh_net *net)
{
    return net->graph;
}

size_t gh_net_packed_bytes(const gh_net *net)
{
    gh_net *n = (gh_net *)(uintptr_t)net; /* the lock alone is changed */
    pthread_mutex_lock(&n->lock);
    size_t bytes = n->packed_bytes;
    pthread_mutex_unlock(&n->lock);
    return bytes;
}

size_t gh_plan_steps(const gh_plan *plan)
{
    return plan->nsteps;
}

gh_step_info gh_plan_step(const gh_plan *plan, size_t i)
{
    const gh_step *s = &plan->steps[i];
    return (gh_step_info){.node = s->node ? s->node->name : "",
                          .op = s->node ? s->node->type : "Reorder",
                          .kernel = s->kernel,
                          .why = s->packed ? s->packed->why : "",
                          .output = plan->operands[s->out].t.shape,
                          .macs = s->macs};
}

size_t gh_plan_arena_bytes(const gh_plan *plan)
{
    return plan->bytes;
}

double gh_plan_macs(const gh_plan *plan)
{
    return plan->macs;
}
