/* QLinearMatMul and MatMulInteger: products of matrices of bytes in 32 bits, which wrap. */
#include "engine/ops.h"
#include "engine/ops/matmul.h"
#include "engine/ops/quant.h"

#include <string.h>

/* Where the operands stand among the inputs; NONE: the node has none. */
#define NONE UINT32_MAX
typedef struct places {
    uint32_t a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero;
} places;

static const places linear = {1, 2, 3, 4, 5, 6, 7}, integer = {NONE, 2, 1, NONE, 3, NONE, NONE};

static const places *places_of(const gh_node *n)
{
    return n->type[0] == 'Q' ? &linear : &integer;
}

static gh_status infer(gh_io *io)
{
    const places *p = places_of(io->node);
    gh_matmul_shape s;
    gh_dtype out = GH_I32;
    for (uint32_t i = 0; i <= p->b; i += p->b) {
        GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
        if (!gh_is_byte(io->in[i].type))
            return gh_io_fail(io, GH_UNSUPPORTED, "input %u is %s; gharial runs it on uint8 and int8", i,
                              gh_dtype_name(io->in[i].type));
    }
    GH_TRY(gh_matmul_shape_of(io, &s, &io->in[0].shape, &io->in[p->b].shape));
    GH_TRY(gh_quant_param(io, p->a_zero, io->in[0].type, s.m));
    GH_TRY(gh_quant_param(io, p->b_zero, io->in[p->b].type, s.n));
    if (p == &linear) {
        for (uint32_t i = 0; i < 8; i++)
            GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
        GH_TRY(gh_quant_param(io, p->a_scale, GH_F32, s.m));
        GH_TRY(gh_quant_param(io, p->b_scale, GH_F32, s.n));
        GH_TRY(gh_quant_param(io, p->y_scale, GH_F32, 1));
        out = io->in[p->y_zero].type;
        if (!gh_is_byte(out))
            return gh_io_fail(io, GH_UNSUPPORTED, "the output would be %s; uint8 and int8 are known",
                              gh_dtype_name(out));
        GH_TRY(gh_quant_param(io, p->y_zero, out, 1));
    }
    io->out[0] = (gh_tensor){.type = out, .shape = s.result};
    return GH_OK;
}

typedef struct job {
    gh_exec *x;
    const places *p;
    gh_matmul_shape s;
} job;

/* Columns of one row that are summed at a time. */
#define STRIP 256

static void add_row(uint32_t *sum, const gh_tensor *b, size_t at, size_t n, int factor)
{
    if (b->type == GH_U8)
        for (size_t i = 0; i < n; i++)
            sum[i] += (uint32_t)(factor * ((const uint8_t *)b->data)[at + i]);
    else
        for (size_t i = 0; i < n; i++)
            sum[i] += (uint32_t)(factor * ((const int8_t *)b->data)[at + i]);
}

/* The sum of (a - za)(b - zb) is that of (a - za) b, less zb times that of (a - za). */
static void sum_strip(uint32_t *sum, const job *j, size_t a_at, size_t b_at, size_t row, size_t col, size_t n)
{
    const gh_tensor *a = &j->x->in[0], *b = &j->x->in[j->p->b];
    int zero = gh_quant_zero(j->x, j->p->a_zero, row);
    uint32_t total = 0;
    memset(sum, 0, n * sizeof *sum);
    for (size_t k = 0; k < (size_t)j->s.k; k++) {
        int factor = gh_byte_at(a, a_at + k) - zero;
        total += (uint32_t)factor;
        add_row(sum, b, b_at + k * (size_t)j->s.n + col, n, factor);
    }
    for (size_t i = 0; i < n; i++)
        sum[i] -= total * (uint32_t)gh_quant_zero(j->x, j->p->b_zero, col + i);
}

static void store_strip(const job *j, const uint32_t *sum, size_t at, size_t row, size_t col, size_t n)
{
    gh_exec *x = j->x;
    const places *p = j->p;
    if (p->y_scale == NONE) {
        memcpy((uint32_t *)x->out[0].data + at, sum, n * sizeof *sum);
        return;
    }
    float a_scale = gh_quant_scale(x, p->a_scale, row), y_scale = gh_quant_scale(x, p->y_scale, 0);
    int zero = gh_quant_zero(x, p->y_zero, 0);
    for (size_t i = 0; i < n; i++) {
        float scale = a_scale * gh_quant_scale(x, p->b_scale, col + i) / y_scale;
        gh_quant_store(&x->out[0], at + i, (float)(int32_t)sum[i] * scale, zero);
    }
}

/* A unit is one row of the output. */
static void rows(const void *arg, int begin, int end)
{
    const job *j = arg;
    size_t m = (size_t)j->s.m, n = (size_t)j->s.n, k = (size_t)j->s.k;
    uint32_t sum[STRIP];
    for (int u = begin; u < end; u++) {
        size_t batch = (size_t)u / m, row = (size_t)u % m;
        size_t a_at = gh_matmul_batch(&j->s.a, &j->s.out, batch) * m * k + row * k;
        size_t b_at = gh_matmul_batch(&j->s.b, &j->s.out, batch) * k * n;
        for (size_t col = 0; col < n; col += STRIP) {
            size_t width = n - col < STRIP ? n - col : STRIP;
            sum_strip(sum, j, a_at, b_at, row, col, width);
            store_strip(j, sum, (size_t)u * n + col, row, col, width);
        }
    }
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j = {.x = x, .p = places_of(x->node)};
    GH_TRY(gh_matmul_shape_of(&io, &j.s, &x->in[0].shape, &x->in[j.p->b].shape));
    gh_exec_range(x, (int)gh_shape_span(&j.s.out, 0, j.s.out.rank - 1), rows, &j);
    return GH_OK;
}

static double macs(const gh_io *io)
{
    const gh_shape *a = &io->in[0].shape;
    return (double)gh_shape_span(&io->out[0].shape, 0, io->out[0].shape.rank) * (double)a->dims[a->rank - 1];
}

const gh_op gh_ops_quant_matmul[] = {
    {"QLinearMatMul", "", 10, 0, 0, 8, 8, 1, infer, run, NULL, macs},
    {"MatMulInteger", "", 10, 0, 0, 2, 4, 1, infer, run, NULL, macs},
};
const size_t gh_ops_quant_matmul_count = GH_COUNT(gh_ops_quant_matmul);
