/* Broadcasting walks: axes are joined first, then rows are visited in order. */
#include "engine/ops/broadcast.h"

#include <string.h>

/* Step of one operand along output axis `d`; 0 where it is repeated. */
static int64_t step_of(const gh_shape *in, const gh_shape *out, int d)
{
    int own = d - (out->rank - in->rank);
    if (own < 0 || in->dims[own] == 1)
        return 0;
    return (int64_t)gh_shape_span(in, own + 1, in->rank);
}

/* True when axis `d` goes on where the last joined axis `last` ends, for every operand. */
static bool joins(const gh_walk *w, int last, const int64_t *step, int64_t dim)
{
    for (uint32_t i = 0; i < w->n; i++)
        if (w->step[i][last] != step[i] * dim)
            return false;
    return true;
}

void gh_walk_start(gh_walk *w, const gh_shape *out, const gh_shape *const *in, uint32_t n)
{
    *w = (gh_walk){.n = n, .row = 1, .rows = 1};
    for (int d = 0; d < out->rank; d++) {
        int64_t step[GH_MAX_OPERANDS_WALKED] = {0};
        if (out->dims[d] == 1)
            continue;
        for (uint32_t i = 0; i < n; i++)
            step[i] = step_of(in[i], out, d);
        bool join = w->rank > 0 && joins(w, w->rank - 1, step, out->dims[d]);
        int to = join ? w->rank - 1 : w->rank++;
        w->dims[to] = join ? w->dims[to] * out->dims[d] : out->dims[d];
        for (uint32_t i = 0; i < n; i++)
            w->step[i][to] = step[i];
    }
    if (w->rank > 0) {
        w->rank--;
        w->row = (size_t)w->dims[w->rank];
        for (uint32_t i = 0; i < n; i++)
            w->row_step[i] = (size_t)w->step[i][w->rank];
    }
    for (int d = 0; d < w->rank; d++)
        w->rows *= (size_t)w->dims[d];
}

void gh_walk_next(gh_walk *w)
{
    for (int d = w->rank - 1; d >= 0; d--) {
        bool more = ++w->index[d] < w->dims[d];
        for (uint32_t i = 0; i < w->n; i++)
            w->at[i] += (size_t)(more ? w->step[i][d] : -w->step[i][d] * (w->dims[d] - 1));
        if (more)
            return;
        w->index[d] = 0;
    }
}

gh_status gh_io_broadcast_all(const gh_io *io, gh_shape *out, uint32_t from, uint32_t to)
{
    *out = io->in[from].shape;
    for (uint32_t i = from + 1; i < to; i++) {
        gh_shape both;
        GH_TRY(gh_io_broadcast(io, &both, out, &io->in[i].shape));
        *out = both;
    }
    return GH_OK;
}
