/* Cutting works on the graph as it was read, before any pass. */
#include "engine/cut.h"

#include "base/mem.h"
#include "engine/passes/passes.h"
#include "engine/symbols.h"

#include <stdio.h>
#include <string.h>

uint32_t gh_graph_find(const gh_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->nvalues; i++)
        if (strcmp(g->values[i].name, name) == 0)
            return i;
    return GH_NONE;
}

static bool is_dense(const gh_graph *g, const gh_node *n)
{
    return !*n->domain && (strcmp(n->type, "Gemm") == 0 || strcmp(n->type, "MatMul") == 0) &&
           n->ninputs > 1 && n->inputs[0] != GH_NONE && n->inputs[1] != GH_NONE &&
           !g->values[n->inputs[0]].data && g->values[n->inputs[1]].data;
}

uint32_t gh_graph_default_cut(const gh_graph *g)
{
    for (uint32_t i = g->nnodes; i-- > 0;)
        if (is_dense(g, &g->nodes[i]))
            return g->nodes[i].inputs[0];
    return GH_NONE;
}

/* What node i reads besides constants; each value once: `reader` holds the last node of each value, plus 1.
 */
static bool reads(const gh_graph *g, uint32_t *reader, uint32_t i, uint32_t k)
{
    uint32_t v = g->nodes[i].inputs[k];
    if (v == GH_NONE || g->values[v].data || reader[v] == i + 1)
        return false;
    reader[v] = i + 1;
    return true;
}

/* Walks the nodes in order and counts the values alive after each: made, and read later on or an output. A
 * node that reads nothing (a Constant) keeps its result out of the count. */
static size_t walk(const gh_graph *g, uint32_t *left, uint32_t *reader, bool *loose, uint32_t *cuts)
{
    size_t alive = 0, count = 0;
    for (uint32_t i = 0; i < g->ninputs; i++)
        alive += left[g->inputs[i]] > 0;
    for (uint32_t i = 0; i < g->nnodes; i++) {
        const gh_node *n = &g->nodes[i];
        bool fed = false;
        for (uint32_t k = 0; k < n->ninputs; k++) {
            if (!reads(g, reader, i, k) || loose[n->inputs[k]])
                continue;
            fed = true;
            alive -= --left[n->inputs[k]] == 0;
        }
        for (uint32_t k = 0; k < n->noutputs; k++) {
            if (n->outputs[k] == GH_NONE)
                continue;
            loose[n->outputs[k]] = !fed;
            alive += fed && left[n->outputs[k]] > 0;
        }
        if (fed && alive == 1 && n->noutputs == 1 && left[n->outputs[0]] > 0)
            cuts[count++] = n->outputs[0];
    }
    return count;
}

gh_status gh_graph_cuts(uint32_t **out, size_t *count, const gh_graph *g, gh_err *e)
{
    uint32_t *left = gh_calloc(g->nvalues + 1u, sizeof *left),
             *reader = gh_calloc(g->nvalues + 1u, sizeof *reader),
             *cuts = gh_calloc(g->nnodes + 1u, sizeof *cuts);
    bool *loose = gh_calloc(g->nvalues + 1u, sizeof *loose);
    gh_status status =
        left && reader && cuts && loose ? GH_OK : gh_fail(e, GH_NOMEM, "no memory to look for cuts");
    for (uint32_t i = 0; !status && i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs; k++)
            if (reads(g, reader, i, k))
                left[g->nodes[i].inputs[k]]++;
    for (uint32_t i = 0; !status && i < g->noutputs; i++)
        left[g->outputs[i]]++;
    if (!status) {
        memset(reader, 0, g->nvalues * sizeof *reader);
        *count = walk(g, left, reader, loose, cuts);
        *out = cuts;
        cuts = NULL;
    }
    gh_free(left);
    gh_free(reader);
    gh_free(loose);
    gh_free(cuts);
    return status;
}

gh_status gh_graph_cut(gh_graph *g, uint32_t value, gh_err *e)
{
    GH_ASSERT(value < g->nvalues);
    if (g->values[value].data)
        return gh_fail(e, GH_ARG, "\"%s\" is a constant; a network is cut where a picture passes",
                       g->values[value].name);
    g->outputs[0] = value;
    g->noutputs = 1;
    return gh_pass_dead(g, e);
}

/* ---- joining: a head's names must not meet the body's ---- */

/* Renames value v when another has its name already. */
static gh_status make_unique(gh_graph *g, gh_symbols *names, uint32_t v, gh_err *e)
{
    const char *name = g->values[v].name;
    char text[160];
    for (unsigned n = 2; gh_symbols_find(names, name, strlen(name)) != UINT32_MAX; n++) {
        snprintf(text, sizeof text, "%.120s#%u", g->values[v].name, n);
        name = text;
    }
    if (name == text && !(name = gh_arena_string(g->arena, text, strlen(text))))
        return gh_fail(e, GH_NOMEM, "no memory for the graph's names");
    g->values[v].name = name;
    return gh_symbols_add(names, name, strlen(name), v)
               ? GH_OK
               : gh_fail(e, GH_NOMEM, "no memory for the graph's names");
}

/* Inputs and outputs first, because they keep their names. */
static gh_status visit(gh_graph *g, gh_symbols *names, bool *seen, const uint32_t *values, uint32_t count,
                       gh_err *e)
{
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] == GH_NONE || seen[values[i]])
            continue;
        seen[values[i]] = true;
        GH_TRY(make_unique(g, names, values[i], e));
    }
    return GH_OK;
}

gh_status gh_graph_unique_names(gh_graph *g, gh_err *e)
{
    gh_symbols names = {0};
    bool *seen = gh_calloc(g->nvalues + 1u, sizeof *seen);
    gh_status status = seen ? gh_graph_check(g, e) : gh_fail(e, GH_NOMEM, "no memory for the graph's names");
    if (!status)
        status = visit(g, &names, seen, g->inputs, g->ninputs, e);
    if (!status)
        status = visit(g, &names, seen, g->outputs, g->noutputs, e);
    for (uint32_t i = 0; i < g->nnodes && !status; i++) {
        const gh_node *n = &g->nodes[i];
        if (!n->dead)
            status = visit(g, &names, seen, n->inputs, n->ninputs, e);
        if (!n->dead && !status)
            status = visit(g, &names, seen, n->outputs, n->noutputs, e);
    }
    gh_symbols_free(&names);
    gh_free(seen);
    return status;
}
