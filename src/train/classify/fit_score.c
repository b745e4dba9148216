/* What the held-out scores say: metrics, temperature, reject threshold, mistakes, learning curve, test part.
 */
#include "base/mem.h"
#include "train/classify/export.h"
#include "train/classify/fit_parts.h"
#include "train/output/model_folder.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* Share of held-out pictures that the reject rule may turn away: a little under the 5 % that it promises for
 * unseen ones, because the threshold is itself an estimate. */
#define REJECT_RATE 0.04

static const double curve_shares[CURVE_POINTS] = {0.1, 0.25, 0.5, 0.75, 1.0};

gh_status gh_train_measure(gh_metrics **out, const gh_heldout *h, const float *temperature, gh_err *e)
{
    float *p = gh_calloc(h->n * h->classes + 1, sizeof *p);
    if (!p)
        return gh_fail(e, GH_NOMEM, "memory ran out at the scores");
    memcpy(p, h->logits, h->n * h->classes * sizeof *p);
    for (size_t i = 0; i < h->n; i++)
        gh_softmax_rows(p + i * h->classes, 1, h->classes,
                        temperature ? (double)temperature[h->fold[i]] : 1.0);
    gh_status status = gh_metrics_of(out, p, h->label, h->n, h->classes, e);
    gh_free(p);
    return status;
}

/* The temperature of each fold comes from the other folds, so that the error after it is honest too. */
static gh_status fold_temperatures(float *temperature, const gh_train_run *r)
{
    const gh_heldout *h = r->heldout;
    float *logits = gh_calloc(h->n * h->classes + 1, sizeof *logits);
    uint32_t *labels = gh_calloc(h->n + 1, sizeof *labels);
    gh_status status = logits && labels ? GH_OK : gh_train_no_memory(r);
    for (uint32_t f = 0; !status && f < r->data.folds; f++) {
        size_t n = 0;
        for (size_t i = 0; i < h->n; i++)
            if (h->fold[i] != f || r->data.folds == 1) {
                memcpy(logits + n * h->classes, h->logits + i * h->classes, h->classes * sizeof *logits);
                labels[n++] = h->label[i];
            }
        temperature[f] = (float)gh_temperature(logits, labels, n, h->classes);
    }
    gh_free(logits);
    gh_free(labels);
    return status;
}

gh_status gh_train_calibrate(gh_train_run *r)
{
    const gh_heldout *h = r->heldout;
    gh_metrics *before = NULL;
    float *temperature = gh_calloc(r->data.folds + 1u, sizeof *temperature);
    gh_status status = temperature ? fold_temperatures(temperature, r) : gh_train_no_memory(r);
    if (!status)
        status = gh_train_measure(&before, h, NULL, r->e);
    if (!status)
        status = gh_train_measure(&r->metrics, h, temperature, r->e);
    if (!status) {
        r->ece_before = before->ece;
        r->temperature = gh_temperature(h->logits, h->label, h->n, h->classes);
    }
    if (!status && h->distance) {
        r->reject_threshold = gh_reject_threshold(h->distance, h->n, REJECT_RATE);
        size_t beyond = 0;
        for (size_t i = 0; i < h->n; i++)
            beyond += h->distance[i] > r->reject_threshold;
        r->reject_rate = h->n ? (double)beyond / (double)h->n : 0;
    }
    gh_metrics_free(&before);
    gh_free(temperature);
    return status;
}

static uint32_t argmax(const float *x, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

/* Probability of class c at the run's temperature. */
static float probability(const gh_train_run *r, size_t row, uint32_t c)
{
    const float *x = r->heldout->logits + row * r->heldout->classes;
    double sum = 0;
    for (uint32_t k = 0; k < r->heldout->classes; k++)
        sum += exp((double)(x[k] - x[c]) / r->temperature);
    return (float)(1 / sum);
}

void gh_train_mistakes(gh_train_run *r)
{
    const gh_heldout *h = r->heldout;
    for (size_t i = 0; i < h->n; i++) {
        uint32_t predicted = argmax(h->logits + i * h->classes, h->classes);
        if (predicted == h->label[i])
            continue;
        gh_mistake m = {h->example[i], predicted, probability(r, i, predicted)};
        size_t at = r->nmistakes < MOST_MISTAKES ? r->nmistakes++ : MOST_MISTAKES;
        for (; at > 0 && r->mistakes[at - 1].score < m.score; at--)
            if (at < MOST_MISTAKES)
                r->mistakes[at] = r->mistakes[at - 1];
        if (at < MOST_MISTAKES)
            r->mistakes[at] = m;
    }
}

static bool can_be_copied(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
           (uint64_t)st.st_size <= GH_MAX_SELFTEST_BYTES;
}

/* The held-out picture that the head is most sure of, and right: it becomes the self-test, if it is not huge.
 */
const char *gh_train_best_picture(const gh_train_run *r)
{
    const gh_heldout *h = r->heldout;
    const char *best = NULL;
    float most = 0;
    for (size_t i = 0; i < h->n; i++) {
        uint32_t c = argmax(h->logits + i * h->classes, h->classes);
        float p = c == h->label[i] ? probability(r, i, c) : 0;
        if (p > most && can_be_copied(r->set->examples[h->example[i]].path)) {
            most = p;
            best = r->set->examples[h->example[i]].path;
        }
    }
    return best;
}

/* Learning curve: fold 0 held out, trained on growing shares of the rest. */

#define CURVE_PIECES 20

/* `piece` cuts the rest in equal stratified pieces; the first share of them is trained on. */
static gh_status curve_point(gh_train_run *r, double share, bool *use, const uint32_t *piece)
{
    gh_task_data part = r->data;
    gh_heldout *h = NULL;
    gh_metrics *m = NULL;
    uint32_t pictures = 0;
    for (uint32_t i = 0; i < r->set->nexamples; i++) {
        bool trained = piece[i] != UINT32_MAX && piece[i] < share * CURVE_PIECES;
        use[i] = trained || r->fold[i] == 0;
        pictures += trained;
    }
    part.use = use;
    part.folds = 1;
    gh_status status = gh_validate(&h, &part, r->type, false, r->e);
    if (!status)
        status = gh_train_measure(&m, h, NULL, r->e);
    if (!status)
        r->curve[r->ncurve++] =
            (gh_curve_point){pictures, m->top1.value, m->top1.interval.low, m->top1.interval.high};
    gh_metrics_free(&m);
    gh_heldout_free(&h);
    return status;
}

gh_status gh_train_curve(gh_train_run *r)
{
    bool *use = gh_calloc(r->set->nexamples + 1u, sizeof *use);
    uint32_t *piece = gh_calloc(r->set->nexamples + 1u, sizeof *piece);
    gh_status status = use && piece ? GH_OK : gh_train_no_memory(r);
    for (uint32_t i = 0; !status && i < r->set->nexamples; i++)
        use[i] = r->fold[i] != 0 && r->set->examples[i].split != GH_SPLIT_TEST;
    if (!status)
        status = gh_trainset_folds(piece, r->set, use, CURVE_PIECES, r->o->seed + 1, r->e);
    for (size_t i = 0; i < CURVE_POINTS && !status && !gh_train_stopped(r); i++)
        if (r->set->nexamples * curve_shares[i] >= 4.0 * r->set->nclasses)
            status = curve_point(r, curve_shares[i], use, piece);
    gh_free(use);
    gh_free(piece);
    return status;
}

/* The data's own test part, which nothing has seen. */
gh_status gh_train_test(gh_train_run *r)
{
    gh_rows test = {0};
    bool *keep = gh_calloc(r->set->nexamples + 1u, sizeof *keep), any = false;
    gh_status status = keep ? GH_OK : gh_train_no_memory(r);
    for (uint32_t i = 0; !status && i < r->set->nexamples; i++)
        any |= keep[i] = r->set->examples[i].split == GH_SPLIT_TEST;
    if (!status && any)
        status = gh_rows_gather(&test, &r->data, keep, false, r->e);
    float *p = gh_calloc(test.n * r->set->nclasses + 1, sizeof *p);
    if (!status && !p)
        status = gh_train_no_memory(r);
    if (!status && test.n)
        status = gh_head_logits(p, r->type, r->head, test.x, test.n, test.classes, r->o->pool, r->e);
    if (!status && test.n) {
        gh_softmax_rows(p, test.n, test.classes, r->temperature);
        status = gh_metrics_of(&r->test, p, test.label, test.n, test.classes, r->e);
    }
    gh_rows_free(&test);
    gh_free(p);
    gh_free(keep);
    return status;
}
