/* Running one convolution kernel on one shape, as the engine would, and comparing what it gives. */
#include "kernels/conv_case.h"

#include "base/mem.h"

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

size_t kc_shared_floats(const gh_conv_kernel *kernel, const gh_conv_shape *s)
{
    return kernel->shared ? kernel->shared(s) : 0;
}

int kc_stage_end(const gh_conv_kernel *kernel, const gh_conv_shape *s, int first)
{
    int units = kernel->units(s), end = kernel->stage ? kernel->stage(s, first) : units;
    ck_assert_msg(end > first && end <= units, "%s: stage %d..%d of %d", kernel->name, first, end, units);
    return end;
}

static void run_stages(conv_call *call, gh_rng *rng)
{
    const gh_conv_kernel *kernel = call->c->kernel;
    const gh_conv_shape *s = &call->c->s;
    kt_buf shared = kt_new(kc_shared_floats(kernel, s));
    call->job.shared = shared.p;
    for (int end, units = kernel->units(s); call->first < units; call->first = end) {
        end = kc_stage_end(kernel, s, call->first);
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

void kc_check(const gh_kernels *k, const gh_conv_kernel *kernel, const gh_conv_shape *s, int turn)
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

bool kc_shape(gh_conv_shape *s, const kc_window *w, int n, int ic, int oc, int ih, int iw, int groups)
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

const kc_window kc_square[KC_SQUARE] = {
    {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 2, 2, 1, 1, 0, 0, 1, 1}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
    {5, 5, 1, 1, 1, 1, 2, 2, 2, 2}, {5, 5, 2, 2, 1, 1, 1, 1, 2, 2}, {7, 7, 2, 2, 1, 1, 3, 3, 3, 3},
    {3, 3, 1, 1, 2, 2, 2, 2, 2, 2}, {3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, {1, 1, 2, 2, 1, 1, 0, 0, 0, 0},
};
const kc_window kc_odd[KC_ODD] = {
    {1, 1, 3, 2, 1, 1, 0, 0, 0, 0}, {2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, {3, 1, 1, 1, 1, 1, 1, 0, 1, 0},
    {1, 5, 1, 3, 1, 1, 0, 4, 0, 1}, {3, 3, 3, 3, 1, 1, 2, 0, 0, 2}, {4, 3, 2, 1, 1, 3, 1, 5, 3, 0},
    {3, 3, 2, 2, 3, 2, 4, 1, 0, 3}, {5, 3, 1, 2, 1, 1, 6, 6, 6, 6}, {2, 7, 5, 4, 2, 1, 0, 3, 1, 9},
    {1, 1, 1, 1, 1, 1, 1, 2, 0, 3}, {9, 9, 1, 1, 1, 1, 4, 4, 4, 4}, {3, 3, 4, 4, 1, 1, 1, 1, 1, 1},
};
const kc_window kc_three_by_three[KC_THREE_BY_THREE] = {
    {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, {3, 3, 1, 1, 1, 1, 0, 0, 0, 0}, {3, 3, 1, 1, 1, 1, 2, 2, 2, 2},
    {3, 3, 1, 1, 1, 1, 0, 1, 1, 0}, {3, 3, 1, 1, 1, 1, 1, 0, 2, 5}, {3, 3, 1, 1, 1, 1, 9, 0, 0, 9},
};
const int kc_sides[KC_SIDES][2] = {{1, 1},  {2, 3},  {5, 7},  {7, 7},  {4, 14},
                                   {3, 15}, {9, 29}, {14, 6}, {1, 33}, {8, 13}};

void kc_sweep(const gh_kernels *k, const gh_conv_kernel *kernel, const kc_window *w, size_t windows,
              const kc_channels *ch, size_t count, bool depthwise)
{
    int turn = 0;
    for (size_t i = 0; i < windows; i++)
        for (size_t j = 0; j < KC_SIDES; j++, turn++) {
            const kc_channels *c = &ch[turn % (int)count];
            gh_conv_shape s;
            int oc = depthwise ? c->ic : c->oc;
            if (kc_shape(&s, &w[i], 1 + turn % 7 / 5, c->ic, oc, kc_sides[j][0], kc_sides[j][1],
                         depthwise ? c->ic : 1))
                kc_check(k, kernel, &s, turn);
        }
}

const kc_channels kc_mixed[KC_MIXED] = {{1, 1},   {7, 9},   {8, 8},   {9, 7},   {15, 17},
                                        {16, 16}, {17, 15}, {24, 40}, {33, 31}, {16, 48},
                                        {40, 24}, {5, 64},  {3, 33},  {32, 80}, {64, 8}};
const kc_channels kc_picture[KC_PICTURE] = {{3, 32}, {1, 8},  {4, 17}, {2, 24}, {3, 64},
                                            {3, 1},  {1, 16}, {4, 40}, {3, 7}};
