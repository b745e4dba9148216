/* Conv: infer, plain run, and the blocked implementation through the kernels. */
#include "base/mem.h"
#include "engine/ops.h"

#include <string.h>

gh_status gh_conv_shape_of(const gh_io *io, gh_conv_shape *s)
{
    const gh_shape *x = &io->in[0].shape, *w = &io->in[1].shape;
    int64_t groups = gh_node_int(io->node, "group", 1), window[2];
    int pads_end[2];
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, x->rank));
    if (x->rank != 3 && x->rank != 4)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 3 and 4", x->rank);
    if (groups < 1 || w->dims[0] < 1 || w->dims[0] % groups || x->dims[1] != w->dims[1] * groups)
        return gh_io_fail(
            io, GH_FORMAT, "%lld input channels do not fit weights of %lld x %lld channels in %lld groups",
            (long long)x->dims[1], (long long)w->dims[0], (long long)w->dims[1], (long long)groups);
    if (gh_has(io, 2) &&
        (io->in[2].type != GH_F32 || io->in[2].shape.rank != 1 || io->in[2].shape.dims[0] != w->dims[0]))
        return gh_io_fail(io, GH_FORMAT, "the bias must hold %lld float32 values", (long long)w->dims[0]);
    window[0] = x->rank == 4 ? w->dims[2] : 1;
    window[1] = x->rank == 4 ? w->dims[3] : w->dims[2];
    const gh_attr *declared = gh_node_attr(io->node, "kernel_shape");
    for (int i = 0; declared && i < x->rank - 2; i++)
        if ((int)declared->count != x->rank - 2 || declared->ints[i] != w->dims[2 + i])
            return gh_io_fail(io, GH_FORMAT, "kernel_shape differs from the weights' shape");
    GH_TRY(gh_window(io, s, pads_end, window, false));
    s->oc = (int)w->dims[0];
    s->groups = (int)groups;
    return GH_OK;
}

static gh_status conv_infer(gh_io *io)
{
    gh_conv_shape s;
    GH_TRY(gh_conv_shape_of(io, &s));
    io->out[0].type = GH_F32;
    io->out[0].shape = (gh_shape){.rank = io->in[0].shape.rank, .dims = {s.n, s.oc, s.oh, s.ow}};
    if (io->in[0].shape.rank == 3)
        io->out[0].shape.dims[2] = s.ow;
    return GH_OK;
}

static double conv_macs(const gh_io *io)
{
    size_t out = gh_shape_span(&io->out[0].shape, 0, io->out[0].shape.rank);
    size_t per = gh_shape_span(&io->in[1].shape, 1, io->in[1].shape.rank);
    return (double)out * (double)per;
}

typedef struct conv_range {
    gh_conv_job job;
    int first;                    /* unit of the stage at hand */
    const gh_conv_kernel *kernel; /* NULL: conv_plain */
    const gh_kernels *k;
    float *scratch;
    size_t stride;
} conv_range;

static void run_units(void *arg, int begin, int end, int thread)
{
    const conv_range *r = arg;
    gh_conv_job job = r->job;
    job.scratch = r->scratch ? r->scratch + (size_t)thread * r->stride : NULL;
    if (r->kernel)
        r->kernel->run(&job, r->first + begin, r->first + end);
    else
        r->k->conv_plain(&job, begin, end);
}

static gh_status conv_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .out = x->out, .nout = x->nout, .e = x->e};
    conv_range r = {.k = x->k};
    GH_TRY(gh_conv_shape_of(&io, &r.job.shape));
    r.job.src = x->in[0].data;
    r.job.weights = x->in[1].data;
    r.job.bias = gh_has(&io, 2) ? x->in[2].data : NULL;
    r.job.dst = x->out[0].data;
    r.job.act = x->act;
    gh_pool_for(x->pool, r.job.shape.n * r.job.shape.oc, run_units, &r);
    return GH_OK;
}

gh_status gh_conv_accept(gh_prepare *p, const gh_conv_shape *s)
{
    const gh_conv_kernel *kernel = p->packed->kernel;
    gh_conv_shape *params = gh_arena_alloc(p->arena, sizeof *params);
    if (!params)
        return gh_fail(p->io->e, GH_NOMEM, "no memory for a plan");
    *params = *s;
    p->params = params;
    p->want_blocked = kernel->src_blocked ? 1u : 0u;
    p->out_blocked = true;
    p->scratch = kernel->scratch(s);
    p->shared = kernel->shared ? kernel->shared(s) : 0;
    p->kernel = kernel->name;
    p->accepted = true;
    return GH_OK;
}

/* Blocked only with constant weights. The first plan's kernel is that of all further ones, whatever their
 * size: they share its packed weights. */
static gh_status conv_prepare(gh_prepare *p)
{
    gh_conv_shape s;
    const gh_io *io = p->io;
    GH_TRY(gh_conv_shape_of(io, &s));
    bool constants = io->in[1].data && (!gh_has(io, 2) || io->in[2].data);
    if (!gh_conv_choose(p->k, &s, 0, false) || !constants || io->in[0].data || io->in[0].shape.rank != 4)
        return GH_OK; /* a constant source stands in no layout but the plain one */
    if (!p->packed->weights)
        GH_TRY(gh_conv_pack(p, &s, NULL));
    return gh_conv_accept(p, &s);
}

/* The residual, when the plan fused one, is the last input. */
gh_status gh_conv_run_blocked(gh_exec *x)
{
    conv_range r = {.kernel = x->packed->kernel, .scratch = x->scratch, .stride = x->scratch_stride};
    r.job.shape = *(const gh_conv_shape *)x->params;
    r.job.src = x->in[0].data;
    r.job.weights = x->packed->weights;
    r.job.bias = x->packed->bias;
    r.job.residual = x->nin > x->node->ninputs ? x->in[x->nin - 1].data : NULL;
    r.job.dst = x->out[0].data;
    r.job.act = x->act;
    r.job.shared = x->shared;
    for (int end, units = r.kernel->units(&r.job.shape); r.first < units; r.first = end) {
        end = r.kernel->stage ? r.kernel->stage(&r.job.shape, r.first) : units;
        gh_pool_for(x->pool, end - r.first, run_units, &r);
    }
    return GH_OK;
}

static const gh_blocked conv_blocked = {conv_prepare, gh_conv_run_blocked};

const gh_op gh_ops_conv[] = {
    {"Conv", "", 1, 0, GH_OP_FUSES, 2, 3, 1, conv_infer, conv_run, &conv_blocked, conv_macs},
};
const size_t gh_ops_conv_count = GH_COUNT(gh_ops_conv);
