/* One training run. The order: data, features, a split, candidates scored on it, the best one calibrated and
 * refitted on everything, then the folder. */
#include "train/classify/fit.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/classify/fit_parts.h"

#include <stdio.h>
#include <string.h>

/* ---- data ---- */

/* Folds where the data name no validation part; else that part is held out once. */
static gh_status make_split(gh_train_run *r)
{
    const gh_trainset *t = r->set;
    bool *use = gh_calloc(t->nexamples + 1u, sizeof *use), parted = false;
    r->fold = gh_calloc(t->nexamples + 1u, sizeof *r->fold);
    gh_status status = use && r->fold ? GH_OK : gh_train_no_memory(r);
    for (uint32_t i = 0; !status && i < t->nexamples; i++) {
        parted |= t->examples[i].split == GH_SPLIT_VAL;
        use[i] = t->examples[i].split != GH_SPLIT_TEST;
    }
    bool once = parted || gh_train_tunes(r); /* weights are trained once, whatever the folds */
    r->data.folds = once ? 1 : r->o->folds;
    if (!status && !parted)
        status = gh_trainset_folds(r->fold, t, use, r->o->folds, r->o->seed, r->e);
    for (uint32_t i = 0; !status && once && !parted && i < t->nexamples; i++)
        r->fold[i] = r->fold[i] == 0 ? 0 : UINT32_MAX;
    for (uint32_t i = 0; !status && parted && i < t->nexamples; i++)
        r->fold[i] = t->examples[i].split == GH_SPLIT_VAL ? 0 : UINT32_MAX;
    gh_free(use);
    return status;
}

/* A picture of the training part that stands in another part too would flatter the score. */
static void keep_twins_together(gh_train_run *r)
{
    for (uint32_t i = 0; i < r->set->nexamples; i++) {
        uint32_t twin = r->set->examples[i].twin;
        if (twin == i || r->set->examples[twin].split == r->set->examples[i].split)
            continue;
        gh_log(GH_LOG_WARN, "%s is the same picture as %s of another part, and is left out of %s",
               r->set->examples[i].path, r->set->examples[twin].path,
               gh_split_name(r->set->examples[i].split));
        r->set->examples[i].split = r->set->examples[twin].split;
    }
}

static gh_status load_set(gh_train_run *r)
{
    gh_trainset_options set = {.strict = r->o->strict, .part = r->o->part, .pool = r->o->pool};
    GH_TRY(gh_trainset_open(&r->set, r->o->data, &set, r->e));
    for (uint32_t i = 0; i < r->set->nproblems; i++)
        gh_log(GH_LOG_WARN, "%s", r->set->problems[i]);
    keep_twins_together(r);
    return gh_train_check_set(r);
}

static gh_status load(gh_train_run *r)
{
    const gh_train_options *o = r->o;
    gh_features_options features = {.augment = o->augment,
                                    .cache = o->cache,
                                    .cache_bytes = o->cache_bytes,
                                    .pool = o->pool,
                                    .seed = o->seed,
                                    .progress = !o->quiet,
                                    .stop = o->stop};
    GH_TRY(gh_body_open(&r->body, o->body, o->cut, r->e));
    GH_TRY(gh_train_check_body(r));
    GH_TRY(load_set(r));
    GH_TRY(gh_train_check_memory(r));
    GH_TRY(gh_train_check_head(r));
    if (!o->quiet)
        fprintf(
            stderr,
            "%u pictures, %u classes; body %s cut at %s: %zu features; about %.0f MB beside the network\n",
            r->set->nexamples, r->set->nclasses, r->body->manifest->name, r->body->cut, r->body->width,
            gh_train_memory(r) / 1048576);
    uint64_t start = gh_now_ns();
    GH_TRY(gh_features_make(&r->features, r->body, r->set, &features, r->e));
    r->features_ns = gh_now_ns() - start;
    for (size_t i = 0; r->features->problems[i]; i++)
        gh_log(GH_LOG_WARN, "%s", r->features->problems[i]);
    if (o->strict && r->features->failed)
        return gh_fail(r->e, GH_FORMAT, "%u pictures cannot be used; the first: %s", r->features->failed,
                       r->features->problems[0] ? r->features->problems[0] : "?");
    if (r->features->failed)
        GH_TRY(gh_train_check_set(r));
    GH_TRY(make_split(r));
    r->data.set = r->set;
    r->data.features = r->features;
    r->data.fold = r->fold;
    r->data.balance = o->balance;
    r->data.fit = (gh_fit_options){.seed = o->seed,
                                   .pool = o->pool,
                                   .l2 = o->l2,
                                   .hidden = o->hidden,
                                   .trees = o->trees,
                                   .neighbours = o->neighbours,
                                   .epochs = o->epochs,
                                   .quiet = true,
                                   .stop = o->stop};
    return GH_OK;
}

/* ---- choosing a head ---- */

static bool better(const gh_candidate *a, const gh_candidate *b)
{
    return a->accuracy.right != b->accuracy.right ? a->accuracy.right > b->accuracy.right : a->nll < b->nll;
}

static gh_status try_head(gh_train_run *r, const gh_head_type *type)
{
    gh_heldout *h = NULL;
    gh_metrics *m = NULL;
    uint64_t start = gh_now_ns();
    gh_candidate *c = &r->candidates[r->ncandidates];
    gh_status status = gh_validate(&h, &r->data, type, !r->o->no_reject, r->e);
    if (!status)
        status = gh_train_measure(&m, h, NULL, r->e);
    if (!status) {
        *c = (gh_candidate){type->name, m->top1, m->macro_recall, m->nll, gh_seconds_since(start)};
        if (!r->o->quiet)
            fprintf(stderr, "%-8s accuracy %.1f %% (95 %%: %.1f to %.1f), macro recall %.3f, %.1f s\n",
                    type->name, 100 * m->top1.value, 100 * m->top1.interval.low, 100 * m->top1.interval.high,
                    m->macro_recall, c->seconds);
        if (r->ncandidates++ == 0 || better(c, &r->candidates[0])) {
            gh_candidate best = *c;
            *c = r->candidates[0];
            r->candidates[0] = best;
            gh_heldout_free(&r->heldout);
            r->heldout = h;
            r->type = type;
            h = NULL;
        }
    }
    gh_heldout_free(&h);
    gh_metrics_free(&m);
    return status;
}

static gh_status choose_head(gh_train_run *r)
{
    if (strcmp(r->o->head, "auto") != 0) {
        return try_head(r, gh_head_type_find(r->o->head));
    }
    gh_status status = GH_OK;
    for (size_t i = 0; gh_head_types[i] && r->ncandidates < MOST_HEADS; i++) {
        if (gh_train_tunes(r) && !gh_train_head_tunes(gh_head_types[i]))
            continue;
        status = try_head(r, gh_head_types[i]);
        if (status == GH_LIMIT)
            gh_log(GH_LOG_WARN, "%s",
                   r->e ? r->e->text : gh_head_types[i]->name); /* another head may hold that many classes */
        else if (status)
            return status;
    }
    return r->ncandidates ? GH_OK : status;
}

/* ---- the final head ---- */

static gh_status fit_final(gh_train_run *r)
{
    gh_rows rows = {0}, plain = {0};
    bool *keep = gh_calloc(r->set->nexamples + 1u, sizeof *keep);
    gh_status status = keep ? GH_OK : gh_train_no_memory(r);
    /* with a validation part of its own the head keeps to the training part, so that its scores stay true */
    for (uint32_t i = 0; !status && i < r->set->nexamples; i++)
        keep[i] = r->set->examples[i].split != GH_SPLIT_TEST && (r->data.folds > 1 || r->fold[i] != 0);
    if (!status)
        status = gh_rows_gather(&rows, &r->data, keep, true, r->e);
    if (!status)
        status = gh_rows_gather(&plain, &r->data, keep, false, r->e);
    if (!status)
        status = r->type->fit(&r->head, &rows, &r->data.fit, r->e);
    if (!status && !r->o->no_reject && !gh_train_tunes(r))
        status = gh_reject_fit(&r->reject, &plain, r->e);
    if (!status)
        r->details = r->type->describe(r->head);
    gh_rows_free(&rows);
    gh_rows_free(&plain);
    gh_free(keep);
    return status;
}

/* ---- runs ---- */

static gh_status finish(gh_train_run *r)
{
    if (gh_train_stopped(r))
        return gh_fail(r->e, GH_INTERRUPTED, "interrupted; nothing was changed");
    return gh_train_write(r);
}

/* By gradients: behind a head on a frozen body, or from fresh weights. */
static gh_status run_tuned(gh_train_run *r)
{
    GH_TRY(gh_train_open_run(r));
    if (r->o->fine.scratch) {
        GH_TRY(load_set(r));
        GH_TRY(gh_train_scratch_body(r));
        GH_TRY(make_split(r));
    } else {
        GH_TRY(load(r));
        GH_TRY(choose_head(r));
        GH_TRY(fit_final(r));
    }
    GH_TRY(gh_train_tune(r));
    GH_TRY(gh_train_calibrate(r));
    gh_train_mistakes(r);
    GH_TRY(gh_train_tuned_test(r));
    return finish(r);
}

static gh_status run_all(gh_train_run *r)
{
    GH_TRY(gh_train_check_options(r));
    if (gh_train_tunes(r))
        return run_tuned(r);
    GH_TRY(load(r));
    GH_TRY(choose_head(r));
    GH_TRY(gh_train_calibrate(r));
    gh_train_mistakes(r);
    if (r->o->report)
        GH_TRY(gh_train_curve(r));
    GH_TRY(fit_final(r));
    GH_TRY(gh_train_test(r));
    return finish(r);
}

gh_status gh_train_classify(gh_train_summary *out, const gh_train_options *o, gh_err *e)
{
    gh_train_run r = {.o = o, .summary = out, .start = gh_now_ns(), .e = e};
    gh_status status = run_all(&r);
    if (r.head)
        r.type->free(r.head);
    gh_reject_free(&r.reject);
    gh_free(r.details);
    gh_graph_free(&r.graph);
    gh_buf_free(&r.learnt.details);
    gh_metrics_free(&r.metrics);
    gh_metrics_free(&r.test);
    gh_heldout_free(&r.heldout);
    gh_features_free(&r.features);
    gh_trainset_free(&r.set);
    gh_body_free(&r.body);
    gh_free(r.fold);
    gh_free(r.folder);
    gh_free(r.name);
    return status;
}
