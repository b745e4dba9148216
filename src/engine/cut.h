/* Cutting a network: everything behind a value goes, the value becomes the one output. */
#ifndef GH_ENGINE_CUT_H
#define GH_ENGINE_CUT_H

#include "engine/graph.h"

/* The values through which everything passes (one alone is alive between two nodes), from the input to the
 * output: where a network can be cut. The caller frees *out. */
GH_MUST_CHECK gh_status gh_graph_cuts(uint32_t **out, size_t *count, const gh_graph *g, gh_err *e);
/* The input of the last dense layer (Gemm or MatMul with constant weights), or GH_NONE. */
uint32_t gh_graph_default_cut(const gh_graph *g);
/* Makes `value` the only output and drops what it does not need. GH_ARG when it is a constant. */
GH_MUST_CHECK gh_status gh_graph_cut(gh_graph *g, uint32_t value, gh_err *e);
/* Gives values that share a name (a head's and a body's) names of their own; inputs and outputs keep theirs.
 */
GH_MUST_CHECK gh_status gh_graph_unique_names(gh_graph *g, gh_err *e);
/* The value of that name, or GH_NONE. */
uint32_t gh_graph_find(const gh_graph *g, const char *name);

#endif
