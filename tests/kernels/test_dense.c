/* Dense layer and matrix product against double precision. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/support.h"

#include <math.h>

typedef struct dense_call {
    const gh_kernels *k;
    float *dst;
    const float *src, *packed, *bias;
    gh_act act;
    int m, n, kk;
} dense_call;

static void run_range(void *arg, int begin, int end)
{
    dense_call *c = arg;
    c->k->dense->run(c->dst, c->src, c->packed, c->bias, c->act, c->m, c->n, c->kk, begin, end);
}

/* Compares dst[m][n] with act(src[m][k] x w + bias); w is [n][k] or [k][n]. */
static void compare(const dense_call *c, const float *w, bool n_major, const char *what)
{
    for (int i = 0; i < c->m; i++)
        for (int j = 0; j < c->n; j++) {
            double want = c->bias ? (double)c->bias[j] : 0, mag = fabs(want);
            for (int p = 0; p < c->kk; p++) {
                double b = (double)(n_major ? w[(size_t)j * c->kk + p] : w[(size_t)p * c->n + j]);
                double v = (double)c->src[(size_t)i * c->kk + p] * b;
                want += v;
                mag += fabs(v);
            }
            double got = (double)c->dst[(size_t)i * c->n + j], expect = kt_act(want, c->act);
            if (!(fabs(got - expect) <= kt_tolerance(mag, c->kk, c->act)))
                ck_abort_msg("%s %s m %d n %d k %d at %d,%d: got %.9g, want %.9g", what, c->k->level, c->m,
                             c->n, c->kk, i, j, got, expect);
        }
}

static void check(const gh_kernels *k, int m, int n, int kk, int turn)
{
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)turn + 1);
    bool n_major = turn % 2;
    kt_buf src = kt_random(&rng, (size_t)m * kk), w = kt_random(&rng, (size_t)n * kk);
    kt_buf bias = kt_random(&rng, (size_t)n), dst = kt_new((size_t)m * n);
    kt_buf packed = kt_new(k->dense->packed(n, kk));
    k->dense->pack(packed.p, w.p, n, kk, n_major);
    float *exact_src = kt_exact(src.p, src.count), *exact_packed = kt_exact(packed.p, packed.count);
    float *exact_bias = kt_exact(bias.p, bias.count);
    dense_call c = {.k = k,
                    .dst = dst.p,
                    .src = exact_src,
                    .packed = exact_packed,
                    .bias = turn % 3 ? exact_bias : NULL,
                    .act = kt_acts[turn % kt_act_count],
                    .m = m,
                    .n = n,
                    .kk = kk};
    kt_ranges(&rng, k->dense->units(m, n, kk), run_range, &c);
    compare(&c, w.p, n_major, "dense");
    kt_buf *all[] = {&src, &w, &bias, &dst, &packed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kt_free(all[i], "dense");
    gh_free(exact_src);
    gh_free(exact_packed);
    gh_free(exact_bias);
}

static void check_matmul(const gh_kernels *k, int m, int n, int kk)
{
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)(m * 131 + n * 17 + kk));
    kt_buf a = kt_random(&rng, (size_t)m * kk), b = kt_random(&rng, (size_t)kk * n),
           dst = kt_new((size_t)m * n);
    float *exact_a = kt_exact(a.p, a.count), *exact_b = kt_exact(b.p, b.count);
    k->matmul(dst.p, exact_a, exact_b, m, n, kk);
    dense_call c = {.k = k, .dst = dst.p, .src = a.p, .act = {GH_ACT_NONE, 0, 0}, .m = m, .n = n, .kk = kk};
    compare(&c, b.p, false, "matmul");
    kt_free(&a, "matmul");
    kt_free(&b, "matmul");
    kt_free(&dst, "matmul");
    gh_free(exact_a);
    gh_free(exact_b);
}

static const int rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 17};
static const int columns[] = {1, 7, 8, 9, 15, 16, 17, 31, 33, 48, 63, 64, 65, 130, 257};
static const int depths[] = {1, 2, 7, 16, 33, 100, 300};

START_TEST(test_dense)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        int turn = 0;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (size_t j = 0; j < sizeof columns / sizeof *columns; j++, turn++)
                check(&k, rows[i], columns[j], depths[turn % 7], turn);
        check(&k, 1, 1000, 1280, 1);
        check(&k, 1, 10, 2000, 2);
    }
}
END_TEST

START_TEST(test_matmul)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        int turn = 0;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            for (size_t j = 0; j < sizeof columns / sizeof *columns; j++, turn++)
                check_matmul(&k, rows[i], columns[j], depths[turn % 7]);
        check_matmul(&k, 33, 70, 700);
    }
}
END_TEST

Suite *gh_suite_kernels_dense(void)
{
    Suite *s = suite_create("kernels_dense");
    TCase *t = tcase_create("dense");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_dense);
    tcase_add_test(t, test_matmul);
    suite_add_tcase(s, t);
    return s;
}
