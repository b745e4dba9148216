/* Tensors through a model. */
#include "tasks/raw.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "tasks/lane.h"

#include <string.h>

static const gh_net *first_net(const gh_model *m)
{
    return m->body ? m->body->net : m->net;
}

size_t gh_raw_inputs(const gh_model *m)
{
    return m->net ? gh_net_inputs(first_net(m)) : 0;
}

size_t gh_raw_outputs(const gh_model *m)
{
    size_t n = m->net ? gh_net_outputs(m->net) : 0;
    /* taps of heads come behind the file's own outputs, and no file declares their type */
    while (n > 0 && gh_net_output(m->net, n - 1)->type == GH_UNKNOWN)
        n--;
    return n;
}

const gh_value *gh_raw_input(const gh_model *m, size_t i)
{
    return gh_net_input(first_net(m), i);
}

const gh_value *gh_raw_output(const gh_model *m, size_t i)
{
    return gh_net_output(m->net, i);
}

static gh_status check_input(const gh_value *v, const gh_tensor *t, gh_err *e)
{
    char have[80], want[80];
    bool fits = t->type == v->type && (v->shape.rank == -1 || t->shape.rank == v->shape.rank);
    for (int i = 0; fits && i < v->shape.rank; i++)
        fits = v->shape.dims[i] < 0 || v->shape.dims[i] == t->shape.dims[i];
    size_t count = 0;
    if (fits && gh_shape_count(&count, &t->shape) && count > 0)
        return GH_OK;
    return gh_fail(e, GH_ARG, "the input '%.60s' is %s %s; the model takes %s %s", v->name,
                   gh_dtype_name(t->type), gh_shape_text(&t->shape, have, sizeof have),
                   gh_dtype_name(v->type), gh_shape_text(&v->shape, want, sizeof want));
}

static gh_status copy_outputs(gh_raw_result *r, const gh_session *s, const gh_model *m, gh_err *e)
{
    size_t n = gh_raw_outputs(m);
    r->outputs = gh_calloc(n, sizeof *r->outputs);
    if (!r->outputs)
        return gh_fail(e, GH_NOMEM, "memory ran out at the outputs");
    for (; r->count < n; r->count++) {
        const gh_tensor *t = gh_session_output(s, r->count);
        size_t count = 0, size = gh_dtype_size(t->type);
        GH_ASSERT(gh_shape_count(&count, &t->shape));
        gh_tensor *copy = &r->outputs[r->count];
        *copy = *t;
        copy->data = gh_alloc_aligned(count > 0 ? count * size : 1);
        if (!copy->data)
            return gh_fail(e, GH_NOMEM, "memory ran out at the outputs");
        memcpy(copy->data, t->data, count * size);
    }
    return GH_OK;
}

/* Binds the first network for the inputs' shapes and fills them in. */
static gh_status begin(gh_plan **plan, gh_lane *lane, gh_net *net, const gh_tensor *inputs, size_t max_bytes,
                       gh_err *e)
{
    size_t n = gh_net_inputs(net);
    gh_shape shapes[GH_MAX_TAPS];
    if (n > GH_MAX_TAPS)
        return gh_fail(e, GH_UNSUPPORTED, "the network has %zu inputs; at most %d can be given", n,
                       GH_MAX_TAPS);
    for (size_t i = 0; i < n; i++) {
        GH_TRY(check_input(gh_net_input(net, i), &inputs[i], e));
        shapes[i] = inputs[i].shape;
    }
    GH_TRY(gh_plan_get(plan, net, shapes, e));
    if (gh_plan_arena_bytes(*plan) > max_bytes)
        return gh_fail(e, GH_LIMIT, "these shapes need %zu bytes of memory; at most %zu are given",
                       gh_plan_arena_bytes(*plan), max_bytes);
    GH_TRY(gh_session_bind(lane->session, *plan, e));
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        GH_ASSERT(gh_shape_count(&count, &inputs[i].shape));
        memcpy(gh_session_input(lane->session, i)->data, inputs[i].data,
               count * gh_dtype_size(inputs[i].type));
    }
    return GH_OK;
}

/* The head behind a body that has run. */
static gh_status run_head(gh_raw_result *r, gh_lane *lane, const gh_model *m, gh_err *e)
{
    gh_plan *plan = NULL;
    GH_TRY(gh_lane_keep(lane, m->body, e));
    gh_status status = gh_lane_run_head(&plan, lane, m, e);
    if (status == GH_OK)
        status = copy_outputs(r, lane->session, m, e);
    gh_plan_put(&plan);
    return status;
}

gh_status gh_raw_run(gh_raw_result *out, gh_worker *w, gh_model *m, const gh_tensor *inputs, size_t max_bytes,
                     gh_err *e)
{
    gh_raw_result r = {0};
    gh_lane *lane = &w->own;
    gh_plan *plan = NULL;
    uint64_t before = gh_now_ns();
    lane->kept.base = NULL;
    gh_status status = begin(&plan, lane, m->body ? m->body->net : m->net, inputs, max_bytes, e);
    if (status == GH_OK)
        status = gh_session_run(lane->session, e);
    if (status == GH_OK)
        status = m->body ? run_head(&r, lane, m, e) : copy_outputs(&r, lane->session, m, e);
    gh_plan_put(&plan);
    r.infer_ms = (double)(gh_now_ns() - before) / 1e6;
    lane->kept.base = NULL;
    if (status == GH_OK)
        *out = r;
    else
        gh_raw_free(&r);
    return status;
}

void gh_raw_free(gh_raw_result *r)
{
    /* a tensor that was begun has no data yet, or is counted */
    for (size_t i = 0; r->outputs && i < r->count; i++)
        gh_free(r->outputs[i].data);
    gh_free(r->outputs);
    *r = (gh_raw_result){0};
}
