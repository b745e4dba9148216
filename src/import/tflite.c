/* The TFLite importer: every operator of the file goes through the table of operators into the NHWC builder.
 */
#include "import/tflite.h"

#include "base/log.h"
#include "base/mem.h"
#include "import/tflite_ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Constants may take this many floats for each byte of the file (four bits become one float; several tensors
 * may share their bytes), and so many besides. */
#define FLOATS_A_BYTE 16
#define FLOATS_FREE   (1 << 22)

const gh_tfl_row *gh_tfl_find(const gh_tfl_op *op)
{
    static const gh_tfl_row *const families[] = {gh_tfl_rows_math, gh_tfl_rows_window, gh_tfl_rows_move};
    for (size_t f = 0; f < GH_COUNT(families); f++)
        for (const gh_tfl_row *row = families[f]; row->map; row++)
            if (row->code == op->code && (!row->custom || strcmp(row->custom, op->custom) == 0))
                return row;
    return NULL;
}

/* Whether an operator of the same kind came before `at`: each kind is named once. */
static bool listed_before(const gh_tfl_model *m, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (m->ops[i].code == m->ops[at].code && strcmp(m->ops[i].custom, m->ops[at].custom) == 0)
            return true;
    return false;
}

/* Names all operators that are missing in one sentence. */
static gh_status check_ops(const gh_tfl_model *m, gh_err *e)
{
    enum { MOST = 64 }; /* bound on the kinds compared with all before them */
    char text[400] = "", name[100];
    size_t at = 0, missing = 0, kinds = 0;
    for (uint32_t i = 0; i < m->nops; i++) {
        if (gh_tfl_find(&m->ops[i]))
            continue;
        missing++;
        if (kinds >= MOST || at + 1 >= sizeof text || listed_before(m, i))
            continue;
        kinds++;
        int n = snprintf(text + at, sizeof text - at, "%s%s", at ? ", " : "",
                         gh_tfl_op_name(&m->ops[i], name, sizeof name));
        at = n < 0 || at + (size_t)n >= sizeof text ? sizeof text - 1 : at + (size_t)n;
    }
    if (!missing)
        return GH_OK;
    return gh_fail(e, GH_UNSUPPORTED, "the model has %zu operator%s that gharial does not import: %s%s",
                   missing, missing == 1 ? "" : "s", text, at + 1 >= sizeof text ? "..." : "");
}

static bool is_quantised(const gh_tfl_tensor *t)
{
    return t->scale.count == 1 &&
           (t->type == GH_TFL_INT8 || t->type == GH_TFL_UINT8 || t->type == GH_TFL_INT16);
}

/* The type that a computed tensor has in the graph, or GH_UNKNOWN. */
static gh_dtype graph_type(const gh_tfl_tensor *t)
{
    switch (t->type) {
    case GH_TFL_FLOAT32:
    case GH_TFL_FLOAT16:
        return GH_F32;
    case GH_TFL_INT32:
        return GH_I32;
    case GH_TFL_INT64:
        return GH_I64;
    default:
        return is_quantised(t) ? GH_F32 : GH_UNKNOWN;
    }
}

static void add_inputs(gh_tfl_import *im)
{
    for (uint32_t i = 0; i < im->m->ninputs; i++) {
        const gh_tfl_tensor *t = &im->m->tensors[im->m->inputs[i]];
        gh_dtype type = graph_type(t);
        im->b.name = t->name;
        if (type == GH_UNKNOWN)
            gh_nhwc_fail(&im->b, GH_UNSUPPORTED,
                         "the input is %s; gharial imports float32, float16, int32, "
                         "int64 and quantised integers",
                         gh_tfl_type_name(t->type));
        if (is_quantised(t))
            gh_log(GH_LOG_WARN,
                   "%s: quantised model, computed in float32; its input takes real numbers, (q - %lld) * %g "
                   "for an integer q",
                   t->name, t->zero.count ? (long long)gh_fb_int_at(&t->zero, 0) : 0LL,
                   (double)gh_fb_float_at(&t->scale, 0));
        im->values[im->m->inputs[i]] = gh_nhwc_input(&im->b, t->name, type, t->shape);
    }
}

static const gh_nhwc_value *add_floats(gh_tfl_import *im, const gh_tfl_tensor *t)
{
    gh_graph *g = im->b.graph;
    if (t->type == GH_TFL_FLOAT32 && !t->unpacked && (uintptr_t)t->data % _Alignof(float) == 0)
        return gh_nhwc_const(&im->b, GH_F32, t->shape, t->data, false);
    im->room -= (double)t->count;
    if (im->room < 0)
        return gh_nhwc_fail(&im->b, GH_LIMIT,
                            "its constants share their bytes, and unpacked take more memory "
                            "than a file of this size may");
    float *floats = gh_arena_array(g->arena, t->count + 1, sizeof *floats);
    if (!floats)
        return gh_nhwc_fail(&im->b, GH_NOMEM, "no memory for its constants");
    gh_status status = gh_tfl_floats(floats, t, im->b.e);
    if (status != GH_OK) {
        im->b.failed = im->b.failed ? im->b.failed : status;
        return NULL;
    }
    return gh_nhwc_const(&im->b, GH_F32, t->shape, floats, false);
}

/* Integers that are not quantised numbers: shapes, axes, indices. */
static const gh_nhwc_value *add_ints(gh_tfl_import *im, const gh_tfl_tensor *t)
{
    gh_nhwc *b = &im->b;
    uint32_t count = 0;
    int64_t *ints = gh_arena_array(b->arena, t->count + 1, sizeof *ints);
    if (!ints)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory for its constants");
    gh_status status = gh_tfl_ints(ints, &count, UINT32_MAX, t, b->e);
    if (status != GH_OK) {
        b->failed = b->failed ? b->failed : status;
        return NULL;
    }
    return gh_nhwc_const(b, GH_I64, t->shape, ints, false);
}

static const gh_nhwc_value *add_constant(gh_tfl_import *im, const gh_tfl_tensor *t)
{
    bool ints = (t->type == GH_TFL_INT32 || t->type == GH_TFL_INT64) && !t->scale.count;
    return ints ? add_ints(im, t) : add_floats(im, t);
}

bool gh_tfl_has(const gh_tfl_op *op, uint32_t i)
{
    return i < op->ninputs && op->inputs[i] != GH_TFL_ABSENT;
}

const gh_tfl_tensor *gh_tfl_tensor_of(const gh_tfl_import *im, const gh_tfl_op *op, uint32_t i)
{
    return gh_tfl_has(op, i) ? &im->m->tensors[op->inputs[i]] : NULL;
}

const gh_nhwc_value *gh_tfl_in(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i)
{
    if (!gh_tfl_has(op, i) || im->b.failed)
        return NULL;
    const gh_nhwc_value **v = &im->values[op->inputs[i]];
    if (!*v && im->m->tensors[op->inputs[i]].data)
        *v = add_constant(im, &im->m->tensors[op->inputs[i]]);
    return *v;
}

bool gh_tfl_get_ints(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i, int64_t *out, size_t *count,
                     size_t max)
{
    const gh_tfl_tensor *t = gh_tfl_tensor_of(im, op, i);
    if (im->b.failed || !t) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "input %u is missing", i);
        return false;
    }
    if (!t->data)
        return gh_nhwc_get_ints(&im->b, gh_tfl_in(im, op, i), out, count, max);
    uint32_t n = 0;
    gh_status status = gh_tfl_ints(out, &n, (uint32_t)max, t, im->b.e);
    *count = n;
    if (status != GH_OK)
        im->b.failed = status;
    return status == GH_OK;
}

void gh_tfl_set(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i, const gh_nhwc_value *v)
{
    if (i < op->noutputs)
        im->values[op->outputs[i]] = v;
}

const gh_nhwc_value *gh_tfl_scalar(gh_tfl_import *im, float f)
{
    return gh_nhwc_const(&im->b, GH_F32, gh_shape_of(0, NULL), &f, true);
}

/* The range that a quantised output's integers can stand for, where it begins at 0: converters leave out a
 * ReLU, or a ReLU6, that saturation does anyway. */
static const gh_nhwc_value *saturate(gh_tfl_import *im, const gh_tfl_tensor *t, const gh_nhwc_value *v)
{
    if (!is_quantised(t) || t->type == GH_TFL_INT16)
        return v;
    int64_t zero = t->zero.count ? gh_fb_int_at(&t->zero, 0) : 0;
    int64_t least = t->type == GH_TFL_INT8 ? -128 : 0;
    return zero == least ? gh_nhwc_clip(&im->b, v, 0, 255.0f * gh_fb_float_at(&t->scale, 0)) : v;
}

/* ActivationFunctionType of schema.fbs. */
void gh_tfl_set_act(gh_tfl_import *im, const gh_tfl_op *op, const gh_nhwc_value *v, unsigned field)
{
    enum { NONE, RELU, RELU_N1_TO_1, RELU6, TANH };
    int64_t kind = gh_fb_int(&op->options, field, 1, NONE);
    if (kind == RELU)
        v = gh_nhwc_clip(&im->b, v, 0, INFINITY);
    else if (kind == RELU_N1_TO_1)
        v = gh_nhwc_clip(&im->b, v, -1, 1);
    else if (kind == RELU6)
        v = gh_nhwc_clip(&im->b, v, 0, 6);
    else if (kind == TANH)
        v = gh_nhwc_unary(&im->b, v, "Tanh");
    else if (kind != NONE)
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "its fused activation is of kind %lld; gharial imports 0 to 4",
                     (long long)kind);
    if (op->noutputs && kind != TANH)
        v = saturate(im, &im->m->tensors[op->outputs[0]], v);
    gh_tfl_set(im, op, 0, v);
}

static void add_op(gh_tfl_import *im, const gh_tfl_op *op)
{
    char name[100];
    const gh_tfl_row *row = gh_tfl_find(op);
    if (!op->noutputs) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "%s has no output", gh_tfl_op_name(op, name, sizeof name));
        return;
    }
    im->b.name = im->m->tensors[op->outputs[0]].name;
    bool enough = op->ninputs >= row->min && op->ninputs <= row->max;
    for (uint32_t i = 0; i < row->min && enough; i++)
        enough = gh_tfl_has(op, i);
    if (!enough)
        gh_nhwc_fail(&im->b, GH_FORMAT, "%s has %u inputs; it takes %u to %u",
                     gh_tfl_op_name(op, name, sizeof name), op->ninputs, row->min, row->max);
    else
        row->map(im, op);
}

static gh_status build(gh_tfl_import *im, gh_err *e)
{
    const gh_tfl_model *m = im->m;
    add_inputs(im);
    for (uint32_t i = 0; i < m->nops && !im->b.failed; i++) {
        add_op(im, &m->ops[i]);
        GH_TRY(gh_fb_check(&m->fb, e));
    }
    const gh_tfl_op ends = {.inputs = m->outputs, .ninputs = m->noutputs};
    for (uint32_t i = 0; i < m->noutputs && !im->b.failed; i++) {
        im->b.name = m->tensors[m->outputs[i]].name;
        gh_nhwc_output(&im->b, gh_tfl_in(im, &ends, i), im->b.name);
    }
    return gh_nhwc_finish(&im->b);
}

static gh_status import(gh_graph *g, const gh_tfl_model *m, gh_err *e)
{
    gh_tfl_import im = {.m = m, .room = (double)m->fb.size * FLOATS_A_BYTE + FLOATS_FREE};
    GH_TRY(gh_nhwc_open(&im.b, g, e));
    im.values = gh_calloc((size_t)m->ntensors + 1, sizeof *im.values);
    gh_status status =
        im.values ? build(&im, e) : gh_fail(e, GH_NOMEM, "no memory for the importer's values");
    gh_free(im.values);
    gh_nhwc_close(&im.b);
    return status;
}

gh_status gh_tflite_read_bytes(gh_graph **out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_tfl_model *m = NULL;
    gh_graph *g = NULL;
    gh_status status = gh_tfl_open(&m, data, len, e);
    if (status == GH_OK)
        status = check_ops(m, e);
    if (status == GH_OK)
        status = gh_graph_new(&g, e);
    if (status == GH_OK)
        status = import(g, m, e);
    gh_tfl_free(&m);
    if (status == GH_OK)
        *out = g;
    else
        gh_graph_free(&g);
    return status;
}

gh_status gh_tflite_read(gh_graph **out, const char *path, gh_err *e)
{
    gh_map map = {0};
    GH_TRY(gh_map_open(&map, path, GH_FB_MAX_BYTES, e));
    gh_status status = gh_tflite_read_bytes(out, map.data, map.size, e);
    if (status != GH_OK) {
        gh_map_close(&map);
        return gh_err_prefix(e, status, "%s", path);
    }
    (*out)->map = map;
    return GH_OK;
}
