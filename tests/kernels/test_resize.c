/* Resizing on the blocked layout, beside sums in double precision. */
#include "kernels/support.h"
#include "unit/suites.h"

#include <math.h>

/* Random taps of one axis. */
typedef struct axis {
    gh_resize_taps t;
    int index[64];
    float weight[64];
} axis;

static void make_axis(axis *a, gh_rng *rng, int in, int out, int taps)
{
    a->t = (gh_resize_taps){in, out, taps, a->index, a->weight};
    ck_assert_int_le(out * taps, 64);
    for (int i = 0; i < out * taps; i++) {
        a->index[i] = (int)gh_rng_below(rng, (uint64_t)in);
        a->weight[i] = taps == 1 ? 1 : 2 * gh_rng_float(rng) - 1;
    }
}

typedef struct call {
    const gh_kernels *k;
    gh_resize_job job;
} call;

static void run(void *arg, int begin, int end)
{
    const call *c = arg;
    c->k->resize(&c->job, begin, end);
}

static void check(const gh_kernels *k, const axis *y, const axis *x, int n, int c, gh_rng *rng)
{
    int in = y->t.in * x->t.in, out = y->t.out * x->t.out, planes = n * kt_blocks(c, k->block);
    kt_buf plain = kt_random(rng, (size_t)n * c * in), dst = kt_new((size_t)planes * out * k->block);
    kt_buf src = kt_new((size_t)planes * in * k->block);
    kt_block(src.p, plain.p, n, c, in, k->block);
    call one = {k, {y->t, x->t, src.p, dst.p}};
    kt_ranges(rng, planes * y->t.out, run, &one);
    for (int p = 0; p < n * c; p++)
        for (int o = 0; o < out; o++) {
            int oy = o / x->t.out, ox = o % x->t.out;
            double want = 0;
            for (int i = 0; i < y->t.taps; i++)
                for (int j = 0; j < x->t.taps; j++)
                    want += (double)y->weight[oy * y->t.taps + i] * x->weight[ox * x->t.taps + j] *
                            plain.p[((size_t)p * y->t.in + y->index[oy * y->t.taps + i]) * x->t.in +
                                    x->index[ox * x->t.taps + j]];
            double got = kt_at(dst.p, c, out, k->block, p / c, p % c, o);
            ck_assert_msg(fabs(got - want) <= 4e-6, "%s: %d x %d taps, pixel %d of plane %d is %g, not %g",
                          k->level, y->t.taps, x->t.taps, o, p, got, want);
        }
    kt_free(&plain, "resize");
    kt_free(&src, "resize");
    kt_free(&dst, "resize");
}

START_TEST(test_taps)
{
    static const int taps[][2] = {{1, 1}, {2, 2}, {4, 4}, {1, 2}, {7, 3}};
    static const int sides[][2] = {{1, 1}, {3, 6}, {5, 4}, {7, 9}}, channels[] = {1, 7, 16, 33};
    gh_kernels k;
    gh_rng rng;
    axis y, x;
    gh_rng_seed(&rng, 7);
    KT_EACH_LEVEL(k)
    for (size_t t = 0; t < sizeof taps / sizeof *taps; t++)
        for (size_t s = 0; s < sizeof sides / sizeof *sides; s++)
            for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) {
                make_axis(&y, &rng, sides[s][0], sides[s][1], taps[t][0]);
                make_axis(&x, &rng, sides[s][1], sides[s][0], taps[t][1]);
                check(&k, &y, &x, 1 + (int)c % 2, channels[c], &rng);
            }
}
END_TEST

START_TEST(test_every_width)
{
    gh_kernels k;
    gh_rng rng;
    axis y, x;
    gh_rng_seed(&rng, 8);
    KT_EACH_LEVEL(k)
    for (int width = 1; width <= 32; width++) {
        make_axis(&y, &rng, 1 + width % 4, 1 + width % 5, 1 + width % 2);
        make_axis(&x, &rng, 33 - width, width, 2);
        check(&k, &y, &x, 1, width, &rng);
    }
}
END_TEST

Suite *gh_suite_kernels_resize(void)
{
    Suite *s = suite_create("kernels_resize");
    TCase *t = tcase_create("resize");
    tcase_add_test(t, test_taps);
    tcase_add_test(t, test_every_width);
    suite_add_tcase(s, t);
    return s;
}
