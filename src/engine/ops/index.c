/* Checked indices, and walks that follow them. */
#include "engine/ops/index.h"

gh_status gh_io_indices(const gh_io *io, uint32_t i)
{
    GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
    if (io->in[i].type != GH_I64 && io->in[i].type != GH_I32)
        return gh_io_fail(io, GH_FORMAT, "indices must be int64 or int32, not %s",
                          gh_dtype_name(io->in[i].type));
    return GH_OK;
}

gh_status gh_exec_index(size_t *out, const gh_exec *x, uint32_t i, size_t at, int64_t side)
{
    const gh_tensor *t = &x->in[i];
    int64_t given = t->type == GH_I64 ? ((const int64_t *)t->data)[at] : ((const int32_t *)t->data)[at];
    int64_t index = given < 0 ? given + side : given;
    if (index < 0 || index >= side)
        return gh_fail(x->e, GH_FORMAT, "node \"%s\" (%s): index %lld is outside of %lld", x->node->name,
                       x->node->type, (long long)given, (long long)side);
    *out = (size_t)index;
    return GH_OK;
}

gh_status gh_exec_index_row(size_t *out, const gh_exec *x, uint32_t i, size_t at, int width,
                            const int64_t *sides)
{
    size_t sum = 0;
    for (int d = 0; d < width; d++) {
        size_t index = 0;
        GH_TRY(gh_exec_index(&index, x, i, at * (size_t)width + (size_t)d, sides[d]));
        sum = sum * (size_t)sides[d] + index;
    }
    *out = sum;
    return GH_OK;
}

void gh_pick_start(gh_pick *p, const gh_shape *shape, const gh_shape *other, int axis)
{
    *p = (gh_pick){.shape = *shape};
    for (int d = 0; d < shape->rank; d++)
        p->step[d] = d == axis ? 0 : gh_shape_span(other, d + 1, other->rank);
    p->axis_step = gh_shape_span(other, axis + 1, other->rank);
}

void gh_pick_next(gh_pick *p)
{
    for (int d = p->shape.rank - 1; d >= 0; d--) {
        p->at += p->step[d];
        if (++p->index[d] < p->shape.dims[d])
            return;
        p->at -= p->step[d] * (size_t)p->shape.dims[d];
        p->index[d] = 0;
    }
}
