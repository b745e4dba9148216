/* Runs the model on every picture of a set of boxes, and measures what it found. */
#include "train/evaluate/boxes.h"

#include "base/mem.h"
#include "train/evaluate/evaluate.h"

#include <math.h>
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

/* ---- by size, and how well one box fits ---- */

const char *gh_boxes_size_name(int i)
{
    static const char *const names[GH_BOXES_SIZES] = {"small", "medium", "large"};
    return names[i];
}

static int size_of(const gh_ap_rect *box)
{
    double area = box->w * box->h;
    return area < 32 * 32 ? 0 : area < 96 * 96 ? 1 : 2;
}

/* Boxes of other sizes are ignored, so that what is found on them counts neither way. */
static gh_status measure_size(gh_boxes_size *out, lists *l, int size, const gh_ap_options *ap, gh_err *e)
{
    gh_ap_class *classes = gh_calloc(ap->categories + 1, sizeof *classes);
    gh_ap_truth *truths = gh_calloc(l->ntruths + 1, sizeof *truths);
    gh_status status = classes && truths ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    for (size_t i = 0; status == GH_OK && i < l->ntruths; i++) {
        truths[i] = l->truths[i];
        truths[i].ignored = truths[i].ignored || size_of(&truths[i].box) != size;
    }
    if (status == GH_OK)
        status = gh_ap_measure(classes, truths, l->ntruths, l->found, l->nfound, ap, e);
    if (status == GH_OK)
        *out = (gh_boxes_size){classes[ap->categories].truths, classes[ap->categories].at[GH_AP_50].right};
    gh_free(classes);
    gh_free(truths);
    return status;
}

static double fit_of(const gh_ap_rect *a, const gh_ap_rect *b)
{
    double w = fmin(a->x + a->w, b->x + b->w) - fmax(a->x, b->x);
    double h = fmin(a->y + a->h, b->y + b->h) - fmax(a->y, b->y);
    double both = w > 0 && h > 0 ? w * h : 0, either = a->w * a->h + b->w * b->h - both;
    return either > 0 ? both / either : 0;
}

static const gh_ap_found *best_of(const gh_boxes_outcome *o)
{
    const gh_ap_found *best = NULL;
    for (size_t i = 0; i < o->count; i++)
        if (!best || o->found[i].score > best->score)
            best = &o->found[i];
    return best;
}

/* The pictures' best boxes against the labelled ones of their class. */
static gh_status measure_fit(gh_boxes_evaluation *ev, const lists *l, gh_err *e)
{
    double sum = 0, *fits = gh_calloc(ev->count + 1, sizeof *fits);
    size_t n = 0;
    bool *has = gh_calloc(ev->count + 1, sizeof *has);
    for (size_t i = 0; fits && has && i < l->ntruths; i++) {
        const gh_ap_truth *t = &l->truths[i];
        const gh_ap_found *best = best_of(&ev->outcomes[t->picture]);
        if (t->crowd || t->ignored)
            continue;
        has[t->picture] = true;
        if (best && best->category == t->category)
            fits[t->picture] = fmax(fits[t->picture], fit_of(&best->box, &t->box));
    }
    for (size_t i = 0; fits && has && i < ev->count; i++) {
        n += has[i];
        sum += fits[i];
    }
    gh_status status = fits && has ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    ev->iou = n ? sum / (double)n : 0;
    gh_free(fits);
    gh_free(has);
    return status;
}

static gh_status measure(gh_boxes_evaluation *ev, const gh_boxset *set, const gh_boxes_options *options,
                         gh_err *e)
{
    lists l = {0};
    const gh_ap_options ap = {set->ncategories, options->limit ? options->limit : DEFAULT_LIMIT, ev->cut};
    gh_status status = gather(&l, ev, set, e);
    if (status == GH_OK)
        status = gh_ap_measure(ev->classes, l.truths, l.ntruths, l.found, l.nfound, &ap, e);
    for (int i = 0; status == GH_OK && i < GH_BOXES_SIZES; i++)
        status = measure_size(&ev->sizes[i], &l, i, &ap, e);
    if (status == GH_OK)
        status = measure_fit(ev, &l, e);
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
