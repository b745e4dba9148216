/* Gemm and MatMul. With constant weights the plan packs them once for the dense kernel. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/matmul.h"

#include <string.h>

/* Gemm as m, n, k and its flags; MatMul of rank 2 is Gemm without a bias. */
typedef struct dense_shape {
    int m, n, k;
    bool trans_a, trans_b;
    float alpha, beta;
} dense_shape;

static gh_status gemm_shape(const gh_io *io, dense_shape *d)
{
    const gh_shape *a = &io->in[0].shape, *b = &io->in[1].shape;
    GH_TRY(gh_io_need(io, 0, GH_F32, 2));
    GH_TRY(gh_io_need(io, 1, GH_F32, 2));
    d->trans_a = gh_node_int(io->node, "transA", 0) != 0;
    d->trans_b = gh_node_int(io->node, "transB", 0) != 0;
    d->alpha = gh_node_float(io->node, "alpha", 1);
    d->beta = gh_node_float(io->node, "beta", 1);
    d->m = (int)a->dims[d->trans_a];
    d->k = (int)a->dims[!d->trans_a];
    d->n = (int)b->dims[!d->trans_b];
    if (b->dims[d->trans_b] != d->k)
        return gh_io_fail(io, GH_FORMAT, "%d columns meet %lld rows", d->k, (long long)b->dims[d->trans_b]);
    return GH_OK;
}

static gh_status gemm_infer(gh_io *io)
{
    dense_shape d;
    gh_shape joint;
    GH_TRY(gemm_shape(io, &d));
    gh_shape out = {.rank = 2, .dims = {d.m, d.n}};
    if (gh_has(io, 2)) {
        GH_TRY(gh_io_need(io, 2, GH_F32, -1));
        GH_TRY(gh_io_broadcast(io, &joint, &out, &io->in[2].shape));
        if (!gh_shape_equal(&joint, &out))
            return gh_io_fail(io, GH_FORMAT, "the bias does not broadcast to %d x %d", d.m, d.n);
    }
    io->out[0].type = GH_F32;
    io->out[0].shape = out;
    return GH_OK;
}

static double gemm_macs(const gh_io *io)
{
    dense_shape d;
    return gemm_shape(io, &d) == GH_OK ? (double)d.m * d.n * d.k : 0;
}

/* Element (i, j) of the bias, whose sides may be 1 or missing. */
static float bias_at(const gh_tensor *c, int i, int j)
{
    const gh_shape *s = &c->shape;
    int64_t cols = s->rank > 0 ? s->dims[s->rank - 1] : 1, rows = s->rank > 1 ? s->dims[s->rank - 2] : 1;
    return ((const float *)c->data)[(rows > 1 ? i : 0) * cols + (cols > 1 ? j : 0)];
}

static gh_status gemm_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    const float *a = x->in[0].data, *b = x->in[1].data;
    float *out = x->out[0].data;
    dense_shape d;
    GH_TRY(gemm_shape(&io, &d));
    for (int i = 0; i < d.m; i++)
        for (int j = 0; j < d.n; j++) {
            double sum = 0;
            for (int k = 0; k < d.k; k++)
                sum += (double)a[d.trans_a ? (size_t)k * d.m + i : (size_t)i * d.k + k] *
                       b[d.trans_b ? (size_t)j * d.k + k : (size_t)k * d.n + j];
            float bias = gh_has(&io, 2) ? d.beta * bias_at(&x->in[2], i, j) : 0.0f;
            out[(size_t)i * d.n + j] = d.alpha * (float)sum + bias;
        }
    if (x->act.kind != GH_ACT_NONE)
        x->k->activate(out, out, (size_t)d.m * d.n, x->act);
    return GH_OK;
}

/* The packed form needs plain rows, alpha and beta of 1, and a constant bias of n elements. */
static bool packable(const gh_io *io, const dense_shape *d)
{
    if (d->trans_a || d->alpha != 1 || d->beta != 1 || !io->in[1].data || d->k == 0)
        return false;
    if (!gh_has(io, 2))
        return true;
    const gh_shape *s = &io->in[2].shape;
    size_t count = 0;
    bool row =
        d->n == 1 || (s->rank > 0 && s->dims[s->rank - 1] == d->n); /* n x 1 is a column of rows' biases */
    return io->in[2].data && row && gh_shape_count(&count, s) && count == (size_t)d->n;
}

static gh_status pack_dense(gh_prepare *p, const dense_shape *d)
{
    const gh_dense_kernel *kernel = p->k->dense;
    const gh_tensor *w = &p->io->in[1];
    size_t n = kernel->packed(d->n, d->k), count = (size_t)d->n * (size_t)d->k;
    float *weights, *copy = NULL, *bias = NULL;
    GH_TRY(gh_prepare_room(p, n + (size_t)d->n));
    weights = gh_alloc_streamed((n ? n : 1) * sizeof(float));
    const float *source = w->data;
    if (!gh_tensor_aligned(w)) {
        source = copy = gh_alloc_aligned(count * sizeof(float));
        if (copy)
            memcpy(copy, w->data, count * sizeof(float));
    }
    if (gh_has(p->io, 2)) {
        bias = gh_alloc_aligned((size_t)d->n * sizeof(float));
        if (bias)
            memcpy(bias, p->io->in[2].data, (size_t)d->n * sizeof(float));
    }
    if (!weights || !source || (gh_has(p->io, 2) && !bias)) {
        gh_free(weights);
        gh_free(copy);
        gh_free(bias);
        return gh_fail(p->io->e, GH_NOMEM, "no memory for packed weights");
    }
    kernel->pack(weights, source, d->n, d->k, d->trans_b);
    gh_free(copy);
    *p->packed = (gh_packed){.kernel = kernel,
                             .weights = weights,
                             .bias = bias,
                             .bytes = (n + (bias ? (size_t)d->n : 0)) * sizeof(float)};
    return GH_OK;
}

static gh_status prepare_shape(gh_prepare *p, const dense_shape *d)
{
    if (!packable(p->io, d))
        return GH_OK;
    if (!p->packed->weights)
        GH_TRY(pack_dense(p, d));
    dense_shape *params = gh_arena_alloc(p->arena, sizeof *params);
    if (!params)
        return gh_fail(p->io->e, GH_NOMEM, "no memory for a plan");
    *params = *d;
    p->params = params;
    p->kernel = p->k->dense->name;
    p->accepted = true;
    return GH_OK;
}

static gh_status gemm_prepare(gh_prepare *p)
{
    dense_shape d;
    GH_TRY(gemm_shape(p->io, &d));
    return prepare_shape(p, &d);
}

typedef struct dense_job {
    const gh_exec *x;
    dense_shape d;
} dense_job;

static void dense_units(const void *job, int begin, int end)
{
    const dense_job *j = job;
    const gh_exec *x = j->x;
    x->k->dense->run(x->out[0].data, x->in[0].data, x->packed->weights, x->packed->bias, x->act, j->d.m,
                     j->d.n, j->d.k, begin, end);
}

static gh_status dense_run_packed(gh_exec *x)
{
    dense_job j = {x, *(const dense_shape *)x->params};
    gh_exec_range(x, x->k->dense->units(j.d.m, j.d.n, j.d.k), dense_units, &j);
    return GH_OK;
}

/* MatMul: numpy's rules. */
gh_status gh_matmul_shape_of(const gh_io *io, gh_matmul_shape *s, const gh_shape *a, const gh_shape *b)
{
    s->a = *a;
    s->b = *b;
    if (a->rank < 1 || b->rank < 1)
        return gh_io_fail(io, GH_FORMAT, "a scalar has no rows");
    if (a->rank == 1)
        s->a = (gh_shape){.rank = 2, .dims = {1, a->dims[0]}};
    if (b->rank == 1)
        s->b = (gh_shape){.rank = 2, .dims = {b->dims[0], 1}};
    s->m = s->a.dims[s->a.rank - 2];
    s->k = s->a.dims[s->a.rank - 1];
    s->n = s->b.dims[s->b.rank - 1];
    if (s->b.dims[s->b.rank - 2] != s->k)
        return gh_io_fail(io, GH_FORMAT, "%lld columns meet %lld rows", (long long)s->k,
                          (long long)s->b.dims[s->b.rank - 2]);
    gh_shape ba = s->a, bb = s->b;
    ba.rank -= 2;
    bb.rank -= 2;
    GH_TRY(gh_io_broadcast(io, &s->out, &ba, &bb));
    if (s->out.rank + 2 > GH_MAX_RANK)
        return gh_io_fail(io, GH_LIMIT, "more than %d dimensions", GH_MAX_RANK);
    s->result = s->out;
    s->out.dims[s->out.rank++] = s->m;
    s->out.dims[s->out.rank++] = s->n;
    if (a->rank > 1)
        s->result.dims[s->result.rank++] = s->m;
    if (b->rank > 1)
        s->result.dims[s->result.rank++] = s->n;
    return GH_OK;
}

size_t gh_matmul_batch(const gh_shape *in, const gh_shape *out, size_t at)
{
    size_t offset = 0, step = 1;
    for (int i = out->rank - 3; i >= 0; i--) {
        int own = i - (out->rank - in->rank);
        size_t index = at % (size_t)out->dims[i];
        at /= (size_t)out->dims[i];
        if (own >= 0) {
            offset += in->dims[own] == 1 ? 0 : index * step;
            step *= (size_t)in->dims[own];
        }
    }
    return offset;
}

static gh_status matmul_shape_of(const gh_io *io, gh_matmul_shape *s)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, -1));
    return gh_matmul_shape_of(io, s, &io->in[0].shape, &io->in[1].shape);
}

static gh_status matmul_infer(gh_io *io)
{
    gh_matmul_shape s;
    GH_TRY(matmul_shape_of(io, &s));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = s.result};
    return GH_OK;
}

static gh_status matmul_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    gh_matmul_shape s;
    GH_TRY(matmul_shape_of(&io, &s));
    size_t batches = gh_shape_span(&s.out, 0, s.out.rank - 2);
    float *out = x->out[0].data;
    if (s.k == 0) /* sums of nothing; the kernel wants something */
        memset(out, 0, batches * (size_t)(s.m * s.n) * sizeof *out);
    for (size_t i = 0; i < batches && s.k; i++)
        x->k->matmul(out + i * (size_t)(s.m * s.n),
                     (const float *)x->in[0].data + gh_matmul_batch(&s.a, &s.out, i) * (size_t)(s.m * s.k),
                     (const float *)x->in[1].data + gh_matmul_batch(&s.b, &s.out, i) * (size_t)(s.k * s.n),
                     (int)s.m, (int)s.n, (int)s.k);
    if (x->act.kind != GH_ACT_NONE)
        x->k->activate(out, out, batches * (size_t)(s.m * s.n), x->act);
    return GH_OK;
}

static double matmul_macs(const gh_io *io)
{
    gh_matmul_shape s;
    if (matmul_shape_of(io, &s))
        return 0;
    return (double)gh_shape_span(&s.out, 0, s.out.rank) * (double)s.k;
}

/* Rows of any number of dimensions times one constant matrix are one dense layer. */
static gh_status matmul_prepare(gh_prepare *p)
{
    const gh_shape *a = &p->io->in[0].shape, *b = &p->io->in[1].shape;
    if (b->rank != 2 || a->rank < 1)
        return GH_OK;
    dense_shape d = {.m = (int)gh_shape_span(a, 0, a->rank - 1),
                     .n = (int)b->dims[1],
                     .k = (int)b->dims[0],
                     .alpha = 1,
                     .beta = 1};
    return prepare_shape(p, &d);
}

static const gh_blocked gemm_packed = {gemm_prepare, dense_run_packed};
static const gh_blocked matmul_packed = {matmul_prepare, dense_run_packed};

const gh_op gh_ops_dense[] = {
    {"Gemm", "", 1, 0, GH_OP_FUSES, 2, 3, 1, gemm_infer, gemm_run, &gemm_packed, gemm_macs},
    {"MatMul", "", 1, 0, GH_OP_FUSES, 2, 2, 1, matmul_infer, matmul_run, &matmul_packed, matmul_macs},
};
const size_t gh_ops_dense_count = GH_COUNT(gh_ops_dense);
