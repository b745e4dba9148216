/* Running graphs, and ONNX bytes by hand. */
#include "unit/nets.h"

#include "base/mem.h"
#include "unit/random_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void nt_refused(gh_status status, gh_status want, const gh_err *e, const char *part)
{
    ck_assert_msg(status == want, "status %s instead of %s: %s", gh_status_name(status), gh_status_name(want),
                  status ? e->text : "it was accepted");
    ck_assert_msg(strstr(e->text, part) != NULL, "\"%s\" does not hold \"%s\"", e->text, part);
}

gh_status nt_open(nt_run *out, gh_graph **g, unsigned passes, const gh_shape *shapes, gh_pool *pool,
                  gh_err *e)
{
    nt_run r = {0};
    gh_shape declared[16];
    gh_status status = gh_net_from_graph(&r.net, g, passes, e);
    for (size_t i = 0; !status && !shapes && i < gh_net_inputs(r.net); i++)
        declared[i] = gh_net_input(r.net, i)->shape;
    if (!status)
        status = gh_plan_get(&r.plan, r.net, shapes ? shapes : declared, e);
    if (!status)
        status = gh_session_new(&r.session, pool, e);
    if (!status)
        status = gh_session_bind(r.session, r.plan, e);
    if (status)
        nt_close(&r);
    else
        *out = r;
    return status;
}

void nt_close(nt_run *r)
{
    gh_session_free(&r->session);
    gh_plan_put(&r->plan);
    gh_net_free(&r->net);
}

void nt_run_seeded(nt_run *r, uint64_t seed)
{
    gh_err e;
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    for (size_t i = 0; i < gh_net_inputs(r->net); i++) {
        gh_tensor *t = gh_session_input(r->session, i);
        size_t count = 0;
        ck_assert_int_eq(t->type, GH_F32);
        ck_assert(gh_shape_count(&count, &t->shape));
        rn_fill(&rng, t->data, count);
    }
    NT_OK(gh_session_run(r->session, &e), e);
}

float *nt_copy_output(const nt_run *r, size_t i, size_t *count)
{
    const gh_tensor *t = gh_session_output(r->session, i);
    ck_assert_int_eq(t->type, GH_F32);
    ck_assert(gh_shape_count(count, &t->shape));
    float *copy = gh_alloc(*count * sizeof *copy);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, t->data, *count * sizeof *copy);
    return copy;
}

double nt_difference(const float *a, const float *b, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i]) && isnan(b[i]))
            continue;
        double d = a[i] == b[i] ? 0 : fabs((double)a[i] - b[i]) / (1 + fabs((double)b[i]));
        most = isnan(d) ? INFINITY : d > most ? d : most;
    }
    return most;
}

void nt_same_outputs(const nt_run *a, const nt_run *b, double most, const char *what)
{
    ck_assert_uint_eq(gh_net_outputs(a->net), gh_net_outputs(b->net));
    for (size_t i = 0; i < gh_net_outputs(a->net); i++) {
        const gh_tensor *x = gh_session_output(a->session, i), *y = gh_session_output(b->session, i);
        size_t count = 0;
        ck_assert_msg(x->type == y->type && gh_shape_equal(&x->shape, &y->shape),
                      "%s: output %zu differs in shape", what, i);
        ck_assert(gh_shape_count(&count, &x->shape));
        if (x->type != GH_F32) {
            ck_assert_mem_eq(x->data, y->data, count * gh_dtype_size(x->type));
            continue;
        }
        double d = nt_difference(x->data, y->data, count);
        ck_assert_msg(d <= most, "%s: output %zu (\"%s\") differs by %g", what, i,
                      gh_net_output(a->net, i)->name, d);
    }
}

gh_shape nt_size(int64_t n, int64_t h, int64_t w)
{
    return gh_shape_of(4, NT_DIMS(n, 3, h, w));
}

/* Three convolutions, a residual, a pool and a dense layer on a picture of any size. */
gh_graph *nt_free_graph(void)
{
    gh_graph *g = NULL;
    gh_rng rng;
    float *data = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    gh_rng_seed(&rng, 99);
    uint32_t x = gh_graph_input(g, "x", GH_F32, nt_size(-1, -1, -1)), v = x;
    for (int i = 0; i < 3; i++) {
        int64_t dims[] = {16, i ? 16 : 3, 3, 3};
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        uint32_t in[2] = {v, gh_graph_const_f32(g, name, gh_shape_of(4, dims), &data)};
        ck_assert_ptr_nonnull(data);
        rn_fill(&rng, data, (size_t)(16 * dims[1] * 9));
        name[0] = 'c';
        uint32_t c = gh_graph_op(g, "Conv", name, in, 2);
        gh_graph_set_ints(g, c, "pads", NT_DIMS(1, 1, 1, 1), 4);
        in[0] = c;
        in[1] = v;
        v = i ? gh_graph_op(g, "Add", "", in, 2) : c;
        v = gh_graph_op(g, "Tanh", "", &v, 1);
    }
    v = gh_graph_op(g, "GlobalAveragePool", "", &v, 1);
    v = gh_graph_op(g, "Flatten", "", &v, 1);
    uint32_t in[2] = {v, gh_graph_const_f32(g, "dense", gh_shape_of(2, NT_DIMS(16, 5)), &data)};
    rn_fill(&rng, data, 16 * 5);
    gh_graph_output(g, gh_graph_op(g, "Gemm", "out", in, 2));
    return g;
}

gh_net *nt_free_net(void)
{
    gh_err e;
    gh_graph *g = nt_free_graph();
    gh_net *net = NULL;
    NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
    ck_assert_ptr_null(g);
    return net;
}

nt_run nt_bind(gh_net *net, gh_shape s)
{
    gh_err e;
    nt_run r = {.net = net};
    NT_OK(gh_plan_get(&r.plan, net, &s, &e), e);
    NT_OK(gh_session_new(&r.session, NULL, &e), e);
    NT_OK(gh_session_bind(r.session, r.plan, &e), e);
    return r;
}

void nt_unbind(nt_run *r)
{
    gh_session_free(&r->session);
    gh_plan_put(&r->plan);
}

void nt_put_node(gh_buf *graph, const char *type, const char *name, const char *const *in,
                 const char *const *out)
{
    gh_buf b = {0};
    for (size_t i = 0; in[i]; i++)
        gh_wire_put_string(&b, NODE_INPUT, in[i]);
    for (size_t i = 0; out[i]; i++)
        gh_wire_put_string(&b, NODE_OUTPUT, out[i]);
    gh_wire_put_string(&b, NODE_NAME, name);
    gh_wire_put_string(&b, NODE_TYPE, type);
    gh_wire_put_bytes(graph, GRAPH_NODE, b.data, b.len);
    gh_buf_free(&b);
}

void nt_put_info(gh_buf *graph, uint32_t number, const char *name, gh_dtype type, int rank,
                 const int64_t *dims)
{
    gh_buf shape = {0}, tensor = {0}, wrapped = {0}, info = {0};
    for (int i = 0; i < rank; i++) {
        gh_buf dim = {0};
        gh_wire_put_varint(&dim, DIM_VALUE, (uint64_t)dims[i]);
        gh_wire_put_bytes(&shape, SHAPE_DIM, dim.data, dim.len);
        gh_buf_free(&dim);
    }
    gh_wire_put_varint(&tensor, TENSOR_TYPE_ELEM, (uint64_t)type);
    gh_wire_put_bytes(&tensor, TENSOR_TYPE_SHAPE, shape.data, shape.len);
    gh_wire_put_bytes(&wrapped, TYPE_TENSOR, tensor.data, tensor.len);
    gh_wire_put_string(&info, INFO_NAME, name);
    gh_wire_put_bytes(&info, INFO_TYPE, wrapped.data, wrapped.len);
    gh_wire_put_bytes(graph, number, info.data, info.len);
    gh_buf_free(&shape);
    gh_buf_free(&tensor);
    gh_buf_free(&wrapped);
    gh_buf_free(&info);
}

void nt_put_tensor(gh_buf *graph, uint32_t number, const char *name, int64_t type, int rank,
                   const int64_t *dims, const void *raw, size_t len)
{
    gh_buf b = {0};
    for (int i = 0; i < rank; i++)
        gh_wire_put_varint(&b, TENSOR_DIMS, (uint64_t)dims[i]);
    gh_wire_put_varint(&b, TENSOR_TYPE, (uint64_t)type);
    gh_wire_put_string(&b, TENSOR_NAME, name);
    gh_wire_put_bytes(&b, TENSOR_RAW, raw, len);
    gh_wire_put_bytes(graph, number, b.data, b.len);
    gh_buf_free(&b);
}

void nt_put_model(gh_buf *model, const gh_buf *graph, int64_t opset)
{
    gh_buf b = {0};
    gh_wire_put_varint(&b, OPSET_VERSION, (uint64_t)opset);
    gh_wire_put_varint(model, MODEL_IR_VERSION, 8);
    gh_wire_put_bytes(model, MODEL_OPSET, b.data, b.len);
    gh_wire_put_bytes(model, MODEL_GRAPH, graph->data, graph->len);
    gh_buf_free(&b);
    ck_assert(!graph->failed && !model->failed);
}

gh_status nt_read(nt_bytes *out, const void *data, size_t len, gh_err *e)
{
    *out = (nt_bytes){.data = gh_alloc(len)};
    ck_assert_ptr_nonnull(out->data);
    if (len)
        memcpy(out->data, data, len);
    return gh_onnx_read_bytes(&out->graph, out->data, len, e);
}

void nt_forget(nt_bytes *b)
{
    gh_graph_free(&b->graph);
    gh_free(b->data);
    b->data = NULL;
}
