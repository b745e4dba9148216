/* report.json: everything that a program may want to read, whole, or with a count of what was left out. */
#include "train/report/parts.h"

#include "base/cpu.h"
#include "base/file.h"
#include "tasks/jsontext.h"

#include <math.h>
#include <string.h>

#define DENSE_CLASSES 256    /* up to here the confusion matrix is written as such */
#define MOST_CELLS    100000 /* else its cells off the diagonal */
#define MOST_MISTAKES 10000
#define MOST_PROBLEMS 10000

/* A document; where memory runs out the failure sticks. */
typedef struct doc {
    const gh_facts *f;
    bool failed;
} doc;

/* Takes `v` over in every case. */
static void put(doc *d, json_t *object, const char *key, json_t *v)
{
    d->failed |= !object || json_object_set_new(object, key, v) != 0;
    if (!object)
        json_decref(v);
}

static void add(doc *d, json_t *array, json_t *v)
{
    d->failed |= !array || json_array_append_new(array, v) != 0;
    if (!array)
        json_decref(v);
}

/* JSON has no number for what is not finite. */
static json_t *real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* What is beyond JSON's integers (a seed may be) is told as text. */
static json_t *count(uint64_t v)
{
    return v <= INT64_MAX ? json_integer((json_int_t)v) : json_sprintf("%llu", (unsigned long long)v);
}

static json_t *text(const char *s)
{
    return s ? gh_json_text(s) : json_null();
}

/* ---- the run ---- */

static json_t *timings_json(doc *d)
{
    const gh_report *r = d->f->r;
    json_t *o = json_object();
    put(d, o, "features", real(r->seconds_features));
    put(d, o, "fit", real(r->seconds_fit));
    put(d, o, "total", real(r->seconds_total));
    return o;
}

static json_t *run_json(doc *d)
{
    const gh_report *r = d->f->r;
    char hash[GH_HASH_TEXT];
    json_t *o = json_object();
    put(d, o, "name", text(r->name));
    put(d, o, "head", text(r->head));
    put(d, o, "body", text(r->body));
    put(d, o, "cut", text(r->cut));
    put(d, o, "license", text(r->license));
    put(d, o, "data", text(r->data));
    put(d, o, "data_hash", text(gh_hash_text(r->set->hash, hash)));
    put(d, o, "seed", count(r->seed));
    put(d, o, "folds", count(r->folds));
    put(d, o, "balance", text(r->balance));
    put(d, o, "augment", text(r->augment));
    put(d, o, "pictures", count(r->set->nexamples));
    put(d, o, "classes", count(r->set->nclasses));
    put(d, o, "features", count(r->width));
    put(d, o, "failed", count(r->failed));
    put(d, o, "version", text(r->version));
    put(d, o, "gharial", text(gh_version()));
    put(d, o, "build", text(gh_build()));
    put(d, o, "cpu", text(gh_cpu_level()));
    put(d, o, "seconds", timings_json(d));
    return o;
}

/* ---- metrics ---- */

static json_t *interval_json(doc *d, double low, double high)
{
    json_t *a = json_array();
    add(d, a, real(low));
    add(d, a, real(high));
    return a;
}

static json_t *share_json(doc *d, const gh_share *s)
{
    json_t *o = json_object();
    put(d, o, "value", real(s->value));
    put(d, o, "interval95", interval_json(d, s->interval.low, s->interval.high));
    put(d, o, "right", count(s->right));
    put(d, o, "count", count(s->count));
    return o;
}

static json_t *bins_json(doc *d, const gh_metrics *m)
{
    json_t *a = json_array();
    for (int b = 0; b < GH_CALIBRATION_BINS; b++) {
        json_t *o = json_object();
        put(d, o, "from", real((double)b / GH_CALIBRATION_BINS));
        put(d, o, "to", real((double)(b + 1) / GH_CALIBRATION_BINS));
        put(d, o, "count", count(m->bin[b].n));
        put(d, o, "confidence", real(m->bin[b].confidence));
        put(d, o, "accuracy", real(m->bin[b].accuracy));
        add(d, a, o);
    }
    return a;
}

static json_t *metrics_json(doc *d, const gh_metrics *m)
{
    json_t *o = json_object();
    put(d, o, "count", count(m->n));
    put(d, o, "top1", share_json(d, &m->top1));
    put(d, o, "top5", share_json(d, &m->top5));
    put(d, o, "macro_recall", real(m->macro_recall));
    put(d, o, "macro_f1", real(m->macro_f1));
    put(d, o, "nll", real(m->nll));
    put(d, o, "ece", real(m->ece));
    return o;
}

static json_t *calibration_json(doc *d)
{
    const gh_report *r = d->f->r;
    json_t *o = json_object();
    put(d, o, "temperature", real(r->temperature));
    put(d, o, "ece_before", real(r->ece_before));
    put(d, o, "ece", real(r->metrics->ece));
    put(d, o, "ece_by_chance", real(gh_calibration_noise(r->metrics)));
    put(d, o, "bins", bins_json(d, r->metrics));
    return o;
}

static json_t *reject_json(doc *d)
{
    json_t *o = json_object();
    put(d, o, "threshold", real(d->f->r->reject_threshold));
    put(d, o, "rate", real(d->f->r->reject_rate));
    return o;
}

/* ---- classes ---- */

static json_t *class_json(doc *d, uint32_t c)
{
    const gh_class_metrics *m = &d->f->r->metrics->of[c];
    gh_interval i = gh_wilson(m->right, m->support);
    json_t *o = json_object();
    put(d, o, "index", count(c));
    put(d, o, "label", text(d->f->r->set->classes[c]));
    put(d, o, "pictures", count(d->f->pictures[c]));
    put(d, o, "support", count(m->support));
    put(d, o, "predicted", count(m->predicted));
    put(d, o, "right", count(m->right));
    put(d, o, "recall", real(m->recall));
    put(d, o, "recall_interval95", interval_json(d, i.low, i.high));
    put(d, o, "precision", real(m->precision));
    put(d, o, "f1", real(m->f1));
    return o;
}

static json_t *classes_json(doc *d)
{
    json_t *a = json_array();
    for (uint32_t c = 0; c < d->f->r->set->nclasses && !d->failed; c++)
        add(d, a, class_json(d, c));
    return a;
}

static json_t *matrix_json(doc *d)
{
    const gh_metrics *m = d->f->r->metrics;
    json_t *rows = json_array();
    for (size_t t = 0; t < m->classes; t++) {
        json_t *row = json_array();
        for (size_t p = 0; p < m->classes; p++)
            add(d, row, count(m->confusion[t * m->classes + p]));
        add(d, rows, row);
    }
    return rows;
}

static json_t *cells_json(doc *d)
{
    json_t *a = json_array();
    for (size_t i = 0; i < d->f->ncells && i < MOST_CELLS; i++) {
        const gh_cell *c = &d->f->cells[i];
        json_t *cell = json_array();
        add(d, cell, count(c->truth));
        add(d, cell, count(c->predicted));
        add(d, cell, count(c->n));
        add(d, a, cell);
    }
    return a;
}

/* "counts" [true][predicted], or "cells" [true, predicted, count] of the mistakes. */
static json_t *confusion_json(doc *d)
{
    const gh_metrics *m = d->f->r->metrics;
    json_t *o = json_object();
    put(d, o, "rows", text("true class"));
    put(d, o, "columns", text("predicted class"));
    if (m->confusion && m->classes <= DENSE_CLASSES) {
        put(d, o, "counts", matrix_json(d));
    } else {
        put(d, o, "cells", cells_json(d));
        put(d, o, "left_out", count(d->f->ncells > MOST_CELLS ? d->f->ncells - MOST_CELLS : 0));
    }
    return o;
}

static json_t *mixups_json(doc *d)
{
    json_t *a = json_array();
    for (size_t i = 0; i < d->f->nmixups; i++) {
        const gh_mixup *m = &d->f->mixups[i];
        json_t *o = json_object();
        put(d, o, "a", text(d->f->r->set->classes[m->a]));
        put(d, o, "b", text(d->f->r->set->classes[m->b]));
        put(d, o, "a_as_b", count(m->a_as_b));
        put(d, o, "b_as_a", count(m->b_as_a));
        add(d, a, o);
    }
    return a;
}

static json_t *mistakes_json(doc *d)
{
    const gh_report *r = d->f->r;
    json_t *a = json_array();
    for (size_t i = 0; i < r->nmistakes && i < MOST_MISTAKES; i++) {
        const gh_example *x = &r->set->examples[r->mistakes[i].example];
        json_t *o = json_object();
        put(d, o, "path", text(x->path));
        put(d, o, "true", text(r->set->classes[x->label]));
        put(d, o, "predicted", text(r->set->classes[r->mistakes[i].predicted]));
        put(d, o, "score", real(r->mistakes[i].score));
        add(d, a, o);
    }
    return a;
}

/* ---- heads, curve, features ---- */

static json_t *candidates_json(doc *d)
{
    const gh_report *r = d->f->r;
    json_t *a = json_array();
    for (size_t i = 0; i < r->ncandidates; i++) {
        const gh_candidate *c = &r->candidates[i];
        json_t *o = json_object();
        put(d, o, "head", text(c->head));
        put(d, o, "chosen", json_boolean(r->head && strcmp(c->head, r->head) == 0));
        put(d, o, "accuracy", share_json(d, &c->accuracy));
        put(d, o, "macro_recall", real(c->macro_recall));
        put(d, o, "nll", real(c->nll));
        put(d, o, "seconds", real(c->seconds));
        add(d, a, o);
    }
    return a;
}

static json_t *curve_json(doc *d)
{
    const gh_report *r = d->f->r;
    json_t *o = json_object(), *a = json_array();
    for (size_t i = 0; i < r->ncurve; i++) {
        json_t *p = json_object();
        put(d, p, "pictures", count(r->curve[i].pictures));
        put(d, p, "accuracy", real(r->curve[i].accuracy));
        put(d, p, "interval95", interval_json(d, r->curve[i].low, r->curve[i].high));
        add(d, a, p);
    }
    put(d, o, "points", a);
    put(d, o, "gain_per_doubling", real(gh_curve_gain(r)));
    return o;
}

static json_t *features_json(doc *d)
{
    json_t *a = json_array();
    for (size_t i = 0; i < d->f->nfeatures; i++) {
        json_t *o = json_object();
        put(d, o, "feature", count(d->f->features[i].feature));
        put(d, o, "share", real(d->f->features[i].share));
        add(d, a, o);
    }
    return a;
}

static json_t *problems_json(doc *d)
{
    const gh_report *r = d->f->r;
    json_t *a = json_array();
    for (uint32_t i = 0; i < r->set->nproblems && i < MOST_PROBLEMS; i++)
        add(d, a, text(r->set->problems[i]));
    for (size_t i = 0; r->problems && r->problems[i] && i < MOST_PROBLEMS; i++)
        add(d, a, text(r->problems[i]));
    return a;
}

static json_t *advice_json(doc *d)
{
    json_t *a = json_array();
    for (size_t i = 0; i < d->f->nadvice; i++) {
        json_t *o = json_object();
        put(d, o, "topic", text(d->f->advice[i].topic));
        put(d, o, "act", json_boolean(d->f->advice[i].act));
        put(d, o, "text", json_string((const char *)d->f->advice[i].text.data)); /* valid UTF-8 */
        add(d, a, o);
    }
    return a;
}

/* ---- all of it ---- */

static json_t *report_json(doc *d)
{
    const gh_report *r = d->f->r;
    uint64_t wrong = r->metrics->top1.count - r->metrics->top1.right;
    uint64_t told = r->nmistakes < MOST_MISTAKES ? r->nmistakes : MOST_MISTAKES;
    json_t *o = json_object();
    put(d, o, "run", run_json(d));
    put(d, o, "next", advice_json(d));
    put(d, o, "metrics", metrics_json(d, r->metrics));
    put(d, o, "test", r->test ? metrics_json(d, r->test) : json_null());
    put(d, o, "calibration", calibration_json(d));
    put(d, o, "reject", reject_json(d));
    put(d, o, "candidates", candidates_json(d));
    put(d, o, "learning_curve", curve_json(d));
    put(d, o, "classes", classes_json(d));
    put(d, o, "confusion", confusion_json(d));
    put(d, o, "mixups", mixups_json(d));
    put(d, o, "mistakes", mistakes_json(d));
    put(d, o, "mistakes_left_out", count(wrong > told ? wrong - told : 0));
    put(d, o, "features", features_json(d));
    put(d, o, "head_details", d->f->head ? json_incref(d->f->head) : json_null());
    put(d, o, "problems", problems_json(d));
    return o;
}

typedef struct sink {
    gh_writer *w;
    gh_status status;
    gh_err *e;
} sink;

static int write_piece(const char *data, size_t len, void *arg)
{
    sink *s = arg;
    s->status = gh_writer_add(s->w, data, len, s->e);
    return s->status == GH_OK ? 0 : -1;
}

gh_status gh_report_json(const gh_facts *f, const char *path, gh_err *e)
{
    doc d = {.f = f};
    sink s = {.e = e};
    json_t *o = report_json(&d);
    s.status =
        d.failed ? gh_fail(e, GH_NOMEM, "memory ran out at the report") : gh_writer_open(&s.w, path, e);
    if (s.status == GH_OK && json_dump_callback(o, write_piece, &s, JSON_COMPACT | JSON_REAL_PRECISION(9)) &&
        s.status == GH_OK)
        s.status = gh_fail(e, GH_NOMEM, "memory ran out at the report");
    if (s.status == GH_OK)
        s.status = gh_writer_add(s.w, "\n", 1, e);
    if (s.status == GH_OK)
        s.status = gh_writer_commit(&s.w, e);
    gh_writer_discard(&s.w);
    json_decref(o);
    return s.status;
}
