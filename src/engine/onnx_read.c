/* Reads an ONNX model into a gh_graph. Iterative over the wire format; subgraphs (If, Loop) are not entered:
 * their operators are refused when the graph is bound. */
#include "base/mem.h"
#include "engine/onnx.h"
#include "engine/onnx_proto.h"
#include "engine/symbols.h"

#include <stdio.h>
#include <string.h>

typedef struct reader {
    gh_graph *g;
    gh_symbols names;       /* value names to ids */
    size_t operands, attrs; /* of all nodes so far */
    gh_err *e;
} reader;

static gh_status cut_off(reader *r, const char *what)
{
    return gh_fail(r->e, GH_FORMAT, "the ONNX file is cut off or malformed in %s", what);
}

static gh_status no_memory(reader *r)
{
    GH_TRY(gh_graph_check(r->g, r->e));
    return gh_fail(r->e, GH_NOMEM, "no memory for the model");
}

/* A terminated copy in the graph's arena. */
static gh_status text(reader *r, const char **out, const gh_wire_field *f)
{
    if (f->type != GH_WIRE_LEN)
        return cut_off(r, "a string");
    *out = gh_arena_string(r->g->arena, (const char *)f->data, f->len);
    return *out ? GH_OK : no_memory(r);
}

/* The value of that name, made when it is new. "" is an optional input left out. */
static gh_status value_named(reader *r, uint32_t *out, const char *name, size_t len)
{
    if (len == 0) {
        *out = GH_NONE;
        return GH_OK;
    }
    uint32_t id = gh_symbols_find(&r->names, name, len);
    if (id == GH_NONE) {
        char *copy = gh_arena_string(r->g->arena, name, len);
        if (!copy)
            return no_memory(r);
        id = gh_graph_value(r->g, copy, GH_UNKNOWN, (gh_shape){.rank = -1});
        /* by `copy`: the value's own name ends at the first zero byte */
        if (id == GH_NONE || !gh_symbols_add(&r->names, copy, len, id))
            return no_memory(r);
    }
    *out = id;
    return GH_OK;
}

static gh_status read_opset(reader *r, const gh_wire_field *field)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field f;
    gh_opset opset = {.domain = ""};
    while (gh_wire_next(&w, &f)) {
        if (f.number == OPSET_DOMAIN)
            GH_TRY(text(r, &opset.domain, &f));
        else if (f.number == OPSET_VERSION)
            opset.version = (int64_t)f.value;
    }
    if (w.bad)
        return cut_off(r, "an opset import");
    if (strcmp(opset.domain, "ai.onnx") == 0)
        opset.domain = "";
    if (r->g->nopsets >= GH_COUNT(r->g->opsets))
        return gh_fail(r->e, GH_LIMIT, "the model imports more than %zu operator sets",
                       GH_COUNT(r->g->opsets));
    r->g->opsets[r->g->nopsets++] = opset;
    return GH_OK;
}

static gh_status read_shape(reader *r, gh_shape *shape, const gh_wire_field *field)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field dim, f;
    shape->rank = 0;
    while (gh_wire_next(&w, &dim)) {
        if (dim.number != SHAPE_DIM)
            continue;
        if (dim.type != GH_WIRE_LEN || shape->rank == GH_MAX_RANK)
            return gh_fail(r->e, GH_LIMIT, "a value has more than %d dimensions", GH_MAX_RANK);
        gh_wire inner = gh_wire_open(dim.data, dim.len);
        int64_t size = -1;
        while (gh_wire_next(&inner, &f))
            if (f.number == DIM_VALUE)
                size = (int64_t)f.value;
        if (inner.bad)
            return cut_off(r, "a shape");
        if (size < -1 || size > INT32_MAX)
            return gh_fail(r->e, GH_LIMIT, "a value has a dimension of %lld; at most %d is accepted",
                           (long long)size, INT32_MAX);
        shape->dims[shape->rank++] = size;
    }
    return w.bad ? cut_off(r, "a shape") : GH_OK;
}

/* TypeProto of a tensor; other types leave type and shape unknown. */
static gh_status read_type(reader *r, gh_value *v, const gh_wire_field *field)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field tensor, f;
    while (gh_wire_next(&w, &tensor)) {
        if (tensor.number != TYPE_TENSOR || tensor.type != GH_WIRE_LEN)
            continue;
        gh_wire inner = gh_wire_open(tensor.data, tensor.len);
        while (gh_wire_next(&inner, &f)) {
            if (f.number == TENSOR_TYPE_ELEM)
                v->type = f.value == GH_F16 ? GH_F32 : f.value < 64 ? (gh_dtype)f.value : GH_UNKNOWN;
            else if (f.number == TENSOR_TYPE_SHAPE && f.type == GH_WIRE_LEN)
                GH_TRY(read_shape(r, &v->shape, &f));
        }
        if (inner.bad)
            return cut_off(r, "a type");
    }
    return w.bad ? cut_off(r, "a type") : GH_OK;
}

/* ValueInfoProto: gives the value's number, with its declared type and shape filled in. What an input says
 * counts more than what an output says of the same value. */
static gh_status read_info(reader *r, uint32_t *out, const gh_wire_field *field, bool input)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field f, name = {0};
    gh_value declared = {.shape.rank = -1};
    while (gh_wire_next(&w, &f)) {
        if (f.number == INFO_NAME && f.type == GH_WIRE_LEN)
            name = f;
        else if (f.number == INFO_TYPE && f.type == GH_WIRE_LEN)
            GH_TRY(read_type(r, &declared, &f));
    }
    if (w.bad || !name.len)
        return cut_off(r, "a declared input or output");
    GH_TRY(value_named(r, out, (const char *)name.data, name.len));
    gh_value *v = &r->g->values[*out];
    if (!v->data && (input || v->type == GH_UNKNOWN)) {
        v->type = declared.type;
        v->shape = declared.shape;
    }
    return GH_OK;
}

static gh_status read_initializer(reader *r, const gh_wire_field *field)
{
    gh_onnx_tensor t;
    uint32_t id;
    GH_TRY(gh_onnx_read_tensor(&t, r->g, field->data, field->len, r->e));
    GH_TRY(value_named(r, &id, t.name, t.name_len));
    if (id == GH_NONE)
        return cut_off(r, "an initializer without a name");
    gh_value *v = &r->g->values[id];
    if (v->data || v->producer != GH_NONE)
        return gh_fail(r->e, GH_FORMAT, "value \"%s\" is defined twice", v->name);
    v->type = t.tensor.type;
    v->shape = t.tensor.shape;
    v->data = t.tensor.data;
    v->own = t.own;
    return GH_OK;
}

typedef struct node_counts {
    uint32_t inputs, outputs, attrs;
} node_counts;

static gh_status count_node(reader *r, node_counts *c, const gh_wire_field *field)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field f;
    while (gh_wire_next(&w, &f)) {
        if (f.number >= NODE_INPUT && f.number <= NODE_DOMAIN && f.type != GH_WIRE_LEN)
            return cut_off(r, "a node");
        c->inputs += f.number == NODE_INPUT;
        c->outputs += f.number == NODE_OUTPUT;
        c->attrs += f.number == NODE_ATTR;
    }
    return w.bad ? cut_off(r, "a node") : GH_OK;
}

static gh_status define(reader *r, uint32_t id, uint32_t node)
{
    if (id == GH_NONE)
        return GH_OK;
    gh_value *v = &r->g->values[id];
    if (v->data || v->producer != GH_NONE)
        return gh_fail(r->e, GH_FORMAT, "value \"%s\" is defined twice", v->name);
    v->producer = node;
    return GH_OK;
}

static gh_status fill_node(reader *r, gh_node *n, const gh_wire_field *field)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field f;
    uint32_t index = r->g->nnodes - 1;
    while (gh_wire_next(&w, &f)) {
        const char *name = (const char *)f.data;
        switch (f.number) {
        case NODE_INPUT:
            GH_TRY(value_named(r, &n->inputs[n->ninputs++], name, f.len));
            break;
        case NODE_OUTPUT:
            GH_TRY(value_named(r, &n->outputs[n->noutputs], name, f.len));
            GH_TRY(define(r, n->outputs[n->noutputs++], index));
            break;
        case NODE_NAME:
            GH_TRY(text(r, &n->name, &f));
            break;
        case NODE_TYPE:
            GH_TRY(text(r, &n->type, &f));
            break;
        case NODE_DOMAIN:
            GH_TRY(text(r, &n->domain, &f));
            break;
        case NODE_ATTR:
            GH_TRY(gh_onnx_read_attr(&n->attrs[n->nattrs++], r->g, f.data, f.len, r->e));
            break;
        }
    }
    if (strcmp(n->domain, "ai.onnx") == 0)
        n->domain = "";
    return GH_OK;
}

static gh_status read_node(reader *r, const gh_wire_field *field)
{
    node_counts c = {0};
    GH_TRY(count_node(r, &c, field));
    r->operands += (size_t)c.inputs + c.outputs;
    r->attrs += c.attrs;
    if (r->operands > GH_MAX_OPERANDS || r->attrs > GH_MAX_ATTRS)
        return gh_fail(
            r->e, GH_LIMIT,
            "the model's nodes have more inputs and outputs (%u) or attributes (%u) than gharial accepts",
            GH_MAX_OPERANDS, GH_MAX_ATTRS);
    uint32_t index = gh_graph_node(r->g, "", "", NULL, 0, NULL, 0);
    if (index == GH_NONE)
        return no_memory(r);
    gh_node n = {.type = "", .name = "", .domain = ""};
    n.inputs = gh_arena_array(r->g->arena, c.inputs + 1u, sizeof *n.inputs);
    n.outputs = gh_arena_array(r->g->arena, c.outputs + 1u, sizeof *n.outputs);
    n.attrs = gh_arena_array(r->g->arena, c.attrs + 1u, sizeof *n.attrs);
    if (!n.inputs || !n.outputs || !n.attrs)
        return no_memory(r);
    GH_TRY(fill_node(r, &n, field));
    r->g->nodes[index] = n;
    return GH_OK;
}

/* Inputs that an initializer also defines are constants (IR version 3 lists them among the inputs). */
static gh_status add_inputs(reader *r, const uint32_t *ids, uint32_t count)
{
    gh_graph *g = r->g;
    bool *seen = gh_calloc(g->nvalues + 1u, sizeof *seen);
    g->inputs = gh_calloc(count + 1u, sizeof *g->inputs);
    gh_status status = g->inputs && seen ? GH_OK : no_memory(r);
    for (uint32_t i = 0; i < count && status == GH_OK; i++) {
        const gh_value *v = &g->values[ids[i]];
        if (v->producer != GH_NONE)
            status = gh_fail(r->e, GH_FORMAT, "value \"%s\" is an input and the output of a node", v->name);
        else if (seen[ids[i]])
            status = gh_fail(r->e, GH_FORMAT, "input \"%s\" is declared twice", v->name);
        else if (!v->data)
            g->inputs[g->ninputs++] = ids[i];
        seen[ids[i]] = true;
    }
    gh_free(seen);
    return status;
}

/* Every value that is read must come from somewhere. */
static gh_status check_sources(reader *r)
{
    gh_graph *g = r->g;
    bool *is_input = gh_calloc(g->nvalues + 1u, sizeof *is_input);
    gh_status status = GH_OK;
    if (!is_input)
        return no_memory(r);
    for (uint32_t i = 0; i < g->ninputs; i++)
        is_input[g->inputs[i]] = true;
    for (uint32_t i = 0; i < g->nnodes && status == GH_OK; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs && status == GH_OK; k++) {
            uint32_t id = g->nodes[i].inputs[k];
            if (id != GH_NONE && !is_input[id] && !g->values[id].data && g->values[id].producer == GH_NONE)
                status = gh_fail(r->e, GH_FORMAT,
                                 "node \"%s\" (%s) reads \"%s\", which nothing in the model gives",
                                 g->nodes[i].name, g->nodes[i].type, g->values[id].name);
        }
    for (uint32_t i = 0; i < g->noutputs && status == GH_OK; i++) {
        const gh_value *v = &g->values[g->outputs[i]];
        if (!is_input[g->outputs[i]] && !v->data && v->producer == GH_NONE)
            status = gh_fail(r->e, GH_FORMAT, "output \"%s\" is given by no node", v->name);
    }
    gh_free(is_input);
    return status;
}

static gh_status read_graph_field(reader *r, const gh_wire_field *f, uint32_t **inputs, uint32_t *ninputs)
{
    uint32_t id;
    if (f->type != GH_WIRE_LEN)
        return cut_off(r, "the graph");
    switch (f->number) {
    case GRAPH_NODE:
        return read_node(r, f);
    case GRAPH_NAME:
        return text(r, &r->g->name, f);
    case GRAPH_INIT:
        return read_initializer(r, f);
    case GRAPH_INFO: /* shapes are inferred anew for each plan; what the file claims is not needed */
        return GH_OK;
    case GRAPH_OUTPUT:
        GH_TRY(read_info(r, &id, f, false));
        gh_graph_output(r->g, id);
        return r->g->failed ? no_memory(r) : GH_OK;
    case GRAPH_SPARSE:
        return gh_fail(r->e, GH_UNSUPPORTED,
                       "the model has sparse initializers, which gharial does not read");
    case GRAPH_INPUT: {
        GH_TRY(read_info(r, &id, f, true));
        uint32_t *bigger = gh_realloc(*inputs, *ninputs + 1u, sizeof **inputs);
        if (!bigger)
            return no_memory(r);
        *inputs = bigger;
        bigger[(*ninputs)++] = id;
    }
    }
    return GH_OK;
}

static gh_status read_graph(reader *r, const gh_wire_field *field)
{
    gh_wire w = gh_wire_open(field->data, field->len);
    gh_wire_field f;
    uint32_t *inputs = NULL, ninputs = 0;
    gh_status status = GH_OK;
    while (status == GH_OK && gh_wire_next(&w, &f))
        status = read_graph_field(r, &f, &inputs, &ninputs);
    if (status == GH_OK && w.bad)
        status = cut_off(r, "the graph");
    if (status == GH_OK)
        status = add_inputs(r, inputs, ninputs);
    if (status == GH_OK)
        status = check_sources(r);
    gh_free(inputs);
    return status;
}

static gh_status read_model(reader *r, const uint8_t *data, size_t len)
{
    gh_wire w = gh_wire_open(data, len);
    gh_wire_field f, graph = {0};
    r->g->nopsets = 0;
    r->g->ir_version = 0;
    while (gh_wire_next(&w, &f)) {
        if (f.number == MODEL_IR_VERSION)
            r->g->ir_version = (int64_t)f.value;
        else if (f.number == MODEL_PRODUCER)
            GH_TRY(text(r, &r->g->producer, &f));
        else if (f.number == MODEL_OPSET && f.type == GH_WIRE_LEN)
            GH_TRY(read_opset(r, &f));
        else if (f.number == MODEL_GRAPH && f.type == GH_WIRE_LEN)
            graph = f;
    }
    if (w.bad || !graph.data || r->g->ir_version < 1)
        return gh_fail(r->e, GH_FORMAT,
                       w.bad ? "the ONNX file is cut off or malformed"
                             : "not an ONNX model: it has no graph");
    if (!r->g->nopsets) /* IR versions 1 and 2 had none: opset 1 is meant */
        r->g->opsets[r->g->nopsets++] = (gh_opset){"", 1};
    return read_graph(r, &graph);
}

static gh_status read_into(gh_graph *g, const uint8_t *data, size_t len, gh_err *e)
{
    reader r = {.g = g, .e = e};
    gh_status status = read_model(&r, data, len);
    gh_symbols_free(&r.names);
    return status ? status : gh_graph_sort(g, e);
}

gh_status gh_onnx_read_bytes(gh_graph **out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(gh_graph_new(&g, e));
    gh_status status = read_into(g, data, len, e);
    if (status)
        gh_graph_free(&g);
    else
        *out = g;
    return status;
}

gh_status gh_onnx_read(gh_graph **out, const char *path, gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(gh_graph_new(&g, e));
    gh_status status = gh_map_open(&g->map, path, GH_MAX_MODEL_BYTES, e);
    if (!status)
        status = read_into(g, g->map.data, g->map.size, e);
    if (status)
        gh_graph_free(&g);
    else
        *out = g;
    return status;
}
