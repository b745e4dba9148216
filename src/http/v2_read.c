/* A request of the Open Inference Protocol: JSON with numbers in it, or JSON followed by tensors as bytes. */
#include "http/v2.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>

#define MAX_DEPTH 16

/* What is read, and what is left of the limits. */
typedef struct reader {
    const uint8_t *binary; /* the next tensor's bytes */
    size_t binary_left, room;
} reader;

static const struct {
    const char *name;
    gh_dtype type;
} types[] = {
    {"FP32", GH_F32},   {"FP64", GH_F64},   {"INT64", GH_I64}, {"INT32", GH_I32},
    {"INT16", GH_I16},  {"INT8", GH_I8},    {"BOOL", GH_BOOL}, {"UINT64", GH_U64},
    {"UINT32", GH_U32}, {"UINT16", GH_U16}, {"UINT8", GH_U8},
};

const char *gh_v2_type_name(gh_dtype type)
{
    for (size_t i = 0; i < GH_COUNT(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return NULL;
}

static gh_status read_type(gh_dtype *out, const char *name, const json_t *v, gh_err *e)
{
    const char *text = json_string_value(v);
    for (size_t i = 0; text && i < GH_COUNT(types); i++)
        if (strcmp(types[i].name, text) == 0) {
            *out = types[i].type;
            return GH_OK;
        }
    return gh_fail(e, GH_ARG,
                   "the input '%.60s' has the datatype %.20s; FP32, FP64, INT8 to INT64, UINT8 to UINT64 and "
                   "BOOL are read",
                   name, text ? text : "(none)");
}

static gh_status read_shape(gh_shape *out, size_t *count, const char *name, const json_t *v, gh_err *e)
{
    gh_shape shape = {0};
    size_t rank = json_array_size(v);
    bool good = json_is_array(v) && rank <= GH_MAX_RANK;
    shape.rank = (int)rank;
    for (size_t i = 0; good && i < rank; i++) {
        const json_t *d = json_array_get(v, i);
        good = json_is_integer(d) && json_integer_value(d) >= 1;
        shape.dims[i] = json_integer_value(d);
    }
    if (!good || !gh_shape_count(count, &shape))
        return gh_fail(e, GH_ARG, "the shape of the input '%.60s' must be a list of at most %d sizes from 1",
                       name, GH_MAX_RANK);
    *out = shape;
    return GH_OK;
}

static bool store(gh_tensor *t, size_t at, const json_t *v)
{
    if (json_is_real(v))
        return gh_raw_store(t, at, json_real_value(v));
    if (json_is_integer(v))
        return gh_raw_store_integer(t, at, json_integer_value(v));
    return json_is_boolean(v) && gh_raw_store_integer(t, at, json_is_true(v));
}

/* Numbers in a list, or in lists within lists; the text has been found to be at most MAX_DEPTH deep. */
static gh_status read_numbers(gh_tensor *t, size_t count, const char *name, const json_t *data, gh_err *e)
{
    struct {
        const json_t *list;
        size_t next;
    } open[MAX_DEPTH];
    size_t depth = 0, at = 0;
    if (!json_is_array(data))
        return gh_fail(e, GH_ARG, "the input '%.60s' has no \"data\", a list of numbers", name);
    open[depth].list = data;
    open[depth++].next = 0;
    while (depth > 0) {
        const json_t *v = json_array_get(open[depth - 1].list, open[depth - 1].next++);
        if (!v) {
            depth--;
        } else if (json_is_array(v) && depth < MAX_DEPTH) {
            open[depth].list = v;
            open[depth++].next = 0;
        } else if (at == count) {
            at++;
            break;
        } else if (!store(t, at++, v)) {
            return gh_fail(e, GH_ARG, "element %zu of the input '%.60s' is no %s", at - 1, name,
                           gh_v2_type_name(t->type));
        }
    }
    if (at == count)
        return GH_OK;
    return gh_fail(e, GH_ARG, "the input '%.60s' has %s than the %zu elements of its shape", name,
                   at > count ? "more" : "fewer", count);
}

/* Bytes are taken as they are, little endian, but that a bool is made 0 or 1. */
static gh_status read_bytes(reader *r, gh_tensor *t, size_t bytes, const char *name, const json_t *size,
                            gh_err *e)
{
    if (json_integer_value(size) < 0 || (size_t)json_integer_value(size) != bytes)
        return gh_fail(e, GH_ARG, "binary_data_size of the input '%.60s' must be %zu, as its shape says",
                       name, bytes);
    if (bytes > r->binary_left)
        return gh_fail(e, GH_ARG, "the body ends before the bytes of the input '%.60s'", name);
    memcpy(t->data, r->binary, bytes);
    for (size_t i = 0; t->type == GH_BOOL && i < bytes; i++)
        ((uint8_t *)t->data)[i] = ((uint8_t *)t->data)[i] != 0;
    r->binary += bytes;
    r->binary_left -= bytes;
    return GH_OK;
}

static gh_status read_input(gh_v2_input *in, reader *r, const json_t *v, gh_err *e)
{
    size_t count = 0, size;
    in->name = json_string_value(json_object_get(v, "name"));
    if (!in->name)
        return gh_fail(e, GH_ARG, "an input has no \"name\"");
    GH_TRY(read_type(&in->tensor.type, in->name, json_object_get(v, "datatype"), e));
    GH_TRY(read_shape(&in->tensor.shape, &count, in->name, json_object_get(v, "shape"), e));
    size = gh_dtype_size(in->tensor.type);
    if (count > r->room / size)
        return gh_fail(e, GH_LIMIT,
                       "the input '%.60s' has %zu elements; the inputs may hold %zu bytes in all", in->name,
                       count, r->room);
    r->room -= count * size;
    in->tensor.data = gh_alloc_aligned(count * size);
    if (!in->tensor.data)
        return gh_fail(e, GH_NOMEM, "memory ran out at a tensor");
    const json_t *bytes = json_object_get(json_object_get(v, "parameters"), "binary_data_size");
    if (json_is_integer(bytes))
        return read_bytes(r, &in->tensor, count * size, in->name, bytes, e);
    return read_numbers(&in->tensor, count, in->name, json_object_get(v, "data"), e);
}

static gh_status read_inputs(gh_v2_request *q, reader *r, const json_t *list, gh_err *e)
{
    size_t n = json_array_size(list);
    if (n < 1 || n > GH_V2_MAX_TENSORS)
        return gh_fail(e, GH_ARG, "\"inputs\" must be a list of 1 to %d tensors", GH_V2_MAX_TENSORS);
    q->inputs = gh_calloc(n, sizeof *q->inputs);
    if (!q->inputs)
        return gh_fail(e, GH_NOMEM, "memory ran out at the inputs");
    for (; q->ninputs < n; q->ninputs++) {
        gh_v2_input *in = &q->inputs[q->ninputs];
        gh_status status = read_input(in, r, json_array_get(list, q->ninputs), e);
        if (status != GH_OK) {
            gh_free(in->tensor.data);
            return status;
        }
    }
    if (r->binary_left)
        return gh_fail(e, GH_ARG, "%zu bytes of the body belong to no input", r->binary_left);
    return GH_OK;
}

gh_status gh_v2_read(gh_v2_request *out, const uint8_t *body, size_t len, size_t header_len, size_t max_bytes,
                     gh_err *e)
{
    size_t json_len = header_len ? header_len : len;
    if (json_len > len)
        return gh_fail(e, GH_ARG, "Inference-Header-Content-Length is %zu, but the body has %zu bytes",
                       header_len, len);
    const gh_json_limits limits = {json_len + 1, MAX_DEPTH, JSON_REJECT_DUPLICATES};
    reader r = {body + json_len, len - json_len, max_bytes};
    gh_err why = {0};
    gh_status status = gh_json_load(&out->json, "the body", (const char *)body, json_len, &limits, &why);
    if (status != GH_OK) /* malformed, not a picture that is broken */
        return gh_fail(e, status == GH_FORMAT ? GH_ARG : status, "%s", why.text);
    if (!json_is_object(out->json))
        return gh_fail(e, GH_ARG, "the body must be a JSON object with \"inputs\"");
    out->id = json_string_value(json_object_get(out->json, "id"));
    out->binary =
        json_is_true(json_object_get(json_object_get(out->json, "parameters"), "binary_data_output"));
    return read_inputs(out, &r, json_object_get(out->json, "inputs"), e);
}

void gh_v2_free(gh_v2_request *r)
{
    for (size_t i = 0; i < r->ninputs; i++)
        gh_free(r->inputs[i].tensor.data);
    gh_free(r->inputs);
    json_decref(r->json);
    *r = (gh_v2_request){0};
}
