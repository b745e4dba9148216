/* Runs the model on every picture of a set of masks, and scores what it found. */
#include "train/evaluate/masks.h"

#include "base/mem.h"
#include "tasks/segment.h"
#include "train/evaluate/evaluate.h"

typedef struct run {
    gh_masks_evaluation *ev;
    gh_model *model;
    const gh_maskset *set;
    gh_run_options options;
    int map[256]; /* from the set's values to the model's classes */
} run;

/* The model's class of this name, or -1. */
static int class_of(const gh_manifest *m, const char *name)
{
    for (int c = 0; c < gh_segment_classes(m); c++)
        if (gh_class_same(gh_segment_label(m, c), name))
            return c;
    return -1;
}

/* Where model and set have two classes each and one has the same name, so has the other: what is not
 * background is called person by one and foreground by the other. */
static void match_rest(run *j, const bool *taken)
{
    const gh_manifest *m = j->model->manifest;
    size_t named = 0, known = 0, rest = 0;
    for (size_t i = 0; i < j->set->nclasses; i++) {
        bool is_void = gh_maskset_is_void(j->set->classes[i]);
        named += !is_void;
        known += j->ev->known[i];
        rest = is_void || j->ev->known[i] ? rest : i;
    }
    if (gh_segment_classes(m) != 2 || named != 2 || known != 1)
        return;
    int other = taken[0] ? 1 : 0;
    j->map[rest] = other;
    j->ev->known[rest] = true;
    j->ev->rest = j->set->classes[rest];
    j->ev->rest_as = gh_segment_label(m, other);
}

static gh_status map_classes(run *j, gh_err *e)
{
    bool taken[256] = {false};
    const gh_manifest *m = j->model->manifest;
    const gh_maskset *set = j->set;
    int classes = gh_segment_classes(m);
    size_t known = 0;
    for (int v = 0; v < GH_MASK_IGNORED; v++)
        j->map[v] = !set->nclasses && v < classes ? v : -1;
    j->map[GH_MASK_IGNORED] = GH_MASK_IGNORED;
    for (size_t i = 0; i < set->nclasses; i++) {
        int class = class_of(m, set->classes[i]);
        j->ev->known[i] = class >= 0;
        j->map[i] = class >= 0 ? class : GH_MASK_IGNORED;
        known += class >= 0;
        if (class >= 0)
            taken[class] = true;
    }
    match_rest(j, taken);
    if (known || !set->nclasses)
        return GH_OK;
    return gh_fail(
        e, GH_ARG,
        "model '%s' and classes.txt have no class of the same name; the model has '%.60s', ..., the "
        "data '%.60s'%s",
        m->name, gh_segment_label(m, classes - 1), set->classes[0], set->nclasses > 1 ? ", ..." : "");
}

static gh_status score(gh_masks_outcome *o, const gh_result *r, const uint8_t *truth, int width, int height,
                       gh_err *e)
{
    if (width != r->width || height != r->height)
        return gh_fail(e, GH_FORMAT, "its mask is of %d x %d pixels, the picture of %d x %d", width, height,
                       r->width, r->height);
    uint8_t *found = gh_alloc((size_t)width * (size_t)height);
    gh_status status =
        found ? gh_segment_index(found, r, e)
              : gh_fail(e, GH_NOMEM, "memory ran out at a mask of %d x %d pixels", width, height);
    if (status == GH_OK)
        status = gh_mask_score(&o->parts, &o->count, truth, found, width, height, e);
    gh_free(found);
    return status;
}

static void run_picture(void *arg, gh_worker *worker, size_t i)
{
    run *j = arg;
    const gh_maskset_picture *p = &j->set->pictures[i];
    gh_masks_outcome *o = &j->ev->outcomes[i];
    gh_result *r = NULL;
    uint8_t *truth = NULL;
    int width = 0, height = 0;
    gh_err e = {0};
    gh_status status = gh_maskset_mask(&truth, &width, &height, p, j->map, &e);
    if (status == GH_OK)
        status = gh_sweep_file(&r, worker, j->model, p->path, &j->options, &e);
    if (status == GH_OK)
        status = score(o, r, truth, width, height, &e);
    if (status != GH_OK)
        o->error = gh_strdup(e.text[0] ? e.text : gh_status_name(status));
    gh_result_free(&r);
    gh_free(truth);
}

static gh_status add_up(gh_masks_evaluation *ev, size_t classes, gh_err *e)
{
    gh_mask_parts *parts = gh_calloc(ev->count + 1, sizeof *parts);
    if (!parts)
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu pictures", ev->count);
    for (size_t i = 0; i < ev->count; i++) {
        parts[i] = (gh_mask_parts){ev->outcomes[i].parts, ev->outcomes[i].count};
        ev->failed += ev->outcomes[i].parts == NULL;
    }
    gh_status status = gh_mask_add_up(&ev->scores, parts, ev->count, classes, e);
    gh_free(parts);
    return status;
}

static gh_status new_evaluation(gh_masks_evaluation **out, size_t count, gh_err *e)
{
    gh_masks_evaluation *ev = gh_calloc(1, sizeof *ev);
    if (ev)
        ev->outcomes = gh_calloc(count + 1, sizeof *ev->outcomes);
    if (!ev || !ev->outcomes) {
        gh_free(ev);
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu pictures", count);
    }
    ev->count = count;
    *out = ev;
    return GH_OK;
}

gh_status gh_evaluate_masks(gh_masks_evaluation **out, gh_model *model, const gh_maskset *set,
                            double threshold, int threads, gh_sweep_progress progress, void *arg, gh_err *e)
{
    const gh_manifest *m = model->manifest;
    gh_masks_evaluation *ev = NULL;
    if (m->task != GH_TASK_SEGMENT)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has task %s; masks are measured of task segment",
                       model->name, gh_task_name(m->task));
    GH_TRY(new_evaluation(&ev, set->npictures, e));
    run j = {.ev = ev, .model = model, .set = set};
    j.options = (gh_run_options){.threshold = threshold, .output = GH_MASK_NONE};
    const gh_sweep sweep = {ev->count, threads, run_picture, &j, progress, arg};
    gh_status status = map_classes(&j, e);
    if (status == GH_OK)
        status = gh_sweep_run(&ev->seconds, &sweep, e);
    if (status == GH_OK)
        status = add_up(ev, (size_t)gh_segment_classes(m), e);
    if (status == GH_OK)
        *out = ev;
    else
        gh_masks_evaluation_free(&ev);
    return status;
}

void gh_masks_evaluation_free(gh_masks_evaluation **ev)
{
    gh_masks_evaluation *gone = *ev;
    if (!gone)
        return;
    for (size_t i = 0; gone->outcomes && i < gone->count; i++) {
        gh_free(gone->outcomes[i].parts);
        gh_free(gone->outcomes[i].error);
    }
    gh_free(gone->outcomes);
    gh_mask_scores_free(&gone->scores);
    gh_free(gone);
    *ev = NULL;
}
