/* Einsum of two float32 operands as a batch of matrix products: each operand is brought into the order of its
 * labels that products want, unless it stands so already, and the result into the order of the output. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/einsum.h"
#include "engine/ops/strided.h"

/* Floats that the copies of one node may take, a thread. */
#define MOST_SCRATCH ((size_t)4 << 20)

typedef struct operand {
    gh_strided walk; /* from where it stands to where products want it; the other way for the output */
    size_t count;
    bool copy;
} operand;

typedef struct product {
    operand a, b, out; /* batch x m x k, batch x k x n, batch x m x n */
    size_t batches, m, n, k;
} product;

/* What a label is for, of its steps in both operands: a row, a column, a sum or a batch. */
typedef enum role { BATCH, ROW, COLUMN, SUM, ROLES } role;

static bool role_of(const gh_einsum *s, int label, role *out)
{
    bool in_a = s->step[0][label] != 0, in_b = s->step[1][label] != 0;
    if (label >= s->nout && !(in_a && in_b))
        return false; /* a sum over one operand alone */
    *out = label >= s->nout ? SUM : in_a && in_b ? BATCH : in_a ? ROW : COLUMN;
    return true;
}

/* Adds the labels of one role to a walk that has its other side in order. */
static void add_role(const gh_einsum *s, operand *o, role want, const size_t *step)
{
    for (int l = 0; l < s->nlabels; l++) {
        role is;
        if (s->dim[l] == 1 || !role_of(s, l, &is) || is != want)
            continue;
        gh_strided_axis(&o->walk, s->dim[l], (int64_t)step[l], 0);
        o->count *= (size_t)s->dim[l];
    }
}

static operand operand_of(const gh_einsum *s, role second, role third, const size_t *step)
{
    operand o = {.count = 1};
    add_role(s, &o, BATCH, step);
    add_role(s, &o, second, step);
    add_role(s, &o, third, step);
    int64_t next = 1;
    for (int d = o.walk.rank - 1; d >= 0; d--) {
        o.walk.dst[d] = next;
        o.copy = o.copy || o.walk.src[d] != next;
        next *= o.walk.dims[d];
    }
    return o;
}

/* False when it is not a product of matrices, or one with a side of 0. */
static bool product_of(const gh_einsum *s, product *p)
{
    size_t sides[ROLES] = {1, 1, 1, 1}, step[GH_EINSUM_LABELS] = {0}, next = 1;
    int labels = 0;
    for (int l = 0; l < s->nlabels; l++) {
        role is;
        if (s->dim[l] == 1)
            continue;
        if (s->dim[l] == 0 || !role_of(s, l, &is) || ++labels > GH_STRIDED_RANK)
            return false;
        sides[is] *= (size_t)s->dim[l];
    }
    for (int l = s->nout - 1; l >= 0; l--) {
        step[l] = next;
        next *= (size_t)s->dim[l];
    }
    *p = (product){.batches = sides[BATCH], .m = sides[ROW], .n = sides[COLUMN], .k = sides[SUM]};
    p->a = operand_of(s, ROW, SUM, s->step[0]);
    p->b = operand_of(s, SUM, COLUMN, s->step[1]);
    p->out = operand_of(s, ROW, COLUMN, step);
    for (int d = 0; d < p->out.walk.rank; d++) { /* this one is walked from products to the output */
        int64_t to = p->out.walk.src[d];
        p->out.walk.src[d] = p->out.walk.dst[d];
        p->out.walk.dst[d] = to;
    }
    return sides[ROW] <= INT32_MAX && sides[COLUMN] <= INT32_MAX && sides[SUM] <= INT32_MAX &&
           sides[BATCH] <= INT32_MAX;
}

static size_t scratch_of(const operand *o)
{
    return o->copy ? o->count : 0;
}

static gh_status prepare(gh_prepare *p)
{
    gh_einsum s;
    product made;
    if (p->io->nin != 2 || p->io->in[0].type != GH_F32)
        return GH_OK;
    GH_TRY(gh_einsum_of(p->io, &s));
    if (!product_of(&s, &made))
        return GH_OK;
    size_t scratch = scratch_of(&made.a) + scratch_of(&made.b) + scratch_of(&made.out);
    if (scratch > MOST_SCRATCH)
        return GH_OK;
    product *params = gh_arena_alloc(p->arena, sizeof *params);
    if (!params)
        return gh_fail(p->io->e, GH_NOMEM, "no memory for a plan");
    *params = made;
    p->params = params;
    p->scratch = scratch;
    p->kernel = "matmul";
    p->accepted = true;
    return GH_OK;
}

typedef struct matmul_job {
    const gh_exec *x;
    const product *p;
    const float *a, *b;
    float *out;
} matmul_job;

static void matmul_units(const void *job, int begin, int end)
{
    const matmul_job *j = job;
    const product *p = j->p;
    for (int i = begin; i < end; i++)
        j->x->k->matmul(j->out + (size_t)i * p->m * p->n, j->a + (size_t)i * p->m * p->k,
                        j->b + (size_t)i * p->k * p->n, (int)p->m, (int)p->n, (int)p->k);
}

/* The operand itself, or its copy in the scratch memory at *free, which moves on. */
static const float *ordered(const operand *o, const gh_tensor *t, float **free)
{
    float *copy = *free;
    if (!o->copy)
        return t->data;
    gh_strided_copy(copy, t->data, sizeof *copy, &o->walk);
    *free += o->count;
    return copy;
}

static gh_status run(gh_exec *x)
{
    const product *p = x->params;
    float *free = x->scratch;
    matmul_job j = {.x = x, .p = p};
    j.a = ordered(&p->a, &x->in[0], &free);
    j.b = ordered(&p->b, &x->in[1], &free);
    j.out = p->out.copy ? free : x->out[0].data;
    gh_exec_range(x, (int)p->batches, matmul_units, &j);
    if (p->out.copy)
        gh_strided_copy(x->out[0].data, j.out, sizeof *j.out, &p->out.walk);
    return GH_OK;
}

const gh_blocked gh_einsum_matmul = {prepare, run};
