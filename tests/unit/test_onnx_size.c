/* ONNX files that ask for more memory or time than their size is worth: refused quickly, with little of both.
 */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||     \
    __has_feature(thread_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* One graph under construction with an input x and an output y of 1x3x4x4. */
static gh_buf graph;
static const int64_t picture[] = {1, 3, 4, 4}, scalar[1];

static void start(void)
{
    graph = (gh_buf){0};
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 4, picture);
    nt_put_info(&graph, GRAPH_OUTPUT, "y", GH_F32, 4, picture);
}

static size_t peak_bytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (size_t)u.ru_maxrss * 1024;
}

/* Refuses `data` within a second of the processor and `megabytes` of memory on top of what the test has. */
static void expect_cheap(const void *data, size_t len, gh_status want, const char *part, size_t megabytes)
{
    gh_err e;
    nt_bytes b;
    gh_net *net = NULL;
    size_t before = peak_bytes();
    clock_t start = clock();
    gh_status status = nt_read(&b, data, len, &e);
    if (!status)
        status = gh_net_from_graph(&net, &b.graph, GH_PASS_ALL, &e);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    size_t took = peak_bytes() - before;
    nt_refused(status, want, &e, part);
    nt_forget(&b);
    ck_assert_msg(SANITIZED || getenv("GH_TEST_EMULATOR") || seconds < 1, "it took %.2f s", seconds);
    ck_assert_msg(SANITIZED || took <= (megabytes << 20) + len, "it took %zu MB", took >> 20);
}

/* Graphs within attributes within nodes, each in the next: what a recursive reader dies of. */
START_TEST(test_deep_nesting_costs_nothing)
{
    enum { LEN = 54000 };
    gh_buf inner = {0}, outer = {0}, model = {0};
    for (int depth = 0; inner.len + 30 < LEN; depth++) {
        static const uint32_t fields[] = {6 /* attribute.g */, NODE_ATTR, GRAPH_NODE};
        outer.len = 0;
        gh_wire_put_bytes(&outer, fields[depth % 3], inner.data, inner.len);
        gh_buf swap = inner;
        inner = outer;
        outer = swap;
    }
    nt_put_model(&model, &inner, 13);
    expect_cheap(model.data, model.len, GH_FORMAT, "", 4);
    gh_buf_free(&inner);
    gh_buf_free(&outer);
    gh_buf_free(&model);
}
END_TEST

/* `count` times the field `number` with nothing in it. */
static void repeat_empty(gh_buf *b, uint32_t number, size_t count)
{
    for (size_t i = 0; i < count; i++)
        gh_wire_put_bytes(b, number, "", 0);
}

START_TEST(test_eight_megabytes_of_empty_nodes)
{
    gh_buf model = {0};
    start();
    repeat_empty(&graph, GRAPH_NODE, 4 << 20);
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_LIMIT, "more nodes or values", 100);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

/* The same trick inside of one node: an attribute of two bytes is a struct of 200 for us. */
START_TEST(test_eight_megabytes_of_empty_attributes)
{
    gh_buf model = {0}, node = {0};
    start();
    gh_wire_put_string(&node, NODE_TYPE, "Relu");
    gh_wire_put_string(&node, NODE_INPUT, "x");
    gh_wire_put_string(&node, NODE_OUTPUT, "y");
    repeat_empty(&node, NODE_ATTR, 4 << 20);
    gh_wire_put_bytes(&graph, GRAPH_NODE, node.data, node.len);
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_LIMIT, "attributes", 100);
    gh_buf_free(&model);
    gh_buf_free(&graph);
    gh_buf_free(&node);
}
END_TEST

START_TEST(test_eight_megabytes_of_left_out_inputs)
{
    gh_buf model = {0}, node = {0};
    start();
    gh_wire_put_string(&node, NODE_TYPE, "Concat");
    gh_wire_put_string(&node, NODE_OUTPUT, "y");
    repeat_empty(&node, NODE_INPUT, 4 << 20);
    gh_wire_put_bytes(&graph, GRAPH_NODE, node.data, node.len);
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_LIMIT, "inputs and outputs", 100);
    gh_buf_free(&model);
    gh_buf_free(&graph);
    gh_buf_free(&node);
}
END_TEST

START_TEST(test_a_million_names)
{
    gh_buf model = {0}, node = {0};
    start();
    gh_wire_put_string(&node, NODE_TYPE, "Concat");
    gh_wire_put_string(&node, NODE_OUTPUT, "y");
    for (int i = 0; i < 900000; i++) {
        char name[12];
        snprintf(name, sizeof name, "%x", i);
        gh_wire_put_string(&node, NODE_INPUT, name);
    }
    gh_wire_put_bytes(&graph, GRAPH_NODE, node.data, node.len);
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_LIMIT, "more nodes or values", 200);
    gh_buf_free(&model);
    gh_buf_free(&graph);
    gh_buf_free(&node);
}
END_TEST

/* As many nodes as are accepted, none of which we run: naming them must not be quadratic. */
START_TEST(test_a_hundred_thousand_missing_operators)
{
    gh_buf model = {0};
    start();
    for (int i = 0; i < 99000; i++) {
        char type[16], name[16];
        snprintf(type, sizeof type, i < 50000 ? "Relu" : "Odd%d", i % 50);
        snprintf(name, sizeof name, "v%d", i);
        nt_put_node(&graph, type, "n", NT_LIST("x"), NT_LIST(name));
    }
    nt_put_node(&graph, "Relu", "n", NT_LIST("x"), NT_LIST("y"));
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_UNSUPPORTED, "the model needs 49000 nodes", 150);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

/* Two constants of 100 kB whose sum would be a matrix of 268 million elements, times itself, and so on:
 * folding must not follow. */
static void put_large_constants(int64_t side)
{
    int64_t column[] = {side, 1}, row[] = {1, side};
    float *zeros = gh_calloc((size_t)side, sizeof *zeros);
    ck_assert_ptr_nonnull(zeros);
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "c", GH_F32, 2, column, zeros, (size_t)side * sizeof *zeros);
    nt_put_tensor(&graph, GRAPH_INIT, "r", GH_F32, 2, row, zeros, (size_t)side * sizeof *zeros);
    gh_free(zeros);
}

START_TEST(test_folding_does_not_blow_constants_up)
{
    gh_buf model = {0};
    put_large_constants(8000);
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        nt_put_node(&graph, "Add", "a", NT_LIST("c", "r"), NT_LIST(name));
        nt_put_info(&graph, GRAPH_OUTPUT, name, GH_F32, 0, scalar);
    }
    nt_put_node(&graph, "Slice", "no", NT_LIST("x"), NT_LIST("y"));
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_FORMAT, "node \"no\"", 600);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

START_TEST(test_folding_does_not_compute_for_hours)
{
    gh_buf model = {0};
    put_large_constants(8000);
    nt_put_node(&graph, "Add", "a", NT_LIST("c", "r"), NT_LIST("m0"));
    for (int i = 0; i < 40; i++) {
        char in[16], name[16];
        snprintf(in, sizeof in, "m%d", i);
        snprintf(name, sizeof name, "m%d", i + 1);
        nt_put_node(&graph, "MatMul", "m", NT_LIST(in, in), NT_LIST(name));
    }
    nt_put_info(&graph, GRAPH_OUTPUT, "m40", GH_F32, 0, scalar);
    nt_put_node(&graph, "Slice", "no", NT_LIST("x"), NT_LIST("y"));
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_FORMAT, "node \"no\"", 600);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

/* Many small products, each cheap enough for itself. */
START_TEST(test_many_folded_products_have_one_budget)
{
    gh_buf model = {0};
    put_large_constants(300);
    nt_put_node(&graph, "Add", "a", NT_LIST("c", "r"), NT_LIST("m0"));
    for (int i = 0; i < 3000; i++) {
        char in[16], name[16];
        snprintf(in, sizeof in, "m%d", i);
        snprintf(name, sizeof name, "m%d", i + 1);
        nt_put_node(&graph, "MatMul", "m", NT_LIST(in, "m0"), NT_LIST(name));
    }
    nt_put_info(&graph, GRAPH_OUTPUT, "m3000", GH_F32, 0, scalar);
    nt_put_node(&graph, "Slice", "no", NT_LIST("x"), NT_LIST("y"));
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_FORMAT, "node \"no\"", 600);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

/* A hundred thousand convolutions that share one weight of 64 kB, each of which would be packed anew. */
START_TEST(test_packing_is_limited)
{
    enum { SIDE = 127 };
    static const int64_t dims[] = {1, 1, SIDE, SIDE}, large[] = {1, 1, 128, 128};
    gh_buf model = {0};
    float *zeros = gh_calloc(SIDE * SIDE, sizeof *zeros);
    ck_assert_ptr_nonnull(zeros);
    graph = (gh_buf){0};
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 4, large);
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, dims, zeros, sizeof *zeros * SIDE * SIDE);
    gh_free(zeros);
    for (int i = 0; i < 20000; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        nt_put_node(&graph, "Conv", "c", NT_LIST("x", "w"), NT_LIST(name));
        nt_put_info(&graph, GRAPH_OUTPUT, name, GH_F32, 4, large);
    }
    nt_put_model(&model, &graph, 13);
    expect_cheap(model.data, model.len, GH_LIMIT, "node \"c\" (Conv): its packed weights need", 600);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

Suite *gh_suite_onnx_size(void)
{
    Suite *s = suite_create("onnx_size");
    TCase *t = tcase_create("sizes");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_deep_nesting_costs_nothing);
    tcase_add_test(t, test_eight_megabytes_of_empty_nodes);
    tcase_add_test(t, test_eight_megabytes_of_empty_attributes);
    tcase_add_test(t, test_eight_megabytes_of_left_out_inputs);
    tcase_add_test(t, test_a_million_names);
    tcase_add_test(t, test_a_hundred_thousand_missing_operators);
    tcase_add_test(t, test_folding_does_not_blow_constants_up);
    tcase_add_test(t, test_folding_does_not_compute_for_hours);
    tcase_add_test(t, test_many_folded_products_have_one_budget);
    tcase_add_test(t, test_packing_is_limited);
    suite_add_tcase(s, t);
    return s;
}
