/* Tree ensembles: every mode, sum and transform, and files that lie about their trees. Scores of the cases
 * where the standard leaves room are those of ONNX Runtime 1.32. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32 };

/* An ensemble as its attributes; `skip` leaves one out. */
typedef struct ensemble {
    bool classifier;
    size_t n, weights;
    int64_t tree[MOST], node[MOST], feature[MOST], yes[MOST], no[MOST], missing[MOST];
    const char *mode[MOST];
    float value[MOST];
    int64_t wtree[MOST], wnode[MOST], wtarget[MOST];
    float weight[MOST];
    int64_t labels[8];
    size_t targets, nbase;
    float base[4];
    const char *post, *sum, *skip;
    bool text_labels, track_missing;
} ensemble;

static gh_err e;

static void add_node(ensemble *t, int64_t tree, int64_t node, const char *mode, int64_t feature, float value,
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

static void add_weight(ensemble *t, int64_t tree, int64_t node, int64_t target, float weight)
{
    size_t i = t->weights++;
    t->wtree[i] = tree;
    t->wnode[i] = node;
    t->wtarget[i] = target;
    t->weight[i] = weight;
}

/* One cut: node 0 compares feature 0 with `value`; yes gives node 1, no node 2. */
static void add_stump(ensemble *t, int64_t tree, const char *mode, float value)
{
    add_node(t, tree, 0, mode, 0, value, 1, 2);
    add_node(t, tree, 1, "LEAF", 0, 0, 0, 0);
    add_node(t, tree, 2, "LEAF", 0, 0, 0, 0);
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

static gh_graph *graph_of(const ensemble *t, int64_t columns, int64_t opset)
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
                          float *scores, int64_t *labels)
{
    gh_graph *g = graph_of(t, columns, 1);
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    gh_shape shape = gh_shape_of(2, (int64_t[]){rows, columns});
    gh_status status = gh_net_from_graph(&net, &g, passes, &e);
    if (!status)
        status = gh_plan_get(&plan, net, &shape, &e);
    if (!status)
        status = gh_session_new(&s, NULL, &e);
    if (!status)
        status = gh_session_bind(s, plan, &e);
    if (!status) {
        memcpy(gh_session_input(s, 0)->data, x, (size_t)(rows * columns) * sizeof *x);
        status = gh_session_run(s, &e);
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

/* The plain and the prepared way must agree in every bit. */
static gh_status run(const ensemble *t, const float *x, int64_t rows, int64_t columns, float *scores,
                     int64_t *labels)
{
    float plain[256];
    int64_t plain_labels[64];
    e = (gh_err){0};
    gh_status status = run_with(t, GH_PASS_ALL, x, rows, columns, scores, labels);
    ck_assert_int_eq(run_with(t, 0, x, rows, columns, plain, plain_labels), status);
    if (status == GH_OK) {
        ck_assert_mem_eq(scores, plain, (size_t)rows * t->targets * sizeof *scores);
        if (t->classifier)
            ck_assert_mem_eq(labels, plain_labels, (size_t)rows * sizeof *labels);
    }
    return status;
}

/* ---- what a tree does ---- */

START_TEST(test_every_mode)
{
    static const struct {
        const char *mode;
        bool below, equal, above;
    } modes[] = {{"BRANCH_LEQ", 1, 1, 0}, {"BRANCH_LT", 1, 0, 0}, {"BRANCH_GTE", 0, 1, 1},
                 {"BRANCH_GT", 0, 0, 1},  {"BRANCH_EQ", 0, 1, 0}, {"BRANCH_NEQ", 1, 0, 1}};
    const float x[] = {0.9999f, 1, 1.0001f, NAN};
    for (size_t i = 0; i < 6; i++)
        for (int track = 0; track < 3; track++) { /* not said, no, yes */
            ensemble t = {.targets = 1, .track_missing = track > 0, .missing = {track == 2}};
            float s[4];
            add_stump(&t, 0, modes[i].mode, 1);
            add_weight(&t, 0, 1, 0, 10);
            add_weight(&t, 0, 2, 0, 20);
            ck_assert_int_eq(run(&t, x, 4, 1, s, NULL), GH_OK);
            ck_assert_float_eq(s[0], modes[i].below ? 10 : 20);
            ck_assert_float_eq(s[1], modes[i].equal ? 10 : 20);
            ck_assert_float_eq(s[2], modes[i].above ? 10 : 20);
            bool yes = track == 2 || strcmp(modes[i].mode, "BRANCH_NEQ") == 0; /* NaN differs from all */
            ck_assert_float_eq(s[3], yes ? 10 : 20);
        }
}
END_TEST

START_TEST(test_every_sum)
{
    static const struct {
        const char *sum;
        float want[3]; /* of 1 + 10 + -4 | two leaves of target 1 | nothing for target 2 */
    } sums[] = {{NULL, {7, 5, 0}},
                {"SUM", {7, 5, 0}},
                {"AVERAGE", {7 / 3.0f, 5 / 3.0f, 0}},
                {"MIN", {-4, 2, 0}},
                {"MAX", {10, 3, 0}}};
    const float x[] = {0};
    for (size_t i = 0; i < 5; i++)
        for (int base = 0; base < 2; base++) {
            ensemble t = {.targets = 3, .sum = sums[i].sum, .nbase = base ? 3 : 0, .base = {1, 2, 3}};
            float s[3];
            for (int k = 0; k < 3; k++)
                add_stump(&t, k, "BRANCH_LEQ", 1);
            add_weight(&t, 0, 1, 0, 1);
            add_weight(&t, 1, 1, 0, 10);
            add_weight(&t, 2, 1, 0, -4);
            add_weight(&t, 0, 2, 0, 1000); /* the leaf not reached */
            add_weight(&t, 0, 1, 1, 3);
            add_weight(&t, 2, 1, 1, 2);
            ck_assert_int_eq(run(&t, x, 1, 1, s, NULL), GH_OK);
            for (int k = 0; k < 3; k++)
                ck_assert_float_eq_tol(s[k], sums[i].want[k] + (base ? t.base[k] : 0), 1e-6);
        }
}
END_TEST

/* Scores 1, 0, -2 of three classes through each transform. */
START_TEST(test_every_transform)
{
    const float x[] = {0};
    const double e0 = 1, e1 = exp(-1), e2 = exp(-3);
    const struct {
        const char *post;
        double want[3];
    } posts[] = {{"NONE", {1, 0, -2}},
                 {"SOFTMAX", {e0 / (e0 + e1 + e2), e1 / (e0 + e1 + e2), e2 / (e0 + e1 + e2)}},
                 {"LOGISTIC", {1 / (1 + exp(-1)), 0.5, 1 / (1 + exp(2))}},
                 {"SOFTMAX_ZERO", {e0 / (e0 + e2), 0, e2 / (e0 + e2)}}};
    for (size_t i = 0; i < 4; i++) {
        ensemble t = {.classifier = true, .targets = 3, .post = posts[i].post, .labels = {7, 8, 9}};
        float s[3];
        int64_t label;
        add_node(&t, 0, 0, "LEAF", 0, 0, 0, 0);
        add_weight(&t, 0, 0, 0, 1);
        add_weight(&t, 0, 0, 1, 0);
        add_weight(&t, 0, 0, 2, -2);
        ck_assert_int_eq(run(&t, x, 1, 1, s, &label), GH_OK);
        for (int k = 0; k < 3; k++)
            ck_assert_double_eq_tol(s[k], posts[i].want[k], 1e-6);
        ck_assert_int_eq(label, 7);
    }
    ensemble t = {.targets = 2, .post = "PROBIT"}; /* quantiles of the normal distribution, nearly */
    float s[2];
    add_node(&t, 0, 0, "LEAF", 0, 0, 0, 0);
    add_weight(&t, 0, 0, 0, 0.975f);
    add_weight(&t, 0, 0, 1, 0.25f);
    ck_assert_int_eq(run(&t, x, 1, 1, s, NULL), GH_OK);
    ck_assert_float_eq_tol(s[0], 1.96, 5e-3);
    ck_assert_float_eq_tol(s[1], -0.6745, 5e-3);
}
END_TEST

/* Two classes, of which only the first has weights. */
START_TEST(test_two_classes_with_one_side)
{
    static const struct {
        const char *post;
        float weight, base, want[2];
        int64_t label;
    } cases[] = {{"NONE", .25f, 0, {.75f, .25f}, 10},
                 {"NONE", .25f, .5f, {.25f, .75f}, 11},
                 {"NONE", -.25f, 0, {.25f, -.25f}, 10},
                 {"NONE", -.25f, .5f, {-.25f, .25f}, 11},
                 {"LOGISTIC", .25f, 0, {.43782347f, .5621765f}, 10},
                 {"LOGISTIC", .25f, .5f, {.3208213f, .6791787f}, 11},
                 {"LOGISTIC", -.25f, 0, {.5621765f, .43782347f}, 10},
                 {"SOFTMAX", .25f, 0, {.75f, .25f}, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ensemble t = {.classifier = true, .targets = 2, .labels = {10, 11}, .post = cases[i].post};
        float s[2];
        int64_t label;
        t.nbase = cases[i].base != 0;
        t.base[0] = cases[i].base;
        add_node(&t, 0, 0, "LEAF", 0, 0, 0, 0);
        add_weight(&t, 0, 0, 0, cases[i].weight);
        ck_assert_int_eq(run(&t, (float[]){0}, 1, 1, s, &label), GH_OK);
        ck_assert_float_eq_tol(s[0], cases[i].want[0], 1e-6);
        ck_assert_float_eq_tol(s[1], cases[i].want[1], 1e-6);
        ck_assert_int_eq(label, cases[i].label);
    }
}
END_TEST

/* Two classes, of which only the second has weights: its score is compared with one half, or with 0. */
START_TEST(test_two_classes_with_the_other_side)
{
    for (int negative = 0; negative < 2; negative++) {
        ensemble t = {.classifier = true, .targets = 2, .labels = {10, 11}};
        float s[4];
        int64_t label[2];
        add_stump(&t, 0, "BRANCH_LEQ", 0);
        add_weight(&t, 0, 1, 1, negative ? -.2f : .2f);
        add_weight(&t, 0, 2, 1, negative ? .2f : .7f);
        ck_assert_int_eq(run(&t, (float[]){-1, 1}, 2, 1, s, label), GH_OK);
        ck_assert_float_eq(s[1], negative ? -.2f : .2f);
        ck_assert_float_eq(s[0], 0);
        ck_assert_int_eq(label[0], 10);
        ck_assert_int_eq(label[1], 11);
    }
}
END_TEST

/* The best class is one that has a score, even a negative one. */
START_TEST(test_classes_without_a_score)
{
    ensemble t = {.classifier = true, .targets = 3, .labels = {4, 5, 6}};
    float s[3];
    int64_t label;
    add_node(&t, 3, 17, "LEAF", 0, 0, 0, 0);
    add_weight(&t, 3, 17, 2, -1);
    ck_assert_int_eq(run(&t, (float[]){0}, 1, 1, s, &label), GH_OK);
    ck_assert_int_eq(label, 6);
    ck_assert_float_eq(s[0], 0);
    t.text_labels = true; /* loads; the label is the class's number */
    ck_assert_int_eq(run(&t, (float[]){0}, 1, 1, s, &label), GH_OK);
    ck_assert_int_eq(label, 2);
}
END_TEST

/* Nodes in any order, numbers with gaps, several trees mixed, more weights in one leaf. */
START_TEST(test_nodes_in_any_order)
{
    ensemble t = {.targets = 2};
    float s[4];
    add_node(&t, 9, 70, "LEAF", 0, 0, 0, 0);
    add_node(&t, -3, 5, "BRANCH_LEQ", 1, 0.5f, 1000000007, -4);
    add_node(&t, 9, 12, "BRANCH_GT", 0, 2, 70, 8);
    add_node(&t, -3, 1000000007, "LEAF", 0, 0, 0, 0);
    add_node(&t, 9, 8, "LEAF", 0, 0, 0, 0);
    add_node(&t, -3, -4, "LEAF", 0, 0, 0, 0);
    add_weight(&t, 9, 8, 1, 1);
    add_weight(&t, -3, -4, 0, 2);
    add_weight(&t, 9, 70, 0, 4);
    add_weight(&t, 9, 8, 0, 8);
    add_weight(&t, -3, 1000000007, 1, 16);
    add_weight(&t, 9, 8, 1, 32);
    add_weight(&t, 9, 12, 1, 64); /* of an inner node: means nothing */
    ck_assert_msg(run(&t, (float[]){3, 0, 1, 1}, 2, 2, s, NULL) == GH_OK, "%s", e.text);
    ck_assert_float_eq(s[0], 4);
    ck_assert_float_eq(s[1], 16);
    ck_assert_float_eq(s[2], 10);
    ck_assert_float_eq(s[3], 33);
}
END_TEST

/* ---- files that lie ---- */

static ensemble good(void)
{
    ensemble t = {.classifier = true, .targets = 2, .labels = {0, 1}};
    add_stump(&t, 0, "BRANCH_LEQ", 1);
    add_stump(&t, 1, "BRANCH_LEQ", 1);
    add_weight(&t, 0, 1, 0, 1);
    add_weight(&t, 0, 2, 1, 1);
    return t;
}

START_TEST(test_lies_about_trees)
{
    static const struct {
        const char *says;
        size_t field, at; /* of an int64 list in ensemble */
        int64_t value;
    } lies[] = {{"node 5, which is not there", offsetof(ensemble, yes), 0, 5},
                {"node -1, which is not there", offsetof(ensemble, no), 0, -1},
                {"two parents", offsetof(ensemble, yes), 0, 2},
                {"cycle", offsetof(ensemble, yes), 0, 0},
                {"is there twice", offsetof(ensemble, node), 1, 2},
                {"reads feature -1", offsetof(ensemble, feature), 0, -1},
                {"reads feature 4294967296", offsetof(ensemble, feature), 0, 4294967296},
                {"read feature 2 of 2", offsetof(ensemble, feature), 0, 2},
                {"class or target 2 of 2", offsetof(ensemble, wtarget), 0, 2},
                {"class or target -1", offsetof(ensemble, wtarget), 1, -1},
                {"weight belongs to node 9", offsetof(ensemble, wnode), 0, 9},
                {"weight belongs to node 1 of tree 7", offsetof(ensemble, wtree), 0, 7},
                {"two roots", offsetof(ensemble, tree), 3, 0}};
    float s[2];
    int64_t label;
    ensemble fine = good();
    ck_assert_int_eq(run(&fine, (float[]){0, 0}, 1, 2, s, &label), GH_OK);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ensemble t = good();
        if (strcmp(lies[i].says, "two roots") == 0) { /* the root of tree 1 moves into tree 0 */
            t.node[3] = 77;
            t.mode[3] = "LEAF";
        }
        ((int64_t *)(void *)((char *)&t + lies[i].field))[lies[i].at] = lies[i].value;
        ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
        ck_assert_msg(strstr(e.text, lies[i].says), "%s: %s", lies[i].says, e.text);
    }
}
END_TEST

/* A ring of nodes beside a sound root. */
START_TEST(test_a_ring_beside_the_tree)
{
    ensemble t = {.targets = 1};
    float s[1];
    add_stump(&t, 0, "BRANCH_LEQ", 1);
    add_node(&t, 0, 3, "BRANCH_LEQ", 0, 0, 4, 5);
    add_node(&t, 0, 4, "BRANCH_LEQ", 0, 0, 3, 6);
    add_node(&t, 0, 5, "LEAF", 0, 0, 0, 0);
    add_node(&t, 0, 6, "LEAF", 0, 0, 0, 0);
    add_weight(&t, 0, 1, 0, 1);
    ck_assert_int_eq(run(&t, (float[]){0}, 1, 1, s, NULL), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "cycle"));
}
END_TEST

START_TEST(test_lies_about_attributes)
{
    static const char *const needed[] = {"nodes_treeids",      "nodes_nodeids", "nodes_featureids",
                                         "nodes_truenodeids",  "class_treeids", "class_nodeids",
                                         "nodes_falsenodeids", "class_ids",     "classlabels_int64s"};
    float s[2];
    int64_t label;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        ensemble t = good();
        t.skip = needed[i];
        ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
    }
    ensemble t = good();
    t.mode[0] = "BRANCH_MEMBER";
    ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "'BRANCH_MEMBER'"));
    t = good();
    t.post = "SQUARE";
    ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
    t = good();
    t.classifier = false;
    t.sum = "MEDIAN";
    ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
    t = good();
    t.nbase = 3;
    ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "3 base values"));
    t = good();
    t.classifier = false;
    t.targets = 0;
    ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_FORMAT);
}
END_TEST

START_TEST(test_lists_of_other_lengths)
{
    static const char *const lists[] = {"nodes_nodeids", "nodes_featureids", "class_ids", "class_nodeids"};
    for (size_t i = 0; i < 4; i++) {
        ensemble t = good();
        gh_net *net = NULL;
        t.skip = lists[i];
        gh_graph *g = graph_of(&t, 2, 1);
        gh_graph_set_ints(g, g->outputs[0], lists[i], t.node, 1);
        ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_FORMAT);
        ck_assert_msg(strstr(e.text, "has 1 values"), "%s", e.text);
    }
    ensemble t = good();
    gh_net *net = NULL;
    gh_graph *g = graph_of(&t, 2, 5); /* the opset of TreeEnsemble knows them no more */
    ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_UNSUPPORTED);
}
END_TEST

/* ---- size ---- */

/* A chain of 200,000 nodes: neither building nor running may recurse. */
START_TEST(test_a_long_chain)
{
    enum { N = 200001 };
    int64_t *ints = malloc(4 * N * sizeof *ints), zero = 0, last = N - 1;
    float *values = malloc(N * sizeof *values), weight = 5;
    const char **modes = malloc(N * sizeof *modes);
    for (int64_t i = 0; i < N; i++) { /* inner nodes are even, a leaf hangs at each; the last is a leaf */
        bool inner = i % 2 == 0 && i < N - 1;
        ints[i] = 0;
        ints[N + i] = i;
        ints[2 * N + i] = inner ? i + 1 : 0;
        ints[3 * N + i] = inner ? i + 2 : 0;
        values[i] = 0;
        modes[i] = inner ? "BRANCH_GT" : "LEAF";
    }
    gh_graph *g = NULL;
    gh_net *net = NULL;
    gh_plan *plan = NULL;
    gh_session *s = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t in = gh_graph_input(g, "x", GH_F32, gh_shape_of(2, (int64_t[]){1, 1}));
    uint32_t out = gh_graph_op(g, "TreeEnsembleRegressor", "trees", &in, 1);
    gh_graph_set_domain(g, out, "ai.onnx.ml", 1);
    gh_graph_set_ints(g, out, "nodes_treeids", ints, N);
    gh_graph_set_ints(g, out, "nodes_nodeids", ints + N, N);
    gh_graph_set_ints(g, out, "nodes_featureids", ints, N);
    gh_graph_set_ints(g, out, "nodes_truenodeids", ints + 2 * N, N);
    gh_graph_set_ints(g, out, "nodes_falsenodeids", ints + 3 * N, N);
    gh_graph_set_floats(g, out, "nodes_values", values, N);
    gh_graph_set_strings(g, out, "nodes_modes", modes, N);
    gh_graph_set_ints(g, out, "target_treeids", &zero, 1);
    gh_graph_set_ints(g, out, "target_nodeids", &last, 1);
    gh_graph_set_ints(g, out, "target_ids", &zero, 1);
    gh_graph_set_floats(g, out, "target_weights", &weight, 1);
    gh_graph_output(g, out);
    ck_assert_msg(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e) == GH_OK, "%s", e.text);
    gh_shape shape = gh_net_input(net, 0)->shape;
    ck_assert_int_eq(gh_plan_get(&plan, net, &shape, &e), GH_OK);
    ck_assert_int_eq(gh_session_new(&s, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_session_bind(s, plan, &e), GH_OK);
    *(float *)gh_session_input(s, 0)->data = -1; /* never greater than 0: down to the end */
    uint64_t before = gh_mem_thread_allocs();
    ck_assert_int_eq(gh_session_run(s, &e), GH_OK);
    ck_assert_uint_eq(gh_mem_thread_allocs(), before);
    ck_assert_float_eq(*(const float *)gh_session_output(s, 0)->data, 5);
    ck_assert_uint_ge(gh_net_packed_bytes(net), N * 20u);
    gh_session_free(&s);
    gh_plan_put(&plan);
    gh_net_free(&net);
    free(ints);
    free(values);
    free(modes);
}
END_TEST

START_TEST(test_memory_may_run_out)
{
    ensemble t = good();
    int failures = 0;
    for (gh_status status = GH_NOMEM; status != GH_OK; failures++) {
        float s[2];
        int64_t label;
        gh_net *net = NULL;
        gh_graph *g = graph_of(&t, 2, 1);
        gh_mem_fail_after(failures);
        status = gh_net_from_graph(&net, &g, GH_PASS_ALL, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || status == GH_NOMEM);
        gh_net_free(&net);
        ck_assert_int_eq(run(&t, (float[]){0, 0}, 1, 2, s, &label), GH_OK);
    }
    ck_assert_int_gt(failures, 10);
}
END_TEST

Suite *gh_suite_trees(void)
{
    Suite *s = suite_create("trees");
    TCase *t = tcase_create("trees");
    tcase_add_test(t, test_every_mode);
    tcase_add_test(t, test_every_sum);
    tcase_add_test(t, test_every_transform);
    tcase_add_test(t, test_two_classes_with_one_side);
    tcase_add_test(t, test_two_classes_with_the_other_side);
    tcase_add_test(t, test_classes_without_a_score);
    tcase_add_test(t, test_nodes_in_any_order);
    tcase_add_test(t, test_lies_about_trees);
    tcase_add_test(t, test_a_ring_beside_the_tree);
    tcase_add_test(t, test_lies_about_attributes);
    tcase_add_test(t, test_lists_of_other_lengths);
    tcase_add_test(t, test_a_long_chain);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
