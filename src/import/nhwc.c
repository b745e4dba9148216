/* The builder itself: values and their two orders, constants, inputs and outputs. */
#include "import/nhwc.h"

#include "import/nhwc_parts.h"

#include "engine/cut.h"

#include <stdio.h>
#include <string.h>

/* Records and names; elements live with the graph. */
#define ARENA_LIMIT ((size_t)512 << 20)
/* What may be computed while building: folding of shapes and of a file's constants. */
#define FOLD_ELEMENTS 0x1p27
#define FOLD_WORK     0x1p30

gh_status gh_nhwc_open(gh_nhwc *out, gh_graph *g, gh_err *e)
{
    gh_arena *arena = gh_arena_new(ARENA_LIMIT);
    if (!arena)
        return gh_fail(e, GH_NOMEM, "no memory to build a network");
    GH_ASSERT(g->nopsets == 1);
    g->opsets[0].version = 14; /* the first with HardSwish */
    *out = (gh_nhwc){.graph = g, .arena = arena, .name = "", .budget = {FOLD_ELEMENTS, FOLD_WORK}, .e = e};
    return GH_OK;
}

void gh_nhwc_close(gh_nhwc *b)
{
    gh_arena_free(&b->arena);
}

gh_status gh_nhwc_finish(gh_nhwc *b)
{
    gh_graph *g = b->graph;
    if (b->failed)
        return b->failed;
    GH_TRY(gh_graph_check(g, b->e));
    GH_TRY(gh_graph_sort(g, b->e));
    GH_TRY(gh_pass_dead(g, b->e));
    GH_TRY(gh_nhwc_fuse(g, b->e));
    GH_TRY(gh_pass_dead(g, b->e));
    GH_TRY(gh_graph_unique_names(g, b->e));
    for (uint32_t i = 0; i < g->nnodes; i++) /* one operator may have become several nodes */
        g->nodes[i].name = g->values[g->nodes[i].outputs[0]].name;
    return GH_OK;
}

const gh_nhwc_value *gh_nhwc_fail(gh_nhwc *b, gh_status status, const char *fmt, ...)
{
    char why[320];
    va_list args;
    if (b->failed)
        return NULL;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    b->failed = gh_fail(b->e, status, "operator \"%.120s\": %s", b->name, why);
    return NULL;
}

bool gh_nhwc_ready(const gh_nhwc *b, const gh_nhwc_value *x)
{
    return !b->failed && x;
}

bool gh_nhwc_is_image(const gh_nhwc_value *v)
{
    return v->image != GH_NONE && v->plain == GH_NONE;
}

int gh_nhwc_image_axis(int axis)
{
    static const int places[] = {0, 2, 3, 1};
    GH_ASSERT(axis >= 0 && axis < 4);
    return places[axis];
}

gh_shape gh_nhwc_image_shape(const gh_shape *nhwc)
{
    const int64_t *d = nhwc->dims;
    GH_ASSERT(nhwc->rank == 4);
    return gh_shape_of(4, (int64_t[]){d[0], d[3], d[1], d[2]});
}

gh_nhwc_value *gh_nhwc_record(gh_nhwc *b, const gh_nhwc_value *like)
{
    gh_nhwc_value *v = b->failed ? NULL : gh_arena_alloc(b->arena, sizeof *v);
    if (!v) {
        gh_nhwc_fail(b, GH_NOMEM, "no memory for its result");
        return NULL;
    }
    *v = *like;
    return v;
}

const char *gh_nhwc_named(gh_nhwc *b, const char *suffix)
{
    size_t size = strlen(b->name) + strlen(suffix) + 2;
    char *text = gh_arena_alloc(b->arena, size);
    if (!text) {
        gh_nhwc_fail(b, GH_NOMEM, "no memory for names");
        return "";
    }
    snprintf(text, size, "%s/%s", b->name, suffix);
    return text;
}

void gh_nhwc_permute(float *dst, const float *src, const gh_shape *shape, const int *perm)
{
    int rank = shape->rank;
    size_t steps[GH_MAX_RANK] = {0}, index[GH_MAX_RANK] = {0}, count = 1, from = 0;
    for (int i = 0; i < rank; i++) {
        steps[i] = gh_shape_span(shape, perm[i] + 1, rank);
        count *= (size_t)shape->dims[i];
    }
    for (size_t at = 0; at < count; at++) {
        dst[at] = src[from];
        for (int d = rank - 1; d >= 0; d--) {
            from += steps[d];
            if (++index[d] < (size_t)shape->dims[perm[d]])
                break;
            from -= steps[d] * index[d];
            index[d] = 0;
        }
    }
}

/* ---- the two orders ---- */

bool gh_nhwc_same_order(const gh_shape *s)
{
    return s->dims[3] == 1 || (s->dims[1] == 1 && s->dims[2] == 1);
}

static uint32_t emit_const(gh_nhwc *b, const gh_nhwc_value *v, bool image)
{
    gh_graph *g = b->graph;
    const char *name = gh_nhwc_named(b, "const");
    if (!image || gh_nhwc_same_order(&v->shape)) {
        gh_shape shape = image ? gh_nhwc_image_shape(&v->shape) : v->shape;
        return gh_graph_const(g, name, v->type, shape, v->data, false);
    }
    float *data = NULL;
    uint32_t value = gh_graph_const_f32(g, name, gh_nhwc_image_shape(&v->shape), &data);
    if (data)
        gh_nhwc_permute(data, v->data, &v->shape, (int[]){0, 3, 1, 2});
    return value;
}

/* The other order of a value that the graph has in one. */
static uint32_t turn(gh_nhwc *b, const gh_nhwc_value *v, bool image)
{
    gh_graph *g = b->graph;
    const char *name = gh_nhwc_named(b, image ? "nchw" : "nhwc");
    uint32_t from = image ? v->plain : v->image, out;
    gh_shape to = image ? gh_nhwc_image_shape(&v->shape) : v->shape;
    if (gh_nhwc_same_order(&v->shape)) {
        to.dims[0] = to.dims[0] < 0 ? 0 : to.dims[0]; /* 0: as in the input */
        uint32_t dims = gh_nhwc_emit_ints(b, "shape", to.dims, 4);
        out = gh_graph_op(g, "Reshape", name, (uint32_t[]){from, dims}, 2);
    } else {
        const int64_t perms[2][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}};
        out = gh_graph_op(g, "Transpose", name, &from, 1);
        gh_graph_set_ints(g, out, "perm", perms[image], 4);
    }
    if (out != GH_NONE) {
        g->values[out].type = v->type;
        g->values[out].shape = image ? gh_nhwc_image_shape(&v->shape) : v->shape;
    }
    return out;
}

uint32_t gh_nhwc_stored(gh_nhwc *b, const gh_nhwc_value *v, bool image)
{
    /* Records are constant for their readers; where the graph has them is noted as it is found out. */
    gh_nhwc_value *now = (gh_nhwc_value *)(uintptr_t)v;
    uint32_t *place = image ? &now->image : &now->plain;
    if (b->failed)
        return GH_NONE;
    if (image && (v->shape.rank != 4 || (v->data && v->type != GH_F32))) {
        char text[96];
        gh_nhwc_fail(b, GH_UNSUPPORTED, "a picture (float32, 4 dimensions) is needed, not %s %s",
                     gh_dtype_name(v->type), gh_shape_text(&v->shape, text, sizeof text));
        return GH_NONE;
    }
    if (*place == GH_NONE)
        *place = v->data ? emit_const(b, v, image) : turn(b, v, image);
    return *place;
}

uint32_t gh_nhwc_plain(gh_nhwc *b, const gh_nhwc_value *v)
{
    return gh_nhwc_stored(b, v, false);
}

uint32_t gh_nhwc_image(gh_nhwc *b, const gh_nhwc_value *v)
{
    return gh_nhwc_stored(b, v, true);
}

/* ---- constants, inputs, outputs ---- */

static bool int_of(int64_t *out, gh_dtype type, const void *data, size_t i)
{
    const uint8_t *at = (const uint8_t *)data + i * gh_dtype_size(type);
    int32_t narrow;
    switch (type) {
    case GH_I64:
        memcpy(out, at, sizeof *out);
        return true;
    case GH_I32:
        memcpy(&narrow, at, sizeof narrow);
        *out = narrow;
        return true;
    case GH_U8:
    case GH_BOOL:
        *out = *at;
        return true;
    default:
        return false;
    }
}

static const gh_nhwc_value *const_ints(gh_nhwc *b, gh_dtype type, gh_shape shape, const void *data,
                                       size_t count)
{
    int64_t *ints = gh_arena_array(b->graph->arena, count ? count : 1, sizeof *ints);
    if (!ints)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory for a constant");
    for (size_t i = 0; i < count; i++)
        if (!int_of(&ints[i], type, data, i))
            return gh_nhwc_fail(b, GH_UNSUPPORTED, "a constant of type %s", gh_dtype_name(type));
    return gh_nhwc_record(b, &(gh_nhwc_value){shape, GH_I64, ints, GH_NONE, GH_NONE, .inner = NULL});
}

const gh_nhwc_value *gh_nhwc_const(gh_nhwc *b, gh_dtype type, gh_shape shape, const void *data, bool copy)
{
    size_t count;
    gh_tensor t = {type, shape, (void *)(uintptr_t)data};
    if (b->failed)
        return NULL;
    if (!gh_shape_count(&count, &shape) || count > GH_MAX_ELEMENTS)
        return gh_nhwc_fail(b, GH_LIMIT, "a constant has more elements than gharial accepts");
    if (type != GH_F32)
        return const_ints(b, type, shape, data, count);
    if (copy || !gh_tensor_aligned(&t)) {
        t.data = gh_arena_array(b->graph->arena, count ? count : 1, sizeof(float));
        if (!t.data)
            return gh_nhwc_fail(b, GH_NOMEM, "no memory for a constant");
        if (count)
            memcpy(t.data, data, count * sizeof(float));
    }
    return gh_nhwc_record(b, &(gh_nhwc_value){shape, GH_F32, t.data, GH_NONE, GH_NONE, .inner = NULL});
}

const gh_nhwc_value *gh_nhwc_ints(gh_nhwc *b, const int64_t *ints, size_t count)
{
    return gh_nhwc_const(b, GH_I64, gh_shape_of(1, (int64_t[]){(int64_t)count}), ints, true);
}

bool gh_nhwc_get_ints(gh_nhwc *b, const gh_nhwc_value *v, int64_t *out, size_t *count, size_t max)
{
    if (!gh_nhwc_ready(b, v))
        return false;
    if (!v->data || v->type != GH_I64) {
        gh_nhwc_fail(b, GH_UNSUPPORTED, "integers that it needs are not known before a run");
        return false;
    }
    if (!gh_shape_count(count, &v->shape) || *count > max) {
        gh_nhwc_fail(b, GH_FORMAT, "%zu integers came where at most %zu may", *count, max);
        return false;
    }
    if (*count)
        memcpy(out, v->data, *count * sizeof *out);
    return true;
}

bool gh_nhwc_axis(gh_nhwc *b, int *out, int64_t axis, int rank)
{
    int64_t a = axis < 0 ? axis + rank : axis;
    if (a < 0 || a >= rank) {
        gh_nhwc_fail(b, GH_FORMAT, "axis %lld is outside of %d dimensions", (long long)axis, rank);
        return false;
    }
    *out = (int)a;
    return true;
}

static bool colours(int64_t dim)
{
    return dim == 1 || dim == 3 || dim == 4;
}

const gh_nhwc_value *gh_nhwc_input(gh_nhwc *b, const char *name, gh_dtype type, gh_shape shape)
{
    bool image = shape.rank == 4 && (colours(shape.dims[3]) || !colours(shape.dims[1]));
    if (b->failed)
        return NULL;
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] < (i ? 1 : -1))
            return gh_nhwc_fail(b, GH_UNSUPPORTED, "dimension %d of the input \"%.80s\" is not fixed", i,
                                name);
    gh_shape one = shape; /* of the batch */
    size_t count;
    if (one.rank > 0 && one.dims[0] < 0)
        one.dims[0] = 1;
    if (!gh_shape_count(&count, &one) || count > GH_MAX_ELEMENTS)
        return gh_nhwc_fail(b, GH_LIMIT, "the input \"%.80s\" has more elements than gharial accepts", name);
    uint32_t value = gh_graph_input(b->graph, name, type, image ? gh_nhwc_image_shape(&shape) : shape);
    return gh_nhwc_record(b, &(gh_nhwc_value){shape, type, NULL, image ? GH_NONE : value,
                                              image ? value : GH_NONE, .inner = NULL});
}

/* Renames the value where it is free to be renamed, else puts an Identity behind it. */
void gh_nhwc_output(gh_nhwc *b, const gh_nhwc_value *v, const char *name)
{
    gh_graph *g = b->graph;
    if (!gh_nhwc_ready(b, v))
        return;
    uint32_t value = gh_nhwc_stored(b, v, v->image != GH_NONE), from = value;
    bool taken = value != GH_NONE && (g->values[value].producer == GH_NONE);
    for (uint32_t i = 0; i < g->noutputs; i++)
        taken |= g->outputs[i] == value;
    if (value == GH_NONE)
        return;
    char *copy = gh_arena_string(g->arena, name, strlen(name));
    if (!copy) {
        gh_nhwc_fail(b, GH_NOMEM, "no memory for names");
        return;
    }
    if (taken) {
        value = gh_graph_op(g, "Identity", name, &from, 1);
        if (value == GH_NONE)
            return;
        g->values[value].type = g->values[from].type;
        g->values[value].shape = g->values[from].shape;
    }
    g->values[value].name = copy;
    gh_graph_output(g, value);
}
