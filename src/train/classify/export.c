/* Writing a trained head: the network first, then its manifest, then the self-test. */
#include "train/classify/export.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/cut.h"
#include "engine/onnx.h"
#include "train/output/model_folder.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out while the model was written");
}

/* ---- the network ---- */

/* Probabilities become logits at the temperature: log(max(p, least)) / T; softmax of these is what is served.
 */
static uint32_t probabilities_to_logits(gh_graph *g, uint32_t scores, float temperature)
{
    float *least = NULL, *scale = NULL;
    uint32_t floor[2] = {scores, gh_graph_const_f32(g, "head_least", gh_shape_of(0, NULL), &least)};
    uint32_t factor = gh_graph_const_f32(g, "head_scale", gh_shape_of(0, NULL), &scale);
    if (least && scale) {
        *least = GH_LEAST_PROBABILITY;
        *scale = 1.0f / temperature;
    }
    uint32_t clipped = gh_graph_op(g, "Max", "head_floor", floor, 2);
    uint32_t product[2] = {gh_graph_op(g, "Log", "head_log", &clipped, 1), factor};
    return gh_graph_op(g, "Mul", "head_logits", product, 2);
}

/* ONNX wants outputs with a shape: N x width, or N. */
static void add_output(gh_graph *g, uint32_t value, const char *name, int rank, int64_t width)
{
    uint32_t out = gh_graph_value(g, name, GH_F32, gh_shape_of(rank, (int64_t[]){-1, width}));
    if (out != GH_NONE && value != GH_NONE)
        gh_graph_node(g, "Identity", name, &value, 1, &out, 1);
    gh_graph_output(g, out);
}

static gh_status start_graph(gh_graph **out, uint32_t *features, const gh_export *x, gh_err *e)
{
    if (!x->head_only)
        return gh_body_graph(out, features, x->body, e);
    GH_TRY(gh_graph_new(out, e));
    *features =
        gh_graph_input(*out, "features", GH_F32, gh_shape_of(2, (int64_t[]){-1, (int64_t)x->body->width}));
    return GH_OK;
}

/* Trees are ai.onnx.ml's. */
static void import_opsets(gh_graph *g)
{
    if (!gh_graph_opset(g, "ai.onnx.ml") && g->nopsets < GH_COUNT(g->opsets))
        g->opsets[g->nopsets++] = (gh_opset){"ai.onnx.ml", 3};
}

/* Logits at the temperature. */
static uint32_t cool(gh_graph *g, uint32_t scores, float temperature)
{
    float *scale = NULL;
    uint32_t in[2] = {scores, gh_graph_const_f32(g, "temperature", gh_shape_of(0, NULL), &scale)};
    if (scale)
        *scale = 1.0f / temperature;
    return gh_graph_op(g, "Mul", "cooled", in, 2);
}

static gh_status write_trained(const gh_export *x, const char *path, gh_err *e)
{
    gh_graph *g = NULL;
    GH_TRY(gh_graph_copy(&g, x->graph, e));
    uint32_t scores = g->outputs[0];
    g->noutputs = 0;
    add_output(g, cool(g, scores, x->temperature), "logits", 2, x->set->nclasses);
    gh_status status = gh_graph_unique_names(g, e);
    if (!status)
        status = gh_onnx_write(g, path, e);
    gh_graph_free(&g);
    return status;
}

static gh_status write_network(const gh_export *x, const char *path, gh_err *e)
{
    if (x->graph)
        return write_trained(x, path, e);
    gh_graph *g = NULL;
    uint32_t features;
    GH_TRY(start_graph(&g, &features, x, e));
    g->noutputs = 0;
    import_opsets(g);
    uint32_t scores = x->type->export(g, x->head, features, x->temperature);
    if (!x->type->logits)
        scores = probabilities_to_logits(g, scores, x->temperature);
    add_output(g, scores, "logits", 2, x->set->nclasses);
    if (x->reject)
        add_output(g, gh_reject_export(g, x->reject, features), "distance", 1, 0);
    gh_status status = gh_graph_unique_names(g, e);
    if (!status)
        status = gh_onnx_write(g, path, e);
    gh_graph_free(&g);
    return status;
}

/* ---- the manifest ---- */

static json_t *share_json(const char *set, const char *metric, const gh_share *s)
{
    return json_pack("{s:s, s:s, s:f, s:[f,f], s:I, s:I}", "set", set, "metric", metric, "value", s->value,
                     "interval95", s->interval.low, s->interval.high, "right", (json_int_t)s->right, "count",
                     (json_int_t)s->count);
}

static json_t *accuracy_json(const gh_export *x)
{
    char set[80];
    json_t *list = json_array();
    if (x->folds > 1)
        snprintf(set, sizeof set, "%u-fold cross-validation", x->folds);
    else
        snprintf(set, sizeof set, "validation part");
    json_array_append_new(list, share_json(set, "top-1", &x->metrics->top1));
    json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "set", set, "metric", "macro recall", "value",
                                          x->metrics->macro_recall));
    json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "set", set, "metric",
                                          "expected calibration error", "value", x->metrics->ece));
    if (x->test)
        json_array_append_new(list, share_json("test part", "top-1", &x->test->top1));
    return list;
}

/* Recall of each class with its count: where the head is weak, and on how little that rests. */
static json_t *classes_json(const gh_export *x)
{
    json_t *list = json_array();
    for (uint32_t c = 0; c < x->set->nclasses; c++) {
        const gh_class_metrics *m = &x->metrics->of[c];
        json_array_append_new(list, json_pack("{s:s, s:I, s:f, s:f}", "label", x->set->classes[c], "pictures",
                                              (json_int_t)m->support, "recall", m->recall, "precision",
                                              m->precision));
    }
    return list;
}

static json_t *training_json(const gh_export *x)
{
    char data[GH_HASH_TEXT], body[GH_HASH_TEXT];
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:s, s:s, s:f, s:o}", "head", x->type->name,
                  "body", x->body->manifest->name, "body_hash", gh_hash_text(x->body->file_hash, body), "cut",
                  x->body->cut, "data_hash", gh_hash_text(x->set->hash, data), "folds", (int)x->folds, "seed",
                  (json_int_t)x->seed, "pictures", (json_int_t)x->set->nexamples, "balance", x->balance,
                  "augment", x->augment, "temperature", (double)x->temperature, "classes", classes_json(x));
    if (!x->body->file) /* trained from fresh weights */
        json_object_del(o, "body_hash");
    json_t *details = x->head_details ? json_loads(x->head_details, 0, NULL) : NULL;
    if (o && details && json_is_object(details)) {
        json_object_del(details, "importances"); /* long; the report has them */
        json_object_set(o, "details", details);
    }
    json_decref(details);
    return o;
}

static gh_status build_manifest(json_t **out, const gh_export *x, gh_err *e)
{
    char body[GH_HASH_TEXT];
    json_t *labels = gh_folder_labels(x->set->classes, x->set->nclasses);
    if (!labels)
        return gh_fail(e, GH_FORMAT, "the name of a class is not UTF-8 text");
    json_t *m =
        json_pack("{s:s, s:s, s:s, s:o, s:{s:s}, s:o, s:s, s:o, s:o, s:o, s:s}", "name", x->name, "version",
                  "1", "task", "classify", "input", gh_folder_input(&x->body->manifest->input), "output",
                  "decoder", "softmax", "labels", labels, "license",
                  x->body->manifest->license ? x->body->manifest->license : "unknown", "source",
                  gh_folder_source(x->body->manifest), "accuracy", accuracy_json(x), "training",
                  training_json(x), "cut", x->body->cut);
    if (m && x->head_only)
        json_object_set_new(m, "body", json_string(gh_hash_text(x->body->file_hash, body)));
    if (m && x->reject)
        json_object_set_new(m, "reject", json_pack("{s:f}", "distance", x->reject_threshold));
    if (!m)
        return no_memory(e);
    *out = m;
    return GH_OK;
}

gh_status gh_export_write(const gh_export *x, const char *folder, gh_err *e)
{
    json_t *manifest = NULL;
    char *network = gh_path_join(folder, x->head_only ? "head.onnx" : "model.onnx");
    gh_status status = network ? write_network(x, network, e) : no_memory(e);
    if (!status)
        status = build_manifest(&manifest, x, e);
    if (!status)
        status = gh_folder_manifest(manifest, folder, e);
    /* a head alone is tested when a server has joined it to its body */
    if (!status && x->selftest_picture && !x->head_only)
        status = gh_folder_selftest(manifest, folder, x->selftest_picture, e);
    json_decref(manifest);
    gh_free(network);
    return status;
}
