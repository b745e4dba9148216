/* A second graph over the texts and elements of a first. */
#include "engine/graph.h"

#include "base/mem.h"

#include <string.h>

/* `n` things of `size` bytes copied to memory of the heap; true on success. */
static bool copy_table(void **out, const void *from, size_t n, size_t size)
{
    *out = gh_calloc(n + 1, size);
    if (*out && n)
        memcpy(*out, from, n * size);
    return *out != NULL;
}

static void *copy_into(gh_arena *arena, const void *from, size_t n, size_t size, bool *failed)
{
    void *out = n ? gh_arena_array(arena, n, size) : NULL;
    if (out)
        memcpy(out, from, n * size);
    *failed |= n && !out;
    return out;
}

gh_status gh_graph_copy(gh_graph **out, const gh_graph *g, gh_err *e)
{
    gh_graph *c = NULL;
    GH_TRY(gh_graph_check(g, e));
    GH_TRY(gh_graph_new(&c, e));
    gh_arena *arena = c->arena;
    *c = *g;
    c->arena = arena;
    c->map = (gh_map){0};
    c->cap_values = g->nvalues + 1;
    c->cap_nodes = g->nnodes + 1;
    c->values = NULL;
    c->nodes = NULL;
    c->inputs = c->outputs = NULL;
    bool failed = !copy_table((void **)&c->values, g->values, g->nvalues, sizeof *g->values) ||
                  !copy_table((void **)&c->nodes, g->nodes, g->nnodes, sizeof *g->nodes) ||
                  !copy_table((void **)&c->inputs, g->inputs, g->ninputs, sizeof *g->inputs) ||
                  !copy_table((void **)&c->outputs, g->outputs, g->noutputs, sizeof *g->outputs);
    for (uint32_t i = 0; !failed && i < c->nnodes; i++) {
        gh_node *n = &c->nodes[i];
        n->inputs = copy_into(arena, n->inputs, n->ninputs, sizeof *n->inputs, &failed);
        n->outputs = copy_into(arena, n->outputs, n->noutputs, sizeof *n->outputs, &failed);
        n->attrs = copy_into(arena, n->attrs, n->nattrs, sizeof *n->attrs, &failed);
    }
    if (failed) {
        gh_graph_free(&c);
        return gh_fail(e, GH_NOMEM, "no memory for a copy of the network");
    }
    for (uint32_t i = 0; i < c->nvalues; i++)
        c->values[i].own = false;
    *out = c;
    return GH_OK;
}
