/* Resampling of bytes, beside the same sums written out: every level gives every byte exactly. */
#include "base/mem.h"
#include "kernels/support.h"
#include "unit/suites.h"

#include <string.h>

/* Taps as a resize has them: windows of about the same width that move to the right. */
static gh_resample_taps make_taps(gh_rng *rng, int in, int size, int most)
{
    gh_resample_taps t = {gh_calloc((size_t)size, sizeof(int)), gh_calloc((size_t)size, sizeof(int)),
                          gh_calloc((size_t)size * (size_t)most, sizeof(int32_t)), size, most};
    for (int i = 0; i < size; i++) {
        t.count[i] = 1 + (int)gh_rng_below(rng, (uint64_t)most);
        t.first[i] = (int)((int64_t)i * (in - most) / size);
        int32_t left = 1 << GH_RESAMPLE_BITS, share = left / t.count[i];
        for (int k = 0; k < t.count[i]; k++) { /* they sum to one, some are below zero */
            int32_t w = (int32_t)gh_rng_below(rng, (uint64_t)share) - share / 4;
            t.weight[i * most + k] = k + 1 == t.count[i] ? left : w;
            left -= w;
        }
    }
    return t;
}

static void free_taps(gh_resample_taps *t)
{
    gh_free(t->first);
    gh_free(t->count);
    gh_free(t->weight);
}

static uint8_t want(const uint8_t *src, size_t step, const int32_t *w, int count)
{
    int64_t sum = 1 << (GH_RESAMPLE_BITS - 1);
    for (int k = 0; k < count; k++)
        sum += (int64_t)src[(size_t)k * step] * w[k];
    sum >>= GH_RESAMPLE_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static uint8_t *random_bytes(gh_rng *rng, size_t n)
{
    uint8_t *p = gh_alloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)gh_rng_below(rng, 256);
    return p;
}

/* `n` bytes with a canary on each side. */
enum { GUARD = 64, CANARY = 0xa5 };

static uint8_t *guarded(size_t n)
{
    uint8_t *p = gh_alloc(n + 2 * GUARD);
    memset(p, CANARY, n + 2 * GUARD);
    return p + GUARD;
}

static void free_guarded(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < GUARD; i++)
        ck_assert(p[i - GUARD] == CANARY && p[n + i] == CANARY);
    gh_free(p - GUARD);
}

/* in, size, most taps, rows: whole squares, rests, fewer rows than a vector has, windows that move on, and
 * one that is too wide for any. */
static const int cases[][4] = {{64, 16, 4, 16},    {640, 256, 6, 37}, {33, 7, 5, 3},     {5, 40, 2, 17},
                               {1500, 30, 60, 18}, {1, 1, 1, 1},      {700, 3, 600, 20}, {2000, 100, 25, 16}};

START_TEST(test_across)
{
    gh_kernels k;
    gh_rng rng;
    gh_rng_seed(&rng, 11);
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int in = cases[i][0], size = cases[i][1], rows = cases[i][3];
        gh_resample_taps t = make_taps(&rng, in, size, cases[i][2]);
        size_t stride = (size_t)in * 3, dst_stride = (size_t)size * 3 + i % 3, last = (size_t)rows - 1;
        uint8_t *src = random_bytes(&rng, stride * (size_t)rows);
        uint8_t *dst = guarded(dst_stride * last + (size_t)size * 3);
        k.resample_across(dst, dst_stride, src, stride, in, rows, &t);
        for (int y = 0; y < rows; y++) {
            for (size_t x = (size_t)size * 3; y + 1 < rows && x < dst_stride; x++) /* between the rows */
                ck_assert_uint_eq(dst[(size_t)y * dst_stride + x], CANARY);
            for (int x = 0; x < size * 3; x++) {
                const uint8_t *from = src + (size_t)y * stride + (size_t)(t.first[x / 3] * 3 + x % 3);
                ck_assert_msg(dst[(size_t)y * dst_stride + (size_t)x] ==
                                  want(from, 3, t.weight + x / 3 * t.most, t.count[x / 3]),
                              "%s, case %zu: byte %d of row %d", k.level, i, x, y);
            }
        }
        gh_free(src);
        free_guarded(dst, dst_stride * last + (size_t)size * 3);
        free_taps(&t);
    }
}
END_TEST

START_TEST(test_down)
{
    static const int widths[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100},
                     counts[] = {1, 2, 7};
    gh_kernels k;
    gh_rng rng;
    gh_rng_seed(&rng, 12);
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            size_t n = (size_t)widths[i], stride = n + 5;
            gh_resample_taps t = make_taps(&rng, 16, 1, counts[c]);
            uint8_t *src = random_bytes(&rng, stride * (size_t)counts[c]), *dst = guarded(n);
            k.resample_down(dst, src, stride, n, t.weight, t.count[0]);
            for (size_t x = 0; x < n; x++)
                ck_assert_msg(dst[x] == want(src + x, stride, t.weight, t.count[0]),
                              "%s, %zu bytes from %d rows: byte %zu", k.level, n, t.count[0], x);
            gh_free(src);
            free_guarded(dst, n);
            free_taps(&t);
        }
}
END_TEST

Suite *gh_suite_kernels_resample(void)
{
    Suite *s = suite_create("kernels_resample");
    TCase *t = tcase_create("resample");
    tcase_add_test(t, test_across);
    tcase_add_test(t, test_down);
    suite_add_tcase(s, t);
    return s;
}
