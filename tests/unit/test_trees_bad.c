/* Tree ensembles of files that lie about their trees, long chains, and memory that runs out. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/net.h"
#include "unit/ensemble.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static gh_err e;

/* ---- files that lie ---- */

static ensemble good(void)
{
    ensemble t = {.classifier = true, .targets = 2, .labels = {0, 1}};
    ensemble_stump(&t, 0, "BRANCH_LEQ", 1);
    ensemble_stump(&t, 1, "BRANCH_LEQ", 1);
    ensemble_weight(&t, 0, 1, 0, 1);
    ensemble_weight(&t, 0, 2, 1, 1);
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
    ck_assert_int_eq(ensemble_run(&fine, (float[]){0, 0}, 1, 2, s, &label, &e), GH_OK);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ensemble t = good();
        if (strcmp(lies[i].says, "two roots") == 0) { /* the root of tree 1 moves into tree 0 */
            t.node[3] = 77;
            t.mode[3] = "LEAF";
        }
        ((int64_t *)(void *)((char *)&t + lies[i].field))[lies[i].at] = lies[i].value;
        ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
        ck_assert_msg(strstr(e.text, lies[i].says), "%s: %s", lies[i].says, e.text);
    }
}
END_TEST

/* A ring of nodes beside a sound root. */
START_TEST(test_a_ring_beside_the_tree)
{
    ensemble t = {.targets = 1};
    float s[1];
    ensemble_stump(&t, 0, "BRANCH_LEQ", 1);
    ensemble_node(&t, 0, 3, "BRANCH_LEQ", 0, 0, 4, 5);
    ensemble_node(&t, 0, 4, "BRANCH_LEQ", 0, 0, 3, 6);
    ensemble_node(&t, 0, 5, "LEAF", 0, 0, 0, 0);
    ensemble_node(&t, 0, 6, "LEAF", 0, 0, 0, 0);
    ensemble_weight(&t, 0, 1, 0, 1);
    ck_assert_int_eq(ensemble_run(&t, (float[]){0}, 1, 1, s, NULL, &e), GH_FORMAT);
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
        ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
    }
    ensemble t = good();
    t.mode[0] = "BRANCH_MEMBER";
    ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "'BRANCH_MEMBER'"));
    t = good();
    t.post = "SQUARE";
    ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
    t = good();
    t.classifier = false;
    t.sum = "MEDIAN";
    ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
    t = good();
    t.nbase = 3;
    ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "3 base values"));
    t = good();
    t.classifier = false;
    t.targets = 0;
    ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_FORMAT);
}
END_TEST

START_TEST(test_lists_of_other_lengths)
{
    static const char *const lists[] = {"nodes_nodeids", "nodes_featureids", "class_ids", "class_nodeids"};
    for (size_t i = 0; i < 4; i++) {
        ensemble t = good();
        gh_net *net = NULL;
        t.skip = lists[i];
        gh_graph *g = ensemble_graph(&t, 2, 1);
        gh_graph_set_ints(g, g->outputs[0], lists[i], t.node, 1);
        ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_FORMAT);
        ck_assert_msg(strstr(e.text, "has 1 values"), "%s", e.text);
    }
    ensemble t = good();
    gh_net *net = NULL;
    gh_graph *g = ensemble_graph(&t, 2, 5); /* the opset of TreeEnsemble knows them no more */
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
        gh_graph *g = ensemble_graph(&t, 2, 1);
        gh_mem_fail_after(failures);
        status = gh_net_from_graph(&net, &g, GH_PASS_ALL, &e);
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || status == GH_NOMEM);
        gh_net_free(&net);
        ck_assert_int_eq(ensemble_run(&t, (float[]){0, 0}, 1, 2, s, &label, &e), GH_OK);
    }
    ck_assert_int_gt(failures, 10);
}
END_TEST

Suite *gh_suite_trees_bad(void)
{
    Suite *s = suite_create("trees_bad");
    TCase *t = tcase_create("trees_bad");
    tcase_add_test(t, test_lies_about_trees);
    tcase_add_test(t, test_a_ring_beside_the_tree);
    tcase_add_test(t, test_lies_about_attributes);
    tcase_add_test(t, test_lists_of_other_lengths);
    tcase_add_test(t, test_a_long_chain);
    tcase_add_test(t, test_memory_may_run_out);
    suite_add_tcase(s, t);
    return s;
}
