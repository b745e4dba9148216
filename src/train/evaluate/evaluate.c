/* Evaluation of task classify. */
#include "train/evaluate/evaluate.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TOP 5

typedef struct run {
    gh_evaluation *ev;
    gh_model *model;
    const gh_sample *samples;
} run;

static int fold(char c)
{
    return c == '_' || c == '-' ? ' ' : tolower((unsigned char)c);
}

bool gh_class_same(const char *a, const char *b)
{
    while (*a && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return *a == '\0' && *b == '\0';
}

int gh_class_find(const gh_manifest *m, const char *label)
{
    for (size_t i = 0; i < m->nlabels; i++)
        if (strcmp(m->labels[i], label) == 0)
            return (int)i;
    for (size_t i = 0; i < m->nlabels; i++)
        if (gh_class_same(m->labels[i], label))
            return (int)i;
    char *end = NULL;
    unsigned long v = strtoul(label, &end, 10);
    bool number = isdigit((unsigned char)label[0]) && *end == '\0';
    return number && v < m->nlabels ? (int)v : -1;
}

/* Class indices of all samples, before any picture is opened. */
static gh_status resolve(gh_outcome *outcomes, const gh_manifest *m, const gh_sample *samples, size_t count,
                         gh_err *e)
{
    for (size_t i = 0; i < count; i++) {
        const gh_sample *s = &samples[i];
        bool as_before =
            i > 0 && s->index < 0 && samples[i - 1].index < 0 && s->label == samples[i - 1].label;
        int truth = as_before ? outcomes[i - 1].truth : s->index >= 0 ? s->index : gh_class_find(m, s->label);
        if (truth < 0)
            return gh_fail(e, GH_ARG,
                           "the model has no class '%.80s' (%.200s); 'gharial inspect' lists its labels",
                           s->label, s->path);
        if ((size_t)truth >= m->nlabels)
            return gh_fail(e, GH_ARG,
                           "class index %d of %.200s is out of range; the model has classes 0 to %zu", truth,
                           s->path, m->nlabels - 1);
        outcomes[i] = (gh_outcome){.truth = truth, .predicted = -1, .rank = -1};
    }
    return GH_OK;
}

static void judge(gh_outcome *o, const gh_result *r)
{
    if (r->nlabels > 0) {
        o->predicted = r->labels[0].index;
        o->score = r->labels[0].score;
    }
    for (size_t i = 0; i < r->nlabels && o->rank < 0; i++)
        if (r->labels[i].index == o->truth)
            o->rank = (int)i;
}

static void run_sample(void *arg, gh_worker *worker, size_t i)
{
    const run *j = arg;
    const gh_run_options options = {.top = TOP, .threshold = 1e-30};
    gh_outcome *o = &j->ev->outcomes[i];
    gh_result *r = NULL;
    gh_err e = {0};
    gh_status status = gh_sweep_file(&r, worker, j->model, j->samples[i].path, &options, &e);
    o->failed = status != GH_OK;
    if (status == GH_OK)
        judge(o, r);
    else
        o->error = gh_strdup(e.text[0] ? e.text : gh_status_name(status));
    gh_result_free(&r);
}

static void add_up(gh_evaluation *ev)
{
    for (size_t i = 0; i < ev->count; i++) {
        const gh_outcome *o = &ev->outcomes[i];
        if (o->failed) {
            ev->failed++;
            continue;
        }
        ev->class_count[o->truth]++;
        ev->class_right[o->truth] += o->rank == 0;
        ev->top1 += o->rank == 0;
        ev->top5 += o->rank >= 0;
    }
}

static gh_status new_evaluation(gh_evaluation **out, size_t count, size_t nclasses, gh_err *e)
{
    gh_evaluation *ev = gh_calloc(1, sizeof *ev);
    if (!ev)
        return gh_fail(e, GH_NOMEM, "memory ran out at an evaluation");
    ev->count = count;
    ev->nclasses = nclasses;
    ev->outcomes = gh_calloc(count, sizeof *ev->outcomes);
    ev->class_count = gh_calloc(nclasses, sizeof *ev->class_count);
    ev->class_right = gh_calloc(nclasses, sizeof *ev->class_right);
    if (!ev->outcomes || !ev->class_count || !ev->class_right) {
        gh_evaluation_free(&ev);
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu pictures", count);
    }
    *out = ev;
    return GH_OK;
}

gh_status gh_evaluate(gh_evaluation **out, gh_model *model, const gh_sample *samples, size_t count,
                      int threads, gh_sweep_progress progress, void *arg, gh_err *e)
{
    gh_evaluation *ev = NULL;
    if (model->manifest->task != GH_TASK_CLASSIFY)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has task %s; this version measures classify",
                       model->name, gh_task_name(model->manifest->task));
    GH_TRY(new_evaluation(&ev, count, model->manifest->nlabels, e));
    run j = {ev, model, samples};
    const gh_sweep sweep = {count, threads, run_sample, &j, progress, arg};
    gh_status status = resolve(ev->outcomes, model->manifest, samples, count, e);
    if (status == GH_OK)
        status = gh_sweep_run(&ev->seconds, &sweep, e);
    if (status == GH_OK) {
        add_up(ev);
        *out = ev;
    } else {
        gh_evaluation_free(&ev);
    }
    return status;
}

void gh_evaluation_free(gh_evaluation **ev)
{
    gh_evaluation *gone = *ev;
    if (!gone)
        return;
    for (size_t i = 0; gone->outcomes && i < gone->count; i++)
        gh_free(gone->outcomes[i].error);
    gh_free(gone->outcomes);
    gh_free(gone->class_count);
    gh_free(gone->class_right);
    gh_free(gone);
    *ev = NULL;
}

double gh_mean_recall(const gh_evaluation *ev)
{
    double sum = 0;
    size_t classes = 0;
    for (size_t c = 0; c < ev->nclasses; c++)
        if (ev->class_count[c]) {
            sum += (double)ev->class_right[c] / (double)ev->class_count[c];
            classes++;
        }
    return classes ? sum / (double)classes : 0;
}
