/* Model folders of a run: the one that each epoch is judged through, and the finished one. */
#include "train/segment/parts.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "tasks/segment.h"
#include "train/output/model_folder.h"
#include "train/output/place.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static gh_status no_memory(const gh_segment_run *r)
{
    return gh_fail(r->e, GH_NOMEM, "memory ran out while the model was written");
}

/* ---- the manifest ---- */

static json_t *colours_json(const gh_maskdata *d)
{
    json_t *list = json_array();
    for (uint32_t c = 0; c < d->nclasses; c++) {
        uint8_t rgb[3];
        gh_segment_colour(rgb, (int)c, d->background);
        json_array_append_new(list, json_pack("[i, i, i]", rgb[0], rgb[1], rgb[2]));
    }
    return list;
}

static double right_of(const gh_mask_scores *s)
{
    return s->counted ? (double)s->right / (double)s->counted : 0;
}

static json_t *accuracy_json(const gh_segment_run *r)
{
    char set[96];
    const gh_mask_scores *s = &r->ev->scores;
    json_t *list = json_array();
    snprintf(set, sizeof set, "%zu pictures that were not learnt from", r->ev->count - r->ev->failed);
    const struct {
        const char *metric;
        double value;
    } rows[] = {{"mIoU", s->miou}, {"pixel accuracy", right_of(s)}, {"boundary F1", s->edge}};
    for (size_t i = 0; i < GH_COUNT(rows); i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:f}", "set", set, "metric", rows[i].metric, "value", rows[i].value));
    return list;
}

static json_t *classes_json(const gh_segment_run *r)
{
    json_t *list = json_array();
    for (size_t c = 0; c < r->ev->scores.nclasses; c++) {
        const gh_mask_class *m = &r->ev->scores.classes[c];
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f, s:I}", "label", r->data->classes[c], "iou", m->iou,
                                        "boundary_f1", m->edge, "pictures", (json_int_t)m->labelled));
    }
    return list;
}

static json_t *training_json(const gh_segment_run *r, const gh_learn_summary *learnt)
{
    char augment[200], size[32], step[32];
    const gh_segment_options *o = r->o;
    static const char *const balances[] = {"none", "sqrt", "weights"};
    snprintf(size, sizeof size, "%dx%d", o->size.width, o->size.height);
    snprintf(step, sizeof step, "%dx%d", r->step.width, r->step.height);
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:o, s:s}",
        "decoder", gh_decoder_name(o->decoder.kind), "unpool",
        o->decoder.kind == GH_DECODER_OWN ? "own" : gh_unpool_name(o->decoder.unpool), "body",
        r->body ? r->body->manifest->name : o->scratch, "frozen", o->frozen, "size", size, "window", step,
        "augment", gh_augment_text(&o->augment, augment), "balance", balances[o->balance], "dice", o->dice,
        "pictures", (json_int_t)r->data->nlearn, "judged by", (json_int_t)r->data->judge->npictures, "batch",
        (json_int_t)o->batch, "epochs", (json_int_t)learnt->epochs, "best epoch",
        (json_int_t)learnt->best_epoch, "rate", learnt->rate, "seconds", learnt->seconds, "seed",
        (json_int_t)o->learn.seed, "classes", classes_json(r), "data",
        "learnt from the user's own pictures, whose terms hold for the weights too");
}

static json_t *manifest_json(const gh_segment_run *r, const gh_learn_summary *learnt)
{
    const gh_manifest *body = r->body ? r->body->manifest : NULL;
    json_t *labels = gh_folder_labels(r->data->classes, r->data->nclasses);
    json_t *m =
        labels ? json_pack("{s:s, s:s, s:s, s:o, s:{s:s, s:s, s:b}, s:o, s:o, s:s, s:o}", "name", r->name,
                           "version", "1", "task", "segment", "input", gh_folder_input(&r->input), "output",
                           "decoder", "mask", "activation", "softmax", "background", r->data->background,
                           "labels", labels, "colours", colours_json(r->data), "license",
                           body ? body->license ? body->license : "unknown" : "that of the pictures",
                           "source", gh_folder_source(body))
               : NULL;
    if (m && learnt) {
        json_object_set_new(m, "accuracy", accuracy_json(r));
        json_object_set_new(m, "training", training_json(r, learnt));
    }
    return m;
}

gh_status gh_segment_write(const gh_segment_run *r, const gh_graph *graph, const gh_learn_summary *learnt,
                           const char *folder)
{
    char *network = gh_path_join(folder, "model.onnx");
    json_t *m = manifest_json(r, learnt);
    gh_status status = network ? gh_onnx_write(graph, network, r->e) : no_memory(r);
    if (status == GH_OK && !m)
        status = gh_fail(r->e, GH_FORMAT, "the name of a class is not UTF-8 text");
    if (status == GH_OK)
        status = gh_folder_manifest(m, folder, r->e);
    json_decref(m);
    gh_free(network);
    return status;
}

/* ---- the judgement ---- */

gh_status gh_segment_judge(gh_segment_run *r, const gh_graph *graph, const gh_maskset *set)
{
    gh_model_put(&r->model);
    gh_masks_evaluation_free(&r->ev);
    GH_TRY(gh_dir_make(r->current, r->e));
    GH_TRY(gh_segment_write(r, graph, NULL, r->current));
    GH_TRY(gh_model_open(&r->model, r->current, false, r->e));
    GH_TRY(gh_evaluate_masks(&r->ev, r->model, set, 0, gh_pool_size(r->o->learn.pool), NULL, NULL, r->e));
    for (size_t i = 0; i < r->ev->count; i++)
        if (r->ev->outcomes[i].error && r->ev->failed == r->ev->count)
            return gh_fail(r->e, GH_FORMAT, "%s: %s", set->pictures[i].path, r->ev->outcomes[i].error);
    return GH_OK;
}

/* The picture that is answered best, of those that show something and may be copied; NULL = none. */
static const char *best_picture(const gh_segment_run *r)
{
    const char *best = NULL;
    double most = 0;
    for (size_t i = 0; i < r->ev->count; i++) {
        const gh_masks_outcome *o = &r->ev->outcomes[i];
        struct stat st;
        double sum = 0;
        bool shows = false;
        for (size_t k = 0; k < o->count; k++) {
            const gh_mask_part *p = &o->parts[k];
            int64_t either = p->truth + p->found - p->both;
            sum += either > 0 ? (double)p->both / (double)either : 0;
            shows |= p->found > 0 && p->class >= (r->data->background ? 1 : 0);
        }
        if (shows && sum / (double)o->count > most && stat(r->data->judge->pictures[i].path, &st) == 0 &&
            (size_t)st.st_size <= GH_MAX_SELFTEST_BYTES) {
            most = sum / (double)o->count;
            best = r->data->judge->pictures[i].path;
        }
    }
    return best;
}

/* ---- the end ---- */

static gh_status add_selftest(const gh_segment_run *r, const gh_learn_summary *learnt, const char *folder)
{
    const char *picture = best_picture(r);
    if (!picture)
        return GH_OK;
    json_t *m = manifest_json(r, learnt);
    gh_status status = m ? gh_folder_selftest(m, folder, picture, r->e) : no_memory(r);
    json_decref(m);
    return status;
}

/* What a finished folder is made of. */
typedef struct finished {
    const gh_segment_run *r;
    const gh_learn_summary *learnt;
} finished;

static gh_status write_files(void *arg, const char *staged, gh_err *e)
{
    const finished *f = arg;
    GH_TRY(gh_segment_write(f->r, f->r->graph, f->learnt, staged));
    GH_TRY(add_selftest(f->r, f->learnt, staged));
    return gh_place_keep(f->r->folder, staged, "report.html", e);
}

gh_status gh_segment_finish(gh_segment_run *r, const gh_learn_summary *learnt)
{
    GH_TRY(gh_folder_replace(r->o->out, write_files, &(finished){r, learnt}, r->e));
    gh_model_put(&r->model);
    gh_folder_remove(r->current);
    gh_folder_remove(r->folder);
    return GH_OK;
}
