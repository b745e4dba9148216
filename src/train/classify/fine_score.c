/* Scores of pictures that are not learnt from: a net made from the graph as serving makes it. */
#include "train/classify/fine_parts.h"

#include "base/mem.h"
#include "engine/net.h"
#include "tasks/preproc.h"
#include "train/metrics/metrics.h"
#include "train/report/sheet.h"

#include <stdio.h>
#include <string.h>

typedef struct scoring {
    const gh_fine_options *o;
    gh_net *net;
    gh_plan *plan;
    const uint32_t *examples;
    float *scores;
    uint32_t classes;
    gh_status *status; /* one a thread */
    gh_err *errors;
} scoring;

static gh_status score(scoring *s, gh_session *session, uint8_t *scratch, size_t i, gh_err *e)
{
    gh_image *image = NULL;
    GH_TRY(gh_fine_decode(&image, s->o, s->o->set->examples[s->examples[i]].path, 1, e));
    gh_status status = gh_preproc_run(gh_session_input(session, 0), image, s->o->input, scratch, e);
    if (!status)
        status = gh_session_run(session, e);
    if (!status)
        memcpy(s->scores + i * s->classes, gh_session_output(session, 0)->data,
               s->classes * sizeof *s->scores);
    gh_image_free(&image);
    return status;
}

static void score_some(void *arg, int begin, int end, int thread)
{
    scoring *s = arg;
    gh_session *session = NULL;
    gh_err *e = &s->errors[thread];
    uint8_t *scratch = gh_alloc((size_t)s->o->input->width * (size_t)s->o->input->height * 3);
    gh_status status = scratch ? gh_session_new(&session, NULL, e) : gh_fail(e, GH_NOMEM, "no memory");
    if (!status)
        status = gh_session_bind(session, s->plan, e);
    for (int i = begin; i < end && !status; i++) {
        if (s->o->stop && *s->o->stop)
            status = gh_fail(e, GH_INTERRUPTED, "interrupted while pictures were judged");
        else
            status = score(s, session, scratch, (size_t)i, e);
    }
    s->status[thread] = status;
    gh_session_free(&session);
    gh_free(scratch);
}

static gh_status open_net(scoring *s, const gh_graph *g, gh_err *e)
{
    gh_graph *copy = NULL;
    gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, s->o->input->height, s->o->input->width});
    GH_TRY(gh_graph_copy(&copy, g, e));
    copy->noutputs = 1;
    GH_TRY(gh_net_from_graph(&s->net, &copy, GH_PASS_ALL, e));
    return gh_plan_get(&s->plan, s->net, &shape, e);
}

gh_status gh_fine_scores(float *scores, const gh_graph *g, const gh_fine_options *o, const uint32_t *examples,
                         size_t n, gh_err *e)
{
    int threads = gh_pool_size(o->pool);
    scoring s = {.o = o, .examples = examples, .scores = scores, .classes = o->set->nclasses};
    s.status = gh_calloc((size_t)threads, sizeof *s.status);
    s.errors = gh_calloc((size_t)threads, sizeof *s.errors);
    gh_status status =
        s.status && s.errors ? open_net(&s, g, e) : gh_fail(e, GH_NOMEM, "no memory to judge pictures");
    if (!status)
        gh_pool_for(o->pool, (int)n, score_some, &s);
    for (int i = 0; !status && i < threads; i++)
        if (s.status[i])
            status = gh_fail(e, s.status[i], "%s", s.errors[i].text);
    gh_plan_put(&s.plan);
    gh_net_free(&s.net);
    gh_free(s.status);
    gh_free(s.errors);
    return status;
}

/* ---- the metric ---- */

gh_status gh_fine_validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e)
{
    gh_fine *f = arg;
    gh_metrics *m = NULL;
    uint32_t *labels = gh_calloc(f->njudged + 1, sizeof *labels);
    float *p = gh_calloc(f->njudged * f->classes + 1, sizeof *p);
    gh_status status = labels && p ? gh_fine_scores(f->scores, g, f->o, f->judged, f->njudged, e)
                                   : gh_fail(e, GH_NOMEM, "no memory to judge pictures");
    if (!status) {
        for (size_t i = 0; i < f->njudged; i++)
            labels[i] = f->o->set->examples[f->judged[i]].label;
        memcpy(p, f->scores, f->njudged * f->classes * sizeof *p);
        gh_softmax_rows(p, f->njudged, f->classes, 1);
        status = gh_metrics_of(&m, p, labels, f->njudged, f->classes, e);
    }
    if (!status) {
        *metric = f->o->balance == GH_BALANCE_NONE ? m->top1.value : (m->top1.value + m->macro_recall) / 2;
        gh_buf_printf(details, "{\"accuracy\": %.6f, \"macro_recall\": %.6f, \"nll\": %.6f}", m->top1.value,
                      m->macro_recall, m->nll);
    }
    gh_metrics_free(&m);
    gh_free(labels);
    gh_free(p);
    return status;
}

/* ---- a sheet ---- */

enum { COLUMNS = 6, ROWS = 3, CELL = 120 };

static uint32_t best_of(const float *scores, uint32_t classes)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++)
        best = scores[c] > scores[best] ? c : best;
    return best;
}

static gh_status put_cell(gh_sheet *sheet, const gh_fine *f, int cell, size_t i, uint8_t *pixels, gh_err *e)
{
    const gh_example *x = &f->o->set->examples[f->judged[i]];
    const gh_manifest_input in = {.width = CELL, .height = CELL, .fit = GH_FIT_CROP, .crop = 1};
    uint32_t best = best_of(f->scores + i * f->classes, f->classes);
    gh_placement place;
    gh_image *image = NULL;
    char text[64];
    GH_TRY(gh_fine_decode(&image, f->o, x->path, CELL / f->o->input->width + 1, e));
    place = gh_preproc_place(&in, image->full_width, image->full_height);
    gh_status status = gh_preproc_pixels(pixels, image, &in, &place, e);
    if (!status) {
        gh_sheet_put(sheet, cell % COLUMNS, cell / COLUMNS, pixels, NULL, false);
        snprintf(text, sizeof text, "%s%.24s", best == x->label ? "" : "not ", f->o->set->classes[best]);
        gh_sheet_title(sheet, cell % COLUMNS, cell / COLUMNS, text);
    }
    gh_image_free(&image);
    return status;
}

/* Pictures evenly spread over the judged ones, with what the network calls them. The scores are those of the
 * validation right before. */
gh_status gh_fine_draw(void *arg, const gh_graph *g, gh_buf *html, gh_err *e)
{
    gh_fine *f = arg;
    gh_sheet sheet = {0};
    (void)g;
    uint8_t *pixels = gh_alloc((size_t)CELL * CELL * 3);
    gh_status status = pixels ? gh_sheet_new(&sheet, COLUMNS, ROWS, CELL, CELL, e)
                              : gh_fail(e, GH_NOMEM, "no memory for a sheet of pictures");
    size_t n = f->njudged < COLUMNS * ROWS ? f->njudged : COLUMNS * ROWS;
    for (size_t i = 0; !status && i < n; i++)
        status = put_cell(&sheet, f, (int)i, i * f->njudged / n, pixels, e);
    if (!status)
        status = gh_sheet_html(html, &sheet, "Validation pictures with the network's answers", e);
    if (!status)
        gh_buf_str(html, "\n<p class=\"note\">What the network calls them; \"not\" where it is wrong.</p>\n");
    gh_sheet_free(&sheet);
    gh_free(pixels);
    return status;
}
