/* OpenBLAS behind a check. Some old builds compute wrong products on some processors, so nothing is believed
 * before it has been compared once with our own loops. The only file that knows cblas.h. */
#include "train/products/blas.h"

#include "base/log.h"
#include "base/rng.h"
#include "base/status.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool own; /* written by the check, before any product, and by tests */
static bool checked_own;
static char name[64] = "own";

static void gemm_openblas(const gh_product *p)
{
    cblas_sgemm(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans, p->m,
                p->n, p->k, 1, p->a, p->lda, p->b, p->ldb, p->add ? 1 : 0, p->c, p->ldc);
}

static void own_row(const gh_product *p, int i)
{
    float *c = p->c + (size_t)i * p->ldc;
    if (!p->add)
        memset(c, 0, (size_t)p->n * sizeof *c);
    for (int k = 0; k < p->k; k++) {
        float v = p->ta ? p->a[(size_t)k * p->lda + i] : p->a[(size_t)i * p->lda + k];
        if (p->tb)
            for (int j = 0; j < p->n; j++)
                c[j] += v * p->b[(size_t)j * p->ldb + k];
        else
            for (int j = 0; j < p->n; j++)
                c[j] += v * p->b[(size_t)k * p->ldb + j];
    }
}

void gh_gemm_own(const gh_product *p)
{
    for (int i = 0; i < p->m; i++)
        own_row(p, i);
}

/* ---- the check ---- */

enum { SIDE = 130, SPACE = SIDE * (SIDE + 1) }; /* most rows or columns that are compared */

/* Both sides of every edge of the tiles that such libraries cut; the first ones take the paths for small
 * products. */
static const struct {
    int m, n, k;
} sizes[] = {{1, 1, 1},     {1, 15, 130},  {7, 5, 3},     {16, 16, 16},  {33, 17, 65}, {64, 64, 64},
             {100, 15, 33}, {128, 15, 64}, {130, 30, 20}, {75, 130, 40}, {65, 66, 130}};

static bool agrees_on(gh_product_fn fn, gh_product p, float *mine, float *theirs)
{
    size_t count = (size_t)p.m * p.ldc;
    for (size_t i = 0; i < count; i++)
        mine[i] = theirs[i] = p.add ? (float)(i % 13) : NAN;
    p.c = mine;
    gh_gemm_own(&p);
    p.c = theirs;
    fn(&p);
    for (int i = 0; i < p.m; i++)
        for (int j = 0; j < p.n; j++)
            if (mine[(size_t)i * p.ldc + j] != theirs[(size_t)i * p.ldc + j])
                return false;
    return true;
}

/* Memory of its own: a check that failed for want of memory would cost the speed of the whole run. */
bool gh_blas_agrees(gh_product_fn fn)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static float space[4][SPACE];
    bool good = true;
    gh_rng rng;
    gh_rng_seed(&rng, 1);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < (size_t)2 * SPACE; i++) /* |sums| <= 130 * 64, exact in any order */
        space[i / SPACE][i % SPACE] = (float)((int)gh_rng_below(&rng, 17) - 8);
    for (size_t s = 0; s < GH_COUNT(sizes); s++)
        for (int flags = 0; good && flags < 8; flags++) {
            gh_product p = {.ta = flags & 1,
                            .tb = flags & 2,
                            .add = flags & 4,
                            .m = sizes[s].m,
                            .n = sizes[s].n,
                            .k = sizes[s].k,
                            .a = space[0],
                            .b = space[1],
                            .ldc = sizes[s].n + 1};
            p.lda = p.ta ? p.m : p.k;
            p.ldb = p.tb ? p.k : p.n;
            good = agrees_on(fn, p, space[2], space[3]);
        }
    pthread_mutex_unlock(&lock);
    return good;
}

static void check(void)
{
    openblas_set_num_threads(1);
    checked_own = !gh_blas_agrees(gemm_openblas);
    atomic_store(&own, checked_own);
    if (checked_own)
        gh_log(GH_LOG_WARN,
               "OpenBLAS (%s) computes wrong products on this processor; our own, slower ones "
               "are used",
               openblas_get_corename());
    else
        snprintf(name, sizeof name, "OpenBLAS %s", openblas_get_corename());
}

static bool use_own(void)
{
    pthread_once(&once, check);
    return atomic_load_explicit(&own, memory_order_relaxed);
}

void gh_gemm(const gh_product *p)
{
    if (p->m <= 0 || p->n <= 0)
        return;
    if (p->k <= 0 || use_own())
        gh_gemm_own(p);
    else
        gemm_openblas(p);
}

float gh_dot(size_t n, const float *x, const float *y)
{
    if (!use_own())
        return cblas_sdot((blasint)n, x, 1, y, 1);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * y[i];
    return (float)sum;
}

void gh_axpy(size_t n, float a, const float *x, float *y)
{
    if (!use_own())
        cblas_saxpy((blasint)n, a, x, 1, y, 1);
    else
        for (size_t i = 0; i < n; i++)
            y[i] += a * x[i];
}

const char *gh_blas_name(void)
{
    return use_own() ? "own" : name;
}

void gh_blas_use_own(bool use)
{
    pthread_once(&once, check);
    atomic_store(&own, use || checked_own);
}
