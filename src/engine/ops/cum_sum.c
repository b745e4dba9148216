/* CumSum: sums of all elements up to each one, along an axis that may come with the data. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/index.h"
#include "engine/ops/number.h"

static gh_status cum_sum_infer(gh_io *io)
{
    size_t count;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_indices(io, 1));
    if (!gh_number_type(io->in[0].type) || io->in[0].type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(io->in[0].type));
    if (io->in[0].shape.rank < 1 || !gh_shape_count(&count, &io->in[1].shape) || count != 1)
        return gh_io_fail(io, GH_FORMAT, "it needs data of at least one dimension, and one axis");
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

/* One row of n elements that stand `step` apart; a negative step walks it from the end. */
static void sum_row(gh_exec *x, size_t at, size_t n, int64_t step, bool exclusive)
{
    bool is_float = gh_is_float(x->in[0].type);
    double sum = 0;
    uint64_t whole = 0;
    for (size_t i = 0; i < n; i++, at += (size_t)step) {
        double before = sum;
        uint64_t whole_before = whole;
        if (is_float)
            sum += gh_number_at(&x->in[0], at);
        else
            whole += (uint64_t)gh_int_at(&x->in[0], at);
        if (is_float)
            gh_number_store(&x->out[0], at, exclusive ? before : sum);
        else
            gh_int_store(&x->out[0], at, (int64_t)(exclusive ? whole_before : whole));
    }
}

static gh_status cum_sum_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    bool exclusive = gh_node_int(x->node, "exclusive", 0) != 0,
         back = gh_node_int(x->node, "reverse", 0) != 0;
    size_t axis;
    GH_TRY(gh_exec_index(&axis, x, 1, 0, s->rank));
    size_t outer = gh_shape_span(s, 0, (int)axis), inner = gh_shape_span(s, (int)axis + 1, s->rank);
    size_t side = (size_t)s->dims[axis];
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++)
            sum_row(x, (o * side + (back ? side - 1 : 0)) * inner + i, side,
                    back ? -(int64_t)inner : (int64_t)inner, exclusive);
    return GH_OK;
}

const gh_op gh_ops_cum_sum[] = {
    {"CumSum", "", 11, 0, 0, 2, 2, 1, cum_sum_infer, cum_sum_run, NULL, NULL},
};
const size_t gh_ops_cum_sum_count = GH_COUNT(gh_ops_cum_sum);
