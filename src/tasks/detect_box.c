/* The box decoder, one box a picture: four numbers in shares of the network's input, centre x and y, width
 * and height, and a score for each label, of which the best counts. With the activation none both are 0..1
 * already; sigmoid and softmax are of the scores.
 */
#include "tasks/detect_parts.h"

#include <math.h>

enum { BOXES, SCORES, LANDMARKS };

static gh_status check_row(const gh_tensor *t, const char *name, int64_t columns, gh_err *e)
{
    char text[96];
    if (t->type == GH_F32 && columns > 0 && t->shape.rank == 2 && t->shape.dims[0] == 1 &&
        t->shape.dims[1] == columns)
        return GH_OK;
    return gh_fail(e, GH_FORMAT, "the output of %s is %s %s; the decoder box takes 1x%lld", name,
                   gh_dtype_name(t->type), gh_shape_text(&t->shape, text, sizeof text), (long long)columns);
}

static gh_status check(const gh_detection *d, gh_err *e)
{
    GH_TRY(check_row(d->outputs[BOXES], "boxes", 4, e));
    GH_TRY(check_row(d->outputs[SCORES], "scores", (int64_t)d->m->nlabels, e));
    if (d->outputs[LANDMARKS])
        return gh_fail(e, GH_FORMAT, "the decoder box takes two outputs, boxes and scores");
    return GH_OK;
}

/* From the best number to its score. */
static float score_of(const float *v, size_t n, size_t best, gh_activation activation)
{
    double sum = 0;
    if (activation == GH_ACTIVATION_SIGMOID)
        return (float)(1 / (1 + exp(-(double)v[best])));
    if (activation != GH_ACTIVATION_SOFTMAX)
        return fminf(1, v[best]);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)v[i] - (double)v[best]);
    return (float)(1 / sum);
}

/* The best label; one whose name is empty is never reported. */
static gh_status scan(gh_candidates *c, const gh_detection *d, gh_err *e)
{
    const float *v = gh_detect_data(d, SCORES);
    size_t n = d->m->nlabels, best = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            return gh_fail(e, GH_INTERNAL, "the network gave a score that is not finite");
        best = v[i] > v[best] ? i : best;
    }
    float score = score_of(v, n, best, d->m->boxes.activation);
    if (score > c->least && *d->m->labels[best])
        gh_candidates_add(c, score, (int)best, 0);
    return GH_OK;
}

static void place(gh_box *b, const gh_detection *d)
{
    const float *v = gh_detect_data(d, BOXES);
    float w = (float)d->in->width, h = (float)d->in->height;
    b->x0 = (v[0] - v[2] / 2) * w;
    b->y0 = (v[1] - v[3] / 2) * h;
    b->x1 = (v[0] + v[2] / 2) * w;
    b->y1 = (v[1] + v[3] / 2) * h;
}

const gh_detector gh_detector_box = {
    .name = "box",
    .required = 2,
    .overlap = 0.5,
    .landmarks = LANDMARKS,
    .check = check,
    .scan = scan,
    .place = place,
};
