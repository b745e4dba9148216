/* Runs the model on every picture of a set of boxes, and measures what it found. */
#include "train/evaluate_boxes.h"

#include "base/mem.h"
#include "train/evaluate.h"

#include <string.h>

#define DEFAULT_LIMIT     100
#define DEFAULT_THRESHOLD 0.01

typedef struct run {
    gh_boxes_evaluation *ev;
    gh_model *model;
    const gh_boxset *set;
    gh_run_options options;
} run;

/* The set's category that the model calls `label`, or ncategories. */
static size_t category_of(const gh_boxset *set, const char *label)
{
    size_t c = 0;
    while (c < set->ncategories && !gh_class_same(set->categories[c], label))
        c++;
    return c;
}

static gh_status keep(gh_boxes_outcome *o, const gh_result *r, const gh_boxset *set, size_t picture,
                      gh_err *e)
{
    const gh_boxset_picture *p = &set->pictures[picture];
    o->found = gh_calloc(r->nobjects + 1, sizeof *o->found);
    if (!o->found)
        return gh_fail(e, GH_NOMEM, "memory ran out at the boxes found");
    for (size_t i = 0; i < r->nobjects; i++) {
        const gh_object *b = &r->objects[i];
        size_t category = category_of(set, b->label);
        if (category < set->ncategories)
            o->found[o->count++] = (gh_ap_found){
                (uint32_t)picture, (uint32_t)category, (double)b->score, {b->x, b->y, b->w, b->h}};
    }
    o->other_size = p->width && p->height && (p->width != r->width || p->height != r->height);
    return GH_OK;
}

static void run_picture(void *arg, gh_worker *worker, size_t i)
{
    run *j = arg;
    gh_boxes_outcome *o = &j->ev->outcomes[i];
    gh_result *r = NULL;
    gh_err e = {0};
    gh_status status = gh_sweep_file(&r, worker, j->model, j->set->pictures[i].path, &j->options, &e);
    if (status == GH_OK)
        status = keep(o, r, j->set, i, &e);
    if (status != GH_OK)
        o->error = gh_strdup(e.text[0] ? e.text : gh_status_name(status));
    gh_result_free(&r);
}

/* The boxes of all pictures in one list, and the labelled ones that they are measured against. */
typedef struct lists {
    gh_ap_found *found;
    gh_ap_truth *truths;
    size_t nfound, ntruths;
} lists;

static gh_status gather(lists *l, gh_boxes_evaluation *ev, const gh_boxset *set, gh_err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->count; i++)
        n += ev->outcomes[i].count;
    l->found = gh_calloc(n + 1, sizeof *l->found);
    l->truths = gh_calloc(set->ntruths + 1, sizeof *l->truths);
    if (!l->found || !l->truths)
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu boxes", n);
    for (size_t i = 0; i < ev->count; i++) {
        const gh_boxes_outcome *o = &ev->outcomes[i];
        for (size_t k = 0; k < o->count; k++)
            l->found[l->nfound++] = o->found[k];
        ev->failed += o->error != NULL;
        ev->other_sizes += o->other_size;
    }
    for (size_t i = 0; i < set->ntruths; i++) {
        const gh_ap_truth *t = &set->truths[i];
        if (ev->outcomes[t->picture].error || !ev->known[t->category])
            continue;
        l->truths[l->ntruths++] = *t;
        if (t->crowd || t->ignored)
            ev->crowds++;
        else
            ev->truths++;
    }
    return GH_OK;
}

static gh_status measure(gh_boxes_evaluation *ev, const gh_boxset *set, const gh_boxes_options *options,
                         gh_err *e)
{
    lists l = {0};
    const gh_ap_options ap = {set->ncategories, options->limit ? options->limit : DEFAULT_LIMIT, ev->cut};
    gh_status status = gather(&l, ev, set, e);
    if (status == GH_OK)
        status = gh_ap_measure(ev->classes, l.truths, l.ntruths, l.found, l.nfound, &ap, e);
    gh_free(l.found);
    gh_free(l.truths);
    return status;
}

static gh_status new_evaluation(gh_boxes_evaluation **out, const gh_boxset *set, gh_err *e)
{
    gh_boxes_evaluation *ev = gh_calloc(1, sizeof *ev);
    if (!ev)
        return gh_fail(e, GH_NOMEM, "memory ran out at an evaluation");
    ev->count = set->npictures;
    ev->outcomes = gh_calloc(ev->count, sizeof *ev->outcomes);
    ev->known = gh_calloc(set->ncategories + 1, sizeof *ev->known);
    ev->classes = gh_calloc(set->ncategories + 1, sizeof *ev->classes);
    if (!ev->outcomes || !ev->known || !ev->classes) {
        gh_boxes_evaluation_free(&ev);
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu pictures", set->npictures);
    }
    *out = ev;
    return GH_OK;
}

/* Which categories the model has labels for. */
static gh_status match_classes(gh_boxes_evaluation *ev, const gh_manifest *m, const gh_boxset *set, gh_err *e)
{
    const char *first = NULL;
    for (size_t i = 0; i < m->nlabels; i++) {
        size_t c = *m->labels[i] ? category_of(set, m->labels[i]) : set->ncategories;
        if (*m->labels[i] && !first)
            first = m->labels[i];
        if (c < set->ncategories && !ev->known[c]) {
            ev->known[c] = true;
            ev->nknown++;
        }
    }
    if (ev->nknown)
        return GH_OK;
    return gh_fail(
        e, GH_ARG,
        "model '%s' and the annotations have no class of the same name; the model has '%.60s'%s, the "
        "annotations '%.60s'%s",
        m->name, first ? first : "none", m->nlabels > 1 ? ", ..." : "",
        set->ncategories ? set->categories[0] : "none", set->ncategories > 1 ? ", ..." : "");
}

gh_status gh_evaluate_boxes(gh_boxes_evaluation **out, gh_model *model, const gh_boxset *set,
                            const gh_boxes_options *options, gh_sweep_progress progress, void *arg, gh_err *e)
{
    /* of a pipeline the boxes are its detector's, and what is said of each is not looked at */
    gh_model *detector = model->nparts ? model->parts[0] : model;
    const gh_manifest *m = detector->manifest;
    gh_boxes_evaluation *ev = NULL;
    if (m->task != GH_TASK_LOCALIZE)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has task %s; boxes are measured of task localize",
                       model->name, gh_task_name(m->task));
    GH_TRY(new_evaluation(&ev, set, e));
    run j = {
        ev, detector, set, {.threshold = options->threshold > 0 ? options->threshold : DEFAULT_THRESHOLD}};
    j.options.nms = options->nms;
    j.options.max_side = options->max_side;
    const gh_sweep sweep = {ev->count, options->threads, run_picture, &j, progress, arg};
    double usual = model->manifest->threshold > 0 ? model->manifest->threshold : m->threshold;
    ev->cut = options->cut > 0 ? options->cut : usual;
    gh_status status = match_classes(ev, m, set, e);
    if (status == GH_OK)
        status = gh_sweep_run(&ev->seconds, &sweep, e);
    if (status == GH_OK)
        status = measure(ev, set, options, e);
    if (status == GH_OK)
        *out = ev;
    else
        gh_boxes_evaluation_free(&ev);
    return status;
}

void gh_boxes_evaluation_free(gh_boxes_evaluation **ev)
{
    gh_boxes_evaluation *gone = *ev;
    if (!gone)
        return;
    for (size_t i = 0; gone->outcomes && i < gone->count; i++) {
        gh_free(gone->outcomes[i].found);
        gh_free(gone->outcomes[i].error);
    }
    gh_free(gone->outcomes);
    gh_free(gone->known);
    gh_free(gone->classes);
    gh_free(gone);
    *ev = NULL;
}
