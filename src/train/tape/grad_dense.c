/* Gradients of Gemm and MatMul: products again. */
#include "engine/ops/broadcast.h"
#include "engine/ops/matmul.h"
#include "train/products/blas.h"
#include "train/tape/grad.h"

#include <string.h>

enum { PIECE = 256 }; /* columns of a product that one thread computes */

static void product_units(const void *arg, int begin, int end)
{
    const gh_product *whole = arg;
    for (int u = begin; u < end; u++) {
        gh_product p = *whole;
        int from = u * PIECE;
        p.n = whole->n - from < PIECE ? whole->n - from : PIECE;
        p.b = whole->b + (size_t)from * (size_t)(whole->tb ? whole->ldb : 1);
        p.c = whole->c + from;
        gh_gemm(&p);
    }
}

static void multiply(const gh_grad_exec *x, gh_product p)
{
    gh_grad_for(x, (p.n + PIECE - 1) / PIECE, product_units, &p);
}

static void scale(float *x, size_t n, float factor)
{
    for (size_t i = 0; i < n && factor != 1; i++)
        x[i] *= factor;
}

/* ---- Gemm ---- */

typedef struct gemm {
    bool ta, tb;
    int m, n, k;
    float alpha, beta;
} gemm;

static gemm gemm_of(const gh_grad_exec *x)
{
    gemm g = {.ta = gh_node_int(x->node, "transA", 0) != 0,
              .tb = gh_node_int(x->node, "transB", 0) != 0,
              .alpha = gh_node_float(x->node, "alpha", 1),
              .beta = gh_node_float(x->node, "beta", 1)};
    g.m = (int)x->out[0].shape.dims[0];
    g.n = (int)x->out[0].shape.dims[1];
    g.k = (int)x->in[0].shape.dims[!g.ta];
    return g;
}

static gh_status gemm_forward(gh_grad_exec *x)
{
    gemm g = gemm_of(x);
    gh_walk w;
    float *y = x->out[0].data;
    multiply(x, (gh_product){.ta = g.ta,
                             .tb = g.tb,
                             .m = g.m,
                             .n = g.n,
                             .k = g.k,
                             .a = x->in[0].data,
                             .b = x->in[1].data,
                             .c = y,
                             .lda = g.ta ? g.m : g.k,
                             .ldb = g.tb ? g.k : g.n,
                             .ldc = g.n});
    scale(y, (size_t)g.m * (size_t)g.n, g.alpha);
    if (x->nin < 3 || x->in[2].type == GH_UNKNOWN)
        return GH_OK;
    const float *c = x->in[2].data;
    gh_walk_start(&w, &x->out[0].shape, (const gh_shape *[]){&x->in[2].shape}, 1);
    for (size_t r = 0; r < w.rows; r++, y += w.row, gh_walk_next(&w))
        for (size_t i = 0; i < w.row; i++)
            y[i] += g.beta * c[w.at[0] + i * w.row_step[0]];
    return GH_OK;
}

static void bias_gradient(const gh_grad_exec *x, float beta)
{
    const float *dy = x->dout[0].data;
    float *dc = x->din[2].data;
    gh_walk w;
    gh_walk_start(&w, &x->out[0].shape, (const gh_shape *[]){&x->in[2].shape}, 1);
    memset(dc, 0, gh_grad_count(&x->in[2]) * sizeof *dc);
    for (size_t r = 0; r < w.rows; r++, dy += w.row, gh_walk_next(&w))
        for (size_t i = 0; i < w.row; i++)
            dc[w.at[0] + i * w.row_step[0]] += beta * dy[i];
}

static gh_status gemm_backward(gh_grad_exec *x)
{
    gemm g = gemm_of(x);
    const float *a = x->in[0].data, *b = x->in[1].data, *dy = x->dout[0].data;
    gh_product to_a = {.tb = !g.tb, .m = g.m, .n = g.k, .k = g.n, .a = dy, .b = b, .lda = g.n, .ldc = g.k};
    gh_product to_b = {.ta = !g.ta, .m = g.k, .n = g.n, .k = g.m, .a = a, .b = dy, .ldb = g.n, .ldc = g.n};
    if (g.ta) /* dA stands as k x m */
        to_a = (gh_product){
            .ta = g.tb, .tb = true, .m = g.k, .n = g.m, .k = g.n, .a = b, .b = dy, .ldb = g.n, .ldc = g.m};
    if (g.tb) /* dB stands as n x k */
        to_b = (gh_product){
            .ta = true, .tb = g.ta, .m = g.n, .n = g.k, .k = g.m, .a = dy, .b = a, .lda = g.n, .ldc = g.k};
    *(g.ta ? &to_a.lda : &to_a.ldb) = g.tb ? g.k : g.n;
    *(g.tb ? &to_b.ldb : &to_b.lda) = g.ta ? g.m : g.k;
    to_a.c = x->din[0].data;
    to_b.c = x->din[1].data;
    if (to_a.c) {
        multiply(x, to_a);
        scale(to_a.c, gh_grad_count(&x->in[0]), g.alpha);
    }
    if (to_b.c) {
        multiply(x, to_b);
        scale(to_b.c, gh_grad_count(&x->in[1]), g.alpha);
    }
    if (x->nin > 2 && x->din[2].data)
        bias_gradient(x, g.beta);
    return GH_OK;
}

static void needs(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    (void)n;
    (void)out;
    *in = (wanted & 1 ? 2u : 0u) | (wanted & 2 ? 1u : 0u);
}

/* ---- MatMul ---- */

typedef struct products {
    gh_matmul_shape s;
    size_t batches;
    bool flat; /* rows of any number of dimensions times one matrix */
} products;

static gh_status read_products(const gh_grad_exec *x, products *p)
{
    gh_io io = gh_grad_io(x);
    GH_TRY(gh_matmul_shape_of(&io, &p->s, &x->in[0].shape, &x->in[1].shape));
    p->batches = gh_shape_span(&p->s.out, 0, p->s.out.rank - 2);
    p->flat = p->s.b.rank == 2;
    if (p->flat) {
        p->s.m = (int64_t)p->batches * p->s.m;
        p->batches = 1;
    }
    return GH_OK;
}

static size_t place(const products *p, const gh_shape *in, size_t at, int64_t size)
{
    return p->flat ? 0 : gh_matmul_batch(in, &p->s.out, at) * (size_t)size;
}

static gh_status matmul_forward(gh_grad_exec *x)
{
    products p;
    GH_TRY(read_products(x, &p));
    int m = (int)p.s.m, n = (int)p.s.n, k = (int)p.s.k;
    for (size_t i = 0; i < p.batches; i++)
        multiply(x, (gh_product){.m = m,
                                 .n = n,
                                 .k = k,
                                 .a = (const float *)x->in[0].data + place(&p, &p.s.a, i, p.s.m * k),
                                 .b = (const float *)x->in[1].data + place(&p, &p.s.b, i, p.s.k * n),
                                 .c = (float *)x->out[0].data + i * (size_t)(p.s.m * n),
                                 .lda = k,
                                 .ldb = n,
                                 .ldc = n});
    return GH_OK;
}

/* Operands that are repeated gather the products of all their batches. */
static gh_status matmul_backward(gh_grad_exec *x)
{
    products p;
    GH_TRY(read_products(x, &p));
    int m = (int)p.s.m, n = (int)p.s.n, k = (int)p.s.k;
    float *da = x->din[0].data, *db = x->din[1].data;
    if (da)
        memset(da, 0, gh_grad_count(&x->in[0]) * sizeof *da);
    if (db)
        memset(db, 0, gh_grad_count(&x->in[1]) * sizeof *db);
    for (size_t i = 0; i < p.batches; i++) {
        const float *dy = (const float *)x->dout[0].data + i * (size_t)(p.s.m * n);
        size_t at_a = place(&p, &p.s.a, i, p.s.m * k), at_b = place(&p, &p.s.b, i, p.s.k * n);
        if (da)
            multiply(x, (gh_product){.tb = true,
                                     .m = m,
                                     .n = k,
                                     .k = n,
                                     .a = dy,
                                     .b = (const float *)x->in[1].data + at_b,
                                     .c = da + at_a,
                                     .lda = n,
                                     .ldb = n,
                                     .ldc = k,
                                     .add = true});
        if (db)
            multiply(x, (gh_product){.ta = true,
                                     .m = k,
                                     .n = n,
                                     .k = m,
                                     .a = (const float *)x->in[0].data + at_a,
                                     .b = dy,
                                     .c = db + at_b,
                                     .lda = k,
                                     .ldb = n,
                                     .ldc = n,
                                     .add = true});
    }
    return GH_OK;
}

const gh_grad gh_grads_dense[] = {
    {"Gemm", 0, 6, 2, needs, gemm_forward, gemm_backward, NULL, NULL},
    {"MatMul", 0, 3, 3, needs, matmul_forward, matmul_backward, NULL, NULL},
};
const size_t gh_grads_dense_count = GH_COUNT(gh_grads_dense);
