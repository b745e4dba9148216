/* Models of a run: the one that each epoch is judged through, in memory, and the finished folder. */
#include "train/localize/parts.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "train/output/model_folder.h"
#include "train/output/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DETECT_OVERLAP 0.5 /* of non-maximum suppression: only peaks come to it */

static gh_status no_memory(const gh_localize_run *r)
{
    return gh_fail(r->e, GH_NOMEM, "memory ran out while the model was written");
}

static double threshold_of(const gh_localize_run *r)
{
    return r->threshold > 0 ? r->threshold : GH_LOCALIZE_THRESHOLD;
}

/* ---- the manifest ---- */

static json_t *accuracy_json(const gh_localize_run *r)
{
    char set[96], metric[40];
    const gh_boxes_evaluation *ev = r->ev;
    const gh_ap_class *all = &ev->classes[r->data->nclasses];
    const struct {
        const char *metric;
        double value;
    } rows[] = {{"mean IoU of the best box", ev->iou}, {"AP50", all->at[GH_AP_50].ap}, {"AP50:95", all->ap}};
    json_t *list = json_array();
    snprintf(set, sizeof set, "%zu pictures that were not learnt from", ev->count - ev->failed);
    for (size_t i = 0; i < GH_COUNT(rows); i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:f}", "set", set, "metric", rows[i].metric, "value", rows[i].value));
    for (int i = 0; i < GH_BOXES_SIZES; i++) {
        if (!ev->sizes[i].truths)
            continue;
        snprintf(metric, sizeof metric, "recall of %s objects", gh_boxes_size_name(i));
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:I}", "set", set, "metric", metric, "value",
                                              (double)ev->sizes[i].right / (double)ev->sizes[i].truths,
                                              "count", (json_int_t)ev->sizes[i].truths));
    }
    return list;
}

static json_t *classes_json(const gh_localize_run *r)
{
    json_t *list = json_array();
    for (uint32_t c = 0; c < r->data->nclasses; c++) {
        const gh_ap_class *m = &r->ev->classes[c];
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:I}", "label", r->data->classes[c], "ap50",
                                              m->at[GH_AP_50].ap, "ap50_95", m->ap, "boxes",
                                              (json_int_t)m->truths));
    }
    return list;
}

static json_t *training_json(const gh_localize_run *r, const gh_learn_summary *learnt)
{
    char augment[200], body[GH_HASH_TEXT];
    const gh_localize_options *o = r->o;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:o, s:s}",
                     "head", r->head.kind == GH_BOX_HEAD_BOX ? "box" : "detect", "body",
                     r->body->manifest->name, "body_hash", gh_hash_text(r->body->file_hash, body), "layout",
                     r->data->set->layout, "augment", gh_augment_text(&o->augment, augment), "pictures",
                     (json_int_t)r->data->nlearn, "boxes", (json_int_t)r->data->boxes, "judged by",
                     (json_int_t)r->data->judge->npictures, "batch", (json_int_t)o->batch, "epochs",
                     (json_int_t)learnt->epochs, "best epoch", (json_int_t)learnt->best_epoch,
                     "epochs of the body", (json_int_t)o->unfreeze, "rate", learnt->rate, "seconds",
                     learnt->seconds, "seed", (json_int_t)o->learn.seed, "classes", classes_json(r), "data",
                     "learnt from the user's own pictures, whose terms hold for the weights too");
}

static json_t *output_json(const gh_localize_run *r)
{
    if (r->head.kind == GH_BOX_HEAD_BOX)
        return json_pack("{s:s, s:s, s:s}", "decoder", "box", "boxes", "boxes", "scores", "scores");
    return json_pack("{s:s, s:f}", "decoder", "centernet", "nms", DETECT_OVERLAP);
}

/* `learnt` NULL: without what a run is known by. */
static gh_status manifest_json(json_t **out, const gh_localize_run *r, const gh_learn_summary *learnt)
{
    const gh_manifest *body = r->body->manifest;
    json_t *labels = gh_folder_labels(r->data->classes, r->data->nclasses);
    if (!labels)
        return gh_fail(r->e, GH_FORMAT, "the name of a class is not UTF-8 text");
    json_t *m = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:s, s:o}", "name", r->name, "version", "1",
                          "task", "localize", "input", gh_folder_input(&r->input), "output", output_json(r),
                          "labels", labels, "threshold", threshold_of(r), "license",
                          body->license ? body->license : "unknown", "source", gh_folder_source(body));
    if (m && learnt) {
        json_object_set_new(m, "accuracy", accuracy_json(r));
        json_object_set_new(m, "training", training_json(r, learnt));
    }
    *out = m;
    return m ? GH_OK : no_memory(r);
}

/* ---- the judgement ---- */

static gh_status open_model(gh_localize_run *r, gh_graph **served)
{
    gh_net *net = NULL;
    gh_manifest *manifest = NULL;
    json_t *m = NULL;
    gh_status status = manifest_json(&m, r, NULL);
    char *text = status == GH_OK ? json_dumps(m, 0) : NULL;
    json_decref(m);
    if (status == GH_OK)
        status = text ? gh_manifest_parse(&manifest, ".", text, strlen(text), r->e) : no_memory(r);
    free(text);
    if (status == GH_OK)
        status = gh_net_from_graph(&net, served, GH_PASS_ALL, r->e);
    if (status == GH_OK)
        return gh_model_make(&r->model, &manifest, &net, r->e);
    gh_manifest_free(&manifest);
    return status;
}

gh_status gh_localize_judge(gh_localize_run *r, const gh_graph *g)
{
    gh_graph *served = NULL;
    const gh_boxes_options options = {.threads = gh_pool_size(r->o->learn.pool)};
    gh_model_put(&r->model);
    gh_boxes_evaluation_free(&r->ev);
    gh_status status = gh_localize_served(&served, r, g);
    if (status == GH_OK)
        status = open_model(r, &served);
    gh_graph_free(&served);
    if (status == GH_OK)
        status = gh_evaluate_boxes(&r->ev, r->model, r->data->judge, &options, NULL, NULL, r->e);
    gh_model_put(&r->model); /* its weights are g's, which go on */
    for (size_t i = 0; status == GH_OK && i < r->ev->count; i++)
        if (r->ev->outcomes[i].error && r->ev->failed == r->ev->count)
            status = gh_fail(r->e, GH_FORMAT, "%s: %s", r->data->judge->pictures[i].path,
                             r->ev->outcomes[i].error);
    return status;
}

double gh_localize_metric(const gh_localize_run *r)
{
    return r->head.kind == GH_BOX_HEAD_BOX ? r->ev->iou : r->ev->classes[r->data->nclasses].at[GH_AP_50].ap;
}

/* F1 of the boxes that were found with at least a score. */
static gh_status f1_at(double *out, const gh_localize_run *r, const gh_ap_found *found, size_t n, double cut)
{
    const gh_boxset *judge = r->data->judge;
    const gh_ap_options ap = {judge->ncategories, 100, cut};
    gh_ap_class *classes = gh_calloc(judge->ncategories + 1, sizeof *classes);
    gh_status status = classes ? GH_OK : no_memory(r);
    if (status == GH_OK)
        status = gh_ap_measure(classes, judge->truths, judge->ntruths, found, n, &ap, r->e);
    if (status == GH_OK) {
        const gh_ap_class *all = &classes[judge->ncategories];
        const gh_ap_at *at = &all->at[GH_AP_50];
        *out = 2.0 * (double)at->right / (double)(at->right + at->wrong + all->truths);
    }
    gh_free(classes);
    return status;
}

gh_status gh_localize_threshold(gh_localize_run *r, const gh_graph *g)
{
    size_t n = 0, k = 0;
    double best = -1, f1 = 0;
    for (size_t i = 0; i < r->ev->count; i++)
        n += r->ev->outcomes[i].count;
    gh_ap_found *found = gh_calloc(n + 1, sizeof *found);
    gh_status status = found ? GH_OK : no_memory(r);
    for (size_t i = 0; found && i < r->ev->count; i++)
        for (size_t j = 0; j < r->ev->outcomes[i].count; j++)
            found[k++] = r->ev->outcomes[i].found[j];
    for (int step = 1; status == GH_OK && step <= 18; step++) {
        status = f1_at(&f1, r, found, n, 0.05 * step);
        if (status == GH_OK && f1 > best) {
            best = f1;
            r->threshold = 0.05 * step;
        }
    }
    gh_free(found);
    return status == GH_OK ? gh_localize_judge(r, g) : status;
}

/* ---- the end ---- */

/* The picture with the surest answer, of those that may be copied; NULL = none. */
static const char *best_picture(const gh_localize_run *r)
{
    const char *best = NULL;
    double most = threshold_of(r);
    for (size_t i = 0; i < r->ev->count; i++) {
        const gh_boxes_outcome *o = &r->ev->outcomes[i];
        const char *path = r->data->judge->pictures[i].path;
        struct stat st;
        for (size_t k = 0; k < o->count; k++)
            if (o->found[k].score > most && stat(path, &st) == 0 &&
                (size_t)st.st_size <= GH_MAX_SELFTEST_BYTES) {
                most = o->found[k].score;
                best = path;
            }
    }
    return best;
}

/* model.onnx, model.json, the self-test. */
static gh_status write_model(const gh_localize_run *r, const gh_learn_summary *learnt, const char *folder)
{
    gh_graph *served = NULL;
    json_t *m = NULL;
    const char *picture = best_picture(r);
    char *network = gh_path_join(folder, "model.onnx");
    gh_status status =
        network ? gh_localize_served(&served, r, r->whole ? r->graph : r->alone) : no_memory(r);
    if (status == GH_OK)
        status = gh_onnx_write(served, network, r->e);
    if (status == GH_OK)
        status = manifest_json(&m, r, learnt);
    if (status == GH_OK)
        status = gh_folder_manifest(m, folder, r->e);
    if (status == GH_OK && picture)
        status = gh_folder_selftest(m, folder, picture, r->e);
    json_decref(m);
    gh_graph_free(&served);
    gh_free(network);
    return status;
}

/* What a finished folder is made of. */
typedef struct finished {
    const gh_localize_run *r;
    const gh_learn_summary *learnt;
} finished;

static gh_status write_files(void *arg, const char *staged, gh_err *e)
{
    const finished *f = arg;
    GH_TRY(write_model(f->r, f->learnt, staged));
    return gh_place_keep(f->r->folder, staged, "report.html", e);
}

gh_status gh_localize_finish(gh_localize_run *r, const gh_learn_summary *learnt)
{
    GH_TRY(gh_folder_replace(r->o->out, write_files, &(finished){r, learnt}, r->e));
    gh_folder_remove(r->first);
    gh_folder_remove(r->folder);
    return GH_OK;
}
