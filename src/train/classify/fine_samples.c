/* Samples of a run: pictures kept decoded, changed at random each time, targets of votes or labels, and
 * pictures mixed in pairs (Zhang et al. 2018). */
#include "train/classify/fine_parts.h"

#include "base/mem.h"
#include "tasks/preproc.h"
#include "train/data/picture.h"

#include <math.h>
#include <string.h>

#define SPARE 2 /* a picture is kept this much larger than the input, for zooms */

gh_status gh_fine_decode(gh_image **out, const gh_fine_options *o, const char *path, int spare, gh_err *e)
{
    gh_status status = gh_picture_read_for(out, path, o->input, spare, e);
    return status ? gh_err_prefix(e, status, "%s", path) : GH_OK;
}

/* ---- kept pictures ---- */

typedef struct keeping {
    gh_fine *f;
    gh_status *status;
    gh_err *errors; /* one a thread */
    size_t most;    /* bytes of one picture, so that all fit */
} keeping;

static void keep_some(void *arg, int begin, int end, int thread)
{
    keeping *k = arg;
    gh_fine *f = k->f;
    for (int i = begin; i < end && !k->status[thread]; i++) {
        gh_image *image = NULL;
        const gh_example *x = &f->o->set->examples[f->learnt[i]];
        k->status[thread] = gh_fine_decode(&image, f->o, x->path, SPARE, &k->errors[thread]);
        if (image && (size_t)image->width * (size_t)image->height * 3 <= k->most)
            f->images[i] = image;
        else
            gh_image_free(&image);
    }
}

gh_status gh_fine_keep_images(gh_fine *f, gh_err *e)
{
    int threads = gh_pool_size(f->o->pool);
    keeping k = {.f = f, .most = GH_FINE_KEPT_BYTES / (f->nlearnt + 1)};
    k.status = gh_calloc((size_t)threads, sizeof *k.status);
    k.errors = gh_calloc((size_t)threads, sizeof *k.errors);
    gh_status status =
        k.status && k.errors ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for the pictures of the run");
    if (!status)
        gh_pool_for(f->o->pool, (int)f->nlearnt, keep_some, &k);
    for (int i = 0; !status && i < threads; i++)
        if (k.status[i])
            status = gh_fail(e, k.status[i], "%s", k.errors[i].text);
    gh_free(k.status);
    gh_free(k.errors);
    return status;
}

/* ---- targets ---- */

/* As validate.c weighs rows: of votes the class with most of them counts, mean 1 over the examples. */
void gh_fine_weigh(gh_fine *f)
{
    double sum = 0;
    for (uint32_t c = 0; c < f->classes; c++)
        f->weight[c] = 0;
    for (size_t i = 0; i < f->nlearnt; i++)
        f->weight[f->o->set->examples[f->learnt[i]].label] += 1;
    for (uint32_t c = 0; c < f->classes; c++) {
        double count = (double)f->weight[c],
               share = count > 0 ? (double)f->nlearnt / ((double)f->classes * count) : 0;
        f->weight[c] = (float)(f->o->balance == GH_BALANCE_NONE   ? 1
                               : f->o->balance == GH_BALANCE_SQRT ? sqrt(share)
                                                                  : share);
        sum += count * (double)f->weight[c];
    }
    for (uint32_t c = 0; c < f->classes && sum > 0; c++)
        f->weight[c] *= (float)((double)f->nlearnt / sum);
}

static gh_status make_pixels(gh_fine *f, uint32_t index, gh_rng *rng, float *input, gh_err *e)
{
    const gh_manifest_input *in = f->o->input;
    const gh_example *x = &f->o->set->examples[f->learnt[index]];
    gh_image *own = NULL;
    uint8_t *pixels = gh_alloc((size_t)in->width * (size_t)in->height * 3);
    gh_tensor dst = {GH_F32, gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width}), input};
    gh_status status = pixels ? GH_OK : gh_fail(e, GH_NOMEM, "no memory for a picture");
    if (!status && !f->images[index])
        status = gh_fine_decode(&own, f->o, x->path, SPARE, e);
    gh_augment_from from = {.image = f->images[index] ? f->images[index] : own};
    if (!status)
        status =
            gh_augment_make(&(gh_augment_to){.pixels = pixels}, &from, in, &f->o->settings->augment, rng, e);
    if (!status)
        gh_preproc_normalise(&dst, pixels, in);
    gh_image_free(&own);
    gh_free(pixels);
    return status;
}

gh_status gh_fine_sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                         gh_err *e)
{
    gh_fine *f = arg;
    const gh_example *x = &f->o->set->examples[f->learnt[index]];
    float *share = target, w = f->weight[x->label];
    for (uint32_t c = 0; c < f->classes; c++)
        share[c] = w * (x->votes ? x->votes[c] : c == x->label ? 1.0f : 0.0f);
    return make_pixels(f, index, rng, inputs[0], e);
}

/* ---- mixing ---- */

/* Beta(a, a), 0 < a <= 1 (Joehnk 1964). */
static float beta(double a, gh_rng *rng)
{
    for (;;) {
        double u = pow((double)gh_rng_float(rng), 1 / a), v = pow((double)gh_rng_float(rng), 1 / a);
        if (u + v <= 1 && u + v > 0)
            return (float)(u / (u + v));
    }
}

static void mix(float *x, float *y, size_t n, float keep)
{
    for (size_t i = 0; i < n; i++) {
        float a = x[i], b = y[i];
        x[i] = keep * a + (1 - keep) * b;
        y[i] = keep * b + (1 - keep) * a;
    }
}

gh_status gh_fine_mix(void *arg, gh_tape *t, void *targets, gh_rng *rng, gh_err *e)
{
    gh_fine *f = arg;
    (void)e;
    for (uint32_t i = 0; i + 1 < f->batch; i += 2) {
        float keep = beta((double)f->o->settings->mixup, rng), *input = gh_tape_input(t, 0), *share = targets;
        mix(input + i * f->pixels, input + (i + 1) * f->pixels, f->pixels, keep);
        mix(share + i * f->classes, share + (i + 1) * f->classes, f->classes, keep);
    }
    return GH_OK;
}
