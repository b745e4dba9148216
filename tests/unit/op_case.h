/* Graphs of one operator or a few, for the tests of operators. */
#ifndef GH_TEST_OP_CASE_H
#define GH_TEST_OP_CASE_H

#include "unit/nets.h"

/* The graph under construction. */
extern gh_graph *op_graph;

void op_start(int64_t opset);
uint32_t op_input(const char *name, gh_dtype type, int rank, const int64_t *dims);
/* A constant row of int64. */
uint32_t op_ints(int n, const int64_t *values);
/* A node "n" of up to three inputs; GH_NONE for those that it does not have. */
uint32_t op_new(const char *type, uint32_t a, uint32_t b, uint32_t c);
/* Ends the graph at `y` and opens it. */
nt_run op_opened(uint32_t y, unsigned passes);

#endif
