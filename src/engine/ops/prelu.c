/* PRelu: x where it is not negative, slope * x where it is. The slope broadcasts to the input; before opset 7
 * several slopes are one a channel. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/broadcast.h"

#include <string.h>

/* The slope's shape, channels standing at axis 1 where an old opset means that. */
static gh_shape slope_shape(const gh_io *io)
{
    gh_shape s = io->in[1].shape;
    int rank = io->in[0].shape.rank;
    if (io->node->op->since >= 7 || s.rank != 1 || rank < 2 || s.dims[0] == 1)
        return s;
    while (s.rank < rank - 1)
        s.dims[s.rank++] = 1;
    return s;
}

static gh_status prelu_infer(gh_io *io)
{
    gh_shape both;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, -1));
    gh_shape slope = slope_shape(io);
    GH_TRY(gh_io_broadcast(io, &both, &io->in[0].shape, &slope));
    if (!gh_shape_equal(&both, &io->in[0].shape))
        return gh_io_fail(io, GH_FORMAT, "the slopes do not broadcast to the input");
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = both};
    return GH_OK;
}

static gh_status prelu_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin};
    gh_shape slope = slope_shape(&io);
    gh_walk w;
    float *dst = x->out[0].data;
    gh_walk_start(&w, &x->out[0].shape, (const gh_shape *[]){&x->in[0].shape, &slope}, 2);
    for (size_t r = 0; r < w.rows; r++, dst += w.row, gh_walk_next(&w)) {
        const float *src = (const float *)x->in[0].data + w.at[0],
                    *a = (const float *)x->in[1].data + w.at[1];
        for (size_t i = 0; i < w.row; i++)
            dst[i] = src[i * w.row_step[0]] < 0 ? a[i * w.row_step[1]] * src[i * w.row_step[0]]
                                                : src[i * w.row_step[0]];
    }
    return GH_OK;
}

/* ---- blocked: constant slopes, one for all or one a channel ---- */

static gh_status prelu_pack(gh_prepare *p, size_t channels, size_t count)
{
    size_t block = (size_t)p->k->block, padded = (channels + block - 1) / block * block;
    GH_TRY(gh_prepare_room(p, padded));
    float *slopes = gh_alloc_aligned(padded * sizeof *slopes);
    if (!slopes)
        return gh_fail(p->io->e, GH_NOMEM, "no memory for packed weights");
    memset(slopes, 0, padded * sizeof *slopes);
    for (size_t c = 0; c < channels; c++)
        memcpy(&slopes[c], (const char *)p->io->in[1].data + (count > 1 ? c : 0) * sizeof *slopes,
               sizeof *slopes);
    *p->packed = (gh_packed){.weights = slopes, .bytes = padded * sizeof *slopes};
    return GH_OK;
}

static gh_status prelu_prepare(gh_prepare *p)
{
    gh_shape slope = slope_shape(p->io);
    size_t count = 0, channels = (size_t)p->io->in[0].shape.dims[1];
    if (!p->in_blocked[0] || p->io->in[0].shape.rank != 4 || !p->io->in[1].data ||
        !gh_shape_count(&count, &slope))
        return GH_OK;
    bool a_channel = slope.rank >= 3 && slope.dims[slope.rank - 3] == (int64_t)channels && count == channels;
    if (count != 1 && !a_channel)
        return GH_OK;
    if (!p->packed->weights)
        GH_TRY(prelu_pack(p, channels, count));
    p->want_blocked = 1;
    p->out_blocked = p->accepted = true;
    return GH_OK;
}

typedef struct prelu_job {
    const gh_exec *x;
    size_t pixels, block, blocks;
} prelu_job;

static void prelu_units(const void *job, int begin, int end)
{
    const prelu_job *j = job;
    for (int u = begin; u < end; u++) {
        const float *a = j->x->packed->weights + (size_t)u % j->blocks * j->block;
        const float *src = (const float *)j->x->in[0].data + (size_t)u * j->pixels * j->block;
        float *dst = (float *)j->x->out[0].data + (size_t)u * j->pixels * j->block;
        for (size_t i = 0; i < j->pixels; i++)
            for (size_t c = 0; c < j->block; c++) {
                float v = src[i * j->block + c];
                dst[i * j->block + c] = v < 0 ? a[c] * v : v;
            }
    }
}

static gh_status prelu_run_blocked(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t block = (size_t)x->k->block;
    prelu_job j = {.x = x,
                   .pixels = gh_shape_span(s, 2, 4),
                   .block = block,
                   .blocks = ((size_t)s->dims[1] + block - 1) / block};
    gh_exec_range(x, (int)((size_t)s->dims[0] * j.blocks), prelu_units, &j);
    return GH_OK;
}

static const gh_blocked prelu_blocked = {prelu_prepare, prelu_run_blocked};

const gh_op gh_ops_prelu[] = {
    {"PRelu", "", 1, 6, 0, 2, 2, 1, prelu_infer, prelu_run, &prelu_blocked, NULL},
    {"PRelu", "", 7, 0, 0, 2, 2, 1, prelu_infer, prelu_run, &prelu_blocked, NULL},
};
const size_t gh_ops_prelu_count = GH_COUNT(gh_ops_prelu);
