/* The centernet decoder (Zhou et al. 2019; maps as in CenterFace, Xu et al. 2019): every cell of the heat map
 * over the threshold is a box. With a step of `step` pixels a cell: height = step * exp(size 0), width = step
 * * exp(size 1), centre = (row + offset 0 + 1/2, column + offset 1 + 1/2) * step; landmarks are (y, x) in
 * shares of the box, from its top left corner.
 */
#include "tasks/detect_parts.h"

#include <math.h>

enum { HEAT, SIZE, OFFSET, LANDMARKS };

static gh_status check_map(const gh_tensor *t, int64_t channels, const gh_shape *first, gh_err *e)
{
    char text[96];
    const gh_shape *s = &t->shape;
    if (t->type != GH_F32 || s->rank != 4 || s->dims[0] != 1 || s->dims[1] != channels ||
        s->dims[2] != first->dims[2] || s->dims[3] != first->dims[3])
        return gh_fail(e, GH_FORMAT,
                       "an output is %s %s; the decoder centernet takes 1 x labels, 2, 2 and 10 channels, "
                       "all of one size",
                       gh_dtype_name(t->type), gh_shape_text(s, text, sizeof text));
    return GH_OK;
}

static gh_status check(const gh_detection *d, gh_err *e)
{
    const int64_t channels[] = {(int64_t)d->m->nlabels, 2, 2, 2 * GH_LANDMARKS};
    const gh_shape *s = &d->outputs[HEAT]->shape;
    char text[96];
    for (int i = 0; i < GH_DETECT_OUTPUTS; i++)
        if (d->outputs[i])
            GH_TRY(check_map(d->outputs[i], channels[i], s, e));
    int64_t rows = s->dims[2], columns = s->dims[3];
    if (rows < 1 || columns < 1 || d->in->height % rows || d->in->width % columns ||
        d->in->height / rows != d->in->width / columns)
        return gh_fail(e, GH_FORMAT, "a heat map of %s does not fit an input of %d x %d",
                       gh_shape_text(s, text, sizeof text), d->in->width, d->in->height);
    return GH_OK;
}

static size_t cells_of(const gh_detection *d)
{
    const gh_shape *s = &d->outputs[HEAT]->shape;
    return (size_t)(s->dims[2] * s->dims[3]);
}

static gh_status scan(gh_candidates *c, const gh_detection *d, gh_err *e)
{
    const float *heat = gh_detect_data(d, HEAT);
    size_t cells = cells_of(d), n = cells * d->m->nlabels;
    for (size_t i = 0; i < n; i++) {
        if (heat[i] <= c->least)
            continue;
        if (!isfinite(heat[i]))
            return gh_fail(e, GH_INTERNAL, "the network's heat map holds a number that is not finite");
        gh_candidates_add(c, fminf(1, heat[i]), (int)(i / cells), (int)i);
    }
    return GH_OK;
}

static void place(gh_box *b, const gh_detection *d)
{
    const float *size = gh_detect_data(d, SIZE), *offset = gh_detect_data(d, OFFSET);
    int columns = (int)d->outputs[HEAT]->shape.dims[3];
    size_t cells = cells_of(d), cell = (size_t)b->at % cells;
    double step = (double)d->in->width / columns;
    double h = step * exp(size[cell]), w = step * exp(size[cells + cell]);
    double y = ((double)(cell / (size_t)columns) + offset[cell] + 0.5) * step;
    double x = ((double)(cell % (size_t)columns) + offset[cells + cell] + 0.5) * step;
    b->x0 = (float)(x - w / 2);
    b->y0 = (float)(y - h / 2);
    b->x1 = (float)(x + w / 2);
    b->y1 = (float)(y + h / 2);
}

static void points(float xy[GH_LANDMARKS][2], const gh_box *b, const gh_detection *d)
{
    size_t cells = cells_of(d);
    const float *at = gh_detect_data(d, LANDMARKS) + (size_t)b->at % cells;
    for (int i = 0; i < GH_LANDMARKS; i++, at += 2 * cells) {
        xy[i][0] = b->x0 + at[cells] * (b->x1 - b->x0);
        xy[i][1] = b->y0 + at[0] * (b->y1 - b->y0);
    }
}

const gh_detector gh_detector_centernet = {
    .name = "centernet",
    .required = 3,
    .overlap = 0.3,
    .landmarks = LANDMARKS,
    .check = check,
    .scan = scan,
    .place = place,
    .points = points,
};
