/* Evaluation: every thread has a worker and takes the next picture that nobody has taken. */
#include "train/evaluate.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "tasks/run.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PICTURE_BYTES ((size_t)256 << 20)
#define TOP               5

typedef struct run {
    gh_evaluation *ev;
    gh_model *model;
    const gh_sample *samples;
    gh_worker **workers; /* one a thread */
    atomic_size_t next;
    pthread_mutex_t lock; /* guards done and progress */
    size_t done;
    gh_evaluate_progress progress;
    void *arg;
} run;

static int fold(char c)
{
    return c == '_' || c == '-' ? ' ' : tolower((unsigned char)c);
}

static bool same_folded(const char *a, const char *b)
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
        if (same_folded(m->labels[i], label))
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

static void run_sample(const run *j, gh_worker *worker, size_t i)
{
    const gh_run_options options = {.top = TOP, .threshold = 1e-30};
    gh_outcome *o = &j->ev->outcomes[i];
    gh_buf bytes = {0};
    gh_result *r = NULL;
    gh_err e = {0};
    gh_status status = gh_file_read(&bytes, j->samples[i].path, MAX_PICTURE_BYTES, &e);
    if (status == GH_OK)
        status = gh_run(&r, worker, j->model, bytes.data, bytes.len, NULL, &options, &e);
    o->failed = status != GH_OK;
    if (status == GH_OK)
        judge(o, r);
    else
        o->error = gh_strdup(e.text[0] ? e.text : gh_status_name(status));
    gh_result_free(&r);
    gh_buf_free(&bytes);
}

static void run_thread(void *arg, int begin, int end, int thread)
{
    run *j = arg;
    (void)thread;
    for (int w = begin; w < end; w++)
        for (size_t i; (i = atomic_fetch_add(&j->next, 1)) < j->ev->count;) {
            run_sample(j, j->workers[w], i);
            pthread_mutex_lock(&j->lock);
            j->done++;
            if (j->progress)
                j->progress(j->arg, j->done);
            pthread_mutex_unlock(&j->lock);
        }
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

static gh_status run_all(run *j, int threads, gh_err *e)
{
    gh_pool *pool = NULL;
    gh_status status = gh_pool_new(&pool, threads, e);
    int n = gh_pool_size(pool);
    if (status == GH_OK && !(j->workers = gh_calloc((size_t)n, sizeof *j->workers)))
        status = gh_fail(e, GH_NOMEM, "memory ran out at the workers");
    for (int i = 0; i < n && status == GH_OK; i++)
        status = gh_worker_new(&j->workers[i], NULL, e);
    uint64_t start = gh_now_ns();
    if (status == GH_OK)
        gh_pool_for(pool, n, run_thread, j);
    j->ev->seconds = (double)(gh_now_ns() - start) / 1e9;
    for (int i = 0; i < n && j->workers; i++)
        gh_worker_free(&j->workers[i]);
    gh_free(j->workers);
    gh_pool_free(&pool);
    return status;
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
                      int threads, gh_evaluate_progress progress, void *arg, gh_err *e)
{
    gh_evaluation *ev = NULL;
    if (model->manifest->task != GH_TASK_CLASSIFY)
        return gh_fail(e, GH_UNSUPPORTED, "model '%s' has task %s; this version measures classify",
                       model->name, gh_task_name(model->manifest->task));
    GH_TRY(new_evaluation(&ev, count, model->manifest->nlabels, e));
    run j = {.ev = ev, .model = model, .samples = samples, .progress = progress, .arg = arg};
    pthread_mutex_init(&j.lock, NULL);
    gh_status status = resolve(ev->outcomes, model->manifest, samples, count, e);
    if (status == GH_OK)
        status = run_all(&j, threads, e);
    pthread_mutex_destroy(&j.lock);
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
