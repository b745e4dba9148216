/* Quantised operators of com.microsoft, which ONNX Runtime's tools write beside QLinearConv: each is its
 * float32 operator on (q - zero) * scale, and its result is quantised again. */
#include "engine/ops.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/quant.h"

#include <math.h>
#include <string.h>

/* A tensor of bytes at input `i`, its scale and zero point behind it. */
static gh_status need_triple(const gh_io *io, uint32_t i)
{
    GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
    if (!gh_is_byte(io->in[i].type))
        return gh_io_fail(io, GH_UNSUPPORTED, "input %u is %s; gharial runs it on uint8 and int8", i,
                          gh_dtype_name(io->in[i].type));
    GH_TRY(gh_io_need(io, i + 1, GH_F32, -1));
    GH_TRY(gh_quant_param(io, i + 1, GH_F32, 1));
    return gh_quant_param(io, i + 2, io->in[i].type, 1);
}

/* Scale and zero point of the output at inputs i and i + 1. */
static gh_status need_output(const gh_io *io, uint32_t i, gh_dtype type)
{
    GH_TRY(gh_io_need(io, i, GH_F32, -1));
    GH_TRY(gh_quant_param(io, i, GH_F32, 1));
    return gh_quant_param(io, i + 1, type, 1);
}

static float real_at(const gh_exec *x, uint32_t input, size_t i)
{
    return (float)(gh_byte_at(&x->in[input], i) - gh_quant_zero(x, input + 2, 0)) *
           gh_quant_scale(x, input + 1, 0);
}

/* ---- two operands ---- */

static gh_status binary_infer(gh_io *io)
{
    GH_TRY(need_triple(io, 0));
    GH_TRY(need_triple(io, 3));
    GH_TRY(need_output(io, 6, io->in[0].type));
    io->out[0].type = io->in[0].type;
    return gh_io_broadcast(io, &io->out[0].shape, &io->in[0].shape, &io->in[3].shape);
}

/* A sum is rounded with the zero point in it, in ONNX Runtime's order, so that halves fall to the same side.
 */
static gh_status binary_run(gh_exec *x)
{
    bool adds = strcmp(x->node->type, "QLinearAdd") == 0;
    float a_scale = gh_quant_scale(x, 1, 0), b_scale = gh_quant_scale(x, 4, 0),
          scale = gh_quant_scale(x, 6, 0);
    int a_zero = gh_quant_zero(x, 2, 0), b_zero = gh_quant_zero(x, 5, 0), zero = gh_quant_zero(x, 7, 0);
    float ra = a_scale / scale, rb = b_scale / scale, product = a_scale * b_scale / scale;
    float fixed = (float)zero - (ra * (float)a_zero + rb * (float)b_zero);
    size_t at = 0;
    gh_walk w;
    gh_walk_start(&w, &x->out[0].shape, (const gh_shape *[]){&x->in[0].shape, &x->in[3].shape}, 2);
    for (size_t r = 0; r < w.rows; r++, gh_walk_next(&w))
        for (size_t i = 0; i < w.row; i++, at++) {
            int a = gh_byte_at(&x->in[0], w.at[0] + i * w.row_step[0]);
            int b = gh_byte_at(&x->in[3], w.at[1] + i * w.row_step[1]);
            if (adds)
                gh_quant_store(&x->out[0], at, fixed + ra * (float)a + rb * (float)b, 0);
            else
                gh_quant_store(&x->out[0], at, (float)((a - a_zero) * (b - b_zero)) * product, zero);
        }
    return GH_OK;
}

/* ---- one operand: a table of what each byte becomes ---- */

static gh_status unary_infer(gh_io *io)
{
    GH_TRY(need_triple(io, 0));
    GH_TRY(need_output(io, 3, io->in[0].type));
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status unary_run(gh_exec *x)
{
    uint8_t bytes[256], results[256];
    bool leaky = strcmp(x->node->type, "QLinearLeakyRelu") == 0;
    float alpha = gh_node_float(x->node, "alpha", 0.01f), scale = gh_quant_scale(x, 3, 0);
    gh_tensor all = {.type = x->in[0].type, .data = bytes}, table = {.type = x->in[0].type, .data = results};
    gh_exec one = *x;
    gh_tensor in[5];
    for (uint32_t i = 0; i < x->nin && i < GH_COUNT(in); i++)
        in[i] = i ? x->in[i] : all;
    one.in = in;
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
        float v = real_at(&one, 0, i);
        v = leaky ? (v < 0 ? alpha * v : v) : 1 / (1 + expf(-v));
        gh_quant_store(&table, i, v / scale, gh_quant_zero(x, 4, 0));
    }
    size_t count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank);
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)x->out[0].data)[i] = results[((const uint8_t *)x->in[0].data)[i]];
    return GH_OK;
}

/* ---- the mean over all places ---- */

static gh_status mean_infer(gh_io *io)
{
    GH_TRY(unary_infer(io));
    if (io->in[0].shape.rank < 3 || gh_node_int(io->node, "channels_last", 0) != 0)
        return gh_io_fail(io, GH_UNSUPPORTED, "it is run on batch x channels x places only");
    for (int d = 2; d < io->out[0].shape.rank; d++)
        io->out[0].shape.dims[d] = 1;
    return GH_OK;
}

static gh_status mean_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t planes = gh_shape_span(s, 0, 2), size = gh_shape_span(s, 2, s->rank);
    float scale = gh_quant_scale(x, 1, 0) / (gh_quant_scale(x, 3, 0) * (float)size);
    for (size_t p = 0; p < planes; p++) {
        int64_t sum = -(int64_t)size * gh_quant_zero(x, 2, 0);
        for (size_t i = 0; i < size; i++)
            sum += gh_byte_at(&x->in[0], p * size + i);
        gh_quant_store(&x->out[0], p, (float)sum * scale, gh_quant_zero(x, 4, 0));
    }
    return GH_OK;
}

/* ---- Concat: the output's scale and zero point come first ---- */

static gh_status concat_infer(gh_io *io)
{
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_quant_param(io, 0, GH_F32, 1));
    if ((io->nin - 2) % 3)
        return gh_io_fail(io, GH_FORMAT, "each of its tensors needs a scale and a zero point");
    for (uint32_t i = 2; i < io->nin; i += 3) {
        GH_TRY(need_triple(io, i));
        const gh_shape *first = &io->in[2].shape, *s = &io->in[i].shape;
        GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 0), first->rank));
        bool fits = s->rank == first->rank && io->in[i].type == io->in[2].type;
        for (int d = 0; fits && d < s->rank; d++)
            fits = d == axis || s->dims[d] == first->dims[d];
        if (!fits)
            return gh_io_fail(io, GH_FORMAT, "input %u does not fit input 2", i);
        if (i == 2)
            io->out[0] = (gh_tensor){.type = io->in[2].type, .shape = *first};
        else
            io->out[0].shape.dims[axis] += s->dims[axis];
    }
    return gh_quant_param(io, 1, io->in[2].type, 1);
}

static gh_status concat_run(gh_exec *x)
{
    const gh_shape *out = &x->out[0].shape;
    int64_t axis = gh_node_int(x->node, "axis", 0);
    int a = (int)(axis < 0 ? axis + out->rank : axis);
    size_t outer = gh_shape_span(out, 0, a), whole = gh_shape_span(out, a, out->rank), before = 0;
    for (uint32_t i = 2; i < x->nin; i += 3) {
        size_t own = gh_shape_span(&x->in[i].shape, a, out->rank);
        for (size_t k = 0; k < outer * own; k++)
            gh_quant_store(&x->out[0], k / own * whole + before + k % own,
                           real_at(x, i, k) / gh_quant_scale(x, 0, 0), gh_quant_zero(x, 1, 0));
        before += own;
    }
    return GH_OK;
}

/* ---- QGemm: a product with a bias of 32 bits ---- */

typedef struct gemm {
    bool trans_a, trans_b;
    size_t m, n, k;
} gemm;

static gh_status gemm_of(const gh_io *io, gemm *g)
{
    const gh_shape *a = &io->in[0].shape, *b = &io->in[3].shape;
    g->trans_a = gh_node_int(io->node, "transA", 0) != 0;
    g->trans_b = gh_node_int(io->node, "transB", 0) != 0;
    if (a->rank != 2 || b->rank != 2 || a->dims[!g->trans_a] != b->dims[g->trans_b])
        return gh_io_fail(io, GH_FORMAT, "the matrices do not fit");
    g->m = (size_t)a->dims[g->trans_a];
    g->k = (size_t)a->dims[!g->trans_a];
    g->n = (size_t)b->dims[!g->trans_b];
    return GH_OK;
}

static gh_status gemm_infer(gh_io *io)
{
    gemm g;
    GH_TRY(need_triple(io, 0));
    GH_TRY(gh_io_need(io, 3, GH_UNKNOWN, 2));
    GH_TRY(gemm_of(io, &g));
    GH_TRY(gh_io_need(io, 4, GH_F32, -1));
    GH_TRY(gh_quant_param(io, 4, GH_F32, (int64_t)g.n));
    GH_TRY(gh_quant_param(io, 5, io->in[3].type, (int64_t)g.n));
    if (!gh_is_byte(io->in[3].type))
        return gh_io_fail(io, GH_UNSUPPORTED, "input 3 is %s; gharial runs it on uint8 and int8",
                          gh_dtype_name(io->in[3].type));
    if (gh_has(io, 6)) {
        GH_TRY(gh_io_need(io, 6, GH_I32, -1));
        GH_TRY(gh_quant_param(io, 6, GH_I32, (int64_t)g.n));
    }
    if (gh_has(io, 7))
        GH_TRY(need_output(io, 7, io->in[0].type));
    io->out[0].type = gh_has(io, 7) ? io->in[0].type : GH_F32;
    io->out[0].shape = (gh_shape){.rank = 2, .dims = {(int64_t)g.m, (int64_t)g.n}};
    return GH_OK;
}

static gh_status gemm_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    gemm g;
    GH_TRY(gemm_of(&io, &g));
    float alpha = gh_node_float(x->node, "alpha", 1) * gh_quant_scale(x, 1, 0);
    int a_zero = gh_quant_zero(x, 2, 0);
    for (size_t at = 0; at < g.m * g.n; at++) {
        size_t i = at / g.n, j = at % g.n;
        int b_zero = gh_quant_zero(x, 5, j);
        int64_t sum = gh_quant_zero(x, 6, j);
        for (size_t k = 0; k < g.k; k++)
            sum += (int64_t)(gh_byte_at(&x->in[0], g.trans_a ? k * g.m + i : i * g.k + k) - a_zero) *
                   (gh_byte_at(&x->in[3], g.trans_b ? j * g.k + k : k * g.n + j) - b_zero);
        float v = (float)sum * (alpha * gh_quant_scale(x, 4, j));
        if (x->out[0].type == GH_F32)
            ((float *)x->out[0].data)[at] = v;
        else
            gh_quant_store(&x->out[0], at, v / gh_quant_scale(x, 7, 0), gh_quant_zero(x, 8, 0));
    }
    return GH_OK;
}

#define ROW(type, least, most, infer, run)                                                                   \
    {                                                                                                        \
        type, "com.microsoft", 1, 1, 0, least, most, 1, infer, run, NULL, NULL                               \
    }

const gh_op gh_ops_quant_math[] = {
    ROW("QLinearAdd", 7, 8, binary_infer, binary_run),
    ROW("QLinearMul", 7, 8, binary_infer, binary_run),
    ROW("QLinearLeakyRelu", 4, 5, unary_infer, unary_run),
    ROW("QLinearSigmoid", 4, 5, unary_infer, unary_run),
    ROW("QLinearGlobalAveragePool", 5, 5, mean_infer, mean_run),
    ROW("QLinearConcat", 5, UINT32_MAX, concat_infer, concat_run),
    ROW("QGemm", 6, 9, gemm_infer, gemm_run),
};
const size_t gh_ops_quant_math_count = GH_COUNT(gh_ops_quant_math);
