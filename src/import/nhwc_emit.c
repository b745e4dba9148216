/* Adding one node: it is checked by its operator's shape inference, and computed at once where everything it
 * reads is known. */
#include "import/nhwc_parts.h"

#include "base/mem.h"

#include <string.h>

uint32_t gh_nhwc_emit(gh_nhwc *b, const char *type, const uint32_t *inputs, uint32_t count)
{
    return b->failed ? GH_NONE : gh_graph_op(b->graph, type, b->name, inputs, count);
}

uint32_t gh_nhwc_emit_floats(gh_nhwc *b, const char *suffix, gh_shape shape, const float *data, bool copy)
{
    return b->failed ? GH_NONE
                     : gh_graph_const(b->graph, gh_nhwc_named(b, suffix), GH_F32, shape, data, copy);
}

uint32_t gh_nhwc_emit_ints(gh_nhwc *b, const char *suffix, const int64_t *ints, size_t count)
{
    return b->failed ? GH_NONE
                     : gh_graph_const(b->graph, gh_nhwc_named(b, suffix), GH_I64,
                                      gh_shape_of(1, (int64_t[]){(int64_t)count}), ints, true);
}

/* What inference sees: a batch of any size counts as one picture. */
typedef struct facts {
    bool any_batch, all_known;
} facts;

static facts gather(const gh_graph *g, const gh_node *n, gh_tensor *in)
{
    facts f = {false, true};
    for (uint32_t i = 0; i < n->ninputs; i++) {
        in[i] = (gh_tensor){.shape.rank = -1};
        if (n->inputs[i] == GH_NONE)
            continue;
        const gh_value *v = &g->values[n->inputs[i]];
        in[i] = (gh_tensor){v->type, v->shape, (void *)(uintptr_t)v->data};
        f.all_known &= v->data != NULL;
        if (v->shape.rank > 0 && v->shape.dims[0] < 0) {
            in[i].shape.dims[0] = 1;
            f.any_batch = true;
        }
    }
    return f;
}

/* Turns the node into a constant. */
static gh_status compute(gh_nhwc *b, gh_io *io, gh_node *n)
{
    size_t count = 0;
    if (!gh_budget_take(&b->budget, io))
        return gh_io_fail(io, GH_LIMIT, "its constants are larger than gharial computes while importing");
    GH_ASSERT(gh_shape_count(&count, &io->out->shape));
    io->out->data = gh_arena_array(b->graph->arena, count ? count : 1, gh_dtype_size(io->out->type));
    if (!io->out->data)
        return gh_io_fail(io, GH_NOMEM, "no memory for its result");
    GH_TRY(gh_op_eval(n, io->in, io->out, b->e));
    n->dead = true;
    return GH_OK;
}

static gh_status infer(gh_nhwc *b, gh_node *n, gh_tensor *in, gh_tensor *out)
{
    gh_io io = {.node = n,
                .opset = gh_graph_opset(b->graph, n->domain),
                .in = in,
                .nin = n->ninputs,
                .out = out,
                .nout = 1,
                .e = b->e};
    facts f = gather(b->graph, n, in);
    n->op = gh_op_find(n->domain, n->type, io.opset);
    if (!n->op)
        return gh_io_fail(&io, GH_UNSUPPORTED, "gharial does not run this operator of ONNX");
    GH_TRY(n->op->infer(&io));
    if (f.all_known)
        return compute(b, &io, n);
    if (!f.any_batch)
        return GH_OK;
    if (out->shape.rank < 1 || out->shape.dims[0] != 1)
        return gh_io_fail(&io, GH_UNSUPPORTED, "it mixes the pictures of a batch");
    out->shape.dims[0] = -1;
    return GH_OK;
}

/* Elements of a picture that was computed, in TensorFlow's order. */
static const void *turn_back(gh_nhwc *b, const gh_tensor *t)
{
    size_t count = 0;
    GH_ASSERT(gh_shape_count(&count, &t->shape) && t->type == GH_F32);
    float *data = gh_arena_array(b->graph->arena, count ? count : 1, sizeof *data);
    if (!data)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory for its result");
    gh_nhwc_permute(data, t->data, &t->shape, (int[]){0, 2, 3, 1});
    return data;
}

static const gh_nhwc_value *result(gh_nhwc *b, uint32_t value, const gh_tensor *t, bool image)
{
    gh_value *v = &b->graph->values[value];
    gh_nhwc_value out = {t->shape, t->type, t->data, GH_NONE, GH_NONE, .inner = NULL};
    v->type = t->type;
    v->shape = t->shape;
    if (t->data) {
        v->data = t->data;
        v->producer = GH_NONE;
    }
    if (image) {
        const int64_t *d = t->shape.dims;
        GH_ASSERT(t->shape.rank == 4);
        out.data = t->data ? turn_back(b, t) : NULL;
        out.shape = gh_shape_of(4, (int64_t[]){d[0], d[2], d[3], d[1]});
        out.image = value;
    } else {
        out.plain = value;
    }
    return gh_nhwc_record(b, &out);
}

const gh_nhwc_value *gh_nhwc_settle(gh_nhwc *b, uint32_t value, bool image)
{
    gh_graph *g = b->graph;
    if (b->failed)
        return NULL;
    if (value == GH_NONE || g->failed) {
        b->failed = gh_graph_check(g, b->e);
        GH_ASSERT(b->failed);
        return NULL;
    }
    gh_node *n = &g->nodes[g->values[value].producer];
    gh_tensor *in = gh_calloc(n->ninputs + 1u, sizeof *in), out = {.shape.rank = -1};
    if (!in)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory to check it");
    gh_status status = infer(b, n, in, &out);
    gh_free(in);
    if (status) {
        b->failed = status;
        return NULL;
    }
    return result(b, value, &out, image);
}
