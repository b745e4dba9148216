/* QLinearConv and ConvInteger: sums of products of bytes in 32 bits, which wrap as those of hardware do. */
#include "engine/ops.h"
#include "engine/ops/number.h"
#include "engine/ops/quant.h"

#include <string.h>

/* Where the operands stand among the inputs; NONE: the node has none. */
#define NONE UINT32_MAX
typedef struct places {
    uint32_t x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias;
} places;

static const places linear = {1, 2, 3, 4, 5, 6, 7, 8}, integer = {NONE, 2, 1, NONE, 3, NONE, NONE, NONE};

static bool is_linear(const gh_node *n)
{
    return n->type[0] == 'Q';
}

static gh_status shape_of(const gh_io *io, gh_conv_shape *s, const places *p)
{
    const gh_shape *x = &io->in[0].shape, *w = &io->in[p->w].shape;
    int64_t groups = gh_node_int(io->node, "group", 1);
    int pads_end[2];
    if (x->rank != 3 && x->rank != 4)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 3 and 4", x->rank);
    if (w->rank != x->rank || groups < 1 || w->dims[0] < 1 || w->dims[0] % groups ||
        x->dims[1] != w->dims[1] * groups)
        return gh_io_fail(io, GH_FORMAT, "the input's channels do not fit the weights in %lld groups",
                          (long long)groups);
    int64_t window[2] = {x->rank == 4 ? w->dims[2] : 1, w->dims[x->rank - 1]};
    GH_TRY(gh_window(io, s, pads_end, window, false));
    s->oc = (int)w->dims[0];
    s->groups = (int)groups;
    return GH_OK;
}

static gh_status need_byte(const gh_io *io, uint32_t i)
{
    GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
    if (!gh_is_byte(io->in[i].type))
        return gh_io_fail(io, GH_UNSUPPORTED, "input %u is %s; gharial runs it on uint8 and int8", i,
                          gh_dtype_name(io->in[i].type));
    return GH_OK;
}

static gh_status infer(gh_io *io)
{
    bool lin = is_linear(io->node);
    const places *p = lin ? &linear : &integer;
    gh_conv_shape s;
    GH_TRY(need_byte(io, 0));
    GH_TRY(need_byte(io, p->w));
    GH_TRY(shape_of(io, &s, p));
    GH_TRY(gh_quant_param(io, p->x_zero, io->in[0].type, 1));
    GH_TRY(gh_quant_param(io, p->w_zero, io->in[p->w].type, s.oc));
    gh_dtype out = GH_I32;
    if (lin) {
        for (uint32_t i = 0; i < 8; i++)
            GH_TRY(gh_io_need(io, i, GH_UNKNOWN, -1));
        GH_TRY(gh_quant_param(io, p->x_scale, GH_F32, 1));
        GH_TRY(gh_quant_param(io, p->w_scale, GH_F32, s.oc));
        GH_TRY(gh_quant_param(io, p->y_scale, GH_F32, 1));
        GH_TRY(need_byte(io, p->y_zero));
        out = io->in[p->y_zero].type;
        GH_TRY(gh_quant_param(io, p->y_zero, out, 1));
        if (gh_has(io, p->bias)) {
            GH_TRY(gh_io_need(io, p->bias, GH_I32, 1));
            if (io->in[p->bias].shape.dims[0] != s.oc)
                return gh_io_fail(io, GH_FORMAT, "the bias must hold %d values", s.oc);
        }
    }
    io->out[0].type = out;
    io->out[0].shape = (gh_shape){.rank = io->in[0].shape.rank, .dims = {s.n, s.oc, s.oh, s.ow}};
    if (io->in[0].shape.rank == 3)
        io->out[0].shape.dims[2] = s.ow;
    return GH_OK;
}

typedef struct job {
    gh_exec *x;
    const places *p;
    gh_conv_shape s;
    int x_zero;
} job;

/* Pixels of one row that are summed at a time. */
#define STRIP 256
/* The length of inner loops that compilers are to vectorise. */
#define CHUNK 16

/* sum[i] += factor * (src[i * step] - zero) for pixels [from, to). */
static void add_row(uint32_t *sum, const gh_tensor *t, int64_t at, int64_t step, int from, int to, int factor,
                    int zero)
{
    int i = from;
#define ADD_ROW(type)                                                                                        \
    for (; step == 1 && i + CHUNK <= to; i += CHUNK)                                                         \
        for (int k = 0; k < CHUNK; k++)                                                                      \
            sum[i + k] += (uint32_t)(factor * (((const type *)t->data)[at + i + k] - zero));                 \
    for (; i < to; i++)                                                                                      \
    sum[i] += (uint32_t)(factor * (((const type *)t->data)[at + i * step] - zero))
    if (t->type == GH_U8) {
        ADD_ROW(uint8_t);
    } else {
        ADD_ROW(int8_t);
    }
}

/* Adds one tap's products to pixels x0 .. x0 + n - 1 of an output row. */
static void add_tap(uint32_t *sum, const job *j, int64_t row, int kx, int x0, int n, int factor)
{
    const gh_conv_shape *s = &j->s;
    int64_t first = (int64_t)x0 * s->sw + (int64_t)kx * s->dw - s->pl; /* column that pixel x0 reads */
    int64_t from = first < 0 ? (-first + s->sw - 1) / s->sw : 0;
    int64_t to = first >= s->iw ? 0 : (s->iw - 1 - first) / s->sw + 1;
    to = to < n ? to : n;
    if (from < to)
        add_row(sum, &j->x->in[0], row + first, s->sw, (int)from, (int)to, factor, j->x_zero);
}

static void sum_strip(uint32_t *sum, const job *j, int u, int y, int x0, int n)
{
    const gh_conv_shape *s = &j->s;
    const gh_tensor *w = &j->x->in[j->p->w];
    int oc = u % s->oc, icg = s->ic / s->groups, first = oc / (s->oc / s->groups) * icg;
    int w_zero = gh_quant_zero(j->x, j->p->w_zero, (size_t)oc);
    size_t tap = (size_t)oc * (size_t)icg * (size_t)s->kh * (size_t)s->kw;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int c = 0; c < icg; c++)
        for (int ky = 0; ky < s->kh; ky++) {
            int64_t iy = (int64_t)y * s->sh + (int64_t)ky * s->dh - s->pt;
            int64_t row = (((int64_t)(u / s->oc) * s->ic + first + c) * s->ih + iy) * s->iw;
            for (int kx = 0; kx < s->kw; kx++, tap++)
                if (iy >= 0 && iy < s->ih)
                    add_tap(sum, j, row, kx, x0, n, gh_byte_at(w, tap) - w_zero);
        }
}

static void store_strip(const job *j, const uint32_t *sum, size_t at, int n, size_t oc)
{
    gh_exec *x = j->x;
    const places *p = j->p;
    if (p->y_scale == NONE) {
        memcpy((uint32_t *)x->out[0].data + at, sum, (size_t)n * sizeof *sum);
        return;
    }
    float scale = gh_quant_scale(x, p->x_scale, 0) * gh_quant_scale(x, p->w_scale, oc) /
                  gh_quant_scale(x, p->y_scale, 0);
    bool biased = p->bias < x->nin && x->in[p->bias].type != GH_UNKNOWN;
    uint32_t bias = biased ? ((const uint32_t *)x->in[p->bias].data)[oc] : 0;
    int zero = gh_quant_zero(x, p->y_zero, 0);
    for (int i = 0; i < n; i++)
        gh_quant_store(&x->out[0], at + (size_t)i, (float)(int32_t)(sum[i] + bias) * scale, zero);
}

static void planes(const void *arg, int begin, int end)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->s;
    uint32_t sum[STRIP];
    for (int u = begin; u < end; u++)
        for (int y = 0; y < s->oh; y++)
            for (int x0 = 0; x0 < s->ow; x0 += STRIP) {
                int n = s->ow - x0 < STRIP ? s->ow - x0 : STRIP;
                sum_strip(sum, j, u, y, x0, n);
                store_strip(j, sum, ((size_t)u * (size_t)s->oh + (size_t)y) * (size_t)s->ow + (size_t)x0, n,
                            (size_t)(u % s->oc));
            }
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j = {.x = x, .p = is_linear(x->node) ? &linear : &integer};
    GH_TRY(shape_of(&io, &j.s, j.p));
    j.x_zero = gh_quant_zero(x, j.p->x_zero, 0);
    bool point = j.s.kh == 1 && j.s.kw == 1 && j.s.sh == 1 && j.s.sw == 1;
    if (point && j.s.oh == j.s.ih && j.s.ow == j.s.iw) { /* a plane is one long row */
        j.s.iw = j.s.ow = j.s.ih * j.s.iw;
        j.s.ih = j.s.oh = 1;
    }
    gh_exec_range(x, j.s.n * j.s.oc, planes, &j);
    return GH_OK;
}

static double macs(const gh_io *io)
{
    const gh_shape *w = &io->in[is_linear(io->node) ? linear.w : integer.w].shape;
    return (double)gh_shape_span(&io->out[0].shape, 0, io->out[0].shape.rank) *
           (double)gh_shape_span(w, 1, w->rank);
}

const gh_op gh_ops_quant_conv[] = {
    {"QLinearConv", "", 10, 0, 0, 8, 9, 1, infer, run, NULL, macs},
    {"ConvInteger", "", 10, 0, 0, 2, 4, 1, infer, run, NULL, macs},
};
const size_t gh_ops_quant_conv_count = GH_COUNT(gh_ops_quant_conv);
