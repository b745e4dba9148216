/* Writes a gh_graph as an ONNX file. Large weights are placed at multiples of 64 bytes in the file (a padding
 * doc_string before each makes the room), so that the reader can use them in the mapping without a copy. */
#include "base/mem.h"
#include "engine/onnx.h"
#include "engine/onnx_proto.h"

#include <string.h>

#define ALIGN_BYTES 64

static void write_opset(gh_buf *model, const gh_opset *opset)
{
    gh_buf b = {0};
    if (*opset->domain)
        gh_wire_put_string(&b, OPSET_DOMAIN, opset->domain);
    gh_wire_put_varint(&b, OPSET_VERSION, (uint64_t)opset->version);
    model->failed |= b.failed;
    gh_wire_put_bytes(model, MODEL_OPSET, b.data, b.len);
    gh_buf_free(&b);
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7)
        n++;
    return n;
}

/* Appends `number: TensorProto` to out; the raw elements start at a multiple of ALIGN_BYTES of out. */
static void write_tensor(gh_buf *out, uint32_t number, const char *name, const gh_tensor *t)
{
    gh_buf head = {0};
    size_t count = 0, bytes;
    GH_ASSERT(gh_shape_count(&count, &t->shape));
    bytes = count * gh_dtype_size(t->type);
    for (int i = 0; i < t->shape.rank; i++)
        gh_wire_put_varint(&head, TENSOR_DIMS, (uint64_t)t->shape.dims[i]);
    gh_wire_put_varint(&head, TENSOR_TYPE, (uint64_t)t->type);
    gh_wire_put_string(&head, TENSOR_NAME, name);
    size_t pad, total = 0;
    for (pad = 0; pad < 2 * ALIGN_BYTES; pad++) {
        total = head.len + 1 + varint_size(pad) + pad + 1 + varint_size(bytes) + bytes;
        size_t start = out->len + varint_size((uint64_t)number << 3) + varint_size(total) + total - bytes;
        if (start % ALIGN_BYTES == 0)
            break;
    }
    char padding[2 * ALIGN_BYTES];
    memset(padding, ' ', sizeof padding);
    gh_wire_put_bytes(&head, TENSOR_DOC, padding, pad);
    out->failed |= head.failed;
    gh_wire_put_header(out, number, total);
    gh_buf_add(out, head.data, head.len);
    gh_wire_put_bytes(out, TENSOR_RAW, t->data, bytes);
    gh_buf_free(&head);
}

static void write_attr(gh_buf *node, const gh_attr *a)
{
    gh_buf b = {0};
    gh_wire_put_string(&b, ATTR_NAME, a->name);
    switch (a->type) {
    case GH_ATTR_FLOAT:
        gh_wire_put_float(&b, ATTR_F, a->f);
        break;
    case GH_ATTR_INT:
        gh_wire_put_varint(&b, ATTR_I, (uint64_t)a->i);
        break;
    case GH_ATTR_STRING:
        gh_wire_put_bytes(&b, ATTR_S, a->s, a->count);
        break;
    case GH_ATTR_TENSOR:
        write_tensor(&b, ATTR_T, "", &a->tensor);
        break;
    case GH_ATTR_FLOATS:
        for (size_t i = 0; i < a->count; i++)
            gh_wire_put_float(&b, ATTR_FLOATS, a->floats[i]);
        break;
    case GH_ATTR_INTS:
        for (size_t i = 0; i < a->count; i++)
            gh_wire_put_varint(&b, ATTR_INTS, (uint64_t)a->ints[i]);
        break;
    case GH_ATTR_STRINGS:
        for (size_t i = 0; i < a->count; i++)
            gh_wire_put_string(&b, ATTR_STRINGS, a->strings[i]);
        break;
    }
    gh_wire_put_varint(&b, ATTR_TYPE, (uint64_t)a->type);
    node->failed |= b.failed;
    gh_wire_put_bytes(node, NODE_ATTR, b.data, b.len);
    gh_buf_free(&b);
}

static void write_node(gh_buf *graph, const gh_graph *g, const gh_node *n)
{
    gh_buf b = {0};
    GH_ASSERT(n->act.kind == GH_ACT_NONE);
    for (uint32_t i = 0; i < n->ninputs; i++)
        gh_wire_put_string(&b, NODE_INPUT, n->inputs[i] == GH_NONE ? "" : g->values[n->inputs[i]].name);
    for (uint32_t i = 0; i < n->noutputs; i++)
        gh_wire_put_string(&b, NODE_OUTPUT, n->outputs[i] == GH_NONE ? "" : g->values[n->outputs[i]].name);
    gh_wire_put_string(&b, NODE_NAME, n->name);
    gh_wire_put_string(&b, NODE_TYPE, n->type);
    for (uint32_t i = 0; i < n->nattrs; i++)
        write_attr(&b, &n->attrs[i]);
    if (*n->domain)
        gh_wire_put_string(&b, NODE_DOMAIN, n->domain);
    graph->failed |= b.failed;
    gh_wire_put_bytes(graph, GRAPH_NODE, b.data, b.len);
    gh_buf_free(&b);
}

/* ValueInfoProto; unknown dimensions get a name each ("N", "d1", ...), as ONNX wants them. */
static void write_info(gh_buf *graph, uint32_t number, const gh_value *v)
{
    gh_buf shape = {0}, tensor = {0}, type = {0}, info = {0};
    for (int i = 0; i < v->shape.rank; i++) {
        gh_buf dim = {0};
        char name[16] = "N";
        if (v->shape.dims[i] >= 0) {
            gh_wire_put_varint(&dim, DIM_VALUE, (uint64_t)v->shape.dims[i]);
        } else {
            if (i > 0) {
                name[0] = 'd';
                name[1] = (char)('0' + i);
                name[2] = 0;
            }
            gh_wire_put_string(&dim, DIM_PARAM, name);
        }
        shape.failed |= dim.failed;
        gh_wire_put_bytes(&shape, SHAPE_DIM, dim.data, dim.len);
        gh_buf_free(&dim);
    }
    gh_wire_put_varint(&tensor, TENSOR_TYPE_ELEM, (uint64_t)(v->type ? v->type : GH_F32));
    if (v->shape.rank >= 0)
        gh_wire_put_bytes(&tensor, TENSOR_TYPE_SHAPE, shape.data, shape.len);
    gh_wire_put_bytes(&type, TYPE_TENSOR, tensor.data, tensor.len);
    gh_wire_put_string(&info, INFO_NAME, v->name);
    gh_wire_put_bytes(&info, INFO_TYPE, type.data, type.len);
    graph->failed |= shape.failed | tensor.failed | type.failed | info.failed;
    gh_wire_put_bytes(graph, number, info.data, info.len);
    gh_buf_free(&shape);
    gh_buf_free(&tensor);
    gh_buf_free(&type);
    gh_buf_free(&info);
}

/* Constants that something living reads, each once, in value order. */
static gh_status write_constants(gh_buf *graph, const gh_graph *g, gh_err *e)
{
    bool *used = gh_calloc(g->nvalues + 1u, sizeof *used);
    if (!used)
        return gh_fail(e, GH_NOMEM, "no memory to write the model");
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; !g->nodes[i].dead && k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] != GH_NONE)
                used[g->nodes[i].inputs[k]] = true;
    for (uint32_t i = 0; i < g->noutputs; i++)
        used[g->outputs[i]] = true;
    for (uint32_t i = 0; i < g->nvalues; i++) {
        const gh_value *v = &g->values[i];
        gh_tensor t = {v->type, v->shape, (void *)(uintptr_t)v->data};
        if (used[i] && v->data)
            write_tensor(graph, GRAPH_INIT, v->name, &t);
    }
    gh_free(used);
    return GH_OK;
}

static gh_status write_graph(gh_buf *graph, const gh_graph *g, gh_err *e)
{
    for (uint32_t i = 0; i < g->nnodes; i++)
        if (!g->nodes[i].dead)
            write_node(graph, g, &g->nodes[i]);
    gh_wire_put_string(graph, GRAPH_NAME, g->name);
    for (uint32_t i = 0; i < g->ninputs; i++)
        write_info(graph, GRAPH_INPUT, &g->values[g->inputs[i]]);
    for (uint32_t i = 0; i < g->noutputs; i++)
        write_info(graph, GRAPH_OUTPUT, &g->values[g->outputs[i]]);
    return write_constants(graph, g, e);
}

/* Everything before the graph's bytes, padded so that these start at a multiple of ALIGN_BYTES in the file.
 */
static void write_prefix(gh_buf *model, const gh_graph *g, size_t graph_len)
{
    gh_wire_put_varint(model, MODEL_IR_VERSION, (uint64_t)g->ir_version);
    for (uint32_t i = 0; i < g->nopsets; i++)
        write_opset(model, &g->opsets[i]);
    gh_wire_put_string(model, MODEL_PRODUCER, "gharial");
    size_t after = model->len + 2 + 1 + varint_size(graph_len);
    size_t pad = (ALIGN_BYTES - after % ALIGN_BYTES) % ALIGN_BYTES;
    char padding[ALIGN_BYTES];
    memset(padding, ' ', sizeof padding);
    gh_wire_put_bytes(model, MODEL_DOC, padding, pad);
    gh_wire_put_header(model, MODEL_GRAPH, graph_len);
}

gh_status gh_onnx_write(const gh_graph *g, const char *path, gh_err *e)
{
    gh_buf graph = {.limit = GH_MAX_MODEL_BYTES}, model = {0};
    gh_writer *file = NULL;
    gh_status status = gh_graph_check(g, e);
    if (!status)
        status = write_graph(&graph, g, e);
    if (!status)
        write_prefix(&model, g, graph.len);
    if (!status && (graph.failed || model.failed))
        status = gh_fail(e, GH_NOMEM, "no memory to write the model, or it is over 2 GB");
    if (!status)
        status = gh_writer_open(&file, path, e);
    if (!status)
        status = gh_writer_add(file, model.data, model.len, e);
    if (!status)
        status = gh_writer_add(file, graph.data, graph.len, e);
    if (!status)
        status = gh_writer_commit(&file, e);
    gh_writer_discard(&file);
    gh_buf_free(&graph);
    gh_buf_free(&model);
    return status;
}
