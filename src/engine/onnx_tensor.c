/* Reads a TensorProto: dimensions, type, and elements in any of ONNX's forms. */
#include "base/half.h"
#include "base/mem.h"
#include "engine/onnx_proto.h"

#include <stdio.h>
#include <string.h>

/* Raw elements up to this many bytes are copied when they are unaligned, so that only large weights stay so.
 */
#define COPY_BYTES 65536

typedef struct parts {
    gh_shape shape;
    gh_dtype type;
    gh_wire_field name, raw;
    bool has_raw, external;
    size_t typed; /* elements in the typed fields */
} parts;

static gh_status broken(gh_err *e, const parts *p, const char *why)
{
    return gh_fail(e, GH_FORMAT, "tensor \"%.*s\" %s", (int)(p->name.len < 200 ? p->name.len : 200),
                   p->name.data ? (const char *)p->name.data : "", why);
}

static gh_status scan(parts *p, const uint8_t *data, size_t len, gh_err *e)
{
    gh_wire w = gh_wire_open(data, len);
    gh_wire_field f;
    size_t rank = 0;
    while (gh_wire_next(&w, &f)) {
        if ((f.number == TENSOR_NAME || f.number == TENSOR_RAW) && f.type != GH_WIRE_LEN)
            return broken(e, p, "is malformed");
        switch (f.number) {
        case TENSOR_DIMS:
            if (!gh_wire_int64s(&f, p->shape.dims, &rank, GH_MAX_RANK))
                return broken(e, p, "has more than 8 dimensions");
            break;
        case TENSOR_TYPE:
            p->type = f.value < 64 ? (gh_dtype)f.value : GH_UNKNOWN;
            break;
        case TENSOR_NAME:
            p->name = f;
            break;
        case TENSOR_RAW:
            p->raw = f;
            p->has_raw = true;
            break;
        case TENSOR_LOCATION:
            p->external = f.value != 0;
            break;
        }
    }
    if (w.bad)
        return broken(e, p, "is cut off or malformed");
    p->shape.rank = (int)rank;
    return GH_OK;
}

/* Stores one integer element of a typed field. */
static void store_int(void *to, gh_dtype type, size_t i, uint64_t v)
{
    switch (type) {
    case GH_U8:
    case GH_I8:
    case GH_BOOL:
        ((uint8_t *)to)[i] = (uint8_t)v;
        break;
    case GH_U16:
    case GH_I16:
        ((uint16_t *)to)[i] = (uint16_t)v;
        break;
    case GH_F16:
        ((float *)to)[i] = gh_half_to_float((uint16_t)v);
        break;
    case GH_I32:
    case GH_U32:
        ((uint32_t *)to)[i] = (uint32_t)v;
        break;
    default:
        ((uint64_t *)to)[i] = v;
    }
}

/* Which typed field carries elements of a type (onnx.proto3, TensorProto). */
static uint32_t typed_field(gh_dtype type)
{
    switch (type) {
    case GH_F32:
        return TENSOR_FLOATS;
    case GH_F64:
        return TENSOR_DOUBLES;
    case GH_I64:
        return TENSOR_INT64S;
    case GH_U32:
    case GH_U64:
        return TENSOR_UINT64S;
    default:
        return TENSOR_INT32S;
    }
}

/* Appends the elements of one typed field at `*at`, at most `count` in all. */
static bool read_typed(void *to, gh_dtype type, size_t *at, size_t count, const gh_wire_field *f)
{
    if (type == GH_F32)
        return gh_wire_floats(f, to, at, count);
    if (type == GH_F64) {
        size_t n = f->type == GH_WIRE_LEN ? f->len / 8 : 1;
        if (f->type == GH_WIRE_LEN && f->len % 8 != 0)
            return false;
        if (n > count - *at)
            return false;
        memcpy((double *)to + *at, f->type == GH_WIRE_LEN ? (const void *)f->data : (const void *)&f->value,
               n * 8);
        *at += n;
        return true;
    }
    if (f->type != GH_WIRE_LEN) {
        if (*at >= count)
            return false;
        store_int(to, type, (*at)++, f->value);
        return true;
    }
    gh_wire w = gh_wire_open(f->data, f->len);
    uint64_t v;
    while (gh_wire_varint(&w, &v)) {
        if (*at >= count)
            return false;
        store_int(to, type, (*at)++, v);
    }
    return !w.bad;
}

static gh_status collect_typed(void *to, const parts *p, size_t count, const uint8_t *data, size_t len,
                               gh_err *e)
{
    gh_wire w = gh_wire_open(data, len);
    gh_wire_field f;
    size_t at = 0;
    while (gh_wire_next(&w, &f))
        if (f.number == typed_field(p->type) && !read_typed(to, p->type, &at, count, &f))
            return broken(e, p, "has more elements than its dimensions say, or malformed ones");
    if (at != count)
        return broken(e, p, "has fewer elements than its dimensions say");
    return GH_OK;
}

static gh_status take_raw(gh_tensor *out, gh_graph *g, const parts *p, size_t count, gh_err *e)
{
    size_t size = gh_dtype_size(p->type);
    if (p->raw.len != count * size)
        return broken(e, p, "has a length that differs from its dimensions");
    out->data = (void *)(uintptr_t)p->raw.data;
    if (p->type == GH_F16) {
        float *wide = gh_arena_array(g->arena, count ? count : 1, sizeof *wide);
        if (!wide)
            return gh_fail(e, GH_NOMEM, "no memory for the model's weights");
        for (size_t i = 0; i < count; i++)
            wide[i] = gh_half_to_float((uint16_t)(p->raw.data[2 * i] | p->raw.data[2 * i + 1] << 8));
        out->data = wide;
    } else if (!gh_tensor_aligned(out) && p->raw.len <= COPY_BYTES) {
        out->data = gh_arena_alloc(g->arena, p->raw.len + 1);
        if (!out->data)
            return gh_fail(e, GH_NOMEM, "no memory for the model's weights");
        memcpy(out->data, p->raw.data, p->raw.len);
    }
    return GH_OK;
}

gh_status gh_onnx_read_tensor(gh_onnx_tensor *out, gh_graph *g, const uint8_t *data, size_t len, gh_err *e)
{
    parts p = {.type = GH_UNKNOWN};
    size_t count;
    GH_TRY(scan(&p, data, len, e));
    if (p.external)
        return broken(e, &p,
                      "keeps its elements in another file, which gharial does not read: save the model as "
                      "one file");
    if (p.type == GH_STRING || !gh_dtype_size(p.type)) {
        char why[80];
        snprintf(why, sizeof why, "holds %s, which gharial does not read", gh_dtype_name(p.type));
        return broken(e, &p, why);
    }
    bool absurd = !gh_shape_count(&count, &p.shape) || count > GH_MAX_ELEMENTS;
    for (int i = 0; i < p.shape.rank; i++) /* beside a side of 0, too */
        absurd |= p.shape.dims[i] > INT32_MAX;
    if (absurd)
        return broken(e, &p, "has absurd dimensions");
    gh_tensor t = {.type = p.type == GH_F16 ? GH_F32 : p.type, .shape = p.shape};
    if (p.has_raw) {
        GH_TRY(take_raw(&t, g, &p, count, e));
    } else {
        /* every element takes at least a byte on the wire: a lying count cannot make us allocate */
        if (count > len)
            return broken(e, &p, "has fewer elements than its dimensions say");
        t.data = gh_arena_array(g->arena, count ? count : 1, gh_dtype_size(t.type));
        if (!t.data)
            return gh_fail(e, GH_NOMEM, "no memory for the model's weights");
        GH_TRY(collect_typed(t.data, &p, count, data, len, e));
    }
    *out = (gh_onnx_tensor){.name = (const char *)p.name.data,
                            .name_len = p.name.len,
                            .tensor = t,
                            .own = !p.has_raw || t.data != p.raw.data};
    return GH_OK;
}
