/* Matrix products for training, row-major float32: OpenBLAS on the calling thread alone, after it has agreed
 * with our own product; else our own. Results do not depend on the number of threads, as long as the caller
 * cuts its work in fixed pieces. */
#ifndef GH_TRAIN_PRODUCTS_BLAS_H
#define GH_TRAIN_PRODUCTS_BLAS_H

#include <stdbool.h>
#include <stddef.h>

/* op(a) is m x k, op(b) is k x n, c is m x n; op transposes where `ta` (`tb`) is set. `lda`, `ldb`, `ldc` are
 * elements from one row in memory to the next. */
typedef struct gh_product {
    bool ta, tb;
    int m, n, k;
    const float *a, *b;
    float *c;
    int lda, ldb, ldc;
    bool add; /* c += the product; else c = the product, whatever c held */
} gh_product;

typedef void (*gh_product_fn)(const gh_product *p);

/* c = op(a) op(b), or added to c. */
void gh_gemm(const gh_product *p);
/* The sum of x[i] y[i]. */
float gh_dot(size_t n, const float *x, const float *y);
/* y += a * x */
void gh_axpy(size_t n, float a, const float *x, float *y);

/* Our own product: plain loops, for ever the reference. */
void gh_gemm_own(const gh_product *p);
/* True when `fn` gives exactly our own results on products of small integers, where every order of summation
 * is exact. */
bool gh_blas_agrees(gh_product_fn fn);
/* What computes here: OpenBLAS's name and core type, or "own". */
const char *gh_blas_name(void);
/* Tests: our own product from now on, or again what the check chose. */
void gh_blas_use_own(bool own);

#endif
