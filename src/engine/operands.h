/* The operands of one node after the other, from a table of tensors with one row a value: what inference
 * walks a graph with, for a plan, for a tape, or for the shapes alone. */
#ifndef GH_ENGINE_OPERANDS_H
#define GH_ENGINE_OPERANDS_H

#include "engine/op.h"

typedef struct gh_operands {
    const gh_graph *g;
    gh_tensor *values;   /* borrowed: of each value its type, shape and, where known, elements */
    gh_tensor *in, *out; /* of the node at hand; room for any node's */
    uint32_t most;       /* so many of each */
} gh_operands;

/* Both fields are borrowed; false when memory is short. */
GH_MUST_CHECK bool gh_operands_new(gh_operands *o, const gh_graph *g, gh_tensor *values);
void gh_operands_free(gh_operands *o);
/* Makes `n` the node at hand: its operands, rank -1 for those that are left out, as its functions take them.
 */
gh_io gh_operands_load(gh_operands *o, const gh_node *n, gh_err *e);
/* True when it can be computed before a run: all elements that it reads are known, or it reads shapes alone.
 */
bool gh_operands_known(const gh_operands *o, const gh_node *n);
/* Memory in the arena for the elements of its outputs, shapes known; false when it is short. */
GH_MUST_CHECK bool gh_operands_place(gh_operands *o, const gh_node *n, gh_arena *arena);
/* Its outputs into the table. */
void gh_operands_store(const gh_operands *o, const gh_node *n);

#endif
