/* From a finished run to its folder. */
#include "base/folder.h"
#include "train/classify/export.h"
#include "train/classify/fit_parts.h"

#include <stdio.h>

static const char *augment_name(unsigned a)
{
    static const char *const names[] = {"none",   "flip",        "crop",        "flip,crop",
                                        "colour", "flip,colour", "crop,colour", "flip,crop,colour"};
    return names[a & 7];
}

/* `changes`: where the words of the changes to pictures may stand. */
static gh_export export_of(const gh_train_run *r, char changes[200])
{
    const gh_train_options *o = r->o;
    return (gh_export){.body = r->body,
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
}

static gh_report report_of(const gh_train_run *r, const gh_export *x)
{
    const gh_train_options *o = r->o;
    return (gh_report){.name = x->name,
                       .head = r->type->name,
                       .trained = gh_train_tunes(r),
                       .body = r->body->manifest->name,
                       .cut = r->body->cut,
                       .license = r->body->manifest->license,
                       .data = o->data,
                       .version = GH_VERSION,
                       .balance = x->balance,
                       .augment = x->augment,
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
}

static gh_status write_files(void *arg, const char *staged, gh_err *e)
{
    const gh_train_run *r = arg;
    char changes[200];
    const gh_export x = export_of(r, changes);
    const gh_report report = report_of(r, &x);
    GH_TRY(gh_export_write(&x, staged, e));
    if (r->o->report)
        GH_TRY(gh_report_write(&report, staged, e));
    if (r->folder && r->o->report)
        GH_TRY(gh_train_keep_run(r, staged));
    return gh_train_stopped(r) ? gh_fail(e, GH_INTERRUPTED, "interrupted; nothing was changed") : GH_OK;
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
    GH_TRY(gh_folder_replace(r->o->out, write_files, r, r->e));
    if (r->folder)
        gh_folder_remove(r->folder);
    summarise(r);
    return GH_OK;
}
