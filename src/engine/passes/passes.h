/* Rewrites of a graph before it is frozen. Each keeps the graph's meaning and its topological order. */
#ifndef GH_ENGINE_PASSES_H
#define GH_ENGINE_PASSES_H

#include "engine/op.h"

/* What may be computed before a run, so that a small file cannot ask for gigabytes or hours. */
typedef struct gh_budget {
    double elements, work; /* elements that results may hold; multiply-adds and elements touched */
} gh_budget;

/* Takes what computing the node costs, shapes known; false, and nothing taken, when too little is left. */
bool gh_budget_take(gh_budget *b, const gh_io *io);

/* Computes nodes whose inputs are all constant. */
GH_MUST_CHECK gh_status gh_pass_fold(gh_graph *g, gh_err *e);
/* Folds a BatchNormalization into the weights of the convolution before it. */
GH_MUST_CHECK gh_status gh_pass_batch_norm(gh_graph *g, gh_err *e);
/* Moves an activation into the node before it. */
GH_MUST_CHECK gh_status gh_pass_activation(gh_graph *g, gh_err *e);
/* Makes one node on float32 of a QuantizeLinear and the DequantizeLinear that takes it back. */
GH_MUST_CHECK gh_status gh_pass_quant(gh_graph *g, gh_err *e);
/* Drops nodes that no output needs. */
GH_MUST_CHECK gh_status gh_pass_dead(gh_graph *g, gh_err *e);

/* How often each value is read, graph outputs included; the caller frees it. NULL when memory is short. */
uint32_t *gh_graph_uses(const gh_graph *g);
/* A constant's elements, copied into the arena when they are unaligned in the file; NULL when memory is
 * short. */
const void *gh_graph_elements(gh_graph *g, uint32_t value);

#endif
