/* ConvTranspose: every input pixel adds its window of products to the output. The plain run scatters product
 * by product; with constant weights the products of one output channel are a matrix product first. */
#include "base/mem.h"
#include "engine/ops.h"

#include <string.h>

/* Products of one output channel that a thread may hold, in floats; beyond that the plain way runs. */
#define MOST_PRODUCTS ((size_t)1 << 22)

/* One axis while its output size is found; `total` is what pads take away from both ends. */
typedef struct axis {
    int64_t in, window, stride, dilation, extra, pads[2], out;
} axis;

static gh_status read_axes(const gh_io *io, axis *axes, size_t n)
{
    int64_t stride[2], dilation[2], extra[2], pads[4];
    GH_TRY(gh_io_list(io, "strides", stride, n, 1, 1));
    GH_TRY(gh_io_list(io, "dilations", dilation, n, 1, 1));
    GH_TRY(gh_io_list(io, "output_padding", extra, n, 0, 0));
    GH_TRY(gh_io_list(io, "pads", pads, 2 * n, 0, 0));
    for (size_t a = 0; a < n; a++)
        axes[a] = (axis){.in = io->in[0].shape.dims[2 + a],
                         .window = io->in[1].shape.dims[2 + a],
                         .stride = stride[a],
                         .dilation = dilation[a],
                         .extra = extra[a],
                         .pads = {pads[a], pads[a + n]}};
    return GH_OK;
}

/* The whole reach of the windows, less the pads; a wanted output size decides the pads instead. */
static gh_status size_axis(const gh_io *io, axis *a, int64_t wanted, bool upper)
{
    int64_t reach = (a->in - 1) * a->stride + a->extra + (a->window - 1) * a->dilation + 1;
    if (wanted >= 0) {
        int64_t total = reach > wanted ? reach - wanted : 0;
        a->pads[0] = upper ? total / 2 : total - total / 2;
        a->pads[1] = total - a->pads[0];
        a->out = wanted;
    } else {
        a->out = reach - a->pads[0] - a->pads[1];
    }
    if (a->out < 0 || a->out > INT32_MAX)
        return gh_io_fail(io, GH_FORMAT, "%lld pixels with pads %lld and %lld give an output side of %lld",
                          (long long)a->in, (long long)a->pads[0], (long long)a->pads[1], (long long)a->out);
    return GH_OK;
}

static gh_status size_axes(const gh_io *io, axis *axes, size_t n)
{
    const char *auto_pad = gh_node_string(io->node, "auto_pad", "NOTSET");
    bool notset = strcmp(auto_pad, "NOTSET") == 0, valid = strcmp(auto_pad, "VALID") == 0;
    bool upper = strcmp(auto_pad, "SAME_UPPER") == 0, lower = strcmp(auto_pad, "SAME_LOWER") == 0;
    int64_t wanted[2] = {-1, -1};
    if (!notset && !valid && !upper && !lower)
        return gh_io_fail(io, GH_FORMAT,
                          "auto_pad is \"%.40s\"; NOTSET, VALID, SAME_UPPER or SAME_LOWER are known",
                          auto_pad);
    GH_TRY(gh_io_list(io, "output_shape", wanted, n, -1, 0));
    for (size_t a = 0; a < n; a++) {
        if (valid)
            axes[a].pads[0] = axes[a].pads[1] = 0;
        if ((upper || lower) && wanted[a] < 0)
            wanted[a] = axes[a].in * axes[a].stride;
        GH_TRY(size_axis(io, &axes[a], wanted[a], upper));
    }
    return GH_OK;
}

/* Channels, groups, bias and declared window: all that does not depend on the picture's size. */
static gh_status check_weights(const gh_io *io, int64_t *groups)
{
    const gh_shape *x = &io->in[0].shape, *w = &io->in[1].shape;
    *groups = gh_node_int(io->node, "group", 1);
    if (*groups < 1 || *groups > w->dims[0] || w->dims[0] % *groups || x->dims[1] != w->dims[0] ||
        w->dims[1] < 1 || w->dims[1] > INT32_MAX / *groups)
        return gh_io_fail(
            io, GH_FORMAT, "%lld input channels do not fit weights of %lld x %lld channels in %lld groups",
            (long long)x->dims[1], (long long)w->dims[0], (long long)w->dims[1], (long long)*groups);
    if (gh_has(io, 2) && (io->in[2].type != GH_F32 || io->in[2].shape.rank != 1 ||
                          io->in[2].shape.dims[0] != w->dims[1] * *groups))
        return gh_io_fail(io, GH_FORMAT, "the bias must hold %lld float32 values",
                          (long long)(w->dims[1] * *groups));
    const gh_attr *declared = gh_node_attr(io->node, "kernel_shape");
    for (int i = 2; i < w->rank; i++) {
        if (w->dims[i] < 1 || w->dims[i] > GH_MAX_WINDOW)
            return gh_io_fail(io, GH_FORMAT, "a window side is %lld; 1 to %d is accepted",
                              (long long)w->dims[i], GH_MAX_WINDOW);
        if (declared && ((int)declared->count != w->rank - 2 || declared->ints[i - 2] != w->dims[i]))
            return gh_io_fail(io, GH_FORMAT, "kernel_shape differs from the weights' shape");
    }
    return GH_OK;
}

/* In the result oc counts all groups; pt and pl are cut off at top and left. */
gh_status gh_conv_transpose_shape_of(const gh_io *io, gh_conv_shape *s)
{
    const gh_shape *x = &io->in[0].shape;
    axis axes[2] = {{0}};
    int64_t groups;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, x->rank));
    if (x->rank != 3 && x->rank != 4)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 3 and 4", x->rank);
    size_t n = (size_t)x->rank - 2;
    GH_TRY(check_weights(io, &groups));
    GH_TRY(read_axes(io, axes, n));
    GH_TRY(size_axes(io, axes, n));
    if (n == 1) { /* one axis: the other is a height of 1 */
        axes[1] = axes[0];
        axes[0] = (axis){.in = 1, .window = 1, .stride = 1, .dilation = 1, .out = 1};
    }
    *s = (gh_conv_shape){.n = (int)x->dims[0],
                         .ic = (int)x->dims[1],
                         .ih = (int)axes[0].in,
                         .iw = (int)axes[1].in,
                         .oc = (int)(io->in[1].shape.dims[1] * groups),
                         .oh = (int)axes[0].out,
                         .ow = (int)axes[1].out,
                         .kh = (int)axes[0].window,
                         .kw = (int)axes[1].window,
                         .sh = (int)axes[0].stride,
                         .sw = (int)axes[1].stride,
                         .dh = (int)axes[0].dilation,
                         .dw = (int)axes[1].dilation,
                         .pt = (int)axes[0].pads[0],
                         .pl = (int)axes[1].pads[0],
                         .groups = (int)groups};
    return GH_OK;
}

static gh_status infer(gh_io *io)
{
    gh_conv_shape s;
    GH_TRY(gh_conv_transpose_shape_of(io, &s));
    io->out[0].type = GH_F32;
    io->out[0].shape = (gh_shape){.rank = io->in[0].shape.rank, .dims = {s.n, s.oc, s.oh, s.ow}};
    if (io->in[0].shape.rank == 3)
        io->out[0].shape.dims[2] = s.ow;
    return GH_OK;
}

static double macs(const gh_io *io)
{
    size_t in = gh_shape_span(&io->in[0].shape, 0, io->in[0].shape.rank);
    return (double)in * (double)gh_shape_span(&io->in[1].shape, 1, io->in[1].shape.rank);
}

/* Input columns [*from, *to) whose products by tap kx fall inside the output row. */
static void columns_inside(int *from, int *to, const gh_conv_shape *s, int64_t offset)
{
    int64_t first = offset < 0 ? (-offset + s->sw - 1) / s->sw : 0;
    int64_t last = s->ow > offset ? (s->ow - offset + s->sw - 1) / s->sw : 0;
    *to = (int)(last < s->iw ? last : s->iw);
    *from = (int)(first < *to ? first : *to);
}

/* Adds `factor` times a picture of products to the output plane, where tap (ky, kx) puts it. */
static void scatter(float *dst, const float *src, float factor, const gh_conv_shape *s, int ky, int kx)
{
    int64_t x0 = (int64_t)kx * s->dw - s->pl;
    int from, to;
    columns_inside(&from, &to, s, x0);
    for (int iy = 0; iy < s->ih; iy++) {
        int64_t y = (int64_t)iy * s->sh + (int64_t)ky * s->dh - s->pt;
        if (y < 0 || y >= s->oh)
            continue;
        float *row = dst + (size_t)y * (size_t)s->ow;
        const float *in = src + (size_t)iy * (size_t)s->iw;
        for (int ix = from; ix < to; ix++)
            row[(int64_t)ix * s->sw + x0] += factor * in[ix];
    }
}

typedef struct job {
    const gh_exec *x;
    gh_conv_shape s;
    const float *bias; /* or NULL */
} job;

/* Where output channel u (of all pictures) starts, filled with its bias; *src is its group's input. */
static float *start_plane(const job *j, const float **src, int u)
{
    const gh_conv_shape *s = &j->s;
    size_t in = (size_t)s->ih * (size_t)s->iw, out = (size_t)s->oh * (size_t)s->ow;
    int oc = u % s->oc, group = oc / (s->oc / s->groups), icg = s->ic / s->groups;
    float *dst = (float *)j->x->out[0].data + (size_t)u * out;
    *src = (const float *)j->x->in[0].data + ((size_t)(u / s->oc) * (size_t)s->ic + (size_t)group * icg) * in;
    for (size_t i = 0; i < out; i++)
        dst[i] = j->bias ? j->bias[oc] : 0;
    return dst;
}

static void finish_plane(const job *j, float *dst)
{
    if (j->x->act.kind != GH_ACT_NONE)
        j->x->k->activate(dst, dst, (size_t)j->s.oh * (size_t)j->s.ow, j->x->act);
}

/* Weights as the model holds them: [ic][oc / groups][kh][kw]. */
static void plain_planes(const void *arg, int begin, int end)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->s;
    size_t taps = (size_t)s->kh * (size_t)s->kw, in = (size_t)s->ih * (size_t)s->iw;
    int ocg = s->oc / s->groups, icg = s->ic / s->groups;
    for (int u = begin; u < end; u++) {
        const float *src;
        float *dst = start_plane(j, &src, u);
        int oc = u % s->oc, group = oc / ocg;
        for (int c = 0; c < icg; c++) {
            size_t row = ((size_t)group * (size_t)icg + (size_t)c) * (size_t)ocg + (size_t)(oc % ocg);
            const float *w = (const float *)j->x->in[1].data + row * taps;
            for (int ky = 0; ky < s->kh; ky++)
                for (int kx = 0; kx < s->kw; kx++)
                    scatter(dst, src + (size_t)c * in, w[ky * s->kw + kx], s, ky, kx);
        }
        finish_plane(j, dst);
    }
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .out = x->out, .nout = x->nout, .e = x->e};
    job j = {.x = x, .bias = gh_has(&io, 2) ? x->in[2].data : NULL};
    GH_TRY(gh_conv_transpose_shape_of(&io, &j.s));
    gh_exec_range(x, j.s.n * j.s.oc, plain_planes, &j);
    return GH_OK;
}

/* ---- with constant weights ---- */

/* Turns [ic][oc / groups][taps] to [oc][taps][ic / groups]: the taps of one output channel are rows. */
static void pack_weights(float *dst, const float *src, const gh_conv_shape *s)
{
    size_t taps = (size_t)s->kh * (size_t)s->kw, icg = (size_t)(s->ic / s->groups),
           ocg = (size_t)(s->oc / s->groups);
    for (size_t oc = 0; oc < (size_t)s->oc; oc++)
        for (size_t t = 0; t < taps; t++)
            for (size_t c = 0; c < icg; c++, dst++) /* the file's floats may not be aligned */
                memcpy(dst, (const char *)src + (((oc / ocg * icg + c) * ocg + oc % ocg) * taps + t) * 4, 4);
}

static gh_status pack(gh_prepare *p, const gh_conv_shape *s)
{
    size_t n = gh_shape_span(&p->io->in[1].shape, 0, p->io->in[1].shape.rank), oc = (size_t)s->oc;
    bool biased = gh_has(p->io, 2);
    GH_TRY(gh_prepare_room(p, n + (biased ? oc : 0)));
    float *weights = gh_alloc_aligned(n * sizeof(float));
    float *bias = biased ? gh_alloc_aligned(oc * sizeof(float)) : NULL;
    if (!weights || (biased && !bias)) {
        gh_free(weights);
        gh_free(bias);
        return gh_fail(p->io->e, GH_NOMEM, "no memory for packed weights");
    }
    pack_weights(weights, p->io->in[1].data, s);
    if (biased)
        memcpy(bias, p->io->in[2].data, oc * sizeof(float));
    *p->packed =
        (gh_packed){.weights = weights, .bias = bias, .bytes = (n + (biased ? oc : 0)) * sizeof(float)};
    return GH_OK;
}

static gh_status prepare(gh_prepare *p)
{
    gh_conv_shape s;
    const gh_io *io = p->io;
    const gh_conv_kernel *kernel =
        p->bf16 && p->k->conv_transpose_bf16 ? p->k->conv_transpose_bf16 : p->k->conv_transpose;
    GH_TRY(gh_conv_transpose_shape_of(io, &s));
    size_t pixels = (size_t)s.ih * (size_t)s.iw, taps = (size_t)s.kh * (size_t)s.kw;
    bool constants = io->in[1].data && (!gh_has(io, 2) || io->in[2].data);
    if (!constants || io->in[0].data || pixels == 0 || s.oh == 0 || s.ow == 0)
        return GH_OK;
    if (io->in[0].shape.rank == 4 && kernel->accepts(&s)) {
        if (!p->packed->weights)
            GH_TRY(gh_conv_pack(p, &s, kernel));
        return gh_conv_accept(p, &s);
    }
    if (taps > MOST_PRODUCTS / pixels)
        return GH_OK;
    if (!p->packed->weights)
        GH_TRY(pack(p, &s));
    gh_conv_shape *params = gh_arena_alloc(p->arena, sizeof *params);
    if (!params)
        return gh_fail(io->e, GH_NOMEM, "no memory for a plan");
    *params = s;
    p->params = params;
    p->scratch = taps * pixels;
    p->kernel = "matmul_scatter";
    p->accepted = true;
    return GH_OK;
}

static void packed_planes(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->s;
    int taps = s->kh * s->kw, icg = s->ic / s->groups, pixels = s->ih * s->iw;
    float *products = j->x->scratch + (size_t)thread * j->x->scratch_stride;
    for (int u = begin; u < end; u++) {
        const float *src;
        float *dst = start_plane(j, &src, u);
        const float *w = j->x->packed->weights + (size_t)(u % s->oc) * (size_t)taps * (size_t)icg;
        j->x->k->matmul(products, w, src, taps, pixels, icg);
        for (int t = 0; t < taps; t++)
            scatter(dst, products + (size_t)t * (size_t)pixels, 1, s, t / s->kw, t % s->kw);
        finish_plane(j, dst);
    }
}

static gh_status run_packed(gh_exec *x)
{
    if (x->packed->kernel)
        return gh_conv_run_blocked(x);
    job j = {.x = x, .s = *(const gh_conv_shape *)x->params, .bias = x->packed->bias};
    gh_pool_for(x->pool, j.s.n * j.s.oc, packed_planes, &j);
    return GH_OK;
}

static const gh_blocked packed = {prepare, run_packed};

const gh_op gh_ops_conv_transpose[] = {
    {"ConvTranspose", "", 1, 0, GH_OP_FUSES, 2, 3, 1, infer, run, &packed, macs},
};
const size_t gh_ops_conv_transpose_count = GH_COUNT(gh_ops_conv_transpose);
