/* A lane: one thread's session and buffers. */
#include "tasks/lane.h"

#include "base/mem.h"

#include <string.h>

gh_model *gh_lane_base(gh_model *m)
{
    return m->body ? m->body : m;
}

gh_status gh_lane_open(gh_lane *lane, gh_pool *pool, gh_err *e)
{
    return gh_session_new(&lane->session, pool, e);
}

void gh_lane_close(gh_lane *lane)
{
    gh_session_free(&lane->session);
    gh_free(lane->scratch);
    gh_free(lane->kept.values);
    *lane = (gh_lane){0};
}

gh_status gh_lane_scratch(gh_lane *lane, size_t bytes, gh_err *e)
{
    if (bytes <= lane->scratch_size)
        return GH_OK;
    uint8_t *grown = gh_realloc(lane->scratch, bytes, 1);
    if (!grown)
        return gh_fail(e, GH_NOMEM, "memory ran out at a picture's pixels");
    lane->scratch = grown;
    lane->scratch_size = bytes;
    return GH_OK;
}

gh_status gh_lane_bind(gh_plan **plan, gh_lane *lane, gh_net *net, const gh_shape *shape, gh_err *e)
{
    GH_TRY(gh_plan_get(plan, net, shape, e));
    return gh_session_bind(lane->session, *plan, e);
}

/* Bytes of an output in the copy, so that each begins aligned. */
static size_t kept_bytes(const gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    return (count * gh_dtype_size(t->type) + GH_ALIGN - 1) / GH_ALIGN * GH_ALIGN;
}

gh_status gh_lane_keep(gh_lane *lane, const gh_model *base, gh_err *e)
{
    gh_kept *k = &lane->kept;
    size_t n = gh_net_outputs(base->net), total = 0;
    k->base = NULL;
    if (n > GH_MAX_TAPS)
        return GH_OK;
    for (size_t i = 0; i < n; i++)
        total += kept_bytes(gh_session_output(lane->session, i));
    if (total > k->cap) {
        gh_free(k->values);
        k->cap = 0;
        k->values = gh_alloc_aligned(total);
        if (!k->values)
            return gh_fail(e, GH_NOMEM, "memory ran out at a body's features");
        k->cap = total;
    }
    for (size_t i = 0, at = 0; i < n; i++) {
        size_t bytes = kept_bytes(gh_session_output(lane->session, i)), count = 0;
        k->tensors[i] = *gh_session_output(lane->session, i);
        GH_ASSERT(gh_shape_count(&count, &k->tensors[i].shape));
        memcpy(k->values + at, k->tensors[i].data, count * gh_dtype_size(k->tensors[i].type));
        k->tensors[i].data = k->values + at;
        at += bytes;
    }
    k->base = base;
    return GH_OK;
}

gh_status gh_lane_run_head(gh_plan **plan, gh_lane *lane, const gh_model *head, gh_err *e)
{
    const gh_tensor *features = &lane->kept.tensors[head->tap];
    size_t count = 0;
    GH_ASSERT(lane->kept.base == head->body && gh_shape_count(&count, &features->shape));
    GH_TRY(gh_lane_bind(plan, lane, head->net, &features->shape, e));
    memcpy(gh_session_input(lane->session, 0)->data, features->data, count * sizeof(float));
    return gh_session_run(lane->session, e);
}

size_t gh_lane_outputs(gh_tensor tensors[GH_MAX_TAPS], const gh_lane *lane, const gh_net *net)
{
    size_t n = gh_net_outputs(net);
    n = n < GH_MAX_TAPS ? n : GH_MAX_TAPS;
    for (size_t i = 0; i < n; i++)
        tensors[i] = *gh_session_output(lane->session, i);
    return n;
}

gh_status gh_lanes_new(gh_lanes **out, gh_pool *pool, gh_err *e)
{
    gh_lanes *l = gh_calloc(1, sizeof *l);
    gh_status status = GH_OK;
    if (!l)
        return gh_fail(e, GH_NOMEM, "memory ran out at a worker");
    l->pool = pool;
    l->lanes = gh_calloc((size_t)gh_pool_size(pool), sizeof *l->lanes);
    if (!l->lanes)
        status = gh_fail(e, GH_NOMEM, "memory ran out at a worker");
    /* without a pool: they run inside a loop of it */
    for (l->count = 1; status == GH_OK && l->count < gh_pool_size(pool); l->count++)
        status = gh_lane_open(&l->lanes[l->count], NULL, e);
    if (status == GH_OK)
        *out = l;
    else
        gh_lanes_free(&l);
    return status;
}

void gh_lanes_free(gh_lanes **lanes)
{
    gh_lanes *l = *lanes;
    if (!l)
        return;
    for (int i = 1; l->lanes && i < l->count; i++)
        gh_lane_close(&l->lanes[i]);
    gh_free(l->lanes);
    gh_free(l);
    *lanes = NULL;
}
