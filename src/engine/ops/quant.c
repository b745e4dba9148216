/* QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, with one scale for all, one along an axis, or
 * one a block of it. */
#include "engine/ops/quant.h"

#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

/* Integers that something can be quantised to. */
static bool is_quant(gh_dtype type)
{
    return type == GH_U8 || type == GH_I8 || type == GH_U16 || type == GH_I16;
}

void gh_quant_store(gh_tensor *t, size_t i, float v, int zero)
{
    static const struct {
        float least, most;
    } ranges[] = {
        [GH_U8] = {0, 255}, [GH_I8] = {-128, 127}, [GH_U16] = {0, 65535}, [GH_I16] = {-32768, 32767}};
    float r = nearbyintf(v) + (float)zero, least = ranges[t->type].least, most = ranges[t->type].most;
    gh_int_store(t, i, (int64_t)(r > most ? most : r > least ? r : least));
}

gh_status gh_quant_param(const gh_io *io, uint32_t i, gh_dtype type, int64_t count)
{
    if (!gh_has(io, i))
        return GH_OK;
    GH_TRY(gh_io_need(io, i, type, -1));
    size_t have = gh_shape_span(&io->in[i].shape, 0, io->in[i].shape.rank);
    if (have != 1 && (io->in[i].shape.rank > 2 || (int64_t)have != count))
        return gh_io_fail(io, GH_FORMAT, "input %u holds %zu values; 1 or %lld are needed", i, have,
                          (long long)count);
    return GH_OK;
}

/* Which value of a parameter belongs to `at`; false when it is left out. */
static bool param_at(const gh_exec *x, uint32_t input, size_t *at)
{
    if (input >= x->nin || x->in[input].type == GH_UNKNOWN)
        return false;
    if (gh_shape_span(&x->in[input].shape, 0, x->in[input].shape.rank) == 1)
        *at = 0;
    return true;
}

int gh_quant_zero(const gh_exec *x, uint32_t input, size_t at)
{
    return param_at(x, input, &at) ? (int)gh_int_at(&x->in[input], at) : 0;
}

float gh_quant_scale(const gh_exec *x, uint32_t input, size_t at)
{
    return param_at(x, input, &at) ? ((const float *)x->in[input].data)[at] : 1;
}

/* How scales stand to the elements of a tensor: element [o][a][i] has scale [o * blocks + a / block][i], with
 * steps of 0 where they are repeated. */
typedef struct layout {
    size_t outer, along, inner;
    size_t outer_step, block, block_step, inner_step;
} layout;

static gh_status layout_of(const gh_io *io, layout *l)
{
    const gh_shape *x = &io->in[0].shape, *s = &io->in[1].shape;
    int64_t block = gh_node_int(io->node, "block_size", 0);
    int axis;
    size_t count = gh_shape_span(s, 0, s->rank);
    *l = (layout){.outer = 1, .along = 1, .inner = gh_shape_span(x, 0, x->rank), .block = 1};
    if (block == 0 && count == 1 && s->rank <= 1)
        return GH_OK;
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 1), x->rank));
    l->outer = gh_shape_span(x, 0, axis);
    l->along = (size_t)x->dims[axis];
    l->inner = gh_shape_span(x, axis + 1, x->rank);
    l->block_step = 1;
    if (block == 0) {
        if (s->rank != 1 || s->dims[0] != x->dims[axis])
            return gh_io_fail(io, GH_FORMAT, "%zu scales do not fit an axis of %lld", count,
                              (long long)x->dims[axis]);
        return GH_OK;
    }
    gh_shape want = *x;
    want.dims[axis] = block > 0 ? x->dims[axis] / block + (x->dims[axis] % block != 0) : -1;
    if (!gh_shape_equal(s, &want))
        return gh_io_fail(io, GH_FORMAT, "the scales' shape does not fit blocks of %lld", (long long)block);
    l->block = (size_t)block;
    l->block_step = l->inner;
    l->outer_step = (size_t)want.dims[axis] * l->inner;
    l->inner_step = 1;
    return GH_OK;
}

/* Scale and zero point have one shape. */
static gh_status check_zero(const gh_io *io, gh_dtype type)
{
    if (!gh_has(io, 2))
        return GH_OK;
    GH_TRY(gh_io_need(io, 2, type, -1));
    if (gh_shape_span(&io->in[2].shape, 0, io->in[2].shape.rank) !=
        gh_shape_span(&io->in[1].shape, 0, io->in[1].shape.rank))
        return gh_io_fail(io, GH_FORMAT, "there are not as many zero points as scales");
    return GH_OK;
}

static gh_status quantize_infer(gh_io *io)
{
    layout l;
    int64_t named = gh_node_int(io->node, "output_dtype", 0);
    gh_dtype type = gh_has(io, 2) ? io->in[2].type : named > 0 && named < 64 ? (gh_dtype)named : GH_U8;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (io->in[0].type != GH_I32)
        GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, -1));
    if (!is_quant(type))
        return gh_io_fail(io, GH_UNSUPPORTED, "quantised to %s; uint8, int8, uint16 and int16 are known",
                          gh_dtype_name(type));
    GH_TRY(check_zero(io, type));
    GH_TRY(layout_of(io, &l));
    io->out[0] = (gh_tensor){.type = type, .shape = io->in[0].shape};
    return GH_OK;
}

static gh_status dequantize_infer(gh_io *io)
{
    layout l;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, -1));
    if (!is_quant(io->in[0].type) && io->in[0].type != GH_I32)
        return gh_io_fail(io, GH_UNSUPPORTED, "input 0 is %s; uint8, int8, uint16, int16 and int32 are known",
                          gh_dtype_name(io->in[0].type));
    GH_TRY(check_zero(io, io->in[0].type));
    GH_TRY(layout_of(io, &l));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

/* Elements of one unit of the parallel loop where there is but one row. */
#define UNIT 4096

typedef struct job {
    gh_exec *x;
    layout l;
    bool back;
} job;

/* Rows with one scale, of bytes: what quantised networks are made of. The inner loops have a fixed length so
 * that compilers vectorise them. */
#define STRIP 16

/* round(v / scale) for bytes, v limited to least .. most quanta first: both are whole, so the order does not
 * matter. Adding and taking off 1.5 * 2^23 rounds to the nearest whole number, halves to the even one. */
static inline float quanta(float v, float scale, float least, float most)
{
    const float magic = 12582912.0f;
    float q = v / scale;
    q = q > least ? q : least;
    q = q < most ? q : most;
    return q + magic - magic;
}

typedef struct range {
    float scale, least, most; /* quanta */
    int zero;
} range;

static range range_of(gh_dtype type, float scale, int zero)
{
    int low = type == GH_I8 ? -128 : 0;
    return (range){scale, (float)(low - zero), (float)(low + 255 - zero), zero};
}

/* The bits of a byte are the same, signed or not. */
static void bytes_of(uint8_t *dst, const float *src, size_t n, range r)
{
    size_t i = 0;
    for (; i + STRIP <= n; i += STRIP)
        for (size_t k = 0; k < STRIP; k++)
            dst[i + k] = (uint8_t)((int)quanta(src[i + k], r.scale, r.least, r.most) + r.zero);
    for (; i < n; i++)
        dst[i] = (uint8_t)((int)quanta(src[i], r.scale, r.least, r.most) + r.zero);
}

#define FROM_BYTES(type)                                                                                     \
    for (; i + STRIP <= n; i += STRIP)                                                                       \
        for (size_t k = 0; k < STRIP; k++)                                                                   \
            dst[i + k] = (float)(((const type *)src)[i + k] - zero) * scale;                                 \
    for (; i < n; i++)                                                                                       \
    dst[i] = (float)(((const type *)src)[i] - zero) * scale

static void floats_of(float *dst, const void *src, size_t n, bool is_signed, float scale, int zero)
{
    size_t i = 0;
    if (is_signed) {
        FROM_BYTES(int8_t);
    } else {
        FROM_BYTES(uint8_t);
    }
}

static void quantize_row(gh_exec *x, size_t at, size_t n, size_t scale, size_t step)
{
    const float *scales = (const float *)x->in[1].data + scale;
    if (step == 0 && x->in[0].type == GH_F32 && gh_is_byte(x->out[0].type)) {
        bytes_of((uint8_t *)x->out[0].data + at, (const float *)x->in[0].data + at, n,
                 range_of(x->out[0].type, *scales, gh_quant_zero(x, 2, scale)));
        return;
    }
    for (size_t i = 0; i < n; i++)
        gh_quant_store(&x->out[0], at + i, (float)gh_number_at(&x->in[0], at + i) / scales[i * step],
                       gh_quant_zero(x, 2, scale + i * step));
}

static void dequantize_row(gh_exec *x, size_t at, size_t n, size_t scale, size_t step)
{
    const float *scales = (const float *)x->in[1].data + scale;
    float *dst = (float *)x->out[0].data + at;
    if (step == 0 && gh_is_byte(x->in[0].type)) {
        floats_of(dst, (const uint8_t *)x->in[0].data + at, n, x->in[0].type == GH_I8, *scales,
                  gh_quant_zero(x, 2, scale));
        return;
    }
    for (size_t i = 0; i < n; i++)
        dst[i] =
            (float)(gh_int_at(&x->in[0], at + i) - gh_quant_zero(x, 2, scale + i * step)) * scales[i * step];
}

/* A unit is one row of `inner` elements, or a part of the only one. */
static void units(const void *arg, int begin, int end)
{
    const job *j = arg;
    void (*row)(gh_exec *, size_t, size_t, size_t, size_t) = j->back ? dequantize_row : quantize_row;
    if (j->l.outer * j->l.along == 1 && j->l.inner_step == 0) {
        size_t from = (size_t)begin * UNIT, to = (size_t)end * UNIT;
        row(j->x, from, (to < j->l.inner ? to : j->l.inner) - from, 0, 0);
        return;
    }
    for (int u = begin; u < end; u++) {
        size_t o = (size_t)u / j->l.along, a = (size_t)u % j->l.along;
        size_t scale = o * j->l.outer_step + a / j->l.block * j->l.block_step;
        row(j->x, (size_t)u * j->l.inner, j->l.inner, scale, j->l.inner_step);
    }
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j = {.x = x, .back = x->node->type[0] == 'D'};
    GH_TRY(layout_of(&io, &j.l));
    size_t rows = j.l.outer * j.l.along;
    gh_exec_range(x, (int)(rows == 1 && j.l.inner_step == 0 ? (j.l.inner + UNIT - 1) / UNIT : rows), units,
                  &j);
    return GH_OK;
}

/* ---- quantised and back at once: what gh_pass_quant makes of a pair of nodes ---- */

static gh_status round_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_quant_param(io, 1, GH_F32, 1));
    if (!gh_is_byte(io->in[2].type))
        GH_TRY(gh_io_need(io, 2, GH_U8, -1));
    GH_TRY(gh_quant_param(io, 2, io->in[2].type, 1));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

typedef struct round_job {
    const float *src;
    float *dst;
    size_t count;
    range r;
} round_job;

static void round_units(const void *arg, int begin, int end)
{
    const round_job *j = arg;
    size_t i = (size_t)begin * UNIT, to = (size_t)end * UNIT < j->count ? (size_t)end * UNIT : j->count;
    range r = j->r;
    for (; i + STRIP <= to; i += STRIP)
        for (size_t k = 0; k < STRIP; k++)
            j->dst[i + k] = quanta(j->src[i + k], r.scale, r.least, r.most) * r.scale;
    for (; i < to; i++)
        j->dst[i] = quanta(j->src[i], r.scale, r.least, r.most) * r.scale;
}

static gh_status round_counted(gh_exec *x, size_t count)
{
    round_job j = {.src = x->in[0].data,
                   .dst = x->out[0].data,
                   .count = count,
                   .r = range_of(x->in[2].type, gh_quant_scale(x, 1, 0), gh_quant_zero(x, 2, 0))};
    gh_exec_range(x, (int)((count + UNIT - 1) / UNIT), round_units, &j);
    return GH_OK;
}

static gh_status round_run(gh_exec *x)
{
    return round_counted(x, gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank));
}

static gh_status round_prepare(gh_prepare *p)
{
    if (!p->in_blocked[0])
        return GH_OK;
    p->want_blocked = 1;
    p->out_blocked = p->accepted = true;
    p->kernel = "quantize";
    return GH_OK;
}

static gh_status round_run_blocked(gh_exec *x)
{
    return round_counted(x, gh_blocked_count(&x->out[0].shape, x->k->block));
}

static const gh_blocked round_blocked = {round_prepare, round_run_blocked};

static gh_status dynamic_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    io->out[0] = (gh_tensor){.type = GH_U8, .shape = io->in[0].shape};
    if (io->nout > 1)
        io->out[1] = (gh_tensor){.type = GH_F32, .shape = {.rank = 0}};
    if (io->nout > 2)
        io->out[2] = (gh_tensor){.type = GH_U8, .shape = {.rank = 0}};
    return GH_OK;
}

/* The range of the data, widened to hold 0, becomes 0 .. 255. */
static gh_status dynamic_run(gh_exec *x)
{
    const float *src = x->in[0].data;
    size_t count = gh_shape_span(&x->in[0].shape, 0, x->in[0].shape.rank);
    float least = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = src[i] < least ? src[i] : least;
        most = src[i] > most ? src[i] : most;
    }
    float scale = (most - least) / 255;
    float zero = scale > 0 ? nearbyintf(-least / scale) : 0;
    zero = zero < 0 ? 0 : zero > 255 ? 255 : zero;
    for (size_t i = 0; i < count; i++)
        gh_quant_store(&x->out[0], i, scale > 0 ? src[i] / scale : 0, (int)zero);
    if (x->nout > 1)
        *(float *)x->out[1].data = scale;
    if (x->nout > 2)
        *(uint8_t *)x->out[2].data = (uint8_t)zero;
    return GH_OK;
}

const gh_op gh_ops_quant[] = {
    {"QuantizeLinear", "", 10, 0, 0, 2, 3, 1, quantize_infer, run, NULL, NULL},
    {"DequantizeLinear", "", 10, 0, 0, 2, 3, 1, dequantize_infer, run, NULL, NULL},
    {GH_QUANT_ROUND, GH_DOMAIN, 1, 0, GH_OP_INPLACE, 3, 3, 1, round_infer, round_run, &round_blocked, NULL},
    {"DynamicQuantizeLinear", "", 11, 0, 0, 1, 1, 3, dynamic_infer, dynamic_run, NULL, NULL},
};
const size_t gh_ops_quant_count = GH_COUNT(gh_ops_quant);
