/* The order of a run: options, data, network, then either the sheet or the loop, the judgement and the
 * folder. What the loop keeps stands in .NAME.run beside the model folder until the model is whole. */
#include "train/localize/parts.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "train/output/place.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* All that a run writes into a model folder. */
static const char *const written[] = {"model.json",  "model.onnx", "history.csv",
                                      "report.html", "selftest.*", NULL};

static gh_status no_memory(const gh_localize_run *r)
{
    return gh_fail(r->e, GH_NOMEM, "memory ran out in the training run");
}

static gh_status check_options(gh_localize_run *r)
{
    const gh_localize_options *o = r->o;
    GH_TRY(gh_place_name(&r->name, o->out, written, r->e));
    GH_TRY(gh_place_run(&r->folder, o->out, r->name, r->e));
    r->first = gh_path_join(r->folder, "head");
    return r->first ? GH_OK : no_memory(r);
}

/* What a checkpoint must agree with. */
static uint64_t mark_of(const gh_localize_run *r)
{
    const gh_localize_options *o = r->o;
    const double numbers[] = {r->head.kind, r->head.width,  r->head.hidden, r->head.level,   o->size.width,
                              o->fit,       o->size.height, o->batch,       o->body_rate,    r->whole,
                              o->share,     o->unfreeze,    r->data->boxes, o->unfreeze_rate};
    char text[200];
    gh_hash h = gh_hash_bytes(numbers, sizeof numbers);
    gh_augment_text(&o->augment, text);
    h = gh_hash_more(h, text, strlen(text));
    for (uint32_t i = 0; i < r->data->nlearn; i++) {
        const gh_boxdata_picture *p = &r->data->learn[i];
        h = gh_hash_more(h, p->path, strlen(p->path));
        h = gh_hash_more(h, p->boxes, p->nboxes * sizeof *p->boxes);
    }
    h = gh_hash_more(h, &r->body->file_hash, sizeof r->body->file_hash);
    return h.low ? h.low : 1;
}

static void tell(const gh_localize_run *r, const char *folder)
{
    const gh_boxdata *d = r->data;
    if (r->o->learn.quiet)
        return;
    fprintf(stderr,
            "%u pictures to learn from with %zu boxes, %zu to judge by, %u class%s; body %s%s; %.2f million "
            "weights "
            "learnt; %.0f MB; report: %s/report.html\n",
            d->nlearn, d->boxes, d->judge->npictures, d->nclasses, d->nclasses == 1 ? "" : "es",
            r->body->manifest->name, r->whole ? "" : " (frozen)", (double)gh_tape_count(r->tape) / 1e6,
            (double)gh_tape_bytes(r->tape) / 1048576, folder);
}

/* One stage: the head alone, or with the body. */
static gh_status stage(gh_learn_summary *learnt, gh_localize_run *r, bool whole)
{
    gh_learn_options loop = r->o->learn;
    const gh_shape picture = gh_shape_of(4, (int64_t[]){r->o->batch, 3, r->input.height, r->input.width});
    const gh_shape *inputs = whole ? &picture : r->inputs;
    r->whole = whole;
    GH_TRY(gh_localize_tape(r, inputs));
    loop.inputs = inputs;
    loop.folder = r->o->unfreeze && !whole ? r->first : r->folder;
    loop.title = r->name;
    if (whole) {
        loop.epochs = r->o->unfreeze;
        loop.rate *= r->o->unfreeze_rate; /* 0 = found anew */
    }
    gh_learn_task task = gh_localize_task(r);
    task.mark = mark_of(r);
    tell(r, loop.folder);
    gh_buf_free(&learnt->details);
    *learnt = (gh_learn_summary){0};
    return gh_learn(learnt, whole ? r->graph : r->alone, r->tape, &task, &loop, r->e);
}

static void fill(gh_localize_summary *out, const gh_localize_run *r, const gh_learn_summary *learnt)
{
    const gh_ap_class *all = &r->ev->classes[r->data->nclasses];
    out->iou = r->ev->iou;
    out->ap50 = all->at[GH_AP_50].ap;
    out->ap = all->ap;
    out->right = all->at[GH_AP_50].right;
    out->wrong = all->at[GH_AP_50].wrong;
    out->truths = all->truths;
    out->epochs = learnt->epochs;
    out->best_epoch = learnt->best_epoch;
    out->trained = gh_tape_count(r->tape);
}

static gh_status learn(gh_localize_summary *out, gh_localize_run *r)
{
    gh_learn_summary learnt = {0};
    gh_status status = stage(&learnt, r, false);
    if (status == GH_OK && r->o->unfreeze) {
        status = gh_localize_join(r);
        if (status == GH_OK)
            status = stage(&learnt, r, true);
    }
    if (status == GH_OK)
        status = gh_localize_judge(r, r->whole ? r->graph : r->alone);
    if (status == GH_OK)
        status = gh_localize_threshold(r, r->whole ? r->graph : r->alone);
    if (status == GH_OK)
        status = gh_localize_finish(r, &learnt);
    if (status == GH_OK)
        fill(out, r, &learnt);
    gh_buf_free(&learnt.details);
    return status;
}

gh_status gh_train_localize(gh_localize_summary *out, const gh_localize_options *o, gh_err *e)
{
    gh_localize_run r = {.o = o, .e = e};
    uint64_t start = gh_now_ns();
    clock_t cpu = clock();
    gh_localize_summary s = {0};
    const gh_boxdata_options data = {.share = o->share, .strict = o->strict, .pool = o->learn.pool};
    gh_status status = check_options(&r);
    if (status == GH_OK)
        status = gh_boxdata_open(&r.data, o->data, &data, e);
    if (status == GH_OK)
        status = gh_localize_net(&r);
    if (status == GH_OK)
        status = o->show_augment ? gh_localize_show(&r, o->show_augment) : learn(&s, &r);
    if (status == GH_OK) {
        s.learnt = r.data->nlearn;
        s.judged = (uint32_t)r.data->judge->npictures;
        s.classes = r.data->nclasses;
        s.left_out = r.data->left_out;
        s.boxes_left_out = r.data->boxes_left_out;
        s.boxes = r.data->boxes;
        s.seconds = (double)(gh_now_ns() - start) / 1e9;
        s.cpu_seconds = (double)(clock() - cpu) / CLOCKS_PER_SEC;
        *out = s;
    }
    gh_boxes_evaluation_free(&r.ev);
    gh_model_put(&r.model);
    gh_localize_net_free(&r);
    gh_boxdata_free(&r.data);
    gh_free(r.name);
    gh_free(r.folder);
    gh_free(r.first);
    return status;
}
