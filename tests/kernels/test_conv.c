/* Every convolution kernel at every level against the reference, over edge shapes. */
#include "unit/suites.h"

#include "base/mem.h"
#include "kernels/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef enum residual_kind { NO_RESIDUAL, RESIDUAL, RESIDUAL_IN_PLACE, RESIDUAL_KINDS } residual_kind;

/* One comparison: the plain tensors, what is expected, and the kernel under test (NULL = conv_plain). */
typedef struct conv_case {
    const gh_kernels *k;
    const gh_conv_kernel *kernel;
    gh_conv_shape s;
    gh_act act;
    bool with_bias;
    residual_kind residual;
    kt_buf src, weights, bias, res; /* plain */
    char label[200];
} conv_case;

typedef struct conv_call {
    const conv_case *c;
    gh_conv_job job;
    int first; /* unit of the stage at hand */
} conv_call;

static void run_range(void *arg, int begin, int end)
{
    conv_call *call = arg;
    const gh_conv_kernel *kernel = call->c->kernel;
    if (!kernel) {
        call->c->k->conv_plain(&call->job, begin, end);
        return;
    }
    kt_buf scratch = kt_new(kernel->scratch(&call->c->s));
    call->job.scratch = scratch.p;
    kernel->run(&call->job, call->first + begin, call->first + end);
    kt_free(&scratch, call->c->label);
}

static size_t shared_floats(const gh_conv_kernel *kernel, const gh_conv_shape *s)
{
    return kernel->shared ? kernel->shared(s) : 0;
}

/* One past the last unit of the stage that starts with `first`. */
static int stage_end(const gh_conv_kernel *kernel, const gh_conv_shape *s, int first)
{
    int units = kernel->units(s), end = kernel->stage ? kernel->stage(s, first) : units;
    ck_assert_msg(end > first && end <= units, "%s: stage %d..%d of %d", kernel->name, first, end, units);
    return end;
}

static void run_stages(conv_call *call, gh_rng *rng)
{
    const gh_conv_kernel *kernel = call->c->kernel;
    const gh_conv_shape *s = &call->c->s;
    kt_buf shared = kt_new(shared_floats(kernel, s));
    call->job.shared = shared.p;
    for (int end, units = kernel->units(s); call->first < units; call->first = end) {
        end = stage_end(kernel, s, call->first);
        kt_ranges(rng, end - call->first, run_range, call);
    }
    kt_free(&shared, call->c->label);
}

/* What accepts, packed and pack may not look at. */
static gh_conv_shape without_size(const gh_conv_shape *s)
{
    gh_conv_shape t = *s;
    t.n = t.ih = t.iw = t.oh = t.ow = t.pt = t.pl = -1000000;
    return t;
}

static float *packed_weights(const conv_case *c)
{
    gh_conv_shape t = without_size(&c->s);
    ck_assert_msg(c->kernel->accepts(&t), "%s: not accepted", c->label);
    size_t count = c->kernel->packed(&t);
    kt_buf packed = kt_new(count);
    c->kernel->pack(packed.p, c->weights.p, &t);
    float *exact = kt_exact(packed.p, count);
    kt_free(&packed, c->label);
    return exact;
}

static float *blocked_copy(const float *plain, int n, int c, int hw, int block)
{
    size_t count = (size_t)n * kt_blocks(c, block) * hw * block;
    float *p = gh_alloc_aligned(count * sizeof *p);
    ck_assert_ptr_nonnull(p);
    kt_block(p, plain, n, c, hw, block);
    return p;
}

/* dst as the job sees it: NaN, or the residual when that is in place. */
static kt_buf new_dst(const conv_case *c, const float *residual, size_t count)
{
    kt_buf dst = kt_new(count);
    if (c->residual == RESIDUAL_IN_PLACE)
        memcpy(dst.p, residual, count * sizeof *residual);
    return dst;
}

/* Winograd's sums pass through larger numbers than the definition's, and mix the pixels of a tile: what a
 * result may be off by follows from the largest sum of all. One and a half times what was seen.
 */
static double winograd_tolerance(const gh_conv_kernel *kernel, const double *mag, size_t count, double terms,
                                 gh_act act)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, mag[i]);
    return (kernel->loss == 2 ? 0.4 : kernel->loss == 4 ? 3 : 7) * kt_tolerance(largest, terms, act);
}

static void compare(const conv_case *c, const float *dst)
{
    const gh_conv_shape *s = &c->s;
    int hw = s->oh * s->ow;
    size_t count = (size_t)s->n * s->oc * hw;
    bool rounds = c->kernel && c->kernel->bf16;
    float *src = kt_as_multiplied(&c->src, rounds), *weights = kt_as_multiplied(&c->weights, rounds);
    double *want = gh_calloc(count, sizeof *want), *mag = gh_calloc(count, sizeof *mag);
    kt_conv(want, mag, s, src, weights, c->with_bias ? c->bias.p : NULL, c->residual ? c->res.p : NULL);
    double terms = (double)s->ic / s->groups * s->kh * s->kw, loss = 0;
    if (c->kernel && c->kernel->loss)
        loss = winograd_tolerance(c->kernel, mag, count, terms, c->act);
    for (size_t i = 0; i < count; i++) {
        int px = (int)(i % hw), ch = (int)(i / hw % s->oc), image = (int)(i / hw / s->oc);
        double got = c->kernel ? (double)kt_at(dst, s->oc, hw, c->k->block, image, ch, px) : (double)dst[i];
        double expect = kt_act(want[i], c->act), most = fmax(loss, kt_tolerance(mag[i], terms, c->act));
        if (!(fabs(got - expect) <= most))
            ck_abort_msg("%s: image %d channel %d pixel %d: got %.9g, want %.9g, tolerance %.3g", c->label,
                         image, ch, px, got, expect, most);
    }
    gh_free(want);
    gh_free(mag);
    gh_free(src);
    gh_free(weights);
}

static void run_blocked(conv_case *c, gh_rng *rng)
{
    const gh_conv_shape *s = &c->s;
    int block = c->k->block, ob = kt_blocks(s->oc, block), hw = s->oh * s->ow;
    size_t count = (size_t)s->n * ob * hw * block;
    float *src = c->kernel->src_blocked ? blocked_copy(c->src.p, s->n, s->ic, s->ih * s->iw, block)
                                        : kt_exact(c->src.p, c->src.count);
    float *weights = packed_weights(c), *bias = blocked_copy(c->bias.p, 1, s->oc, 1, block);
    float *residual = blocked_copy(c->res.p, s->n, s->oc, hw, block);
    kt_buf dst = new_dst(c, residual, count);
    conv_call call = {.c = c,
                      .job = {.shape = *s,
                              .src = src,
                              .weights = weights,
                              .bias = c->with_bias ? bias : NULL,
                              .residual = c->residual == RESIDUAL            ? residual
                                          : c->residual == RESIDUAL_IN_PLACE ? dst.p
                                                                             : NULL,
                              .dst = dst.p,
                              .act = c->act}};
    run_stages(&call, rng);
    compare(c, dst.p);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(isfinite(dst.p[i]), "%s: lane %zu is not finite", c->label, i);
    kt_free(&dst, c->label);
    gh_free(src);
    gh_free(weights);
    gh_free(bias);
    gh_free(residual);
}

static void run_plain(conv_case *c, gh_rng *rng)
{
    kt_buf dst = new_dst(c, c->res.p, c->res.count);
    conv_call call = {.c = c,
                      .job = {.shape = c->s,
                              .src = c->src.p,
                              .weights = c->weights.p,
                              .bias = c->with_bias ? c->bias.p : NULL,
                              .residual = c->residual == RESIDUAL            ? c->res.p
                                          : c->residual == RESIDUAL_IN_PLACE ? dst.p
                                                                             : NULL,
                              .dst = dst.p,
                              .act = c->act}};
    kt_ranges(rng, c->s.n * c->s.oc, run_range, &call);
    compare(c, dst.p);
    kt_free(&dst, c->label);
}

/* One shape with one choice of activation, bias and residual. */
static void check(const gh_kernels *k, const gh_conv_kernel *kernel, const gh_conv_shape *s, int turn)
{
    conv_case c = {.k = k,
                   .kernel = kernel,
                   .s = *s,
                   .act = kt_acts[turn % kt_act_count],
                   .with_bias = turn % 3 != 0,
                   .residual = (residual_kind)(turn % RESIDUAL_KINDS)};
    gh_rng rng;
    gh_rng_seed(&rng, (uint64_t)turn + 1);
    snprintf(c.label, sizeof c.label,
             "%s %s n%d %dx%dx%d -> %dx%dx%d k%dx%d s%d,%d d%d,%d p%d,%d g%d act %d residual %d",
             kernel ? kernel->name : "conv_plain", k->level, s->n, s->ic, s->ih, s->iw, s->oc, s->oh, s->ow,
             s->kh, s->kw, s->sh, s->sw, s->dh, s->dw, s->pt, s->pl, s->groups, (int)c.act.kind,
             (int)c.residual);
    c.src = kt_random(&rng, (size_t)s->n * s->ic * s->ih * s->iw);
    c.weights = kt_random(&rng, (size_t)s->oc * (s->ic / s->groups) * s->kh * s->kw);
    c.bias = kt_random(&rng, (size_t)s->oc);
    c.res = kt_random(&rng, (size_t)s->n * s->oc * s->oh * s->ow);
    if (kernel)
        run_blocked(&c, &rng);
    else
        run_plain(&c, &rng);
    kt_free(&c.src, c.label);
    kt_free(&c.weights, c.label);
    kt_free(&c.bias, c.label);
    kt_free(&c.res, c.label);
}

/* A window and how it moves: kernel, stride, dilation, padding before and after on each axis. */
typedef struct window {
    int kh, kw, sh, sw, dh, dw, pt, pl, pb, pr;
} window;

/* false when the picture is too small for the window. */
static bool make_shape(gh_conv_shape *s, const window *w, int n, int ic, int oc, int ih, int iw, int groups)
{
    int height = ih + w->pt + w->pb - (w->kh - 1) * w->dh - 1;
    int width = iw + w->pl + w->pr - (w->kw - 1) * w->dw - 1;
    if (height < 0 || width < 0)
        return false;
    *s = (gh_conv_shape){
        n,     ic,    ih,    iw,    oc,    height / w->sh + 1, width / w->sw + 1, w->kh, w->kw, w->sh, w->sw,
        w->dh, w->dw, w->pt, w->pl, groups};
    return true;
}

static const window square[] = {
    {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
    {5, 5, 1, 1, 1, 1, 2, 2, 2, 2}, {5, 5, 2, 2, 1, 1, 1, 1, 2, 2}, {7, 7, 2, 2, 1, 1, 3, 3, 3, 3},
    {3, 3, 1, 1, 2, 2, 2, 2, 2, 2}, {3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 1, 2, 2, 1, 1, 0, 0, 0, 0},
};
static const window odd[] = {
    {1, 1, 3, 2, 1, 1, 0, 0, 0, 0}, {2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, {3, 1, 1, 1, 1, 1, 1, 0, 1, 0},
    {1, 5, 1, 3, 1, 1, 0, 4, 0, 1}, {3, 3, 3, 3, 1, 1, 2, 0, 0, 2}, {4, 3, 2, 1, 1, 3, 1, 5, 3, 0},
    {3, 3, 2, 2, 3, 2, 4, 1, 0, 3}, {5, 3, 1, 2, 1, 1, 6, 6, 6, 6}, {2, 7, 5, 4, 2, 1, 0, 3, 1, 9},
    {1, 1, 1, 1, 1, 1, 1, 2, 0, 3}, {9, 9, 1, 1, 1, 1, 4, 4, 4, 4}, {3, 3, 4, 4, 1, 1, 1, 1, 1, 1},
};
/* Stride 1, every way of padding. */
static const window three_by_three[] = {
    {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, {3, 3, 1, 1, 1, 1, 2, 2, 2, 2},
    {3, 3, 1, 1, 1, 1, 0, 1, 1, 0}, {3, 3, 1, 1, 1, 1, 1, 0, 2, 5}, {3, 3, 1, 1, 1, 1, 9, 0, 0, 9},
};
static const int sides[][2] = {{1, 1},  {2, 3},  {5, 7},  {7, 7},  {4, 14},
                               {3, 15}, {9, 29}, {14, 6}, {1, 33}, {8, 13}};

typedef struct channels {
    int ic, oc;
} channels;

/* Every window on every side, channels in turn. */
static void sweep(const gh_kernels *k, const gh_conv_kernel *kernel, const window *w, size_t windows,
                  const channels *ch, size_t count, bool depthwise)
{
    int turn = 0;
    for (size_t i = 0; i < windows; i++)
        for (size_t j = 0; j < sizeof sides / sizeof *sides; j++, turn++) {
            const channels *c = &ch[turn % (int)count];
            gh_conv_shape s;
            int oc = depthwise ? c->ic : c->oc;
            if (make_shape(&s, &w[i], 1 + turn % 7 / 5, c->ic, oc, sides[j][0], sides[j][1],
                           depthwise ? c->ic : 1))
                check(k, kernel, &s, turn);
        }
}

static const channels mixed[] = {{1, 1},   {7, 9},   {8, 8},   {9, 7},   {15, 17},
                                 {16, 16}, {17, 15}, {24, 40}, {33, 31}, {16, 48},
                                 {40, 24}, {5, 64},  {3, 33},  {32, 80}, {64, 8}};
static const channels picture[] = {{3, 32}, {1, 8},  {4, 17}, {2, 24}, {3, 64},
                                   {3, 1},  {1, 16}, {4, 40}, {3, 7}};

START_TEST(test_direct)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        sweep(&k, k.conv_direct, square, sizeof square / sizeof *square, mixed, 15, false);
        sweep(&k, k.conv_direct, odd, sizeof odd / sizeof *odd, mixed, 15, false);
    }
}
END_TEST

/* The levels that multiply bfloat16 numbers: the reference, and AVX-512 where the processor can. */
START_TEST(test_bf16)
{
    static const window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    {
        if (!k.conv_bf16)
            continue;
        sweep(&k, k.conv_bf16, square, sizeof square / sizeof *square, mixed, 15, false);
        sweep(&k, k.conv_bf16, odd, sizeof odd / sizeof *odd, mixed, 15, false);
        for (int side = 1; side < 40; side++) /* rows of a 1x1 convolution are merged */
            for (int other = 1; other < 9; other += 1 + side % 3) {
                const channels *c = &mixed[(side + other) % 15];
                ck_assert(make_shape(&s, &one, 1 + side % 2, c->ic, c->oc, side, other, 1));
                check(&k, k.conv_bf16, &s, side);
            }
        ck_assert(make_shape(&s, &one, 1, 1152, 35, 7, 7, 1));
        check(&k, k.conv_bf16, &s, 1);
        ck_assert(make_shape(&s, &square[0], 1, 260, 40, 70, 65, 1));
        check(&k, k.conv_bf16, &s, 7);
    }
}
END_TEST

START_TEST(test_winograd)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        const gh_conv_kernel *const kernels[] = {k.conv_winograd2, k.conv_winograd4, k.conv_winograd6};
        for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
            sweep(&k, kernels[i], three_by_three, sizeof three_by_three / sizeof *three_by_three, mixed, 15,
                  false);
    }
}
END_TEST

/* Weights that are too large for a cache: Winograd's products in stages, in one round and in two. */
START_TEST(test_stages)
{
    static const window three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, bare = {3, 3, 1, 1, 1, 1, 0, 0, 0, 0};
    static const struct {
        const window *w;
        int m, n, ic, oc, height, width;
    } rows[] = {{&three, 6, 2, 260, 150, 7, 13}, {&bare, 6, 1, 211, 200, 8, 8},
                {&three, 6, 1, 150, 260, 1, 5},  {&three, 4, 2, 260, 250, 5, 9},
                {&three, 2, 2, 390, 385, 3, 4},  {&three, 6, 1, 190, 190, 61, 50}};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gh_conv_kernel *kernel = rows[i].m == 6   ? k.conv_winograd6
                                       : rows[i].m == 4 ? k.conv_winograd4
                                                        : k.conv_winograd2;
        ck_assert(
            make_shape(&s, rows[i].w, rows[i].n, rows[i].ic, rows[i].oc, rows[i].height, rows[i].width, 1));
        if (!kernel->shared) /* plain C has no stages */
            continue;
        ck_assert_uint_gt(kernel->shared(&s), 0);
        ck_assert_int_lt(kernel->stage(&s, 0), kernel->units(&s) / 2);
        check(&k, kernel, &s, (int)i);
    }
}
END_TEST

START_TEST(test_first)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        sweep(&k, k.conv_first, square, sizeof square / sizeof *square, picture, 9, false);
        sweep(&k, k.conv_first, odd, sizeof odd / sizeof *odd, picture, 9, false);
    }
}
END_TEST

START_TEST(test_depthwise)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        sweep(&k, k.conv_depthwise, square, sizeof square / sizeof *square, mixed, 15, true);
        sweep(&k, k.conv_depthwise, odd, sizeof odd / sizeof *odd, mixed, 15, true);
    }
}
END_TEST

/* Widths round every register tile, channels round every block. */
START_TEST(test_pointwise)
{
    static const window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    static const channels ch[] = {{1, 1},   {3, 8},   {8, 16},   {16, 24}, {17, 33},
                                  {32, 48}, {24, 65}, {100, 96}, {31, 7},  {9, 130}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        int turn = 0;
        for (int hw = 1; hw <= 45; hw++)
            for (size_t i = 0; i < sizeof ch / sizeof *ch; i += 1 + (size_t)hw % 3, turn++) {
                gh_conv_shape s;
                ck_assert(make_shape(&s, &one, 1 + turn % 2, ch[i].ic, ch[i].oc, 1, hw, 1));
                check(&k, k.conv_pointwise, &s, turn);
            }
    }
}
END_TEST

/* Every width round the register tiles, with channels round the blocks; odd strides and dilation. */
static void every_width(const gh_kernels *k, const gh_conv_kernel *kernel, const window *w, bool depthwise)
{
    static const channels few[] = {{1, 8}, {3, 16}, {2, 17}, {4, 33}, {3, 9}, {1, 1}, {4, 7}};
    static const channels edges[] = {{1, 8}, {7, 16}, {8, 17}, {9, 33}, {16, 15}, {17, 9}, {33, 7}};
    const channels *ch = kernel->src_blocked ? edges : few;
    for (int width = 1; width <= 40; width++) {
        gh_conv_shape s;
        int ic = ch[width % 7].ic, ih = w->kh * w->dh + width % 3;
        if (make_shape(&s, w, 1, ic, depthwise ? ic : ch[width % 7].oc, ih, width, depthwise ? ic : 1))
            check(k, kernel, &s, width);
    }
}

START_TEST(test_every_width)
{
    static const window w[] = {{3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1},
                               {5, 5, 1, 1, 1, 1, 2, 2, 2, 2}, {5, 5, 2, 2, 1, 1, 2, 2, 2, 2},
                               {3, 3, 1, 1, 2, 2, 2, 2, 2, 2}, {3, 3, 3, 3, 1, 1, 1, 1, 1, 1},
                               {7, 7, 2, 2, 1, 1, 3, 3, 3, 3}, {1, 1, 2, 2, 1, 1, 0, 0, 0, 0}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
        every_width(&k, k.conv_direct, &w[i], false);
        every_width(&k, k.conv_first, &w[i], false);
        every_width(&k, k.conv_depthwise, &w[i], true);
        if (k.conv_bf16)
            every_width(&k, k.conv_bf16, &w[i], false);
    }
}
END_TEST

/* Every rest of two tiles of F(6x6), on both axes. */
START_TEST(test_winograd_rests)
{
    gh_kernels k;
    KT_EACH_LEVEL(k)
    for (int height = 1; height <= 13; height++)
        for (int width = 1; width <= 13; width++) {
            const gh_conv_kernel *const kernels[] = {k.conv_winograd2, k.conv_winograd4, k.conv_winograd6};
            const channels *c = &mixed[(height * 13 + width) % 8];
            gh_conv_shape s;
            ck_assert(make_shape(&s, &three_by_three[0], 1, c->ic, c->oc, height, width, 1));
            for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
                check(&k, kernels[i], &s, height + width);
        }
}
END_TEST

/* Shapes that need several blocks of the inner dimension, of rows and of pixels. */
START_TEST(test_large)
{
    static const window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, padded = {1, 1, 1, 1, 1, 1, 1, 0, 0, 2},
                        three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, two = {3, 3, 2, 2, 1, 1, 0, 1, 1, 0};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    {
        ck_assert(make_shape(&s, &one, 1, 1152, 35, 7, 7, 1));
        check(&k, k.conv_pointwise, &s, 1);
        ck_assert(make_shape(&s, &one, 2, 515, 64, 3, 5, 1));
        check(&k, k.conv_pointwise, &s, 2);
        ck_assert(make_shape(&s, &one, 1, 24, 16, 61, 67, 1));
        check(&k, k.conv_pointwise, &s, 4);
        for (int turn = 0; turn < 4; turn++) {
            ck_assert(make_shape(&s, &one, 2, 24, 40 + 16 * turn, 13, 15, 1));
            check(&k, k.conv_pointwise, &s, 3 + turn);
        }
        ck_assert(make_shape(&s, &padded, 1, 20, 16, 5, 9, 1));
        check(&k, k.conv_pointwise, &s, 5);
        ck_assert(make_shape(&s, &three, 1, 260, 40, 7, 7, 1));
        check(&k, k.conv_direct, &s, 7);
        check(&k, k.conv_winograd2, &s, 7);
        ck_assert(make_shape(&s, &three, 1, 16, 16, 70, 65, 1));
        check(&k, k.conv_direct, &s, 8);
        check(&k, k.conv_winograd4, &s, 8);
        check(&k, k.conv_winograd6, &s, 8);
        ck_assert(make_shape(&s, &three, 2, 72, 90, 17, 40, 1));
        check(&k, k.conv_winograd2, &s, 9);
        check(&k, k.conv_winograd4, &s, 9);
        check(&k, k.conv_winograd6, &s, 9);
        ck_assert(make_shape(&s, &two, 2, 130, 24, 29, 31, 1));
        check(&k, k.conv_direct, &s, 10);
        ck_assert(make_shape(&s, &two, 1, 3, 32, 120, 130, 1));
        check(&k, k.conv_first, &s, 11);
        ck_assert(make_shape(&s, &three, 1, 40, 40, 90, 70, 40));
        check(&k, k.conv_depthwise, &s, 13);
    }
}
END_TEST

/* All activations with all ways of bias and residual, on one shape of each kernel. */
START_TEST(test_every_epilogue)
{
    static const window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    for (int turn = 0; turn < 3 * kt_act_count; turn++) {
        ck_assert(make_shape(&s, &one, 1, 19, 37, 5, 5, 1));
        check(&k, k.conv_pointwise, &s, turn);
        ck_assert(make_shape(&s, &three, 1, 11, 21, 5, 9, 1));
        check(&k, k.conv_direct, &s, turn);
        check(&k, k.conv_winograd2, &s, turn);
        check(&k, k.conv_winograd4, &s, turn);
        check(&k, k.conv_winograd6, &s, turn);
        ck_assert(make_shape(&s, &three, 1, 3, 21, 5, 9, 1));
        check(&k, k.conv_first, &s, turn);
        ck_assert(make_shape(&s, &three, 1, 21, 21, 5, 19, 21));
        check(&k, k.conv_depthwise, &s, turn);
        ck_assert(make_shape(&s, &three, 1, 6, 4, 5, 9, 2));
        check(&k, NULL, &s, turn);
    }
}
END_TEST

START_TEST(test_plain)
{
    static const int groups[][3] = {{1, 3, 5}, {2, 4, 6}, {3, 9, 3}, {4, 4, 8}, {8, 8, 8}};
    gh_kernels k;
    gh_conv_shape s;
    KT_EACH_LEVEL(k)
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (size_t j = 0; j < sizeof sides / sizeof *sides; j++) {
            const int *g = groups[(i + j) % 5];
            if (make_shape(&s, &odd[i], 1 + (int)(j % 2), g[1], g[2], sides[j][0], sides[j][1], g[0]))
                check(&k, NULL, &s, (int)(10 * i + j));
        }
}
END_TEST

/* Threads cut a stage's units as they like: single units in reverse give the same bits as all at once. */
static void check_units_of(const gh_kernels *k, const gh_conv_kernel *kernel, const window *w, int ic, int oc,
                           int groups)
{
    enum { HEIGHT = 21, WIDTH = 17 };
    gh_conv_shape s;
    ck_assert(make_shape(&s, w, 2, ic, oc, HEIGHT, WIDTH, groups));
    gh_rng rng;
    gh_rng_seed(&rng, 5);
    int block = k->block, cin = kernel->src_blocked ? kt_blocks(ic, block) * block : ic;
    size_t count = (size_t)2 * kt_blocks(oc, block) * block * s.oh * s.ow;
    kt_buf src = kt_random(&rng, (size_t)2 * cin * HEIGHT * WIDTH);
    kt_buf weights = kt_random(&rng, (size_t)oc * (ic / groups) * w->kh * w->kw);
    kt_buf packed = kt_new(kernel->packed(&s)), scratch = kt_new(kernel->scratch(&s));
    kt_buf whole = kt_new(count), single = kt_new(count), shared = kt_new(shared_floats(kernel, &s));
    kernel->pack(packed.p, weights.p, &s);
    gh_conv_job job = {.shape = s,
                       .src = src.p,
                       .weights = packed.p,
                       .dst = whole.p,
                       .scratch = scratch.p,
                       .shared = shared.p};
    int units = kernel->units(&s);
    kernel->run(&job, 0, units);
    job.dst = single.p;
    for (int first = 0, end; first < units; first = end) {
        end = stage_end(kernel, &s, first);
        for (int u = end - 1; u >= first; u--)
            kernel->run(&job, u, u + 1);
    }
    ck_assert_mem_eq(whole.p, single.p, count * sizeof(float));
    kt_buf *all[] = {&src, &weights, &packed, &scratch, &whole, &single, &shared};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++)
        kt_free(all[j], kernel->name);
}

static void check_unit_by_unit(const gh_kernels *k, const gh_conv_kernel *kernel, const window *w, int ic,
                               int groups)
{
    check_units_of(k, kernel, w, ic, 40, groups);
}

START_TEST(test_first_bf16)
{
    static const window two[] = {{3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
                                 {7, 7, 2, 2, 1, 1, 3, 3, 3, 3}, {5, 4, 1, 2, 1, 1, 2, 1, 2, 2},
                                 {1, 1, 2, 2, 1, 1, 0, 0, 0, 0}, {2, 2, 3, 2, 2, 1, 0, 3, 1, 0},
                                 {1, 6, 1, 2, 1, 1, 0, 2, 0, 5}};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    if (k.conv_first_bf16) {
        sweep(&k, k.conv_first_bf16, two, sizeof two / sizeof *two, picture, 9, false);
        check_unit_by_unit(&k, k.conv_first_bf16, &two[2], 3, 1);
    }
}
END_TEST

START_TEST(test_unit_by_unit)
{
    static const window one = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, three = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    gh_kernels k;
    KT_EACH_LEVEL(k)
    {
        check_unit_by_unit(&k, k.conv_pointwise, &one, 40, 1);
        check_unit_by_unit(&k, k.conv_pointwise, &one, 500, 1);
        check_unit_by_unit(&k, k.conv_direct, &three, 40, 1);
        if (k.conv_bf16) {
            check_unit_by_unit(&k, k.conv_bf16, &one, 40, 1);
            check_unit_by_unit(&k, k.conv_bf16, &three, 40, 1);
        }
        check_unit_by_unit(&k, k.conv_winograd2, &three, 40, 1);
        check_unit_by_unit(&k, k.conv_winograd4, &three, 40, 1);
        check_unit_by_unit(&k, k.conv_winograd6, &three, 40, 1);
        check_units_of(&k, k.conv_winograd6, &three, 200, 190, 1);
        check_unit_by_unit(&k, k.conv_first, &three, 3, 1);
        check_unit_by_unit(&k, k.conv_depthwise, &three, 40, 40);
    }
}
END_TEST

Suite *gh_suite_kernels_conv(void)
{
    Suite *s = suite_create("kernels_conv");
    TCase *t = tcase_create("conv");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_direct);
    tcase_add_test(t, test_bf16);
    tcase_add_test(t, test_winograd);
    tcase_add_test(t, test_stages);
    tcase_add_test(t, test_first);
    tcase_add_test(t, test_first_bf16);
    tcase_add_test(t, test_depthwise);
    tcase_add_test(t, test_pointwise);
    tcase_add_test(t, test_every_width);
    tcase_add_test(t, test_winograd_rests);
    tcase_add_test(t, test_large);
    tcase_add_test(t, test_every_epilogue);
    tcase_add_test(t, test_plain);
    tcase_add_test(t, test_unit_by_unit);
    suite_add_tcase(s, t);
    return s;
}
