/* BatchNormalization in inference form, and LRN. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

static gh_status batch_norm_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (io->in[0].shape.rank < 2)
        return gh_io_fail(io, GH_FORMAT, "input has %d dimensions; at least 2 are needed",
                          io->in[0].shape.rank);
    bool trains = io->opset < 7 ? gh_node_int(io->node, "is_test", 0) == 0
                                : gh_node_int(io->node, "training_mode", 0) != 0;
    if (trains || io->nout > 1)
        return gh_io_fail(io, GH_UNSUPPORTED, "training mode is not run; export the model for inference");
    for (uint32_t i = 1; i < 5; i++) {
        GH_TRY(gh_io_need(io, i, GH_F32, 1));
        if (io->in[i].shape.dims[0] != io->in[0].shape.dims[1])
            return gh_io_fail(io, GH_FORMAT, "input %u holds %lld values for %lld channels", i,
                              (long long)io->in[i].shape.dims[0], (long long)io->in[0].shape.dims[1]);
    }
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

/* y = (x - mean) / sqrt(variance + epsilon) * scale + shift (Ioffe and Szegedy 2015). */
static gh_status batch_norm_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t size = gh_shape_span(s, 2, s->rank), channels = (size_t)s->dims[1];
    size_t planes = (size_t)s->dims[0] * channels;
    const float *scale = x->in[1].data, *shift = x->in[2].data, *mean = x->in[3].data,
                *variance = x->in[4].data;
    float epsilon = gh_node_float(x->node, "epsilon", 1e-5f);
    for (size_t p = 0; p < planes; p++) {
        size_t c = p % channels;
        float a = scale[c] / sqrtf(variance[c] + epsilon), b = shift[c] - mean[c] * a;
        const float *src = (const float *)x->in[0].data + p * size;
        float *dst = (float *)x->out[0].data + p * size;
        for (size_t i = 0; i < size; i++)
            dst[i] = src[i] * a + b;
    }
    if (x->act.kind != GH_ACT_NONE)
        x->k->activate(x->out[0].data, x->out[0].data, planes * size, x->act);
    return GH_OK;
}

static gh_status lrn_infer(gh_io *io)
{
    int64_t size = gh_node_int(io->node, "size", 0);
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (io->in[0].shape.rank < 2)
        return gh_io_fail(io, GH_FORMAT, "input has %d dimensions; at least 2 are needed",
                          io->in[0].shape.rank);
    if (size < 1 || size > GH_MAX_WINDOW)
        return gh_io_fail(io, GH_FORMAT, "attribute size is %lld; 1 to %d is accepted", (long long)size,
                          GH_MAX_WINDOW);
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

typedef struct lrn_job {
    const float *src;
    float *dst;
    int channels, before, after; /* neighbours on both sides */
    size_t pixels;
    float scale, beta, bias;
} lrn_job;

/* y = x / (bias + alpha / size * sum of the neighbours' squares) ^ beta (Krizhevsky et al. 2012). */
static void lrn_planes(const void *job, int begin, int end)
{
    const lrn_job *j = job;
    for (int u = begin; u < end; u++) {
        int c = u % j->channels, from = c < j->before ? -c : -j->before;
        int to = j->after < j->channels - 1 - c ? j->after : j->channels - 1 - c;
        float *dst = j->dst + (size_t)u * j->pixels;
        const float *own = j->src + (size_t)u * j->pixels;
        memset(dst, 0, j->pixels * sizeof *dst);
        for (int k = from; k <= to; k++) {
            const float *src = j->src + (size_t)(u + k) * j->pixels;
            for (size_t i = 0; i < j->pixels; i++)
                dst[i] += src[i] * src[i];
        }
        for (size_t i = 0; i < j->pixels; i++)
            dst[i] = own[i] * powf(j->bias + j->scale * dst[i], -j->beta);
    }
}

static gh_status lrn_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    int64_t size = gh_node_int(x->node, "size", 1);
    lrn_job j = {.src = x->in[0].data,
                 .dst = x->out[0].data,
                 .channels = (int)s->dims[1],
                 .before = (int)((size - 1) / 2),
                 .after = (int)(size / 2),
                 .pixels = gh_shape_span(s, 2, s->rank),
                 .scale = gh_node_float(x->node, "alpha", 1e-4f) / (float)size,
                 .beta = gh_node_float(x->node, "beta", 0.75f),
                 .bias = gh_node_float(x->node, "bias", 1)};
    gh_exec_range(x, (int)gh_shape_span(s, 0, 2), lrn_planes, &j);
    return GH_OK;
}

const gh_op gh_ops_norm[] = {
    {"BatchNormalization", "", 1, 0, GH_OP_INPLACE | GH_OP_FUSES, 5, 5, 5, batch_norm_infer, batch_norm_run,
     NULL, NULL},
    {"LRN", "", 1, 0, 0, 1, 1, 1, lrn_infer, lrn_run, NULL, NULL},
};
const size_t gh_ops_norm_count = GH_COUNT(gh_ops_norm);
