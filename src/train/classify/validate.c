/* Cross-validation on cached features, and gathering rows for it. */
#include "train/classify/validate.h"

#include "base/mem.h"
#include "train/heads/reject.h"

#include <math.h>
#include <string.h>

#define INNER_FOLDS 5 /* for parameters that a head chooses by cross-validation of its own */

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out while heads were fitted");
}

/* ---- rows ---- */

/* Weight of each class so that rare ones count: n / (classes * n_c), or its square root; mean 1 over the
 * rows. Of votes the class with most of them counts: one vote in ten for a rare class is common, and by
 * shares that class would not be rare (FER+: macro recall .576 by shares, .609 so, at the same accuracy). */
static void class_weights(double *weight, const gh_task_data *d, const bool *keep)
{
    uint32_t classes = d->set->nclasses;
    double total = 0, sum = 0;
    for (uint32_t c = 0; c < classes; c++)
        weight[c] = 0;
    for (uint32_t i = 0; i < d->set->nexamples; i++)
        if (keep[i])
            weight[d->set->examples[i].label] += 1;
    for (uint32_t c = 0; c < classes; c++)
        total += weight[c];
    for (uint32_t c = 0; c < classes; c++) {
        double count = weight[c];
        weight[c] = count > 0 ? total / (classes * count) : 0;
        if (d->balance == GH_BALANCE_SQRT)
            weight[c] = sqrt(weight[c]);
        sum += count * weight[c];
    }
    for (uint32_t c = 0; c < classes && sum > 0; c++)
        weight[c] *= total / sum;
}

static gh_status allocate_rows(gh_rows *r, const gh_task_data *d, gh_err *e)
{
    r->width = d->features->width;
    r->classes = d->set->nclasses;
    r->x = gh_alloc_aligned((r->n * r->width + 1) * sizeof(float));
    r->label = gh_calloc(r->n + 1, sizeof(uint32_t));
    r->weight = d->balance == GH_BALANCE_NONE ? NULL : gh_calloc(r->n + 1, sizeof(float));
    bool voted = d->set->nexamples && d->set->examples[0].votes;
    r->votes = voted ? gh_calloc(r->n * r->classes + 1, sizeof(float)) : NULL;
    r->fold = gh_calloc(r->n + 1, sizeof(uint32_t));
    bool whole =
        r->x && r->label && r->fold && (d->balance == GH_BALANCE_NONE || r->weight) && (!voted || r->votes);
    return whole ? GH_OK : no_memory(e);
}

static bool wanted(const gh_features *f, const bool *keep, size_t row, bool all_views)
{
    return keep[f->sample[row]] && (all_views || f->view[row] == 0);
}

/* `inner` is each example's fold for the choice of parameters. */
static void fill_rows(gh_rows *r, const gh_task_data *d, const bool *keep, bool all_views,
                      const double *weight, const uint32_t *inner)
{
    const gh_features *f = d->features;
    size_t at = 0;
    for (size_t row = 0; row < f->rows; row++) {
        if (!wanted(f, keep, row, all_views))
            continue;
        const gh_example *x = &d->set->examples[f->sample[row]];
        memcpy((float *)r->x + at * r->width, f->x + row * f->width, f->width * sizeof(float));
        ((uint32_t *)r->label)[at] = x->label;
        ((uint32_t *)r->fold)[at] = inner[f->sample[row]];
        if (r->votes)
            memcpy((float *)r->votes + at * r->classes, x->votes, r->classes * sizeof(float));
        if (r->weight)
            ((float *)r->weight)[at] = (float)weight[x->label];
        at++;
    }
}

gh_status gh_rows_gather(gh_rows *out, const gh_task_data *d, const bool *keep, bool all_views, gh_err *e)
{
    gh_rows r = {0};
    double *weight = gh_calloc(d->set->nclasses + 1u, sizeof *weight);
    for (size_t row = 0; row < d->features->rows; row++)
        r.n += wanted(d->features, keep, row, all_views);
    uint32_t *inner = gh_calloc(d->set->nexamples + 1u, sizeof *inner);
    gh_status status = weight && inner ? allocate_rows(&r, d, e) : no_memory(e);
    if (!status)
        status = gh_trainset_folds(inner, d->set, keep, INNER_FOLDS, d->fit.seed + 1, e);
    if (!status) {
        class_weights(weight, d, keep);
        fill_rows(&r, d, keep, all_views, weight, inner);
        *out = r;
    } else {
        gh_rows_free(&r);
    }
    gh_free(weight);
    gh_free(inner);
    return status;
}

void gh_rows_free(gh_rows *r)
{
    gh_free((void *)(uintptr_t)r->x);
    gh_free((void *)(uintptr_t)r->label);
    gh_free((void *)(uintptr_t)r->votes);
    gh_free((void *)(uintptr_t)r->weight);
    gh_free((void *)(uintptr_t)r->fold);
    *r = (gh_rows){0};
}

/* ---- scores ---- */

gh_status gh_head_logits(float *logits, const gh_head_type *type, const gh_head *head, const float *x,
                         size_t n, uint32_t classes, gh_pool *pool, gh_err *e)
{
    GH_TRY(type->predict(logits, head, x, n, pool, e));
    for (size_t i = 0; !type->logits && i < n * classes; i++)
        logits[i] = logf(fmaxf(logits[i], GH_LEAST_PROBABILITY));
    return GH_OK;
}

/* A row of view 0 that one of the folds holds out. */
static bool is_held_out(const gh_task_data *d, size_t row)
{
    uint32_t example = d->features->sample[row];
    return d->features->view[row] == 0 && d->fold[example] < d->folds && (!d->use || d->use[example]);
}

static gh_status allocate_heldout(gh_heldout **out, const gh_task_data *d, bool reject, gh_err *e)
{
    const gh_features *f = d->features;
    gh_heldout *h = gh_calloc(1, sizeof *h);
    if (!h)
        return no_memory(e);
    for (size_t row = 0; row < f->rows; row++)
        h->n += is_held_out(d, row);
    h->classes = d->set->nclasses;
    h->example = gh_calloc(h->n + 1, sizeof *h->example);
    h->label = gh_calloc(h->n + 1, sizeof *h->label);
    h->fold = gh_calloc(h->n + 1, sizeof *h->fold);
    h->logits = gh_calloc(h->n * h->classes + 1, sizeof *h->logits);
    h->distance = reject ? gh_calloc(h->n + 1, sizeof *h->distance) : NULL;
    if (!h->example || !h->label || !h->fold || !h->logits || (reject && !h->distance)) {
        gh_heldout_free(&h);
        return no_memory(e);
    }
    size_t at = 0;
    for (size_t row = 0; row < f->rows; row++) {
        uint32_t example = f->sample[row];
        if (!is_held_out(d, row))
            continue;
        h->example[at] = example;
        h->label[at] = d->set->examples[example].label;
        h->fold[at++] = d->fold[example];
    }
    *out = h;
    return GH_OK;
}

void gh_heldout_free(gh_heldout **h)
{
    if (!*h)
        return;
    gh_free((*h)->example);
    gh_free((*h)->label);
    gh_free((*h)->fold);
    gh_free((*h)->logits);
    gh_free((*h)->distance);
    gh_free(*h);
    *h = NULL;
}

/* Scores of one fold's held-out rows go to their places. */
static void scatter(gh_heldout *h, uint32_t fold, const float *logits, const float *distance)
{
    size_t from = 0;
    for (size_t i = 0; i < h->n; i++) {
        if (h->fold[i] != fold)
            continue;
        memcpy(h->logits + i * h->classes, logits + from * h->classes, h->classes * sizeof *logits);
        if (h->distance)
            h->distance[i] = distance[from];
        from++;
    }
}

static gh_status score_fold(gh_heldout *h, const gh_task_data *d, const gh_head_type *type, uint32_t fold,
                            const gh_rows *train, const gh_rows *held, gh_err *e)
{
    float *logits = gh_calloc(held->n * held->classes + 1, sizeof *logits);
    float *distance = gh_calloc(held->n + 1, sizeof *distance);
    gh_head *head = NULL;
    gh_reject *reject = NULL;
    gh_status status = logits && distance ? GH_OK : no_memory(e);
    if (!status)
        status = type->fit(&head, train, &d->fit, e);
    if (!status)
        status = gh_head_logits(logits, type, head, held->x, held->n, held->classes, d->fit.pool, e);
    if (!status && h->distance)
        status = gh_reject_fit(&reject, train, e);
    if (!status && h->distance)
        status = gh_reject_distance(distance, reject, held->x, held->n, e);
    if (!status)
        scatter(h, fold, logits, distance);
    if (head)
        type->free(head);
    gh_reject_free(&reject);
    gh_free(logits);
    gh_free(distance);
    return status;
}

static gh_status run_fold(gh_heldout *h, const gh_task_data *d, const gh_head_type *type, uint32_t fold,
                          bool *keep, gh_err *e)
{
    gh_rows train = {0}, held = {0};
    for (uint32_t i = 0; i < d->set->nexamples; i++)
        keep[i] = (!d->use || d->use[i]) && d->fold[i] != fold && d->set->examples[i].split != GH_SPLIT_TEST;
    gh_status status = gh_rows_gather(&train, d, keep, true, e);
    for (uint32_t i = 0; i < d->set->nexamples; i++)
        keep[i] = (!d->use || d->use[i]) && d->fold[i] == fold;
    if (!status)
        status = gh_rows_gather(&held, d, keep, false, e);
    if (!status && held.n > 0) /* more folds than pictures */
        status = score_fold(h, d, type, fold, &train, &held, e);
    gh_rows_free(&train);
    gh_rows_free(&held);
    return status;
}

gh_status gh_validate(gh_heldout **out, const gh_task_data *d, const gh_head_type *type, bool reject,
                      gh_err *e)
{
    gh_heldout *h = NULL;
    bool *keep = gh_calloc(d->set->nexamples + 1u, sizeof *keep);
    gh_status status = keep ? allocate_heldout(&h, d, reject, e) : no_memory(e);
    for (uint32_t fold = 0; fold < d->folds && !status; fold++)
        status = run_fold(h, d, type, fold, keep, e);
    gh_free(keep);
    if (status)
        gh_heldout_free(&h);
    else
        *out = h;
    return status;
}
