/* The transposed convolution at every level against its definition in double precision, over edge shapes. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/status.h"
#include "kernels/support.h"

#include <math.h>
#include <stdio.h>

/* Window, stride and what is cut off at top, left, bottom, right; negative: rows that no product reaches. */
typedef struct window {
    int kh, kw, sh, sw, cut[4];
} window;

static const window windows[] = {
    {2, 2, 2, 2, {0}},           {4, 4, 2, 2, {1, 1, 1, 1}},   {3, 3, 2, 2, {1, 1, 0, 0}},
    {1, 1, 1, 1, {0}},           {3, 3, 1, 1, {1, 1, 1, 1}},   {2, 2, 3, 3, {0}},
    {3, 2, 2, 3, {1, 0, 0, 1}},  {5, 5, 2, 2, {2, 2, 2, 2}},   {2, 2, 2, 2, {0, 0, 1, 1}},
    {4, 4, 4, 4, {0}},           {1, 3, 1, 2, {0, 2, 0, 0}},   {4, 4, 2, 2, {3, 3, 3, 3}},
    {3, 3, 2, 2, {0, 0, -1, 0}}, {1, 1, 2, 2, {0, 0, -1, -1}}, {6, 5, 2, 3, {4, 1, 0, 2}},
    {2, 2, 2, 2, {1, 0, 0, 1}},  {7, 2, 3, 1, {0, 0, 2, 0}},
};
static const int sides[][2] = {{1, 1}, {2, 3}, {5, 7}, {4, 14}, {3, 15}, {9, 29}, {1, 33}, {16, 16}};
static const int channels[][2] = {{1, 1},   {7, 9},   {8, 8},   {16, 16}, {17, 15}, {24, 40},
                                  {33, 31}, {16, 48}, {40, 24}, {5, 64},  {64, 32}};

typedef struct call {
    const gh_conv_kernel *kernel;
    gh_conv_job job;
    const char *label;
} call;

static void run_range(void *arg, int begin, int end)
{
    call *c = arg;
    kt_buf scratch = kt_new(c->kernel->scratch(&c->job.shape));
    c->job.scratch = scratch.p;
    c->kernel->run(&c->job, begin, end);
    kt_free(&scratch, c->label);
}

/* The definition: plain tensors, weights [ic][oc][kh][kw]. */
static void define(double *want, double *mag, const gh_conv_shape *s, const float *src, const float *weights,
                   const float *bias)
{
    int in = s->ih * s->iw, out = s->oh * s->ow, taps = s->kh * s->kw;
    for (int i = 0; i < s->n * s->oc * out; i++) {
        want[i] = bias ? (double)bias[i / out % s->oc] : 0;
        mag[i] = fabs(want[i]);
    }
    for (int o = 0; o < s->n * s->oc; o++)
        for (int i = 0; i < s->ic * in; i++)
            for (int t = 0; t < taps; t++) {
                int y = i % in / s->iw * s->sh + t / s->kw - s->pt;
                int x = i % in % s->iw * s->sw + t % s->kw - s->pl, c = i / in;
                if (y < 0 || y >= s->oh || x < 0 || x >= s->ow)
                    continue;
                double product = (double)weights[(c * s->oc + o % s->oc) * taps + t] *
                                 (double)src[o / s->oc * s->ic * in + i];
                want[o * out + y * s->ow + x] += product;
                mag[o * out + y * s->ow + x] += fabs(product);
            }
}

static void compare(const gh_kernels *k, const call *c, const float *src, const float *weights,
                    const float *bias)
{
    const gh_conv_shape *s = &c->job.shape;
    int out = s->oh * s->ow, count = s->n * s->oc * out;
    double *want = gh_calloc((size_t)count, sizeof *want), *mag = gh_calloc((size_t)count, sizeof *mag);
    define(want, mag, s, src, weights, bias);
    for (int i = 0; i < count; i++) {
        double got =
            (double)kt_at(c->job.dst, s->oc, out, k->block, i / out / s->oc, i / out % s->oc, i % out);
        double expect = kt_act(want[i], c->job.act),
               most = kt_tolerance(mag[i], (double)s->ic * s->kh * s->kw, c->job.act);
        ck_assert_msg(fabs(got - expect) <= most, "%s: result %d: got %.9g, want %.9g", c->label, i, got,
                      expect);
    }
    gh_free(want);
    gh_free(mag);
}

static void check_kernel(const gh_kernels *k, const gh_conv_kernel *kernel, const gh_conv_shape *s, int turn)
{
    gh_rng rng;
    char label[160];
    gh_conv_shape sizeless = *s;
    sizeless.n = sizeless.ih = sizeless.iw = sizeless.oh = sizeless.ow = sizeless.pt = sizeless.pl = -1000000;
    snprintf(label, sizeof label, "%s n%d %dx%dx%d -> %dx%dx%d k%dx%d s%d,%d p%d,%d", kernel->name, s->n,
             s->ic, s->ih, s->iw, s->oc, s->oh, s->ow, s->kh, s->kw, s->sh, s->sw, s->pt, s->pl);
    ck_assert_msg(kernel->accepts(&sizeless), "%s: not accepted", label);
    gh_rng_seed(&rng, (uint64_t)turn + 1);
    size_t area = (size_t)s->ih * s->iw, out = (size_t)s->oh * s->ow, block = (size_t)k->block;
    kt_buf src = kt_random(&rng, (size_t)s->n * s->ic * area), bias = kt_random(&rng, (size_t)s->oc);
    kt_buf weights = kt_random(&rng, (size_t)s->ic * s->oc * s->kh * s->kw);
    kt_buf packed = kt_new(kernel->packed(&sizeless));
    kt_buf from = kt_new((size_t)s->n * kt_blocks(s->ic, k->block) * block * area);
    kt_buf start = kt_new((size_t)kt_blocks(s->oc, k->block) * block);
    kt_buf dst = kt_new((size_t)s->n * kt_blocks(s->oc, k->block) * block * out);
    kernel->pack(packed.p, weights.p, &sizeless);
    kt_block(from.p, src.p, s->n, s->ic, (int)area, k->block);
    kt_block(start.p, bias.p, 1, s->oc, 1, k->block);
    call c = {kernel,
              {.shape = *s,
               .src = from.p,
               .weights = packed.p,
               .bias = turn % 3 ? start.p : NULL,
               .dst = dst.p,
               .act = kt_acts[turn % kt_act_count]},
              label};
    kt_ranges(&rng, kernel->units(s), run_range, &c);
    float *in = kt_as_multiplied(&src, kernel->bf16), *w = kt_as_multiplied(&weights, kernel->bf16);
    compare(k, &c, in, w, turn % 3 ? bias.p : NULL);
    gh_free(in);
    gh_free(w);
    kt_buf *all[] = {&src, &bias, &weights, &packed, &from, &start, &dst};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        kt_free(all[i], label);
}

static void check(const gh_kernels *k, const gh_conv_shape *s, int turn)
{
    check_kernel(k, k->conv_transpose, s, turn);
    if (k->conv_transpose_bf16)
        check_kernel(k, k->conv_transpose_bf16, s, turn);
}

static bool make_shape(gh_conv_shape *s, const window *w, int n, const int ch[2], const int side[2])
{
    int height = (side[0] - 1) * w->sh + w->kh - w->cut[0] - w->cut[2];
    int width = (side[1] - 1) * w->sw + w->kw - w->cut[1] - w->cut[3];
    *s = (gh_conv_shape){n,     ch[0], side[0], side[1], ch[1], height,    width,     w->kh,
                         w->kw, w->sh, w->sw,   1,       1,     w->cut[0], w->cut[1], 1};
    return height > 0 && width > 0;
}

START_TEST(test_windows)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int i = 0, turn = 0; i < (int)GH_COUNT(windows); i++)
        for (int j = 0; j < (int)GH_COUNT(sides); j++, turn++) {
            gh_conv_shape s;
            if (make_shape(&s, &windows[i], 1 + turn % 5 / 4, channels[turn % (int)GH_COUNT(channels)],
                           sides[j]))
                check(&k, &s, turn);
        }
}
END_TEST

START_TEST(test_every_width)
{
    static const int ch[][2] = {{1, 8}, {7, 16}, {8, 17}, {9, 33}, {16, 15}, {17, 9}, {33, 7}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int i = 0; i < 6; i++)
        for (int width = 1; width <= 33; width++) {
            gh_conv_shape s;
            const int side[] = {1 + width % 3, width};
            if (make_shape(&s, &windows[i], 1, ch[width % 7], side))
                check(&k, &s, width);
        }
}
END_TEST

/* Several bands of rows, and weights of more than one panel. */
START_TEST(test_large)
{
    static const int deep[] = {300, 40}, wide[] = {70, 24}, small[] = {9, 13}, large[] = {61, 67};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int i = 0; i < 3; i++) {
        gh_conv_shape s;
        ck_assert(make_shape(&s, &windows[i], 1, deep, small));
        check(&k, &s, i);
        ck_assert(make_shape(&s, &windows[i], 1, wide, large));
        check(&k, &s, i + 3);
    }
}
END_TEST

START_TEST(test_what_is_not_accepted)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        gh_conv_shape s = {1, 8, 4, 4, 8, 8, 8, 2, 2, 2, 2, 1, 1, 0, 0, 1};
        ck_assert(k.conv_transpose->accepts(&s));
        s.groups = 2;
        ck_assert(!k.conv_transpose->accepts(&s));
        s.groups = 1;
        s.dw = 2;
        ck_assert(!k.conv_transpose->accepts(&s));
    }
}
END_TEST

Suite *gh_suite_kernels_transpose(void)
{
    Suite *s = suite_create("kernels_transpose");
    TCase *t = tcase_create("transpose");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_windows);
    tcase_add_test(t, test_every_width);
    tcase_add_test(t, test_large);
    tcase_add_test(t, test_what_is_not_accepted);
    suite_add_tcase(s, t);
    return s;
}
