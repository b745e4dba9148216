/* From the FlatBuffer to the tables of gh_tfl_model. Field numbers are those of the tables Model,
 * OperatorCode, SubGraph, Tensor, QuantizationParameters, Buffer and Operator in schema.fbs. */
#include "import/tflite_model.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "engine/graph.h"
#include "import/tflite_sparse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA      3
#define MAX_TENSORS GH_MAX_VALUES
#define MAX_OPS     GH_MAX_NODES
#define MAX_CODES   100000u
#define MAX_NAME    300u /* bytes; longer names are cut */
#define MAX_TABLES  ((size_t)512 << 20)
/* A sparse tensor may have so many elements a byte of the file, and so many besides. */
#define SPARSE_A_BYTE 64
#define SPARSE_FREE   ((size_t)1 << 20)

typedef struct reader {
    gh_tfl_model *m;
    gh_fb_vector codes, buffers, tensors, ops;
    size_t operands; /* of all operators */
    gh_err *e;
} reader;

/* Bits of one element; 0 for types whose constants gharial does not read. */
static unsigned type_bits(int type)
{
    static const struct {
        int type;
        unsigned bits;
    } known[] = {{GH_TFL_FLOAT32, 32}, {GH_TFL_FLOAT16, 16}, {GH_TFL_INT32, 32},
                 {GH_TFL_UINT8, 8},    {GH_TFL_INT64, 64},   {GH_TFL_BOOL, 8},
                 {GH_TFL_INT16, 16},   {GH_TFL_INT8, 8},     {GH_TFL_INT4, 4}};
    for (size_t i = 0; i < GH_COUNT(known); i++)
        if (known[i].type == type)
            return known[i].bits;
    return 0;
}

static gh_status no_memory(const reader *r)
{
    return gh_fail(r->e, GH_NOMEM, "no memory for the model's tables");
}

/* A terminated copy; what is not UTF-8, which ONNX wants, becomes "_". */
static char *copy_name(gh_arena *arena, const gh_fb_vector *text)
{
    char *name = gh_arena_string(arena, text->count ? (const char *)text->data : "",
                                 text->count < MAX_NAME ? text->count : MAX_NAME);
    for (char *at = name; at && *at;) {
        size_t len = gh_utf8_length(at);
        if (!len)
            *at = '_';
        at += len ? len : 1;
    }
    return name;
}

static gh_status read_shape(const reader *r, gh_tfl_tensor *t, const gh_fb_table *table)
{
    gh_fb_vector dims = gh_fb_vec(table, 0, 4);
    if (dims.count > GH_MAX_RANK)
        return gh_fail(r->e, GH_LIMIT, "tensor \"%s\" has %u dimensions; gharial reads up to %d", t->name,
                       dims.count, GH_MAX_RANK);
    t->shape.rank = (int)dims.count;
    for (uint32_t i = 0; i < dims.count; i++)
        t->shape.dims[i] = gh_fb_int_at(&dims, i);
    for (uint32_t i = 0; i < dims.count; i++)
        if (t->shape.dims[i] < 0)
            return gh_fail(r->e, GH_FORMAT, "tensor \"%s\" has a negative dimension", t->name);
    if (!gh_shape_count(&t->count, &t->shape) || t->count > GH_MAX_ELEMENTS)
        return gh_fail(r->e, GH_LIMIT, "tensor \"%s\" has more elements than gharial reads", t->name);
    return GH_OK;
}

/* Scales and zero points; both are left empty where the tensor is not quantised. */
static gh_status read_quantization(const reader *r, gh_tfl_tensor *t, const gh_fb_table *table)
{
    gh_fb_table q = gh_fb_child(table, 4);
    t->scale = gh_fb_vec(&q, 2, 4);
    t->zero = gh_fb_vec(&q, 3, 8);
    t->axis = (int)gh_fb_int(&q, 6, 4, 0);
    if (t->scale.count <= 1 && t->zero.count <= 1)
        return GH_OK;
    if (t->axis < 0 || t->axis >= t->shape.rank || t->shape.dims[t->axis] != t->scale.count ||
        (t->zero.count > 1 && t->zero.count != t->scale.count))
        return gh_fail(r->e, GH_FORMAT,
                       "tensor \"%s\" has %u scales and %u zero points along its dimension %d, which do not "
                       "fit its shape",
                       t->name, t->scale.count, t->zero.count, t->axis);
    return GH_OK;
}

static gh_status read_sparse(const reader *r, gh_tfl_tensor *t, const gh_fb_table *table,
                             const gh_fb_vector *bytes)
{
    gh_fb_table sparsity = gh_fb_child(table, 6);
    unsigned width = type_bits(t->type) / 8;
    if (!width)
        return gh_fail(r->e, GH_UNSUPPORTED,
                       "tensor \"%s\" is stored sparse as %s; gharial reads sparse weights of whole bytes",
                       t->name, gh_tfl_type_name(t->type));
    if (t->count > r->m->fb.size * SPARSE_A_BYTE + SPARSE_FREE)
        return gh_fail(
            r->e, GH_LIMIT,
            "tensor \"%s\" is stored sparse and has %zu elements, more than a file of this size may", t->name,
            t->count);
    uint8_t *dense = gh_arena_array(r->m->arena, t->count, width);
    if (!dense)
        return no_memory(r);
    GH_TRY(gh_tfl_densify(dense, t, &sparsity, bytes, width, r->e));
    t->data = dense;
    t->written = t->unpacked = true;
    return GH_OK;
}

static gh_status read_data(const reader *r, gh_tfl_tensor *t, const gh_fb_table *table)
{
    int64_t number = gh_fb_int(table, 2, 4, 0);
    unsigned bits = type_bits(t->type);
    if (number < 0 || number >= r->buffers.count)
        return gh_fail(r->e, GH_FORMAT, "tensor \"%s\" wants buffer %lld of %u", t->name, (long long)number,
                       r->buffers.count);
    gh_fb_table buffer = gh_fb_table_at(&r->buffers, (uint32_t)number);
    if (gh_fb_int(&buffer, 1, 8, 0) > 1 || gh_fb_int(table, 10, 4, 0) != 0)
        return gh_fail(
            r->e, GH_UNSUPPORTED,
            "tensor \"%s\" has its numbers outside of the FlatBuffer; gharial reads models of less "
            "than 2 GB that hold them within",
            t->name);
    gh_fb_vector bytes = gh_fb_vec(&buffer, 0, 1);
    bool constant = bytes.count || (number && t->count == 0);
    if (!constant)
        return GH_OK;
    if (gh_fb_has(table, 6))
        return read_sparse(r, t, table, &bytes);
    uint64_t want = ((uint64_t)t->count * bits + 7) / 8;
    if (bits && bytes.count != want)
        return gh_fail(r->e, GH_FORMAT, "tensor \"%s\" has %u bytes; its shape and type %s need %llu",
                       t->name, bytes.count, gh_tfl_type_name(t->type), (unsigned long long)want);
    t->data = bytes.count ? bytes.data : (const uint8_t *)"";
    t->written = true;
    return GH_OK;
}

static gh_status read_tensor(reader *r, uint32_t i)
{
    gh_tfl_tensor *t = &r->m->tensors[i];
    gh_fb_table table = gh_fb_table_at(&r->tensors, i);
    gh_fb_vector name = gh_fb_vec(&table, 3, 1);
    t->name = copy_name(r->m->arena, &name);
    if (!t->name)
        return no_memory(r);
    t->type = (int)gh_fb_int(&table, 1, 1, 0);
    if (gh_fb_int(&table, 5, 1, 0))
        return gh_fail(r->e, GH_UNSUPPORTED,
                       "tensor \"%s\" is a variable that keeps a state between runs; gharial runs models "
                       "without",
                       t->name);
    GH_TRY(read_shape(r, t, &table));
    GH_TRY(read_quantization(r, t, &table));
    GH_TRY(read_data(r, t, &table));
    return gh_fb_check(&r->m->fb, r->e);
}

static int by_name(const void *a, const void *b)
{
    const gh_tfl_tensor *x = *(gh_tfl_tensor *const *)a, *y = *(gh_tfl_tensor *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x > y) - (x < y);
}

/* TFLite does not need names; ONNX does, each once. What is empty or there already gets its number behind. */
static gh_status name_apart(const reader *r)
{
    uint32_t n = r->m->ntensors;
    gh_tfl_tensor **sorted = gh_calloc(n + 1, sizeof *sorted);
    gh_status status = sorted ? GH_OK : no_memory(r);
    for (uint32_t i = 0; sorted && i < n; i++)
        sorted[i] = &r->m->tensors[i];
    if (sorted)
        qsort(sorted, n, sizeof *sorted, by_name);
    const char *previous = "";
    for (uint32_t i = 0; status == GH_OK && i < n; i++) {
        char text[MAX_NAME + 16];
        bool taken = strcmp(sorted[i]->name, previous) == 0;
        previous = sorted[i]->name;
        if (!taken)
            continue;
        snprintf(text, sizeof text, "%s#%td", previous, sorted[i] - r->m->tensors);
        sorted[i]->name = gh_arena_string(r->m->arena, text, strlen(text));
        status = sorted[i]->name ? GH_OK : no_memory(r);
    }
    gh_free(sorted);
    return status;
}

static gh_status read_tensors(reader *r)
{
    if (r->tensors.count > MAX_TENSORS)
        return gh_fail(r->e, GH_LIMIT, "the model has %u tensors; gharial reads up to %u", r->tensors.count,
                       MAX_TENSORS);
    r->m->tensors = gh_calloc(r->tensors.count + 1, sizeof *r->m->tensors);
    if (!r->m->tensors)
        return no_memory(r);
    r->m->ntensors = r->tensors.count;
    for (uint32_t i = 0; i < r->tensors.count; i++)
        GH_TRY(read_tensor(r, i));
    return name_apart(r);
}

/* A list of tensor numbers; -1 stands for an optional input left out, where that is allowed. */
static gh_status read_list(reader *r, uint32_t **out, uint32_t *count, const gh_fb_vector *list,
                           bool optional, const char *what)
{
    r->operands += list->count;
    if (r->operands > GH_MAX_OPERANDS)
        return gh_fail(r->e, GH_LIMIT, "the model's operators have more than %u inputs and outputs",
                       GH_MAX_OPERANDS);
    uint32_t *numbers = gh_arena_array(r->m->arena, list->count + 1, sizeof *numbers);
    if (!numbers)
        return no_memory(r);
    for (uint32_t i = 0; i < list->count; i++) {
        int64_t number = gh_fb_int_at(list, i);
        if ((number < 0 && !(optional && number == -1)) || number >= (int64_t)r->m->ntensors)
            return gh_fail(r->e, GH_FORMAT, "%s names tensor %lld of %u", what, (long long)number,
                           r->m->ntensors);
        numbers[i] = number < 0 ? GH_TFL_ABSENT : (uint32_t)number;
    }
    *out = numbers;
    *count = list->count;
    return GH_OK;
}

/* Newer files keep the code in another field than those of before 2020 (codes then ended at 127), which is
 * written still; the larger one counts. */
static gh_status read_code(const reader *r, gh_tfl_op *op, uint32_t number, const gh_fb_table *table)
{
    int64_t index = gh_fb_int(table, 0, 4, 0);
    if (index < 0 || index >= r->codes.count)
        return gh_fail(r->e, GH_FORMAT, "operator %u is of kind %lld; the model has %u kinds", number,
                       (long long)index, r->codes.count);
    gh_fb_table code = gh_fb_table_at(&r->codes, (uint32_t)index);
    int64_t old = gh_fb_int(&code, 0, 1, 0), now = gh_fb_int(&code, 3, 4, 0);
    op->code = (int)(old > now ? old : now);
    op->custom = "";
    if (op->code != GH_TFL_CUSTOM)
        return GH_OK;
    gh_fb_vector name = gh_fb_vec(&code, 1, 1);
    op->custom = copy_name(r->m->arena, &name);
    return op->custom ? GH_OK : no_memory(r);
}

static gh_status read_op(reader *r, gh_tfl_op *op, uint32_t number)
{
    char what[40];
    snprintf(what, sizeof what, "operator %u", number);
    gh_fb_table table = gh_fb_table_at(&r->ops, number);
    gh_fb_vector inputs = gh_fb_vec(&table, 1, 4), outputs = gh_fb_vec(&table, 2, 4);
    GH_TRY(read_code(r, op, number, &table));
    op->options = gh_fb_child(&table, 4);
    op->custom_options = gh_fb_vec(&table, 5, 1);
    GH_TRY(gh_fb_check(&r->m->fb, r->e));
    GH_TRY(read_list(r, &op->inputs, &op->ninputs, &inputs, true, what));
    return read_list(r, &op->outputs, &op->noutputs, &outputs, false, what);
}

/* TFLite executes operators in the order of the file: what one reads must have been written before. */
static gh_status check_order(const reader *r, const gh_tfl_op *op, uint32_t number)
{
    char name[80];
    for (uint32_t i = 0; i < op->ninputs; i++)
        if (op->inputs[i] != GH_TFL_ABSENT && !r->m->tensors[op->inputs[i]].written)
            return gh_fail(r->e, GH_FORMAT,
                           "operator %u (%s) reads tensor \"%s\", which nothing wrote before", number,
                           gh_tfl_op_name(op, name, sizeof name), r->m->tensors[op->inputs[i]].name);
    for (uint32_t i = 0; i < op->noutputs; i++) {
        gh_tfl_tensor *t = &r->m->tensors[op->outputs[i]];
        if (t->written)
            return gh_fail(r->e, GH_FORMAT,
                           "operator %u (%s) writes tensor \"%s\", which is a constant, an input or another "
                           "operator's output",
                           number, gh_tfl_op_name(op, name, sizeof name), t->name);
        t->written = true;
    }
    return GH_OK;
}

/* An operator that only changes how a constant is stored: its output becomes that constant, which is
 * converted where it is used. */
static bool unpacks_constant(const reader *r, const gh_tfl_op *op)
{
    if ((op->code != GH_TFL_DEQUANTIZE && op->code != GH_TFL_QUANTIZE && op->code != GH_TFL_DENSIFY) ||
        op->ninputs != 1 || op->noutputs != 1 || op->inputs[0] == GH_TFL_ABSENT)
        return false;
    const gh_tfl_tensor *from = &r->m->tensors[op->inputs[0]];
    gh_tfl_tensor *to = &r->m->tensors[op->outputs[0]];
    if (!from->data || !gh_shape_equal(&from->shape, &to->shape))
        return false;
    const char *name = to->name;
    *to = *from;
    to->name = name;
    return true;
}

static gh_status read_ops(reader *r)
{
    if (r->ops.count > MAX_OPS)
        return gh_fail(r->e, GH_LIMIT, "the model has %u operators; gharial reads up to %u", r->ops.count,
                       MAX_OPS);
    r->m->ops = gh_calloc(r->ops.count + 1, sizeof *r->m->ops);
    if (!r->m->ops)
        return no_memory(r);
    for (uint32_t i = 0; i < r->ops.count; i++) {
        gh_tfl_op *op = &r->m->ops[r->m->nops];
        GH_TRY(read_op(r, op, i));
        GH_TRY(check_order(r, op, i));
        if (!unpacks_constant(r, op))
            r->m->nops++;
    }
    return GH_OK;
}

/* Inputs and outputs of the model itself. */
static gh_status read_ends(reader *r, const gh_fb_table *graph)
{
    gh_fb_vector inputs = gh_fb_vec(graph, 1, 4), outputs = gh_fb_vec(graph, 2, 4);
    GH_TRY(gh_fb_check(&r->m->fb, r->e));
    GH_TRY(read_list(r, &r->m->inputs, &r->m->ninputs, &inputs, false, "the list of inputs"));
    GH_TRY(read_list(r, &r->m->outputs, &r->m->noutputs, &outputs, false, "the list of outputs"));
    if (!r->m->ninputs || !r->m->noutputs)
        return gh_fail(r->e, GH_FORMAT, "the model has %u inputs and %u outputs; it needs one of each",
                       r->m->ninputs, r->m->noutputs);
    for (uint32_t i = 0; i < r->m->ninputs; i++) {
        gh_tfl_tensor *t = &r->m->tensors[r->m->inputs[i]];
        if (t->written)
            return gh_fail(r->e, GH_FORMAT, "input \"%s\" is a constant or named twice", t->name);
        t->written = true;
    }
    return GH_OK;
}

static gh_status check_outputs(const reader *r)
{
    for (uint32_t i = 0; i < r->m->noutputs; i++)
        if (!r->m->tensors[r->m->outputs[i]].written)
            return gh_fail(r->e, GH_FORMAT, "nothing writes the output \"%s\"",
                           r->m->tensors[r->m->outputs[i]].name);
    return GH_OK;
}

static gh_status read_model(reader *r)
{
    gh_fb_table root = gh_fb_root(&r->m->fb);
    int64_t version = gh_fb_int(&root, 0, 4, 0);
    GH_TRY(gh_fb_check(&r->m->fb, r->e));
    if (version != SCHEMA)
        return gh_fail(r->e, GH_UNSUPPORTED, "the model follows schema version %lld; gharial reads %d",
                       (long long)version, SCHEMA);
    gh_fb_vector graphs = gh_fb_vec(&root, 2, 4);
    r->codes = gh_fb_vec(&root, 1, 4);
    r->buffers = gh_fb_vec(&root, 4, 4);
    GH_TRY(gh_fb_check(&r->m->fb, r->e));
    if (!graphs.count || r->codes.count > MAX_CODES)
        return gh_fail(r->e, GH_FORMAT, "the model has %u graphs and %u kinds of operators", graphs.count,
                       r->codes.count);
    if (graphs.count > 1)
        gh_log(GH_LOG_WARN, "the file has %u graphs; the first one is read", graphs.count);
    gh_fb_table graph = gh_fb_table_at(&graphs, 0);
    r->tensors = gh_fb_vec(&graph, 0, 4);
    r->ops = gh_fb_vec(&graph, 3, 4);
    GH_TRY(gh_fb_check(&r->m->fb, r->e));
    GH_TRY(read_tensors(r));
    GH_TRY(read_ends(r, &graph));
    GH_TRY(read_ops(r));
    return check_outputs(r);
}

gh_status gh_tfl_open(gh_tfl_model **out, const uint8_t *data, size_t size, gh_err *e)
{
    gh_fb fb;
    GH_TRY(gh_fb_open(&fb, data, size, "TFL3", e));
    gh_tfl_model *m = gh_calloc(1, sizeof *m);
    reader r = {.m = m, .e = e};
    if (!m)
        return no_memory(&r);
    m->fb = fb;
    m->arena = gh_arena_new(MAX_TABLES);
    gh_status status = m->arena ? read_model(&r) : no_memory(&r);
    if (status == GH_OK)
        *out = m;
    else
        gh_tfl_free(&m);
    return status;
}

void gh_tfl_free(gh_tfl_model **model)
{
    gh_tfl_model *m = *model;
    if (!m)
        return;
    gh_arena_free(&m->arena);
    gh_free(m->tensors);
    gh_free(m->ops);
    gh_free(m);
    *model = NULL;
}
