/* What a tape's backward pass finds kept from the forward pass. What it reads beside that is computed again:
 * where its operator is cheap and it is made of what is kept anyway, or, with checkpointing (Chen et al.
 * 2016, "Training Deep Nets with Sublinear Memory Cost"), wherever it does not cross from one segment of the
 * graph to another. */
#include "base/mem.h"
#include "train/tape/parts.h"

#include <math.h>

/* Nodes in a row that are computed again for one value. */
#define LONGEST 4

typedef struct keeper {
    const gh_tape *t;
    const gh_graph *g;
    bool *kept;        /* of a value (root): what is found */
    bool *read;        /* ... by the backward pass */
    uint32_t *segment; /* of a value: that of its producer */
    uint32_t segments;
} keeper;

static uint32_t root_of(const keeper *p, uint32_t v)
{
    return p->t->roots[v];
}

size_t gh_tape_value_bytes(const gh_tape *t, uint32_t v)
{
    return gh_grad_count(&t->values[v]) * gh_dtype_size(t->values[v].type);
}

bool gh_tape_computes(const gh_tape *t, uint32_t v)
{
    return v != GH_NONE && !t->values[v].data;
}

bool gh_tape_is_free(const gh_tape *t, const bool *kept, uint32_t v)
{
    return !gh_tape_computes(t, v) || kept[v] || t->graph->values[v].producer == GH_NONE;
}

void gh_tape_needs(const gh_tape *t, uint32_t node, uint32_t *in, uint32_t *out)
{
    const gh_tape_node *own = &t->nodes[node];
    *in = *out = 0;
    if (own->role == GH_TAPE_RUNS && own->wanted && own->row->needs)
        own->row->needs(&t->graph->nodes[node], own->wanted, in, out);
}

static void mark_read(keeper *p)
{
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        uint32_t in, out;
        gh_tape_needs(p->t, i, &in, &out);
        for (uint32_t k = 0; k < n->ninputs; k++)
            if ((in >> k & 1) && gh_tape_computes(p->t, n->inputs[k]))
                p->read[root_of(p, n->inputs[k])] = true;
        for (uint32_t k = 0; k < n->noutputs; k++) {
            uint32_t v = k ? n->outputs[k] : p->t->nodes[i].out;
            if ((out >> k & 1) && gh_tape_computes(p->t, v))
                p->read[root_of(p, v)] = true;
        }
    }
}

/* Segments of about as many bytes of outputs each, as many as the square root of the number of nodes. */
static void cut_segments(keeper *p)
{
    double total = 0, sum = 0;
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < p->g->nnodes; i++)
        if (p->t->nodes[i].role == GH_TAPE_RUNS) {
            total += (double)gh_tape_value_bytes(p->t, p->t->nodes[i].out);
            nodes++;
        }
    p->segments = (uint32_t)sqrt((double)nodes);
    p->segments = p->segments ? p->segments : 1;
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        uint32_t s = total > 0 ? (uint32_t)(sum / total * p->segments) : 0;
        if (p->t->nodes[i].role == GH_TAPE_RUNS)
            sum += (double)gh_tape_value_bytes(p->t, p->t->nodes[i].out);
        for (uint32_t k = 0; k < n->noutputs; k++)
            if (n->outputs[k] != GH_NONE)
                p->segment[n->outputs[k]] = s;
        if (n->outputs[0] != GH_NONE)
            p->segment[p->t->nodes[i].out] = s;
    }
}

/* Marks what crosses from one segment to another, all in front of what learns nothing, and outputs that are
 * not a node's first: only what has none of them is computed again. */
static void keep_borders(keeper *p)
{
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        if (p->t->nodes[i].role != GH_TAPE_RUNS)
            continue;
        for (uint32_t k = 0; k < n->ninputs; k++) {
            uint32_t v = n->inputs[k];
            if (!gh_tape_computes(p->t, v))
                continue;
            v = root_of(p, v);
            if (p->segment[v] != p->segment[p->t->nodes[i].out] || !p->t->leads[v])
                p->kept[v] = true;
        }
        if (n->noutputs > 1)
            for (uint32_t k = 0; k < n->noutputs; k++)
                if (gh_tape_computes(p->t, n->outputs[k]))
                    p->kept[root_of(p, n->outputs[k])] = true;
    }
}

/* Bytes that would have to be kept to compute the node's result again; SIZE_MAX where that is not cheap, or
 * a chain longer than LONGEST. depth: of values, how long their chains are, 0 for what is not made again. */
static size_t price_of(const keeper *p, uint32_t at, const uint8_t *depth, uint8_t *own_depth)
{
    const gh_node *n = &p->g->nodes[at];
    const gh_tape_node *own = &p->t->nodes[at];
    size_t more = 0;
    *own_depth = 1;
    if (!own->row || !(own->row->flags & GH_GRAD_CHEAP) || n->noutputs != 1)
        return SIZE_MAX;
    for (uint32_t k = 0; k < n->ninputs; k++) {
        uint32_t v = n->inputs[k] == GH_NONE ? GH_NONE : root_of(p, n->inputs[k]);
        if (v == GH_NONE || gh_tape_is_free(p->t, p->kept, v))
            continue;
        if (depth[v] == 0)
            more += gh_tape_value_bytes(p->t, v);
        *own_depth = depth[v] >= *own_depth ? (uint8_t)(depth[v] + 1) : *own_depth;
    }
    return *own_depth > LONGEST ? SIZE_MAX : more;
}

static void keep_inputs(keeper *p, uint32_t at, const uint8_t *depth)
{
    const gh_node *n = &p->g->nodes[at];
    for (uint32_t k = 0; k < n->ninputs; k++) {
        uint32_t from = n->inputs[k] == GH_NONE ? GH_NONE : root_of(p, n->inputs[k]);
        if (from != GH_NONE && !gh_tape_is_free(p->t, p->kept, from) && depth[from] == 0)
            p->kept[from] = true;
    }
}

/* First what is read and cannot be made again cheaply, for it is there for others; then, in the graph's
 * order, what is worth making again. */
static gh_status choose_kept(keeper *p)
{
    uint8_t *depth = gh_calloc(p->g->nvalues + 1u, sizeof *depth), own_depth;
    if (!depth)
        return GH_NOMEM;
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        const gh_node *n = &p->g->nodes[i];
        const gh_tape_node *own = &p->t->nodes[i];
        bool cheap = own->row && (own->row->flags & GH_GRAD_CHEAP) && n->noutputs == 1;
        for (uint32_t k = 0; k < n->noutputs && own->role == GH_TAPE_RUNS; k++) {
            uint32_t v = k ? n->outputs[k] : own->out;
            if (v != GH_NONE && !cheap && p->read[root_of(p, v)])
                p->kept[root_of(p, v)] = true;
        }
    }
    for (uint32_t i = 0; i < p->g->nnodes; i++) {
        uint32_t v = p->t->nodes[i].out;
        if (p->t->nodes[i].role != GH_TAPE_RUNS || !gh_tape_computes(p->t, v) || p->kept[v])
            continue;
        size_t price = price_of(p, i, depth, &own_depth);
        if (price < (p->read[v] ? gh_tape_value_bytes(p->t, v) : 1)) {
            depth[v] = own_depth;
            keep_inputs(p, i, depth);
        } else {
            p->kept[v] = p->read[v];
        }
    }
    gh_free(depth);
    return GH_OK;
}

gh_status gh_tape_keep(bool *kept, const gh_tape *t, gh_err *e)
{
    keeper p = {.t = t, .g = t->graph, .kept = kept};
    size_t values = t->graph->nvalues + 1u;
    gh_status status = GH_NOMEM;
    p.read = gh_calloc(values, sizeof *p.read);
    p.segment = gh_calloc(values, sizeof *p.segment);
    if (p.read && p.segment) {
        status = GH_OK;
        mark_read(&p);
        if (t->checkpointing) {
            cut_segments(&p);
            keep_borders(&p);
        } else {
            status = choose_kept(&p);
        }
    }
    gh_free(p.read);
    gh_free(p.segment);
    return status ? gh_fail(e, status, "no memory for the tape") : GH_OK;
}
