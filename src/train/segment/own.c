/* A network of masks that learns other classes by its own decoder: its layer of scores is made anew, from the
 * old one where the classes have the same names. */
#include "train/segment/parts.h"

#include "base/mem.h"
#include "train/nets/score_layer.h"
#include "train/nets/shapes.h"

#include <string.h>

static int label_named(const gh_manifest *m, const char *name)
{
    for (size_t i = 0; i < m->nlabels; i++)
        if (strcmp(m->labels[i], name) == 0)
            return (int)i;
    return -1;
}

/* Which of the body's scores each class begins with: that of the same name; where the body has one score and
 * there are two classes, the half of it for each. */
static void choose_rows(gh_score_start *start, int *row, const gh_segment_run *r, const gh_score_layer *l)
{
    const gh_manifest *m = r->body->manifest;
    const int classes = (int)r->data->nclasses;
    start->halves = l->out == 1 && classes == 2;
    for (int c = 0; c < classes; c++)
        row[c] = (size_t)l->out == m->nlabels ? label_named(m, r->data->classes[c]) : -1;
    if (!start->halves)
        return;
    /* the foreground is the second label of such a body, by default the second class */
    bool turned = m->nlabels == 2 && strcmp(m->labels[1], r->data->classes[0]) == 0;
    row[0] = turned;
    row[1] = !turned;
}

static gh_status renew_scores(uint32_t *scores, gh_segment_run *r)
{
    gh_score_layer layer;
    gh_score_start start = {.classes = (int)r->data->nclasses, .seed = r->o->learn.seed + 1};
    if (!gh_score_layer_find(&layer, r->graph))
        return gh_fail(
            r->e, GH_UNSUPPORTED,
            "decoder own keeps that of a network of masks, and %.64s does not end in a convolution "
            "that scores pixels; take unet, segnet or fcn",
            r->body->manifest->name);
    int *row = gh_calloc(r->data->nclasses, sizeof *row);
    if (!row)
        return gh_fail(r->e, GH_NOMEM, "memory ran out at the classes");
    choose_rows(&start, row, r, &layer);
    start.row = row;
    r->known = true;
    for (uint32_t c = 0; c < r->data->nclasses; c++)
        r->known &= row[c] >= 0;
    gh_status status = gh_score_layer_renew(scores, r->graph, &layer, &start, r->e);
    gh_free(row);
    return status;
}

gh_status gh_segment_own(gh_segment_run *r)
{
    uint32_t scores;
    gh_shapes shapes = {0};
    GH_TRY(renew_scores(&scores, r));
    GH_TRY(gh_decoder_end(r->graph, scores, (int)r->data->nclasses, r->e));
    gh_status status = gh_shapes_read(&shapes, r->graph, r->step.width, r->step.height, false, r->e);
    if (status != GH_OK)
        return gh_err_prefix(r->e, status, "body %.64s at %dx%d pixels", r->body->manifest->name,
                             r->step.width, r->step.height);
    r->level = gh_shapes_level(&shapes, scores);
    gh_shapes_free(&shapes);
    if (r->level < 0)
        return gh_fail(r->e, GH_UNSUPPORTED,
                       "body %.64s does not give its scores over a picture of %dx%d pixels at a power of two",
                       r->body->manifest->name, r->step.width, r->step.height);
    return GH_OK;
}
