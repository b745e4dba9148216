/* Reads an AttributeProto: one number, text or tensor, or a list. */
#include "base/mem.h"
#include "engine/onnx_proto.h"

#include <string.h>

typedef struct reader {
    gh_graph *g;
    gh_err *e;
} reader;

static gh_status cut_off(reader *r)
{
    return gh_fail(r->e, GH_FORMAT, "the ONNX file is cut off or malformed in an attribute");
}

static gh_status no_memory(reader *r)
{
    return gh_fail(r->e, GH_NOMEM, "no memory for the model's attributes");
}

/* A terminated copy in the graph's arena. */
static gh_status text(reader *r, const char **out, const gh_wire_field *f)
{
    if (f->type != GH_WIRE_LEN)
        return cut_off(r);
    *out = gh_arena_string(r->g->arena, (const char *)f->data, f->len);
    return *out ? GH_OK : no_memory(r);
}

/* Collects a list; the field's length bounds the number of its elements. */
static gh_status read_list(reader *r, gh_attr *a, gh_wire w, uint32_t number)
{
    size_t most = (size_t)(w.end - w.at); /* an element takes at least one byte */
    int64_t *ints = NULL;
    float *floats = NULL;
    const char **strings = NULL;
    gh_wire_field f;
    a->count = 0;
    if (number == ATTR_INTS)
        a->ints = ints = gh_arena_array(r->g->arena, most + 1, sizeof *ints);
    else if (number == ATTR_FLOATS)
        a->floats = floats = gh_arena_array(r->g->arena, most / 4 + 1, sizeof *floats);
    else
        a->strings = strings = gh_arena_array(r->g->arena, most / 2 + 1, sizeof *strings);
    if (!ints && !floats && !strings)
        return no_memory(r);
    while (gh_wire_next(&w, &f)) {
        if (f.number != number)
            continue;
        bool ok = true;
        if (ints)
            ok = gh_wire_int64s(&f, ints, &a->count, most);
        else if (floats)
            ok = gh_wire_floats(&f, floats, &a->count, most / 4);
        else
            GH_TRY(text(r, &strings[a->count++], &f));
        if (!ok)
            return cut_off(r);
    }
    return GH_OK;
}

/* What an attribute holds, by its type. */
static gh_attr_type type_of_field(uint32_t number)
{
    switch (number) {
    case ATTR_F:
        return GH_ATTR_FLOAT;
    case ATTR_I:
        return GH_ATTR_INT;
    case ATTR_S:
        return GH_ATTR_STRING;
    case ATTR_T:
        return GH_ATTR_TENSOR;
    case ATTR_FLOATS:
        return GH_ATTR_FLOATS;
    case ATTR_INTS:
        return GH_ATTR_INTS;
    case ATTR_STRINGS:
        return GH_ATTR_STRINGS;
    default:
        return 0;
    }
}

static gh_status read_field(reader *r, gh_attr *a, const gh_wire_field *f)
{
    gh_onnx_tensor t;
    switch (f->number) {
    case ATTR_NAME:
        return text(r, &a->name, f);
    case ATTR_I:
        a->i = (int64_t)f->value;
        return GH_OK;
    case ATTR_F:
        a->f = gh_wire_float(f);
        return GH_OK;
    case ATTR_S:
        a->count = f->len;
        return text(r, &a->s, f);
    case ATTR_T:
        if (f->type != GH_WIRE_LEN)
            return cut_off(r);
        GH_TRY(gh_onnx_read_tensor(&t, r->g, f->data, f->len, r->e));
        a->tensor = t.tensor;
    }
    return GH_OK;
}

/* The type that the attribute says it has must be that of the values it holds. proto3 leaves zeros and empty
 * lists out, and files of IR version 1 and 2 the type. */
static gh_status check_type(reader *r, gh_attr *a, gh_attr_type held, bool mixed)
{
    a->type = a->type ? a->type : held;
    if (mixed || (held && held != a->type) || (a->type == GH_ATTR_TENSOR && held != GH_ATTR_TENSOR))
        return gh_fail(r->e, GH_FORMAT, "attribute \"%s\" holds other values than its type says", a->name);
    if (a->type == GH_ATTR_STRING && !a->s)
        a->s = "";
    return GH_OK;
}

gh_status gh_onnx_read_attr(gh_attr *out, gh_graph *g, const uint8_t *data, size_t len, gh_err *e)
{
    reader r = {g, e};
    gh_wire w = gh_wire_open(data, len);
    gh_wire_field f;
    gh_attr a = {.name = "", .tensor.shape.rank = -1};
    gh_attr_type held = 0;
    uint32_t list = 0;
    bool mixed = false;
    while (gh_wire_next(&w, &f)) {
        gh_attr_type type = type_of_field(f.number);
        mixed |= type && held && type != held;
        held = type ? type : held;
        if (f.number == ATTR_TYPE)
            a.type = (gh_attr_type)(f.value & 63);
        else if (f.number == ATTR_FLOATS || f.number == ATTR_INTS || f.number == ATTR_STRINGS)
            list = f.number;
        else
            GH_TRY(read_field(&r, &a, &f));
    }
    if (w.bad)
        return cut_off(&r);
    GH_TRY(check_type(&r, &a, held, mixed));
    if (list)
        GH_TRY(read_list(&r, &a, gh_wire_open(data, len), list));
    *out = a;
    return GH_OK;
}
