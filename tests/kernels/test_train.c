/* What training adds to the kernels: each level against sums in double, over odd lengths and shifts. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/support.h"

#include <math.h>

static const size_t counts[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 1023, 1025, 2047, 2049, 5001};
#define EACH_COUNT(i) for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)

static void near(const char *level, const char *what, double got, double want, double size)
{
    ck_assert_msg(fabs(got - want) <= 2e-6 * size + 1e-7, "%s %s: %.9g, not %.9g", level, what, got, want);
}

START_TEST(test_moments)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    EACH_COUNT(c)
    {
        gh_rng rng;
        gh_rng_seed(&rng, c);
        kt_buf x = kt_random(&rng, counts[c]);
        double sums[2] = {3, 5}, want[2] = {3, 5};
        float *exact = kt_exact(x.p, counts[c]);
        k.moments(sums, exact, counts[c], 0.25f);
        for (size_t i = 0; i < counts[c]; i++) {
            want[0] += (double)x.p[i] - 0.25;
            want[1] += ((double)x.p[i] - 0.25) * ((double)x.p[i] - 0.25);
        }
        near(k.level, "moments", sums[0], want[0], (double)counts[c]);
        near(k.level, "moments", sums[1], want[1], (double)counts[c]);
        gh_free(exact);
        kt_free(&x, "moments");
    }
}
END_TEST

static double masked(const gh_norm_job *j, double dy, double x)
{
    double v = (double)j->a * x + (double)j->b;
    return v > (double)j->lo && v < (double)j->hi ? dy : 0;
}

/* Numbers on a grid, so that no level rounds to the other side of a bound. */
static kt_buf on_grid(gh_rng *rng, size_t count)
{
    kt_buf b = kt_random(rng, count);
    for (size_t i = 0; i < count; i++)
        b.p[i] = (float)((int)gh_rng_below(rng, 33) - 16) / 8;
    return b;
}

static void check_norm(const gh_kernels *k, size_t count, const gh_norm_job *j)
{
    gh_rng rng;
    gh_rng_seed(&rng, count);
    kt_buf x = on_grid(&rng, count), dy = kt_random(&rng, count), dx = kt_new(count), y = kt_new(count);
    double sums[2] = {1, 2}, want[2] = {1, 2};
    float *src = kt_exact(x.p, count), *from = kt_exact(dy.p, count);
    k->scale_clamp(y.p, src, count, j->a, j->b, j->lo, j->hi);
    k->norm_sums(sums, from, src, count, j);
    k->norm_gradient(dx.p, from, src, count, j);
    k->norm_gradient(from, from, src, count, j); /* in place */
    for (size_t i = 0; i < count; i++) {
        double v = (double)j->a * x.p[i] + j->b, g = masked(j, (double)dy.p[i], (double)x.p[i]);
        near(k->level, "scale_clamp", (double)y.p[i], fmin(fmax(v, (double)j->lo), (double)j->hi), 4);
        near(k->level, "norm_gradient", (double)dx.p[i],
             g * j->a + (double)x.p[i] * j->slope + (double)j->shift, 4);
        ck_assert(from[i] == dx.p[i]);
        want[0] += g;
        want[1] += g * ((double)x.p[i] - j->mean);
    }
    near(k->level, "norm_sums", sums[0], want[0], (double)count);
    near(k->level, "norm_sums", sums[1], want[1], 3 * (double)count);
    gh_free(src);
    gh_free(from);
    kt_free(&x, "norm");
    kt_free(&dy, "norm");
    kt_free(&dx, "norm_gradient");
    kt_free(&y, "scale_clamp");
}

START_TEST(test_norm)
{
    static const gh_norm_job jobs[] = {
        {1.5f, 0.25f, 0, INFINITY, 0.125f, -0.5f, 0.375f},
        {-2, 1, 0, 6, -1, 0.25f, 0},
        {0.5f, 0, -INFINITY, INFINITY, 2, 0, 0},
    };
    gh_kernels k;
    KT_EACH_LEVEL(k)
    EACH_COUNT(c)
    for (size_t j = 0; j < sizeof jobs / sizeof *jobs; j++)
        check_norm(&k, counts[c], &jobs[j]);
}
END_TEST

enum { MOST = 25, REACH = 70 };

START_TEST(test_taps)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    EACH_COUNT(c)
    for (int n = 1; n <= MOST; n += n < 10 ? 1 : 15) {
        gh_rng rng;
        ptrdiff_t offset[MOST];
        double sums[MOST];
        gh_rng_seed(&rng, c * 100 + (size_t)n);
        kt_buf src = kt_random(&rng, counts[c] + 2 * REACH), w = kt_random(&rng, MOST),
               dst = kt_new(counts[c]);
        float *exact = kt_exact(src.p, src.count), *middle = exact + REACH;
        for (int t = 0; t < n; t++) {
            offset[t] = (ptrdiff_t)gh_rng_below(&rng, 2 * REACH + 1) - REACH;
            sums[t] = t;
        }
        k.taps(dst.p, middle, offset, w.p, n, counts[c], 0.5f);
        k.tap_dots(sums, dst.p, middle, offset, n, counts[c]);
        for (size_t i = 0; i < counts[c]; i++) {
            double want = 0.5;
            for (int t = 0; t < n; t++)
                want += (double)w.p[t] * middle[(ptrdiff_t)i + offset[t]];
            near(k.level, "taps", (double)dst.p[i], want, n);
        }
        for (int t = 0; t < n; t++) {
            double want = t;
            for (size_t i = 0; i < counts[c]; i++)
                want += (double)dst.p[i] * middle[(ptrdiff_t)i + offset[t]];
            near(k.level, "tap_dots", sums[t], want, 5 * (double)counts[c]);
        }
        gh_free(exact);
        kt_free(&src, "taps");
        kt_free(&w, "taps");
        kt_free(&dst, "taps");
    }
}
END_TEST

static void check_dots(const gh_kernels *k, int m, int n, size_t count)
{
    static const ptrdiff_t offset[] = {0, 1, 17};
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)m * 1000 + (uint64_t)n);
    size_t row = count + 17;
    kt_buf a = kt_random(&rng, (size_t)m * count), b = kt_random(&rng, (size_t)n * row),
           dst = kt_new((size_t)m * (size_t)n * 3);
    for (size_t i = 0; i < dst.count; i++)
        dst.p[i] = (float)i;
    float *ea = kt_exact(a.p, a.count), *eb = kt_exact(b.p, b.count);
    k->dots(&(gh_dots_job){.a = ea,
                           .b = eb,
                           .offset = offset,
                           .dst = dst.p,
                           .a_step = count,
                           .b_step = row,
                           .dst_row = (size_t)n * 3,
                           .dst_column = 3,
                           .m = m,
                           .n = n,
                           .taps = 3,
                           .count = count});
    for (size_t i = 0; i < dst.count; i++) {
        double want = (double)i;
        for (size_t x = 0; x < count; x++)
            want += (double)ea[i / 3 / (size_t)n * count + x] *
                    (double)eb[i / 3 % (size_t)n * row + x + (size_t)offset[i % 3]];
        near(k->level, "dots", (double)dst.p[i], want, (double)count + (double)i);
    }
    gh_free(ea);
    gh_free(eb);
    kt_free(&a, "dots");
    kt_free(&b, "dots");
    kt_free(&dst, "dots");
}

START_TEST(test_dots)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int m = 1; m <= 9; m++)
        for (int n = 1; n <= 13; n += 3)
            EACH_COUNT(c)
    check_dots(&k, m, n, counts[c]);
}
END_TEST

Suite *gh_suite_kernels_train(void)
{
    Suite *s = suite_create("kernels_train");
    TCase *c = tcase_create("kernels_train");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_moments);
    tcase_add_test(c, test_norm);
    tcase_add_test(c, test_taps);
    tcase_add_test(c, test_dots);
    suite_add_tcase(s, c);
    return s;
}
