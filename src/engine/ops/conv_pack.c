/* Which kernel computes a convolution, and its packed weights: the cheapest one, or with gh_tune_set the one
 * measured to be the fastest, unless it is Winograd's and loses too much with the very weights of the layer.
 */
#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/net.h"
#include "engine/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Largest difference from the exact result that a kernel may show on noise, as a share of the largest result.
 * Losses of some twenty layers add up to less than ten times one layer's. */
#define MOST_LOST 1e-4

enum { WIDEST = 6 }; /* Winograd's largest tile that there is */

enum { TUNE_RUNS = 7 }; /* of a kernel that is measured; the fastest counts */

static bool tunes; /* set once, at start */

void gh_tune_set(bool on)
{
    tunes = on;
}

/* One that may compute the layer where several can. */
typedef struct rival {
    const char *name;
    const gh_conv_kernel *kernel;
} rival;

enum { RIVALS = 5 };

static int list_rivals(rival out[RIVALS], const gh_prepare *p, const gh_conv_shape *s)
{
    const gh_kernels *k = p->k;
    const rival all[RIVALS] = {{"bf16", p->bf16 ? k->conv_bf16 : NULL},
                               {"direct", gh_conv_choose(k, s, 0, false)},
                               {"F(2)", k->conv_winograd2},
                               {"F(4)", k->conv_winograd4},
                               {"F(6)", k->conv_winograd6}};
    int n = 0;
    for (int i = 0; i < RIVALS; i++)
        if (all[i].kernel && all[i].kernel->cost && all[i].kernel->accepts(s))
            out[n++] = all[i];
    return n;
}

/* Noise that a kernel is tried on: enough for four tiles of F(6x6). */
enum { TRIAL = 8, TRIAL_AREA = TRIAL * TRIAL, TRIAL_CHANNELS = 8 };

/* One result of a 3x3 convolution of the noise, which is padded by one pixel. */
static double exact(const float *noise, const float *weights, int channels, int at)
{
    double sum = 0;
    int y = at / TRIAL - 1, x = at % TRIAL - 1;
    for (int c = 0; c < channels; c++, noise += TRIAL_AREA, weights += 9)
        for (int i = 0; i < 9; i++) {
            int row = y + i / 3, column = x + i % 3;
            if (row >= 0 && row < TRIAL && column >= 0 && column < TRIAL)
                sum += (double)weights[i] * noise[row * TRIAL + column];
        }
    return sum;
}

/* Largest difference over a few channels of output, as a share of the largest result; NaN where one is. */
static double lost(const float *got, const float *noise, const float *weights, const gh_conv_shape *s)
{
    double largest = 0, difference = 0;
    int step = s->oc > TRIAL_CHANNELS ? s->oc / TRIAL_CHANNELS : 1;
    for (int o = 0; o < s->oc; o += step)
        for (int i = 0; i < TRIAL_AREA; i++) {
            double want = exact(noise, weights + (size_t)o * (size_t)s->ic * 9, s->ic, i);
            double d = fabs(want - (double)got[(size_t)o * TRIAL_AREA + (size_t)i]);
            largest = fmax(largest, fabs(want));
            difference = d > difference || d != d ? d : difference;
        }
    return largest > 0 ? difference / largest : difference;
}

/* Runs a packed kernel on rectified noise, what a layer mostly sees, and says what it loses. */
static gh_status try_kernel(const gh_prepare *p, double *out, const float *weights,
                            const gh_conv_shape *shape)
{
    const gh_conv_kernel *kernel = p->packed->kernel;
    gh_conv_shape s = *shape;
    s.n = s.pt = s.pl = 1;
    s.ih = s.iw = s.oh = s.ow = TRIAL;
    size_t block = (size_t)p->k->block, ic = (size_t)s.ic, oc = (size_t)s.oc;
    size_t in = (ic + block - 1) / block * block * TRIAL_AREA,
           end = (oc + block - 1) / block * block * TRIAL_AREA;
    float *noise = gh_alloc_aligned(in * sizeof(float)), *src = gh_alloc_aligned(in * sizeof(float));
    float *got = gh_alloc_aligned(end * sizeof(float)), *dst = gh_alloc_aligned(end * sizeof(float));
    float *scratch = gh_alloc_aligned((kernel->scratch(&s) + 1) * sizeof(float));
    float *shared = gh_alloc_aligned(((kernel->shared ? kernel->shared(&s) : 0) + 1) * sizeof(float));
    gh_status status = GH_OK;
    if (noise && src && got && dst && scratch && shared) {
        gh_rng rng;
        gh_rng_seed(&rng, 1);
        for (size_t i = 0; i < ic * TRIAL_AREA; i++)
            noise[i] = fmaxf(gh_rng_normal(&rng), 0);
        p->k->to_blocked(src, noise, s.ic, TRIAL_AREA, 0, gh_layout_units(p->k, 1, TRIAL_AREA));
        gh_conv_job job = {.shape = s,
                           .src = src,
                           .weights = p->packed->weights,
                           .dst = dst,
                           .scratch = scratch,
                           .shared = shared};
        kernel->run(&job, 0, kernel->units(&s));
        p->k->to_plain(got, dst, s.oc, TRIAL_AREA, 0, gh_layout_units(p->k, 1, TRIAL_AREA));
        *out = lost(got, noise, weights, &s);
    } else {
        status = gh_fail(p->io->e, GH_NOMEM, "no memory to try a kernel");
    }
    gh_free(noise);
    gh_free(src);
    gh_free(got);
    gh_free(dst);
    gh_free(scratch);
    gh_free(shared);
    return status;
}

/* Packed for one kernel; `source` is aligned. */
static gh_status pack_for(gh_prepare *p, const gh_conv_kernel *kernel, const float *source,
                          const gh_conv_shape *s)
{
    size_t n = kernel->packed(s), block = (size_t)p->k->block, oc = (size_t)s->oc;
    size_t padded = (oc + block - 1) / block * block;
    bool biased = gh_has(p->io, 2);
    GH_TRY(gh_prepare_room(p, n + padded));
    float *weights = gh_alloc_streamed((n ? n : 1) * sizeof(float));
    float *bias = biased ? gh_alloc_aligned(padded * sizeof(float)) : NULL;
    if (!weights || (biased && !bias)) {
        gh_free(bias);
        gh_free(weights);
        return gh_fail(p->io->e, GH_NOMEM, "no memory for packed weights");
    }
    if (bias) {
        memset(bias, 0, padded * sizeof(float));
        memcpy(bias, p->io->in[2].data, oc * sizeof(float));
    }
    kernel->pack(weights, source, s);
    *p->packed = (gh_packed){.kernel = kernel,
                             .weights = weights,
                             .bias = bias,
                             .bytes = (n + (bias ? padded : 0)) * sizeof(float)};
    return GH_OK;
}

static void unpack(gh_packed *packed)
{
    gh_free(packed->weights);
    gh_free(packed->bias);
    *packed = (gh_packed){0};
}

/* What the kernels would take, and what the chosen one loses; `refused` had lost too much before. */
static void explain(const gh_prepare *p, const gh_conv_shape *s, double loss, int refused)
{
    rival rows[RIVALS];
    int n = list_rivals(rows, p, s);
    char *to = p->packed->why;
    size_t size = sizeof p->packed->why, at = 0;
    for (int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s%s %.2f", at ? ", " : "", rows[i].name,
                               rows[i].kernel->cost(s) * 1e-6);
    if (at < size)
        at += (size_t)snprintf(to + at, size - at, " Mcycles");
    if (loss > 0 && at < size)
        at += (size_t)snprintf(to + at, size - at, "; off by %.0e", loss);
    if (refused && at < size)
        snprintf(to + at, size - at, "; F(%d) by too much", refused);
}

/* Falls back from F(6x6) to smaller tiles, and from those to the products as they are. */
static gh_status pack_best(gh_prepare *p, const float *source, const gh_conv_shape *s)
{
    int most = WIDEST, refused = 0;
    for (;;) {
        const gh_conv_kernel *kernel = gh_conv_choose(p->k, s, most, p->bf16);
        double loss = 0;
        if (kernel->loss && kernel->packed(s) > p->room / sizeof(float) / 2)
            kernel = gh_conv_choose(p->k, s, 0, p->bf16); /* Winograd's weights take up to 7 times the room */
        GH_TRY(pack_for(p, kernel, source, s));
        gh_status status = kernel->loss ? try_kernel(p, &loss, source, s) : GH_OK;
        if (status == GH_OK && loss <= MOST_LOST) {
            if (kernel->cost)
                explain(p, s, loss, refused);
            return GH_OK;
        }
        unpack(p->packed);
        GH_TRY(status);
        refused = kernel->loss;
        most = kernel->loss - 1;
    }
}

static void run_all(const gh_conv_kernel *kernel, const gh_conv_job *job)
{
    kernel->run(job, 0, kernel->units(&job->shape));
}

/* The packed kernel's microseconds on one thread, at the size of the plan at hand. */
static gh_status measure(const gh_prepare *p, double *us, const gh_conv_shape *s)
{
    const gh_conv_kernel *kernel = p->packed->kernel;
    int block = p->k->block;
    size_t in = gh_blocked_count(&p->io->in[0].shape, block) * sizeof(float);
    size_t out = gh_blocked_count(&p->io->out[0].shape, block) * sizeof(float);
    float *src = gh_alloc_aligned(in), *dst = gh_alloc_aligned(out);
    float *scratch = gh_alloc_aligned((kernel->scratch(s) + 1) * sizeof(float));
    float *shared = gh_alloc_aligned(((kernel->shared ? kernel->shared(s) : 0) + 1) * sizeof(float));
    gh_status status = GH_OK;
    if (src && dst && scratch && shared) {
        gh_conv_job job = {.shape = *s,
                           .src = src,
                           .weights = p->packed->weights,
                           .bias = p->packed->bias,
                           .dst = dst,
                           .scratch = scratch,
                           .shared = shared};
        memset(src, 0, in);
        run_all(kernel, &job); /* touches all memory once */
        *us = INFINITY;
        for (int i = 0; i < TUNE_RUNS; i++) {
            uint64_t start = gh_now_ns();
            run_all(kernel, &job);
            *us = fmin(*us, (double)(gh_now_ns() - start) * 1e-3);
        }
    } else {
        status = gh_fail(p->io->e, GH_NOMEM, "no memory to measure a kernel");
    }
    gh_free(src);
    gh_free(dst);
    gh_free(scratch);
    gh_free(shared);
    return status;
}

/* Packs, tries and measures one kernel; *us is INFINITY where it loses too much or has no room. */
static gh_status measure_rival(gh_prepare *p, double *us, const gh_conv_kernel *kernel, const float *source,
                               const gh_conv_shape *s)
{
    double loss = 0;
    *us = INFINITY;
    if (kernel->loss && kernel->packed(s) > p->room / sizeof(float) / 2)
        return GH_OK;
    GH_TRY(pack_for(p, kernel, source, s));
    if (kernel->loss)
        GH_TRY(try_kernel(p, &loss, source, s));
    return loss <= MOST_LOST ? measure(p, us, s) : GH_OK;
}

/* Of all that can compute the layer, the fastest. */
static gh_status pack_measured(gh_prepare *p, const float *source, const gh_conv_shape *s)
{
    rival rows[RIVALS];
    gh_packed best = {0};
    char why[sizeof best.why] = "measured:";
    size_t at = strlen(why);
    double least = INFINITY, us;
    gh_status status = GH_OK;
    int n = list_rivals(rows, p, s);
    for (int i = 0; i < n && status == GH_OK; i++) {
        status = measure_rival(p, &us, rows[i].kernel, source, s);
        if (status == GH_OK && us < least) {
            gh_packed before = best;
            best = *p->packed;
            *p->packed = before;
            least = us;
        }
        unpack(p->packed);
        if (us < INFINITY && at < sizeof why)
            at += (size_t)snprintf(why + at, sizeof why - at, "%s %s %.1f", i ? "," : "", rows[i].name, us);
    }
    if (at < sizeof why)
        snprintf(why + at, sizeof why - at, " us");
    memcpy(best.why, why, sizeof why);
    if (status)
        unpack(&best);
    *p->packed = best;
    return status;
}

/* Nothing is measured where nothing competes. */
static bool measures(const gh_prepare *p, const gh_conv_shape *s)
{
    rival rows[RIVALS];
    const gh_conv_kernel *usual = gh_conv_choose(p->k, s, WIDEST, p->bf16);
    return tunes && usual->cost && list_rivals(rows, p, s) > 1;
}

gh_status gh_conv_pack(gh_prepare *p, const gh_conv_shape *s, const gh_conv_kernel *kernel)
{
    const gh_tensor *w = &p->io->in[1];
    size_t count = gh_shape_span(&w->shape, 0, w->shape.rank);
    float *copy = NULL;
    const float *source = w->data;
    if (!gh_tensor_aligned(w)) {
        copy = gh_alloc_aligned(count * sizeof(float));
        if (!copy)
            return gh_fail(p->io->e, GH_NOMEM, "no memory for packed weights");
        memcpy(copy, w->data, count * sizeof(float));
        source = copy;
    }
    gh_status status = kernel           ? pack_for(p, kernel, source, s)
                       : measures(p, s) ? pack_measured(p, source, s)
                                        : pack_best(p, source, s);
    gh_free(copy);
    return status;
}
