/* Building, reading and ordering a gh_graph. Nothing here knows an operator's meaning. */
#include "engine/graph.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Everything a graph may take besides the mapped file; constants that are converted live here too. */
#define ARENA_LIMIT ((size_t)3 << 30)

gh_status gh_graph_new(gh_graph **out, gh_err *e)
{
    gh_graph *g = gh_calloc(1, sizeof *g);
    if (!g)
        return gh_fail(e, GH_NOMEM, "no memory for a graph");
    g->arena = gh_arena_new(ARENA_LIMIT);
    if (!g->arena) {
        gh_free(g);
        return gh_fail(e, GH_NOMEM, "no memory for a graph");
    }
    g->name = g->producer = "gharial";
    g->ir_version = 8;
    g->opsets[0] = (gh_opset){"", 13};
    g->nopsets = 1;
    *out = g;
    return GH_OK;
}

void gh_graph_free(gh_graph **graph)
{
    gh_graph *g = *graph;
    if (!g)
        return;
    gh_arena_free(&g->arena);
    gh_map_close(&g->map);
    gh_free(g->values);
    gh_free(g->nodes);
    gh_free(g->inputs);
    gh_free(g->outputs);
    gh_free(g);
    *graph = NULL;
}

gh_status gh_graph_check(const gh_graph *g, gh_err *e)
{
    return g->failed ? gh_fail(e, g->failed, "%s", g->failure) : GH_OK;
}

static uint32_t fail(gh_graph *g, gh_status status, const char *why)
{
    if (!g->failed) {
        g->failed = status;
        g->failure = why;
    }
    return GH_NONE;
}

/* Makes room for one more element of `size` bytes in a table of `count`; false after recording the failure.
 */
static bool grow(gh_graph *g, void **table, uint32_t count, uint32_t *cap, size_t size, uint32_t limit)
{
    if (g->failed)
        return false;
    if (count >= limit) {
        fail(g, GH_LIMIT, "the model has more nodes or values than gharial accepts");
        return false;
    }
    if (count < *cap)
        return true;
    uint32_t want = *cap ? *cap * 2 : 64;
    void *bigger = gh_realloc(*table, want, size);
    if (!bigger) {
        fail(g, GH_NOMEM, "no memory for the graph's tables");
        return false;
    }
    *table = bigger;
    *cap = want;
    return true;
}

static char *copy_string(gh_graph *g, const char *s)
{
    char *copy = gh_arena_string(g->arena, s, strlen(s));
    if (!copy)
        fail(g, GH_NOMEM, "no memory for the graph's names");
    return copy;
}

static void *copy_array(gh_graph *g, const void *from, size_t n, size_t size)
{
    void *copy = gh_arena_array(g->arena, n ? n : 1, size);
    if (!copy)
        fail(g, GH_NOMEM, "no memory for the graph");
    else if (n)
        memcpy(copy, from, n * size);
    return copy;
}

uint32_t gh_graph_value(gh_graph *g, const char *name, gh_dtype type, gh_shape shape)
{
    char unique[32];
    if (!grow(g, (void **)&g->values, g->nvalues, &g->cap_values, sizeof *g->values, GH_MAX_VALUES))
        return GH_NONE;
    if (!*name) {
        snprintf(unique, sizeof unique, "v%u", g->nvalues);
        name = unique;
    }
    char *copy = copy_string(g, name);
    if (!copy)
        return GH_NONE;
    g->values[g->nvalues] = (gh_value){.name = copy, .type = type, .shape = shape, .producer = GH_NONE};
    return g->nvalues++;
}

uint32_t gh_graph_const(gh_graph *g, const char *name, gh_dtype type, gh_shape shape, const void *data,
                        bool copy)
{
    size_t count, size = gh_dtype_size(type);
    if (g->failed)
        return GH_NONE;
    if (!gh_shape_count(&count, &shape) || count > GH_MAX_ELEMENTS || !size)
        return fail(g, GH_LIMIT, "a constant has an unknown type or more elements than gharial accepts");
    if (copy) {
        data = copy_array(g, data, count, size);
        if (!data)
            return GH_NONE;
    }
    uint32_t id = gh_graph_value(g, name, type, shape);
    if (id != GH_NONE) {
        g->values[id].data = data;
        g->values[id].own = copy;
    }
    return id;
}

uint32_t gh_graph_const_f32(gh_graph *g, const char *name, gh_shape shape, float **data)
{
    size_t count;
    if (g->failed)
        return GH_NONE;
    if (!gh_shape_count(&count, &shape) || count > GH_MAX_ELEMENTS)
        return fail(g, GH_LIMIT, "a constant has more elements than gharial accepts");
    float *elements = gh_arena_array(g->arena, count ? count : 1, sizeof *elements);
    if (!elements)
        return fail(g, GH_NOMEM, "no memory for a constant");
    uint32_t id = gh_graph_const(g, name, GH_F32, shape, elements, false);
    if (id != GH_NONE) {
        g->values[id].own = true;
        *data = elements;
    }
    return id;
}

static uint32_t push(gh_graph *g, uint32_t **list, uint32_t *count, uint32_t value)
{
    if (g->failed || value == GH_NONE)
        return GH_NONE;
    uint32_t *bigger = gh_realloc(*list, *count + 1u, sizeof **list);
    if (!bigger)
        return fail(g, GH_NOMEM, "no memory for the graph's inputs and outputs");
    *list = bigger;
    bigger[(*count)++] = value;
    return value;
}

uint32_t gh_graph_input(gh_graph *g, const char *name, gh_dtype type, gh_shape shape)
{
    return push(g, &g->inputs, &g->ninputs, gh_graph_value(g, name, type, shape));
}

void gh_graph_output(gh_graph *g, uint32_t value)
{
    push(g, &g->outputs, &g->noutputs, value);
}

uint32_t gh_graph_node(gh_graph *g, const char *type, const char *name, const uint32_t *inputs,
                       uint32_t ninputs, const uint32_t *outputs, uint32_t noutputs)
{
    if (!grow(g, (void **)&g->nodes, g->nnodes, &g->cap_nodes, sizeof *g->nodes, GH_MAX_NODES))
        return GH_NONE;
    gh_node n = {.domain = "", .ninputs = ninputs, .noutputs = noutputs};
    n.type = copy_string(g, type);
    n.name = copy_string(g, name);
    n.inputs = copy_array(g, inputs, ninputs, sizeof *inputs);
    n.outputs = copy_array(g, outputs, noutputs, sizeof *outputs);
    if (g->failed)
        return GH_NONE;
    for (uint32_t i = 0; i < noutputs; i++)
        if (outputs[i] != GH_NONE)
            g->values[outputs[i]].producer = g->nnodes;
    g->nodes[g->nnodes] = n;
    return g->nnodes++;
}

uint32_t gh_graph_op(gh_graph *g, const char *type, const char *name, const uint32_t *inputs,
                     uint32_t ninputs)
{
    uint32_t out = gh_graph_value(g, name, GH_F32, (gh_shape){.rank = -1});
    if (gh_graph_node(g, type, name, inputs, ninputs, &out, 1) == GH_NONE)
        return GH_NONE;
    return out;
}

/* A fresh attribute at the end of the producer's list, or NULL after recording the failure. */
static gh_attr *new_attr(gh_graph *g, uint32_t value, const char *name, gh_attr_type type)
{
    if (g->failed || value == GH_NONE)
        return NULL;
    GH_ASSERT(g->values[value].producer != GH_NONE);
    gh_node *n = &g->nodes[g->values[value].producer];
    gh_attr *bigger = gh_arena_array(g->arena, n->nattrs + 1u, sizeof *bigger);
    char *copy = copy_string(g, name);
    if (!bigger || !copy) {
        fail(g, GH_NOMEM, "no memory for the graph's attributes");
        return NULL;
    }
    if (n->nattrs)
        memcpy(bigger, n->attrs, n->nattrs * sizeof *bigger);
    n->attrs = bigger;
    bigger[n->nattrs] = (gh_attr){.name = copy, .type = type};
    return &bigger[n->nattrs++];
}

void gh_graph_set_int(gh_graph *g, uint32_t value, const char *name, int64_t i)
{
    gh_attr *a = new_attr(g, value, name, GH_ATTR_INT);
    if (a)
        a->i = i;
}

void gh_graph_set_float(gh_graph *g, uint32_t value, const char *name, float f)
{
    gh_attr *a = new_attr(g, value, name, GH_ATTR_FLOAT);
    if (a)
        a->f = f;
}

void gh_graph_set_ints(gh_graph *g, uint32_t value, const char *name, const int64_t *ints, size_t count)
{
    gh_attr *a = new_attr(g, value, name, GH_ATTR_INTS);
    if (!a)
        return;
    a->ints = copy_array(g, ints, count, sizeof *ints);
    a->count = a->ints ? count : 0;
}

void gh_graph_set_string(gh_graph *g, uint32_t value, const char *name, const char *s)
{
    gh_attr *a = new_attr(g, value, name, GH_ATTR_STRING);
    if (!a)
        return;
    a->s = copy_string(g, s);
    a->count = a->s ? strlen(s) : 0;
}

void gh_graph_set_floats(gh_graph *g, uint32_t value, const char *name, const float *floats, size_t count)
{
    gh_attr *a = new_attr(g, value, name, GH_ATTR_FLOATS);
    if (!a)
        return;
    a->floats = copy_array(g, floats, count, sizeof *floats);
    a->count = a->floats ? count : 0;
}

void gh_graph_set_strings(gh_graph *g, uint32_t value, const char *name, const char *const *s, size_t count)
{
    gh_attr *a = new_attr(g, value, name, GH_ATTR_STRINGS);
    if (!a)
        return;
    a->strings = copy_array(g, s, count, sizeof *s);
    a->count = a->strings ? count : 0;
}

void gh_graph_set_domain(gh_graph *g, uint32_t value, const char *domain, int64_t version)
{
    if (g->failed || value == GH_NONE)
        return;
    GH_ASSERT(g->values[value].producer != GH_NONE);
    g->nodes[g->values[value].producer].domain = domain;
    if (gh_graph_opset(g, domain))
        return;
    if (g->nopsets == GH_COUNT(g->opsets))
        fail(g, GH_LIMIT, "the model imports more opsets than gharial accepts");
    else
        g->opsets[g->nopsets++] = (gh_opset){domain, version};
}

const gh_attr *gh_node_attr(const gh_node *n, const char *name)
{
    for (uint32_t i = 0; i < n->nattrs; i++)
        if (strcmp(n->attrs[i].name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

int64_t gh_node_int(const gh_node *n, const char *name, int64_t fallback)
{
    const gh_attr *a = gh_node_attr(n, name);
    return a && a->type == GH_ATTR_INT ? a->i : fallback;
}

float gh_node_float(const gh_node *n, const char *name, float fallback)
{
    const gh_attr *a = gh_node_attr(n, name);
    return a && a->type == GH_ATTR_FLOAT ? a->f : fallback;
}

const char *gh_node_string(const gh_node *n, const char *name, const char *fallback)
{
    const gh_attr *a = gh_node_attr(n, name);
    return a && a->type == GH_ATTR_STRING ? a->s : fallback;
}

int64_t gh_graph_opset(const gh_graph *g, const char *domain)
{
    for (uint32_t i = 0; i < g->nopsets; i++)
        if (strcmp(g->opsets[i].domain, domain) == 0)
            return g->opsets[i].version;
    return 0;
}

/* Marks node n placed when all its producers are; Kahn's algorithm over counts of missing inputs. */
typedef struct sorter {
    gh_graph *g;
    uint32_t *missing;      /* a node's inputs whose producer is not placed yet */
    uint32_t *first, *next; /* consumers of a node: linked list over (node, input) edges */
    uint32_t *edge_node;
    uint32_t *queue;
} sorter;

static uint32_t count_edges(const gh_graph *g)
{
    uint32_t edges = 0;
    for (uint32_t i = 0; i < g->nnodes; i++)
        edges += g->nodes[i].dead ? 0 : g->nodes[i].ninputs;
    return edges;
}

static void link_edges(sorter *s)
{
    gh_graph *g = s->g;
    uint32_t edge = 0;
    for (uint32_t i = 0; i < g->nnodes; i++)
        s->first[i] = GH_NONE;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        for (uint32_t k = 0; !n->dead && k < n->ninputs; k++) {
            uint32_t from = n->inputs[k] == GH_NONE ? GH_NONE : g->values[n->inputs[k]].producer;
            if (from == GH_NONE)
                continue;
            s->edge_node[edge] = i;
            s->next[edge] = s->first[from];
            s->first[from] = edge++;
            s->missing[i]++;
        }
    }
}

/* Order into s->queue; gives how many nodes were placed. Ready nodes leave in file order where they can. */
static uint32_t order(sorter *s)
{
    gh_graph *g = s->g;
    uint32_t head = 0, tail = 0;
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (!g->nodes[i].dead && !s->missing[i])
            s->queue[tail++] = i;
    while (head < tail) {
        uint32_t done = s->queue[head++];
        for (uint32_t edge = s->first[done]; edge != GH_NONE; edge = s->next[edge])
            if (--s->missing[s->edge_node[edge]] == 0)
                s->queue[tail++] = s->edge_node[edge];
    }
    return tail;
}

/* True when the living nodes already stand in order, the usual case: then nothing has to move but the dead.
 */
static bool in_order(const gh_graph *g)
{
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        for (uint32_t k = 0; !n->dead && k < n->ninputs; k++) {
            uint32_t from = n->inputs[k] == GH_NONE ? GH_NONE : g->values[n->inputs[k]].producer;
            if (from != GH_NONE && from >= i)
                return false;
        }
    }
    return true;
}

static void renumber(gh_graph *g)
{
    for (uint32_t v = 0; v < g->nvalues; v++)
        g->values[v].producer = GH_NONE;
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].noutputs; k++)
            if (g->nodes[i].outputs[k] != GH_NONE)
                g->values[g->nodes[i].outputs[k]].producer = i;
}

static void drop_dead(gh_graph *g)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (!g->nodes[i].dead)
            g->nodes[kept++] = g->nodes[i];
    g->nnodes = kept;
    renumber(g);
}

static gh_status move_nodes(gh_graph *g, const uint32_t *queue, uint32_t placed, gh_err *e)
{
    gh_node *sorted = gh_calloc(placed ? placed : 1, sizeof *sorted);
    if (!sorted)
        return gh_fail(e, GH_NOMEM, "no memory to sort the graph");
    for (uint32_t i = 0; i < placed; i++)
        sorted[i] = g->nodes[queue[i]];
    gh_free(g->nodes);
    g->nodes = sorted;
    g->nnodes = placed;
    g->cap_nodes = placed ? placed : 1;
    renumber(g);
    return GH_OK;
}

gh_status gh_graph_sort(gh_graph *g, gh_err *e)
{
    if (in_order(g)) {
        drop_dead(g);
        return GH_OK;
    }
    gh_status status = GH_NOMEM;
    uint32_t edges = count_edges(g), living = 0;
    sorter s = {.g = g};
    s.missing = gh_calloc(g->nnodes + 1u, sizeof *s.missing);
    s.first = gh_calloc(g->nnodes + 1u, sizeof *s.first);
    s.queue = gh_calloc(g->nnodes + 1u, sizeof *s.queue);
    s.next = gh_calloc(edges + 1u, sizeof *s.next);
    s.edge_node = gh_calloc(edges + 1u, sizeof *s.edge_node);
    if (!s.missing || !s.first || !s.queue || !s.next || !s.edge_node) {
        gh_fail(e, GH_NOMEM, "no memory to sort the graph");
        goto done;
    }
    link_edges(&s);
    uint32_t placed = order(&s), stuck = 0;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        living += !g->nodes[i].dead;
        if (!g->nodes[i].dead && s.missing[i])
            stuck = i;
    }
    if (placed < living)
        status = gh_fail(e, GH_FORMAT, "the model has a cycle through node \"%s\" (%s)", g->nodes[stuck].name,
                         g->nodes[stuck].type);
    else
        status = move_nodes(g, s.queue, placed, e);
done:
    gh_free(s.missing);
    gh_free(s.first);
    gh_free(s.queue);
    gh_free(s.next);
    gh_free(s.edge_node);
    return status;
}
