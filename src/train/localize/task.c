/* What the loop asks of boxes: samples, the loss, the judgement, a sheet for the report. */
#include "train/localize/parts.h"

#include "base/mem.h"
#include "train/data/picture.h"
#include "train/report/sheet.h"

#include <string.h>

#define SHEET_ROWS      3
#define SHEET_COLUMNS   4
#define SHEET_SIDE      240
#define AUGMENT_COLUMNS 6

/* ---- one sample ---- */

typedef struct sample {
    gh_image *image;
    uint8_t *pixels;
    gh_augment_box *boxes;
} sample;

static void sample_free(sample *s)
{
    gh_image_free(&s->image);
    gh_free(s->pixels);
    gh_free(s->boxes);
}

/* Decoded no larger than the input and a zoom of two need. */
static gh_status read_picture(gh_image **out, const char *path, const gh_manifest_input *in, gh_err *e)
{
    gh_manifest_input large = *in;
    large.width *= 2;
    large.height *= 2;
    gh_status status = gh_picture_read_for(out, path, &large, 1, e);
    return status == GH_OK ? GH_OK : gh_err_prefix(e, status, "%s", path);
}

static gh_status make_sample(sample *s, const gh_localize_run *r, const gh_boxdata_picture *p,
                             const gh_augment *augment, gh_rng *rng, gh_err *e)
{
    GH_TRY(read_picture(&s->image, p->path, &r->input, e));
    s->pixels = gh_calloc((size_t)r->input.width * (size_t)r->input.height, 3);
    s->boxes = gh_calloc(p->nboxes + 1, sizeof *s->boxes);
    if (!s->pixels || !s->boxes)
        return gh_fail(e, GH_NOMEM, "memory ran out at a picture");
    const gh_augment_from from = {.image = s->image, .boxes = p->boxes, .nboxes = p->nboxes};
    const gh_augment_to to = {.pixels = s->pixels, .boxes = s->boxes};
    return gh_augment_make(&to, &from, &r->input, augment, rng, e);
}

static gh_status give_sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                             gh_err *e)
{
    gh_localize_run *r = arg;
    const gh_boxdata_picture *p = &r->data->learn[index];
    sample s = {0};
    gh_status status = make_sample(&s, r, p, &r->o->augment, rng, e);
    if (status == GH_OK && r->whole) {
        gh_tensor dst = {GH_F32, gh_shape_of(4, (int64_t[]){1, 3, r->input.height, r->input.width}),
                         inputs[0]};
        gh_preproc_normalise(&dst, s.pixels, &r->input);
    } else if (status == GH_OK)
        status = gh_localize_features_run(&r->features, inputs, s.pixels, &r->input, e);
    if (status == GH_OK)
        gh_box_target_make(target, &r->head, s.boxes, p->classes, p->nboxes);
    sample_free(&s);
    return status;
}

static gh_status take_loss(void *arg, gh_tape *t, const void *targets, double *loss, gh_err *e)
{
    const gh_localize_run *r = arg;
    const float *outs[GH_BOX_OUTPUTS] = {NULL};
    float *grads[GH_BOX_OUTPUTS] = {NULL};
    for (size_t i = 0; i < gh_box_head_outputs(r->head.kind); i++) {
        outs[i] = gh_tape_output(t, i)->data;
        grads[i] = gh_tape_output_gradient(t, i);
    }
    return gh_box_target_loss(loss, &r->head, r->o->batch, outs, grads, targets, e);
}

/* ---- judgement ---- */

static gh_status validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e)
{
    gh_localize_run *r = arg;
    GH_TRY(gh_localize_judge(r, g));
    const gh_ap_class *all = &r->ev->classes[r->data->nclasses];
    *metric = gh_localize_metric(r);
    json_t *o = json_pack("{s:f, s:f, s:f}", "mean IoU of the best box", r->ev->iou, "AP50",
                          all->at[GH_AP_50].ap, "AP50:95", all->ap);
    return gh_learn_details(details, o, e);
}

/* ---- sheets ---- */

/* The picture in a cell's size; the scale to it. */
static gh_status cell_picture(uint8_t *pixels, double *scale, gh_rect *at, const char *path, gh_err *e)
{
    const gh_manifest_input in = {
        .width = SHEET_SIDE, .height = SHEET_SIDE, .fit = GH_FIT_LETTERBOX, .crop = 1};
    gh_image *image = NULL;
    GH_TRY(read_picture(&image, path, &in, e));
    gh_placement place = gh_preproc_place(&in, image->full_width, image->full_height);
    gh_status status = gh_preproc_pixels(pixels, image, &in, &place, e);
    if (status == GH_OK)
        gh_preproc_spread(pixels, &in, &place);
    *scale = (double)place.width / image->full_width;
    *at = (gh_rect){place.x, place.y, place.width, place.height};
    gh_image_free(&image);
    return status;
}

static void draw_box(gh_sheet *sheet, int cell, const gh_ap_rect *b, double scale, const gh_rect *at,
                     unsigned colour, const char *name)
{
    const gh_ap_rect box = {b->x * scale + at->x, b->y * scale + at->y, b->w * scale, b->h * scale};
    gh_sheet_box(sheet, cell % SHEET_COLUMNS, cell / SHEET_COLUMNS, &box, colour, name);
}

static gh_status draw_cell(gh_sheet *sheet, int cell, const gh_localize_run *r, size_t picture, gh_err *e)
{
    const gh_boxset *judge = r->data->judge;
    const gh_boxes_outcome *o = &r->ev->outcomes[picture];
    uint8_t *pixels = gh_calloc((size_t)SHEET_SIDE * SHEET_SIDE, 3);
    double scale = 1;
    gh_rect at = {0};
    gh_status status = pixels ? cell_picture(pixels, &scale, &at, judge->pictures[picture].path, e)
                              : gh_fail(e, GH_NOMEM, "memory ran out at a sheet");
    if (status == GH_OK)
        gh_sheet_put(sheet, cell % SHEET_COLUMNS, cell / SHEET_COLUMNS, pixels, NULL, false);
    for (size_t i = 0; status == GH_OK && i < judge->ntruths; i++)
        if (judge->truths[i].picture == picture)
            draw_box(sheet, cell, &judge->truths[i].box, scale, &at, 0, "");
    for (size_t i = 0; status == GH_OK && i < o->count; i++)
        if (o->found[i].score >= r->ev->cut)
            draw_box(sheet, cell, &o->found[i].box, scale, &at, 1 + o->found[i].category,
                     r->data->classes[o->found[i].category]);
    gh_free(pixels);
    return status;
}

static gh_status draw(void *arg, const gh_graph *g, gh_buf *html, gh_err *e)
{
    gh_localize_run *r = arg;
    gh_sheet sheet = {0};
    size_t n = r->data->judge->npictures, cells = SHEET_ROWS * SHEET_COLUMNS;
    if (!r->ev)
        GH_TRY(gh_localize_judge(r, g));
    gh_status status = gh_sheet_new(&sheet, SHEET_COLUMNS, SHEET_ROWS, SHEET_SIDE, SHEET_SIDE, e);
    for (size_t i = 0; status == GH_OK && i < cells && i < n; i++)
        status = draw_cell(&sheet, (int)i, r, n > cells ? i * n / cells : i, e);
    if (status == GH_OK) {
        gh_buf_str(
            html,
            "<p>Pictures that are judged by: labelled boxes without a name, found ones with theirs.</p>");
        status = gh_sheet_html(html, &sheet, "boxes", e);
    }
    gh_sheet_free(&sheet);
    return status;
}

/* Each row one picture: plain, then as several epochs would see it. */
gh_status gh_localize_show(const gh_localize_run *r, const char *path)
{
    static const gh_augment none;
    const gh_boxdata *d = r->data;
    gh_sheet sheet = {0};
    gh_rng rng;
    int rows = d->nlearn < SHEET_ROWS + 1 ? (int)d->nlearn : SHEET_ROWS + 1;
    gh_rng_seed(&rng, r->o->learn.seed);
    gh_status status = gh_sheet_new(&sheet, AUGMENT_COLUMNS, rows, r->input.width, r->input.height, r->e);
    for (int i = 0; status == GH_OK && i < rows * AUGMENT_COLUMNS; i++) {
        sample s = {0};
        int column = i % AUGMENT_COLUMNS, row = i / AUGMENT_COLUMNS;
        const gh_boxdata_picture *p = &d->learn[(size_t)row * d->nlearn / (size_t)rows];
        status = make_sample(&s, r, p, column ? &r->o->augment : &none, &rng, r->e);
        if (status == GH_OK)
            gh_sheet_put(&sheet, column, row, s.pixels, NULL, false);
        for (size_t k = 0; status == GH_OK && k < p->nboxes; k++)
            if (s.boxes[k].kept)
                gh_sheet_box(&sheet, column, row, &s.boxes[k].box, p->classes[k], d->classes[p->classes[k]]);
        sample_free(&s);
    }
    if (status == GH_OK)
        status = gh_sheet_write(&sheet, path, r->e);
    gh_sheet_free(&sheet);
    return status;
}

static float rate_of(void *arg, const gh_tape_param *p)
{
    const gh_localize_run *r = arg;
    bool head = strncmp(p->name, GH_BOX_HEAD, strlen(GH_BOX_HEAD)) == 0;
    return head ? 1 : (float)r->o->body_rate;
}

gh_learn_task gh_localize_task(gh_localize_run *r)
{
    return (gh_learn_task){.arg = r,
                           .samples = r->data->nlearn,
                           .target_bytes = gh_box_target_floats(&r->head) * sizeof(float),
                           .sample = give_sample,
                           .loss = take_loss,
                           .validate = validate,
                           .metric_name = r->head.kind == GH_BOX_HEAD_BOX ? "mean IoU" : "AP50",
                           .trained = r->whole, /* the head has learnt by then */
                           .draw = draw,
                           .rate_of = rate_of};
}
