/* Building and running one tree ensemble. */
#include "unit/ensemble.h"

#include "engine/net.h"

#include <check.h>
#include <string.h>

void ensemble_node(ensemble *t, int64_t tree, int64_t node, const char *mode, int64_t feature, float value,
                   int64_t yes, int64_t no)
{
    size_t i = t->n++;
    t->tree[i] = tree;
    t->node[i] = node;
    t->mode[i] = mode;
    t->feature[i] = feature;
    t->value[i] = value;
    t->yes[i] = yes;
    t->no[i] = no;
}

void ensemble_weight(ensemble *t, int64_t tree, int64_t node, int64_t target, float weight)
{
    size_t i = t->weights++;
    t->wtree[i] = tree;
    t->wnode[i] = node;
    t->wtarget[i] = target;
    t->weight[i] = weight;
}

void ensemble_stump(ensemble *t, int64_t tree, const char *mode, float value)
{
    ensemble_node(t, tree, 0, mode, 0, value, 1, 2);
    ensemble_node(t, tree, 1, "LEAF", 0, 0, 0, 0);
    ensemble_node(t, tree, 2, "LEAF", 0, 0, 0, 0);
}

static void set_ints(gh_graph *g, uint32_t out, const ensemble *t, const char *name, const int64_t *ints,
                     size_t n)
{
    if (!t->skip || strcmp(t->skip, name) != 0)
        gh_graph_set_ints(g, out, name, ints, n);
}

static void set_attributes(gh_graph *g, uint32_t out, const ensemble *t)
{
    static const char *const texts[] = {"a", "b", "c", "d"};
    bool c = t->classifier;
    set_ints(g, out, t, "nodes_treeids", t->tree, t->n);
    set_ints(g, out, t, "nodes_nodeids", t->node, t->n);
    set_ints(g, out, t, "nodes_featureids", t->feature, t->n);
    set_ints(g, out, t, "nodes_truenodeids", t->yes, t->n);
    set_ints(g, out, t, "nodes_falsenodeids", t->no, t->n);
    if (t->track_missing)
        set_ints(g, out, t, "nodes_missing_value_tracks_true", t->missing, t->n);
    gh_graph_set_floats(g, out, "nodes_values", t->value, t->n);
    gh_graph_set_strings(g, out, "nodes_modes", t->mode, t->n);
    set_ints(g, out, t, c ? "class_treeids" : "target_treeids", t->wtree, t->weights);
    set_ints(g, out, t, c ? "class_nodeids" : "target_nodeids", t->wnode, t->weights);
    set_ints(g, out, t, c ? "class_ids" : "target_ids", t->wtarget, t->weights);
    gh_graph_set_floats(g, out, c ? "class_weights" : "target_weights", t->weight, t->weights);
    if (c && t->text_labels)
        gh_graph_set_strings(g, out, "classlabels_strings", texts, t->targets);
    else if (c)
        set_ints(g, out, t, "classlabels_int64s", t->labels, t->targets);
    else
        gh_graph_set_int(g, out, "n_targets", (int64_t)t->targets);
    if (t->nbase)
        gh_graph_set_floats(g, out, "base_values", t->base, t->nbase);
    if (t->post)
        gh_graph_set_string(g, out, "post_transform", t->post);
    if (t->sum)
        gh_graph_set_string(g, out, "aggregate_function", t->sum);
}

gh_graph *ensemble_graph(const ensemble *t, int64_t columns, int64_t opset)
{
    gh_graph *g = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t in = gh_graph_input(g, "x", GH_F32, gh_shape_of(2, (int64_t[]){-1, columns}));
    uint32_t out[2] = {gh_graph_value(g, "label", GH_I64, (gh_shape){.rank = -1}),
                       gh_graph_value(g, "scores", GH_F32, (gh_shape){.rank = -1})};
    gh_graph_node(g, t->classifier ? "TreeEnsembleClassifier" : "TreeEnsembleRegressor", "trees", &in, 1,
                  out + !t->classifier, t->classifier ? 2 : 1);
    gh_graph_set_domain(g, out[1], "ai.onnx.ml", opset);
    set_attributes(g, out[1], t);
    gh_graph_output(g, out[1]);
    if (t->classifier)
        gh_graph_output(g, out[0]);
    return g;
}

/* Runs one way: scores [rows][targets], labels [rows]. */
static gh_status run_with(const ensemble *t, unsigned passes, const float *x, int64_t rows, int64_t columns,
                          float *scores, int64_t *labels, gh_err *e)
{
    gh_graph *g = ensemble_graph(t, columns, 1);
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    gh_shape shape = gh_shape_of(2, (int64_t[]){rows, columns});
    gh_status status = gh_net_from_graph(&net, &g, passes, e);
    if (!status)
        status = gh_plan_get(&plan, net, &shape, e);
    if (!status)
        status = gh_session_new(&s, NULL, e);
    if (!status)
        status = gh_session_bind(s, plan, e);
    if (!status) {
        memcpy(gh_session_input(s, 0)->data, x, (size_t)(rows * columns) * sizeof *x);
        status = gh_session_run(s, e);
    }
    if (!status) {
        memcpy(scores, gh_session_output(s, 0)->data, (size_t)rows * t->targets * sizeof *scores);
        if (t->classifier)
            memcpy(labels, gh_session_output(s, 1)->data, (size_t)rows * sizeof *labels);
    }
    gh_session_free(&s);
    gh_plan_put(&plan);
    gh_net_free(&net);
    return status;
}

gh_status ensemble_run(const ensemble *t, const float *x, int64_t rows, int64_t columns, float *scores,
                       int64_t *labels, gh_err *e)
{
    float plain[256];
    int64_t plain_labels[64];
    *e = (gh_err){0};
    gh_status status = run_with(t, GH_PASS_ALL, x, rows, columns, scores, labels, e);
    ck_assert_int_eq(run_with(t, 0, x, rows, columns, plain, plain_labels, e), status);
    if (status == GH_OK) {
        ck_assert_mem_eq(scores, plain, (size_t)rows * t->targets * sizeof *scores);
        if (t->classifier)
            ck_assert_mem_eq(labels, plain_labels, (size_t)rows * sizeof *labels);
    }
    return status;
}
