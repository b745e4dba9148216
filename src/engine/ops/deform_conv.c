/* DeformConv (Dai et al. 2017, Zhu et al. 2019): a convolution whose taps stand where an input says, each
 * with a weight of its own if there is a mask. */
#include "engine/ops.h"

#include <math.h>

typedef struct job {
    gh_conv_shape s;
    int offset_groups;
    const float *src, *weights, *offsets, *bias, *mask; /* bias and mask may be NULL */
    float *dst;
} job;

static gh_status read_job(const gh_io *io, job *j)
{
    const gh_shape *x = &io->in[0].shape, *w = &io->in[1].shape, *o = &io->in[2].shape;
    int64_t groups = gh_node_int(io->node, "group", 1),
            offset_groups = gh_node_int(io->node, "offset_group", 1);
    int pads_end[2];
    for (uint32_t i = 0; i < 3; i++)
        GH_TRY(gh_io_need(io, i, GH_F32, 4));
    if (groups < 1 || w->dims[0] < 1 || w->dims[0] % groups || x->dims[1] != w->dims[1] * groups ||
        offset_groups < 1 || x->dims[1] % offset_groups)
        return gh_io_fail(io, GH_FORMAT, "the input's channels do not fit the weights in %lld groups",
                          (long long)groups);
    GH_TRY(gh_window(io, &j->s, pads_end, (int64_t[]){w->dims[2], w->dims[3]}, false));
    j->s.oc = (int)w->dims[0];
    j->s.groups = (int)groups;
    j->offset_groups = (int)offset_groups;
    int64_t taps = w->dims[2] * w->dims[3] * offset_groups;
    gh_shape mask = {.rank = 4, .dims = {x->dims[0], taps, j->s.oh, j->s.ow}}, offsets = mask;
    offsets.dims[1] = 2 * taps;
    if (!gh_shape_equal(o, &offsets))
        return gh_io_fail(io, GH_FORMAT, "there are not two offsets for each tap of each pixel");
    if (gh_has(io, 3)) {
        GH_TRY(gh_io_need(io, 3, GH_F32, 1));
        if (io->in[3].shape.dims[0] != w->dims[0])
            return gh_io_fail(io, GH_FORMAT, "the bias must hold %lld values", (long long)w->dims[0]);
    }
    if (gh_has(io, 4)) {
        GH_TRY(gh_io_need(io, 4, GH_F32, 4));
        if (!gh_shape_equal(&io->in[4].shape, &mask))
            return gh_io_fail(io, GH_FORMAT, "there is not one weight for each tap of each pixel");
    }
    return GH_OK;
}

static gh_status infer(gh_io *io)
{
    job j;
    GH_TRY(read_job(io, &j));
    io->out[0].type = GH_F32;
    io->out[0].shape = (gh_shape){.rank = 4, .dims = {j.s.n, j.s.oc, j.s.oh, j.s.ow}};
    return GH_OK;
}

/* Between pixels; those outside of the plane are 0. */
static float sample(const float *plane, const gh_conv_shape *s, float y, float x)
{
    float fy = floorf(y), fx = floorf(x), sum = 0;
    if (!(y > -1 && x > -1 && y < (float)s->ih && x < (float)s->iw))
        return 0;
    for (int k = 0; k < 4; k++) {
        int py = (int)fy + k / 2, px = (int)fx + k % 2;
        float wy = k / 2 ? y - fy : 1 - (y - fy), wx = k % 2 ? x - fx : 1 - (x - fx);
        if (py >= 0 && py < s->ih && px >= 0 && px < s->iw)
            sum += wy * wx * plane[(size_t)py * (size_t)s->iw + (size_t)px];
    }
    return sum;
}

/* The sum of one input channel's taps at output pixel (oy, ox). */
static float channel(const job *j, size_t picture, int c, const float *w, int oy, int ox)
{
    const gh_conv_shape *s = &j->s;
    size_t taps = (size_t)s->kh * (size_t)s->kw, pixels = (size_t)s->oh * (size_t)s->ow;
    size_t og = (size_t)(c / (s->ic / j->offset_groups)), at = (size_t)oy * (size_t)s->ow + (size_t)ox;
    size_t first = (picture * (size_t)j->offset_groups + og) * taps;
    const float *plane = j->src + (picture * (size_t)s->ic + (size_t)c) * (size_t)s->ih * (size_t)s->iw;
    float sum = 0;
    for (size_t t = 0; t < taps; t++) {
        const float *o = j->offsets + (first + t) * 2 * pixels + at;
        float y = (float)(oy * s->sh - s->pt + (int)t / s->kw * s->dh) + o[0];
        float x = (float)(ox * s->sw - s->pl + (int)t % s->kw * s->dw) + o[pixels];
        sum += w[t] * (j->mask ? j->mask[(first + t) * pixels + at] : 1) * sample(plane, s, y, x);
    }
    return sum;
}

/* A unit is one plane of the output. */
static void planes(const void *arg, int begin, int end)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->s;
    int icg = s->ic / s->groups;
    size_t taps = (size_t)s->kh * (size_t)s->kw;
    for (int u = begin; u < end; u++) {
        int oc = u % s->oc, first = oc / (s->oc / s->groups) * icg;
        float *dst = j->dst + (size_t)u * (size_t)s->oh * (size_t)s->ow;
        for (int p = 0; p < s->oh * s->ow; p++) {
            float sum = j->bias ? j->bias[oc] : 0;
            for (int c = 0; c < icg; c++)
                sum +=
                    channel(j, (size_t)(u / s->oc), first + c,
                            j->weights + ((size_t)oc * (size_t)icg + (size_t)c) * taps, p / s->ow, p % s->ow);
            dst[p] = sum;
        }
    }
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j;
    GH_TRY(read_job(&io, &j));
    j.src = x->in[0].data;
    j.weights = x->in[1].data;
    j.offsets = x->in[2].data;
    j.bias = gh_has(&io, 3) ? x->in[3].data : NULL;
    j.mask = gh_has(&io, 4) ? x->in[4].data : NULL;
    j.dst = x->out[0].data;
    gh_exec_range(x, j.s.n * j.s.oc, planes, &j);
    return GH_OK;
}

static double macs(const gh_io *io)
{
    return (double)gh_shape_span(&io->out[0].shape, 0, 4) * (double)gh_shape_span(&io->in[1].shape, 1, 4);
}

const gh_op gh_ops_deform_conv[] = {
    {"DeformConv", "", 19, 0, 0, 3, 5, 1, infer, run, NULL, macs},
};
const size_t gh_ops_deform_conv_count = GH_COUNT(gh_ops_deform_conv);
