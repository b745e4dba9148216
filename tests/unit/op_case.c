/* Graphs of one operator. */
#include "unit/op_case.h"

gh_graph *op_graph;

void op_start(int64_t opset)
{
    ck_assert_int_eq(gh_graph_new(&op_graph, NULL), GH_OK);
    op_graph->opsets[0].version = opset;
}

uint32_t op_input(const char *name, gh_dtype type, int rank, const int64_t *dims)
{
    return gh_graph_input(op_graph, name, type, gh_shape_of(rank, dims));
}

uint32_t op_ints(int n, const int64_t *values)
{
    return gh_graph_const(op_graph, "", GH_I64, gh_shape_of(1, NT_DIMS(n)), values, true);
}

uint32_t op_new(const char *type, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t in[3] = {a, b, c};
    return gh_graph_op(op_graph, type, "n", in, c != GH_NONE ? 3 : b != GH_NONE ? 2 : 1);
}

/* Ends the graph at `y` and opens it, with folding or without. */
nt_run op_opened(uint32_t y, unsigned passes)
{
    gh_err e;
    nt_run r;
    gh_graph_output(op_graph, y);
    NT_OK(nt_open(&r, &op_graph, passes, NULL, NULL, &e), e);
    return r;
}
