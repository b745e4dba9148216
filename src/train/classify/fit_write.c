/* From a finished run to its folder. */
#include "base/folder.h"
#include "base/mem.h"
#include "train/classify/export.h"
#include "train/classify/fit_parts.h"

#include <stdio.h>

static const char *augment_name(unsigned a)
{
    static const char *const names[] = {"none",   "flip",        "crop",        "flip,crop",
                                        "colour", "flip,colour", "crop,colour", "flip,crop,colour"};
    return names[a & 7];
}

static gh_status write_folder(gh_train_run *r)
{
    const gh_train_options *o = r->o;
    char *staged = NULL, changes[200];
    gh_export x = {.body = r->body,
                   .set = r->set,
                   .type = r->type,
                   .head = r->head,
                   .graph = r->graph,
                   .reject = r->reject,
                   .temperature = (float)r->temperature,
                   .reject_threshold = r->reject_threshold,
                   .head_only = o->head_only,
                   .name = r->name,
                   .head_details = r->details,
                   .selftest_picture = gh_train_best_picture(r),
                   .metrics = r->metrics,
                   .test = r->test,
                   .seed = o->seed,
                   .folds = r->data.folds,
                   .balance = gh_balance_name(o->balance),
                   .augment = gh_train_tunes(r) ? gh_augment_text(&o->fine.augment, changes)
                                                : augment_name(o->augment)};
    gh_report report = {.name = x.name,
                        .head = r->type->name,
                        .trained = gh_train_tunes(r),
                        .body = r->body->manifest->name,
                        .cut = r->body->cut,
                        .license = r->body->manifest->license,
                        .data = o->data,
                        .version = GH_VERSION,
                        .balance = x.balance,
                        .augment = x.augment,
                        .set = r->set,
                        .seed = o->seed,
                        .folds = r->data.folds > 1 ? r->data.folds : 0,
                        .failed = r->features->failed,
                        .width = (uint32_t)r->features->width,
                        .problems = r->features->problems,
                        .metrics = r->metrics,
                        .test = r->test,
                        .temperature = r->temperature,
                        .ece_before = r->ece_before,
                        .reject_threshold = r->reject_threshold,
                        .reject_rate = r->reject_rate,
                        .candidates = r->candidates,
                        .ncandidates = r->ncandidates,
                        .curve = r->curve,
                        .ncurve = r->ncurve,
                        .mistakes = r->mistakes,
                        .nmistakes = r->nmistakes,
                        .details = r->details,
                        .seconds_features = (double)r->features_ns / 1e9,
                        .seconds_total = gh_seconds_since(r->start)};
    gh_status status = gh_folder_stage(&staged, o->out, r->e);
    if (!status)
        status = gh_export_write(&x, staged, r->e);
    if (!status && o->report)
        status = gh_report_write(&report, staged, r->e);
    if (!status && r->folder && o->report)
        status = gh_train_keep_run(r, staged);
    if (!status && gh_train_stopped(r))
        status = gh_fail(r->e, GH_INTERRUPTED, "interrupted; nothing was changed");
    if (!status)
        status = gh_folder_commit(staged, o->out, r->e);
    if (status && staged)
        gh_folder_remove(staged);
    gh_free(staged);
    return status;
}

static void summarise(gh_train_run *r)
{
    gh_train_summary *s = r->summary;
    snprintf(s->head, sizeof s->head, "%s", r->type->name);
    s->accuracy = r->metrics->top1;
    s->macro_recall = r->metrics->macro_recall;
    s->ece_before = r->ece_before;
    s->ece_after = r->metrics->ece;
    s->temperature = r->temperature;
    s->tuned = gh_train_tunes(r);
    s->before = s->tuned && r->ncandidates ? r->candidates[0].accuracy.value : 0;
    s->tuned_epochs = r->learnt.epochs;
    s->tuned_best = r->learnt.best_epoch;
    s->tuned_rate = r->learnt.rate;
    s->tested = r->test != NULL;
    if (r->test)
        s->test = r->test->top1;
    s->pictures = r->set->nexamples;
    s->classes = r->set->nclasses;
    s->left_out = r->set->nproblems + r->features->failed;
    s->seconds_features = (double)r->features_ns / 1e9;
    s->seconds_total = gh_seconds_since(r->start);
}

gh_status gh_train_write(gh_train_run *r)
{
    GH_TRY(write_folder(r));
    if (r->folder)
        gh_folder_remove(r->folder);
    summarise(r);
    return GH_OK;
}
