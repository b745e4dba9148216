/* Pooling on the blocked layout against double precision. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/support.h"

#include <math.h>

typedef struct pool_call {
    const gh_kernels *k;
    gh_pool_job job;
    bool max;
} pool_call;

static void run_range(void *arg, int begin, int end)
{
    pool_call *c = arg;
    (c->max ? c->k->pool_max : c->k->pool_avg)(&c->job, begin, end);
}

/* One output made from the plain tensor. */
static double point(const pool_call *c, const float *plane, int y, int x)
{
    const gh_conv_shape *s = &c->job.shape;
    double top = -INFINITY, sum = 0;
    int count = 0;
    for (int ky = 0; ky < s->kh; ky++)
        for (int kx = 0; kx < s->kw; kx++) {
            int iy = y * s->sh + ky * s->dh - s->pt, ix = x * s->sw + kx * s->dw - s->pl;
            bool inside = iy >= 0 && iy < s->ih && ix >= 0 && ix < s->iw;
            if (inside) {
                double v = (double)plane[(size_t)iy * s->iw + ix];
                top = fmax(top, v);
                sum += v;
            }
            count += inside || (c->job.count_pad && iy < s->ih + c->job.pb && ix < s->iw + c->job.pr);
        }
    return c->max ? top : sum / count;
}

static void check(pool_call *c, gh_rng *rng)
{
    const gh_conv_shape *s = &c->job.shape;
    int block = c->k->block, ihw = s->ih * s->iw, ohw = s->oh * s->ow, blocks = kt_blocks(s->ic, block);
    kt_buf plain = kt_random(rng, (size_t)s->n * s->ic * ihw),
           dst = kt_new((size_t)s->n * blocks * ohw * block);
    float *src = gh_alloc_aligned((size_t)s->n * blocks * ihw * block * sizeof *src);
    kt_block(src, plain.p, s->n, s->ic, ihw, block);
    c->job.src = src;
    c->job.dst = dst.p;
    kt_ranges(rng, s->n * s->oh * blocks, run_range, c);
    for (int image = 0; image < s->n; image++)
        for (int ch = 0; ch < s->ic; ch++)
            for (int i = 0; i < ohw; i++) {
                double want = point(c, plain.p + ((size_t)image * s->ic + ch) * ihw, i / s->ow, i % s->ow);
                double got = (double)kt_at(dst.p, s->ic, ohw, block, image, ch, i);
                if (!(fabs(got - want) <= 1e-6))
                    ck_abort_msg(
                        "%s pool max %d pad %d c %d %dx%d k%dx%d s%d: channel %d pixel %d: %.9g, not %.9g",
                        c->k->level, c->max, c->job.count_pad, s->ic, s->ih, s->iw, s->kh, s->kw, s->sh, ch,
                        i, got, want);
            }
    for (size_t i = 0; i < dst.count; i++)
        ck_assert(isfinite(dst.p[i]));
    kt_free(&plain, "pool");
    kt_free(&dst, "pool");
    gh_free(src);
}

/* kh kw sh sw dh dw pt pl pb pr, then how many outputs a ceiling adds */
static const int windows[][11] = {
    {2, 2, 2, 2, 1, 1, 0, 0, 0, 0, 0}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0}, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0},
    {3, 2, 3, 1, 1, 2, 0, 1, 1, 0, 0}, {5, 5, 2, 3, 1, 1, 2, 2, 1, 2, 0}, {3, 3, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, {2, 2, 2, 2, 1, 1, 0, 0, 1, 1, 0},
};
static const int sides[][2] = {{1, 1}, {3, 4}, {5, 5}, {7, 9}, {8, 8}, {6, 17}, {11, 2}};
static const int widths[] = {1, 7, 8, 9, 15, 16, 17, 33};

/* The greatest, the average, and the average in which padding counts, where the window fits. */
static void check_window(const gh_kernels *k, gh_rng *rng, const int *w, int n, int c, int ih, int iw)
{
    int height = ih + w[6] + w[8] - (w[0] - 1) * w[4] - 1;
    int width = iw + w[7] + w[9] - (w[1] - 1) * w[5] - 1;
    if (height < 0 || width < 0)
        return;
    int oh = height / w[2] + 1, ow = width / w[3] + 1;
    oh += w[10] && height % w[2];
    ow += w[10] && width % w[3];
    for (int mode = 0; mode < 3; mode++) {
        pool_call call = {
            .k = k,
            .job = {.shape = {n, c, ih, iw, c, oh, ow, w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], 1},
                    .count_pad = mode == 2,
                    .pb = w[8],
                    .pr = w[9]},
            .max = mode == 0};
        check(&call, rng);
    }
}

START_TEST(test_windows)
{
    gh_kernels k;
    gh_rng rng;
    gh_rng_seed(&rng, 3);
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        for (size_t j = 0; j < sizeof sides / sizeof *sides; j++)
            check_window(&k, &rng, windows[i], 1 + (int)j % 2, widths[(i + j) % 8], sides[j][0], sides[j][1]);
        for (int width = 1; width <= 34; width++)
            check_window(&k, &rng, windows[i], 1, widths[width % 8], 1 + width % 6, width);
    }
}
END_TEST

START_TEST(test_global_average)
{
    static const int areas[] = {1, 2, 3, 4, 5, 7, 15, 16, 49, 1000};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++) {
            int n = 1 + (int)j % 2, c = widths[j], hw = areas[i], block = k.block;
            gh_rng rng;
            gh_rng_seed(&rng, i * 10 + j);
            size_t blocked = (size_t)n * kt_blocks(c, block) * hw * block;
            kt_buf plain = kt_random(&rng, (size_t)n * c * hw), dst = kt_new((size_t)n * c);
            float *src = gh_alloc_aligned(blocked * sizeof *src);
            kt_block(src, plain.p, n, c, hw, block);
            k.pool_global_avg(dst.p, src, n, c, hw);
            for (int o = 0; o < n * c; o++) {
                double sum = 0, mag = 0;
                for (int p = 0; p < hw; p++) {
                    sum += (double)plain.p[(size_t)o * hw + p];
                    mag += fabs((double)plain.p[(size_t)o * hw + p]);
                }
                ck_assert_msg(fabs((double)dst.p[o] - sum / hw) <= 4e-7 + 1e-7 * sqrt(hw) * mag / hw,
                              "%s global average c %d hw %d", k.level, c, hw);
            }
            kt_free(&plain, "pool_global_avg");
            kt_free(&dst, "pool_global_avg");
            gh_free(src);
        }
}
END_TEST

Suite *gh_suite_kernels_pool(void)
{
    Suite *s = suite_create("kernels_pool");
    TCase *t = tcase_create("pool");
    tcase_add_test(t, test_windows);
    tcase_add_test(t, test_global_average);
    suite_add_tcase(s, t);
    return s;
}
