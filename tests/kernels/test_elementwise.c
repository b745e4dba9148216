/* Activations, binary operations, softmax, and the layout kernels. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const size_t counts[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000};
#define EACH_COUNT(i) for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)

/* Spread over the range where the functions bend, and beyond. */
static kt_buf spread(gh_rng *rng, size_t count)
{
    static const float scales[] = {.01f, 1, 6, 30, 200};
    kt_buf b = kt_random(rng, count);
    for (size_t i = 0; i < count; i++)
        b.p[i] *= scales[gh_rng_below(rng, 5)];
    return b;
}

static void check_act(const gh_kernels *k, size_t count, gh_act act, bool in_place)
{
    gh_rng rng;
    gh_rng_seed(&rng, count * 10 + act.kind);
    kt_buf src = spread(&rng, count), dst = kt_new(count);
    float *exact = kt_exact(src.p, count);
    if (in_place)
        memcpy(dst.p, src.p, count * sizeof(float));
    k->activate(dst.p, in_place ? dst.p : exact, count, act);
    for (size_t i = 0; i < count; i++) {
        double want = kt_act((double)src.p[i], act);
        if (!(fabs((double)dst.p[i] - want) <= 3e-7 + 3e-7 * fabs(want)))
            ck_abort_msg("%s act %d: x %.9g: got %.9g, want %.9g", k->level, (int)act.kind, (double)src.p[i],
                         (double)dst.p[i], want);
    }
    kt_free(&src, "activate");
    kt_free(&dst, "activate");
    gh_free(exact);
}

START_TEST(test_activate)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int a = 0; a < kt_act_count; a++)
        EACH_COUNT(i)
    check_act(&k, counts[i], kt_acts[a], i % 2);
}
END_TEST

/* The relative error of the sigmoid's tail shows the exponential itself; extremes stay finite. */
START_TEST(test_activate_extremes)
{
    static const float x[] = {-FLT_MAX, -200, -104,  -88.5f, -87.3f, -50, -0.f,   0,
                              1e-30f,   50,   87.3f, 88.5f,  104,    200, FLT_MAX};
    enum { COUNT = sizeof x / sizeof *x };
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int a = 0; a < kt_act_count; a++) {
        float y[COUNT];
        if (kt_acts[a].kind == GH_ACT_HSWISH)
            continue; /* x * 1 at FLT_MAX is exact, but x / 6 * x is not what any kernel computes */
        k.activate(y, x, COUNT, kt_acts[a]);
        for (int i = 0; i < COUNT; i++) {
            double want = kt_act((double)x[i], kt_acts[a]);
            ck_assert_msg(fabs((double)y[i] - want) <= 3e-7 * fmax(1, fabs(want)),
                          "%s act %d x %g: %g, not %g", k.level, (int)kt_acts[a].kind, (double)x[i],
                          (double)y[i], want);
        }
    }
}
END_TEST

START_TEST(test_sigmoid_is_relatively_exact)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        double worst = 0;
        for (int i = 0; i < 4000; i++) {
            float x = -80 + 0.02f * (float)i, y;
            k.activate(&y, &x, 1, (gh_act){GH_ACT_SIGMOID, 0, 0});
            double want = 1 / (1 + exp(-(double)x));
            worst = fmax(worst, fabs((double)y - want) / want);
        }
        ck_assert_msg(worst < 3e-7, "%s: relative error %g", k.level, worst);
    }
}
END_TEST

static double combine(double a, double b, gh_binary op)
{
    switch (op) {
    case GH_ADD:
        return a + b;
    case GH_SUB:
        return a - b;
    case GH_MUL:
        return a * b;
    case GH_DIV:
        return a / b;
    case GH_MIN:
        return fmin(a, b);
    case GH_MAX:
        return fmax(a, b);
    }
    return NAN;
}

static void check_binary(const gh_kernels *k, size_t count, gh_binary op, gh_act act, int alias)
{
    gh_rng rng;
    gh_rng_seed(&rng, count * 10 + op);
    kt_buf a = kt_random(&rng, count), b = kt_random(&rng, count), dst = kt_new(count);
    for (size_t i = 0; i < count; i++)
        b.p[i] += b.p[i] < 0 ? -.5f : .5f;
    if (alias)
        memcpy(dst.p, alias == 1 ? a.p : b.p, count * sizeof(float));
    k->binary(dst.p, alias == 1 ? dst.p : a.p, alias == 2 ? dst.p : b.p, count, op, act);
    for (size_t i = 0; i < count; i++) {
        double want = kt_act(combine((double)a.p[i], (double)b.p[i], op), act);
        if (!(fabs((double)dst.p[i] - want) <= 6e-7))
            ck_abort_msg("%s op %d act %d: got %.9g, want %.9g", k->level, (int)op, (int)act.kind,
                         (double)dst.p[i], want);
    }
    kt_free(&a, "binary");
    kt_free(&b, "binary");
    kt_free(&dst, "binary");
}

START_TEST(test_binary)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int op = GH_ADD; op <= GH_MAX; op++)
        EACH_COUNT(i)
    check_binary(&k, counts[i], (gh_binary)op, kt_acts[(int)i % kt_act_count], (int)i % 3);
}
END_TEST

static void check_softmax(const gh_kernels *k, int outer, int count, int inner)
{
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)(outer * 1000 + count * 10 + inner));
    size_t total = (size_t)outer * count * inner;
    kt_buf src = spread(&rng, total), dst = kt_new(total);
    float *exact = kt_exact(src.p, total);
    k->softmax(dst.p, exact, outer, count, inner);
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            const float *x = src.p + (size_t)o * count * inner + i,
                        *y = dst.p + (size_t)o * count * inner + i;
            double top = -INFINITY, sum = 0;
            for (int c = 0; c < count; c++)
                top = fmax(top, (double)x[(size_t)c * inner]);
            for (int c = 0; c < count; c++)
                sum += exp((double)x[(size_t)c * inner] - top);
            for (int c = 0; c < count; c++) {
                double below = top - (double)x[(size_t)c * inner];
                double want = exp(-below) / sum, got = (double)y[(size_t)c * inner];
                /* x - top is rounded to float before the exponential */
                if (!(fabs(got - want) <= (1e-6 + 1.2e-7 * below) * want + 1e-30))
                    ck_abort_msg("%s softmax %d %d %d: got %.9g, want %.9g", k->level, outer, count, inner,
                                 got, want);
            }
        }
    kt_free(&src, "softmax");
    kt_free(&dst, "softmax");
    gh_free(exact);
}

START_TEST(test_softmax)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    EACH_COUNT(i)
    {
        check_softmax(&k, 1 + (int)i % 3, (int)counts[i], 1);
        check_softmax(&k, 1 + (int)i % 2, 1 + (int)i % 5, (int)counts[i]);
    }
}
END_TEST

typedef struct layout_call {
    void (*fn)(float *dst, const float *src, int c, int hw, int begin, int end);
    float *dst;
    const float *src;
    int c, hw;
} layout_call;

static void layout_range(void *arg, int begin, int end)
{
    const layout_call *call = arg;
    call->fn(call->dst, call->src, call->c, call->hw, begin, end);
}

static void check_layout(const gh_kernels *k, int n, int c, int hw)
{
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)(c * 100 + hw));
    int block = k->block;
    size_t plain = (size_t)n * c * hw, blocked = (size_t)n * kt_blocks(c, block) * hw * block;
    kt_buf src = kt_random(&rng, plain), mid = kt_new(blocked), back = kt_new(plain);
    float *exact = kt_exact(src.p, plain);
    layout_call in = {k->to_blocked, mid.p, exact, c, hw};
    kt_ranges(&rng, gh_layout_units(k, n, hw), layout_range, &in);
    for (int image = 0; image < n; image++)
        for (int ch = 0; ch < kt_blocks(c, block) * block; ch++)
            for (int i = 0; i < hw; i++) {
                float want = ch < c ? src.p[((size_t)image * c + ch) * hw + i] : 0;
                ck_assert_msg(kt_at(mid.p, c, hw, block, image, ch, i) == want, "%s to_blocked %d %d %d",
                              k->level, n, c, hw);
            }
    float *exact_mid = kt_exact(mid.p, blocked);
    layout_call out = {k->to_plain, back.p, exact_mid, c, hw};
    kt_ranges(&rng, gh_layout_units(k, n, hw), layout_range, &out);
    ck_assert_mem_eq(back.p, src.p, plain * sizeof(float));
    kt_free(&src, "to_blocked");
    kt_free(&mid, "to_blocked");
    kt_free(&back, "to_plain");
    gh_free(exact);
    gh_free(exact_mid);
}

START_TEST(test_layout)
{
    static const int c[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 40};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        EACH_COUNT(j)
    check_layout(&k, 1 + (int)(i + j) % 2, c[i], (int)counts[j]);
}
END_TEST

START_TEST(test_normalise)
{
    static const float mean[3] = {127, 100.5f, 3}, scale[3] = {1 / 128.f, .02f, 2};
    static const int rgb[3] = {0, 1, 2}, bgr[3] = {2, 1, 0};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    EACH_COUNT(i)
    {
        int pixels = (int)counts[i];
        const int *order = i % 2 ? rgb : bgr;
        gh_rng rng;
        gh_rng_seed(&rng, counts[i]);
        uint8_t *src = gh_alloc(counts[i] * 3);
        for (int p = 0; p < 3 * pixels; p++)
            src[p] = (uint8_t)gh_rng_below(&rng, 256);
        kt_buf dst = kt_new(counts[i] * 3);
        k.normalise_u8(dst.p, src, pixels, order, mean, scale);
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < pixels; p++) {
                float want = (src[p * 3 + order[c]] - mean[c]) * scale[c];
                ck_assert_msg(dst.p[c * pixels + p] == want, "%s normalise_u8 %d: channel %d pixel %d",
                              k.level, pixels, c, p);
            }
        kt_free(&dst, "normalise_u8");
        gh_free(src);
    }
}
END_TEST

Suite *gh_suite_kernels_elementwise(void)
{
    Suite *s = suite_create("kernels_elementwise");
    TCase *t = tcase_create("elementwise");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_activate);
    tcase_add_test(t, test_activate_extremes);
    tcase_add_test(t, test_sigmoid_is_relatively_exact);
    tcase_add_test(t, test_binary);
    tcase_add_test(t, test_softmax);
    tcase_add_test(t, test_layout);
    tcase_add_test(t, test_normalise);
    suite_add_tcase(s, t);
    return s;
}
