/* What the loop asks of masks: samples, the loss, the judgement, a sheet for the report. */
#include "train/segment/parts.h"

#include "base/mem.h"
#include "tasks/segment.h"
#include "train/data/picture.h"
#include "train/learn/loss.h"
#include "train/report/sheet.h"

#include <string.h>

#define SHEET_ROWS      4
#define AUGMENT_COLUMNS 6

static size_t cells_of(const gh_segment_run *r)
{
    return (size_t)(r->step.width >> r->level) * (size_t)(r->step.height >> r->level);
}

/* ---- one sample ---- */

typedef struct sample {
    gh_image *image;
    uint8_t *mask;           /* of the picture's size */
    uint8_t *pixels, *found; /* of the step's size */
} sample;

static void sample_free(sample *s)
{
    gh_image_free(&s->image);
    gh_free(s->mask);
    gh_free(s->pixels);
    gh_free(s->found);
}

static gh_status make_sample(sample *s, const gh_segment_run *r, const gh_maskset_picture *p,
                             const gh_augment *augment, gh_size size, gh_rng *rng, gh_err *e)
{
    int width = 0, height = 0;
    size_t count = (size_t)size.width * (size_t)size.height;
    gh_status status = gh_picture_read(&s->image, p->path, 0, 0, e);
    if (status != GH_OK)
        return gh_err_prefix(e, status, "%s", p->path);
    GH_TRY(gh_maskset_mask(&s->mask, &width, &height, p, r->data->map, e));
    if (width != s->image->full_width || height != s->image->full_height)
        return gh_fail(e, GH_FORMAT, "%s has changed its size during the run", p->mask);
    s->pixels = gh_alloc(count * 3);
    s->found = gh_alloc(count);
    if (!s->pixels || !s->found)
        return gh_fail(e, GH_NOMEM, "memory ran out at a picture of %d x %d pixels", width, height);
    const gh_augment_from from = {.image = s->image, .mask = s->mask};
    const gh_augment_to to = {.pixels = s->pixels, .mask = s->found};
    return gh_augment_make(&to, &from, &r->input, augment, rng, e);
}

/* The class that most pixels of each cell have; of equals the first in the order of the rows. */
static void shrink(uint8_t *cells, const uint8_t *mask, gh_size size, int level)
{
    int side = 1 << level, width = size.width >> level, height = size.height >> level;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *from = mask + (size_t)(y << level) * (size_t)size.width + (size_t)(x << level);
            int best = 0;
            for (int i = 0; i < side * side && best * 2 <= side * side; i++) {
                uint8_t class = from[(size_t)(i / side) * (size_t)size.width + (size_t)(i % side)];
                int count = 0;
                for (int k = 0; k < side * side; k++)
                    count += from[(size_t)(k / side) * (size_t)size.width + (size_t)(k % side)] == class;
                if (count > best) {
                    best = count;
                    cells[(size_t)y * (size_t)width + (size_t)x] = class;
                }
            }
        }
}

static gh_status give_sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                             gh_err *e)
{
    const gh_segment_run *r = arg;
    sample s = {0};
    gh_status status =
        make_sample(&s, r, &r->data->set->pictures[r->data->learn[index]], &r->augment, r->step, rng, e);
    if (status == GH_OK) {
        gh_manifest_input in = r->input;
        in.width = r->step.width;
        in.height = r->step.height;
        gh_tensor dst = {GH_F32, gh_shape_of(4, (int64_t[]){1, 3, in.height, in.width}), inputs[0]};
        gh_preproc_normalise(&dst, s.pixels, &in);
        shrink(target, s.found, r->step, r->level);
    }
    sample_free(&s);
    return status;
}

/* ---- loss ---- */

static gh_status take_loss(void *arg, gh_tape *t, const void *targets, double *loss, gh_err *e)
{
    const gh_segment_run *r = arg;
    const float *logits = gh_tape_output(t, 0)->data;
    float *gradient = gh_tape_output_gradient(t, 0);
    double dice = 0;
    const gh_class_targets of = {.n = r->o->batch,
                                 .classes = r->data->nclasses,
                                 .inner = cells_of(r),
                                 .labels = targets,
                                 .class_weight = r->weights};
    const gh_class_targets even = {of.n, of.classes, of.inner, of.labels, NULL, NULL, 0};
    *loss = gh_loss_softmax((gh_gradient){gradient, 1 - r->o->dice, false}, logits, &of, r->o->learn.pool);
    if (r->o->dice > 0)
        GH_TRY(gh_loss_dice(&dice, (gh_gradient){gradient, r->o->dice, true}, logits, &even, r->o->learn.pool,
                            e));
    *loss += dice;
    return GH_OK;
}

/* ---- judgement ---- */

static gh_status validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e)
{
    gh_segment_run *r = arg;
    GH_TRY(gh_segment_judge(r, g, r->data->some));
    const gh_mask_scores *s = &r->ev->scores;
    *metric = s->miou;
    json_t *classes = json_object(), *o = NULL;
    for (size_t c = 0; c < s->nclasses; c++)
        if (s->classes[c].pictures)
            json_object_set_new(classes, r->data->classes[c], json_real(s->classes[c].iou));
    o = json_pack("{s:f, s:f, s:o}", "pixel accuracy",
                  s->counted ? (double)s->right / (double)s->counted : 0.0, "boundary F1", s->edge, "IoU",
                  classes);
    return gh_learn_details(details, o, e);
}

/* ---- sheets ---- */

/* The class of each pixel of a picture scaled to a cell. */
static gh_status answer(uint8_t *cell, const gh_segment_run *r, const char *path, gh_size size, gh_err *e)
{
    gh_worker *worker = NULL;
    gh_result *result = NULL;
    gh_mask_rows *rows = NULL;
    const gh_run_options options = {.output = GH_MASK_NONE};
    gh_status status = gh_worker_new(&worker, r->o->learn.pool, e);
    if (status == GH_OK)
        status = gh_sweep_file(&result, worker, r->model, path, &options, e);
    if (status == GH_OK)
        status = gh_mask_rows_new(&rows, result->mask, size.width, size.height, e);
    for (int y = 0; status == GH_OK && y < size.height; y++)
        gh_mask_row_classes(cell + (size_t)y * (size_t)size.width, rows, y);
    gh_mask_rows_free(&rows);
    gh_result_free(&result);
    gh_worker_free(&worker);
    return status;
}

static gh_status draw_row(gh_sheet *sheet, int row, const gh_segment_run *r, const gh_maskset_picture *p,
                          gh_size size, gh_err *e)
{
    sample s = {0};
    gh_segment_run small = *r;
    const gh_augment none = {0};
    gh_rng rng;
    gh_rng_seed(&rng, 1);
    small.input.width = size.width;
    small.input.height = size.height;
    gh_status status = make_sample(&s, &small, p, &none, size, &rng, e);
    if (status == GH_OK) {
        gh_sheet_put(sheet, 0, row, s.pixels, NULL, false);
        gh_sheet_put_mask(sheet, 1, row, s.found, r->data->background);
        status = answer(s.found, r, p->path, size, e);
    }
    if (status == GH_OK) {
        gh_sheet_put(sheet, 2, row, s.pixels, s.found, r->data->background);
        gh_sheet_put_mask(sheet, 3, row, s.found, r->data->background);
    }
    sample_free(&s);
    return status;
}

static gh_status draw(void *arg, const gh_graph *g, gh_buf *html, gh_err *e)
{
    gh_segment_run *r = arg;
    gh_sheet sheet = {0};
    const gh_maskset *judge = r->data->judge;
    gh_size size = {240, 240 * r->o->size.height / r->o->size.width};
    int rows = judge->npictures < SHEET_ROWS ? (int)judge->npictures : SHEET_ROWS;
    if (!r->model)
        GH_TRY(gh_segment_judge(r, g, r->data->some));
    gh_status status = gh_sheet_new(&sheet, 4, rows, size.width, size.height, e);
    for (int i = 0; status == GH_OK && i < rows; i++)
        status =
            draw_row(&sheet, i, r, &judge->pictures[(size_t)i * judge->npictures / (size_t)rows], size, e);
    if (status == GH_OK) {
        gh_buf_str(
            html,
            "<p>Pictures that are judged by: the picture, its mask, the answer over it, the answer.</p>");
        status = gh_sheet_html(html, &sheet, "masks", e);
    }
    gh_sheet_free(&sheet);
    return status;
}

/* Each row one picture: plain, then as several epochs would see it. */
gh_status gh_segment_show(const gh_segment_run *r, const char *path)
{
    static const gh_augment none;
    gh_sheet sheet = {0};
    const gh_maskdata *d = r->data;
    gh_rng rng;
    int rows = d->nlearn < SHEET_ROWS ? (int)d->nlearn : SHEET_ROWS;
    gh_rng_seed(&rng, r->o->learn.seed);
    gh_status status = gh_sheet_new(&sheet, AUGMENT_COLUMNS, rows, r->step.width, r->step.height, r->e);
    for (int i = 0; status == GH_OK && i < rows * AUGMENT_COLUMNS; i++) {
        sample s = {0};
        gh_segment_run whole = *r;
        bool first = i % AUGMENT_COLUMNS == 0;
        whole.input.width = first ? r->step.width : whole.input.width;
        whole.input.height = first ? r->step.height : whole.input.height;
        size_t at = (size_t)(i / AUGMENT_COLUMNS) * d->nlearn / (size_t)rows;
        status = make_sample(&s, &whole, &d->set->pictures[d->learn[at]], first ? &none : &r->augment,
                             r->step, &rng, r->e);
        if (status == GH_OK)
            gh_sheet_put(&sheet, i % AUGMENT_COLUMNS, i / AUGMENT_COLUMNS, s.pixels, s.found, d->background);
        sample_free(&s);
    }
    if (status == GH_OK)
        status = gh_sheet_write(&sheet, path, r->e);
    gh_sheet_free(&sheet);
    return status;
}

static float rate_of(void *arg, const gh_tape_param *p)
{
    const gh_segment_run *r = arg;
    return strncmp(p->name, "decoder/", 8) == 0 ? 1 : (float)r->o->body_rate;
}

gh_learn_task gh_segment_task(gh_segment_run *r)
{
    return (gh_learn_task){.arg = r,
                           .samples = r->data->nlearn,
                           .target_bytes = cells_of(r),
                           .sample = give_sample,
                           .loss = take_loss,
                           .validate = validate,
                           .metric_name = "mIoU",
                           .trained = r->known,
                           .draw = draw,
                           .rate_of = rate_of};
}
