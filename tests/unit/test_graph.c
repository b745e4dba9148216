/* Graphs: building with a sticky failure, attributes, order, cycles; and the table of names. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/graph.h"
#include "engine/symbols.h"

#include <stdio.h>
#include <string.h>

static const gh_shape unknown = {.rank = -1};

static gh_graph *new_graph(void)
{
    gh_graph *g = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    return g;
}

START_TEST(test_a_new_graph_is_empty)
{
    gh_graph *g = new_graph(), *none = NULL;
    ck_assert_int_eq(gh_graph_check(g, NULL), GH_OK);
    ck_assert_int_eq(gh_graph_opset(g, ""), 13);
    ck_assert_int_eq(gh_graph_opset(g, "ai.onnx.ml"), 0);
    ck_assert_int_eq(gh_graph_sort(g, NULL), GH_OK);
    gh_graph_free(&g);
    ck_assert_ptr_null(g);
    gh_graph_free(&none);
}
END_TEST

START_TEST(test_values_are_named_and_copied)
{
    gh_graph *g = new_graph();
    char name[] = "pixels";
    float data[] = {1, 2, 3};
    gh_shape three = gh_shape_of(1, (int64_t[]){3});
    uint32_t x = gh_graph_input(g, name, GH_F32, three);
    uint32_t a = gh_graph_value(g, "", GH_F32, unknown), b = gh_graph_value(g, "", GH_F32, unknown);
    uint32_t borrowed = gh_graph_const(g, "b", GH_F32, three, data, false);
    uint32_t copied = gh_graph_const(g, "c", GH_F32, three, data, true);
    name[0] = 'X';
    data[0] = 9;
    ck_assert_str_eq(g->values[x].name, "pixels");
    ck_assert_str_ne(g->values[a].name, g->values[b].name);
    ck_assert_ptr_eq(g->values[borrowed].data, data);
    ck_assert_float_eq(((const float *)g->values[copied].data)[0], 1);
    ck_assert_uint_eq(g->inputs[0], x);
    ck_assert_uint_eq(g->values[x].producer, GH_NONE);
    ck_assert_int_eq(gh_graph_check(g, NULL), GH_OK);
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_attributes_are_read_back_or_fall_back)
{
    gh_graph *g = new_graph();
    uint32_t x = gh_graph_input(g, "x", GH_F32, unknown), y = gh_graph_op(g, "Foo", "y", &x, 1);
    int64_t pads[] = {1, 2, 3};
    gh_graph_set_int(g, y, "axis", -1);
    gh_graph_set_float(g, y, "alpha", 0.25f);
    gh_graph_set_ints(g, y, "pads", pads, 3);
    gh_graph_set_ints(g, y, "none", NULL, 0);
    gh_graph_set_string(g, y, "mode", "linear");
    pads[1] = 99;
    const gh_node *n = &g->nodes[g->values[y].producer];
    ck_assert_int_eq(gh_node_int(n, "axis", 5), -1);
    ck_assert_int_eq(gh_node_int(n, "absent", 5), 5);
    ck_assert_int_eq(gh_node_int(n, "alpha", 5), 5); /* of another type */
    ck_assert_float_eq(gh_node_float(n, "alpha", 1), 0.25f);
    ck_assert_float_eq(gh_node_float(n, "axis", 1), 1);
    ck_assert_str_eq(gh_node_string(n, "mode", ""), "linear");
    ck_assert_str_eq(gh_node_string(n, "pads", "else"), "else");
    const gh_attr *a = gh_node_attr(n, "pads");
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq(a->count, 3);
    ck_assert_int_eq(a->ints[1], 2);
    ck_assert_uint_eq(gh_node_attr(n, "none")->count, 0);
    ck_assert_ptr_null(gh_node_attr(n, "pad"));
    gh_graph_free(&g);
}
END_TEST

static void build_a_lot(gh_graph *g)
{
    static const float fifteen[15];
    float *data = NULL;
    gh_shape shape = gh_shape_of(2, (int64_t[]){3, 5});
    uint32_t x = gh_graph_input(g, "x", GH_F32, shape), in[3] = {x, GH_NONE, GH_NONE};
    for (int i = 0; i < 150; i++) {
        in[1] = gh_graph_const_f32(g, "", shape, &data);
        in[2] = gh_graph_const(g, "", GH_F32, shape, fifteen, true);
        in[0] = gh_graph_op(g, "Sum", "", in, 3);
        gh_graph_set_ints(g, in[0], "axes", (int64_t[]){1, 2}, 2);
        gh_graph_set_string(g, in[0], "mode", "some");
        gh_graph_set_int(g, in[0], "i", i);
        gh_graph_set_float(g, in[0], "f", 1);
        gh_graph_output(g, in[0]);
    }
}

/* However early memory ends, the builders go on without harm and the check at the end tells. */
START_TEST(test_failure_is_sticky)
{
    gh_err e;
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_graph *g = new_graph();
        ck_assert_int_lt(n, 5000);
        gh_mem_fail_after(n);
        build_a_lot(g);
        gh_mem_fail_after(-1);
        whole = gh_graph_check(g, &e) == GH_OK;
        if (!whole) {
            uint32_t x = gh_graph_value(g, "later", GH_F32, unknown);
            ck_assert_int_eq(gh_graph_check(g, &e), GH_NOMEM);
            ck_assert_uint_eq(x, GH_NONE);
            ck_assert_uint_eq(gh_graph_op(g, "Relu", "", &x, 1), GH_NONE);
            gh_graph_output(g, x);
            gh_graph_set_int(g, x, "axis", 1);
        }
        gh_graph_free(&g);
    }
}
END_TEST

START_TEST(test_too_many_nodes_is_a_limit)
{
    gh_graph *g = new_graph();
    gh_err e;
    uint32_t x = gh_graph_input(g, "x", GH_F32, unknown), last = x;
    for (uint32_t i = 0; i < GH_MAX_NODES; i++)
        last = gh_graph_op(g, "Relu", "", &x, 1);
    ck_assert_uint_ne(last, GH_NONE);
    ck_assert_uint_eq(gh_graph_op(g, "Relu", "", &x, 1), GH_NONE);
    ck_assert_int_eq(gh_graph_check(g, &e), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "more nodes"));
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_absurd_constants_are_a_limit)
{
    static const int64_t dims[][3] = {
        {1 << 20, 1 << 20, 1 << 20}, {INT64_MAX, INT64_MAX, 4}, {-1, 2, 2}, {(int64_t)1 << 31, 1, 2}};
    for (size_t i = 0; i < GH_COUNT(dims); i++) {
        gh_graph *g = new_graph();
        float *data = NULL;
        ck_assert_uint_eq(gh_graph_const_f32(g, "w", gh_shape_of(3, dims[i]), &data), GH_NONE);
        ck_assert_ptr_null(data);
        ck_assert_int_eq(gh_graph_check(g, NULL), GH_LIMIT);
        gh_graph_free(&g);
        g = new_graph();
        ck_assert_uint_eq(gh_graph_const(g, "w", GH_U8, gh_shape_of(3, dims[i]), "", true), GH_NONE);
        ck_assert_int_eq(gh_graph_check(g, NULL), GH_LIMIT);
        gh_graph_free(&g);
    }
}
END_TEST

/* y = d(c(b(a(x)))) with the nodes added in the given order, some marked dead. */
static gh_graph *chain(const int *order, int n)
{
    gh_graph *g = new_graph();
    uint32_t v[9];
    char name[16];
    v[0] = gh_graph_input(g, "v0", GH_F32, unknown);
    for (int i = 1; i <= n; i++) {
        snprintf(name, sizeof name, "v%d", i);
        v[i] = gh_graph_value(g, name, GH_F32, unknown);
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "n%d", order[i]);
        gh_graph_node(g, "Relu", name, &v[order[i]], 1, &v[order[i] + 1], 1);
    }
    gh_graph_output(g, v[n]);
    return g;
}

START_TEST(test_sort_orders_and_renumbers)
{
    static const int orders[][5] = {{4, 3, 2, 1, 0}, {0, 1, 2, 3, 4}, {2, 4, 0, 3, 1}, {1, 0, 3, 2, 4}};
    for (size_t k = 0; k < GH_COUNT(orders); k++) {
        gh_graph *g = chain(orders[k], 5);
        ck_assert_int_eq(gh_graph_sort(g, NULL), GH_OK);
        ck_assert_uint_eq(g->nnodes, 5);
        for (uint32_t i = 0; i < 5; i++) {
            char name[16];
            snprintf(name, sizeof name, "n%u", i);
            ck_assert_str_eq(g->nodes[i].name, name);
            ck_assert_uint_eq(g->values[g->nodes[i].outputs[0]].producer, i);
        }
        gh_graph_free(&g);
    }
}
END_TEST

START_TEST(test_sort_drops_dead_nodes)
{
    for (int backwards = 0; backwards < 2; backwards++) {
        static const int orders[][5] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}};
        gh_graph *g = chain(orders[backwards], 5);
        uint32_t dropped = GH_NONE;
        for (uint32_t i = 0; i < g->nnodes; i++)
            if (strcmp(g->nodes[i].name, "n4") == 0) {
                g->nodes[i].dead = true;
                dropped = g->nodes[i].outputs[0];
            }
        ck_assert_int_eq(gh_graph_sort(g, NULL), GH_OK);
        ck_assert_uint_eq(g->nnodes, 4);
        for (uint32_t i = 0; i < 4; i++)
            ck_assert_uint_eq(g->values[g->nodes[i].outputs[0]].producer, i);
        ck_assert_uint_eq(g->values[dropped].producer, GH_NONE);
        gh_graph_free(&g);
    }
}
END_TEST

START_TEST(test_a_cycle_is_named)
{
    gh_graph *g = new_graph();
    gh_err e;
    uint32_t x = gh_graph_input(g, "x", GH_F32, unknown), a = gh_graph_value(g, "a", GH_F32, unknown);
    uint32_t b = gh_graph_value(g, "b", GH_F32, unknown), in[2] = {x, b};
    gh_graph_op(g, "Relu", "innocent", &x, 1);
    gh_graph_node(g, "Add", "guilty", in, 2, &a, 1);
    gh_graph_node(g, "Relu", "accomplice", &a, 1, &b, 1);
    ck_assert_int_eq(gh_graph_sort(g, &e), GH_FORMAT);
    ck_assert(strstr(e.text, "guilty") || strstr(e.text, "accomplice"));
    gh_graph_free(&g);

    g = new_graph(); /* a node that reads its own output */
    a = gh_graph_value(g, "a", GH_F32, unknown);
    gh_graph_node(g, "Relu", "narcissus", &a, 1, &a, 1);
    ck_assert_int_eq(gh_graph_sort(g, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "narcissus"));
    gh_graph_free(&g);
}
END_TEST

/* A value that a node reads twice is two edges to the same producer. */
START_TEST(test_sort_counts_a_value_read_twice)
{
    gh_graph *g = new_graph();
    uint32_t x = gh_graph_input(g, "x", GH_F32, unknown), a = gh_graph_value(g, "a", GH_F32, unknown);
    uint32_t b = gh_graph_value(g, "b", GH_F32, unknown), twice[3] = {a, GH_NONE, a};
    gh_graph_node(g, "Add", "second", twice, 3, &b, 1);
    gh_graph_node(g, "Relu", "first", &x, 1, &a, 1);
    ck_assert_int_eq(gh_graph_sort(g, NULL), GH_OK);
    ck_assert_str_eq(g->nodes[0].name, "first");
    ck_assert_str_eq(g->nodes[1].name, "second");
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_sort_survives_no_memory)
{
    static const int order[] = {3, 2, 1, 0};
    gh_err e;
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_graph *g = chain(order, 4);
        gh_mem_fail_after(n);
        gh_status status = gh_graph_sort(g, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert(whole || status == GH_NOMEM);
        gh_graph_free(&g);
    }
}
END_TEST

START_TEST(test_symbols_find_what_was_added)
{
    enum { MANY = 20000 };
    gh_symbols t = {0};
    char(*names)[16] = gh_calloc(MANY, sizeof *names);
    ck_assert_ptr_nonnull(names);
    ck_assert_uint_eq(gh_symbols_find(&t, "n1", 2), UINT32_MAX);
    for (uint32_t i = 0; i < MANY; i++) {
        int len = snprintf(names[i], sizeof *names, "n%u", i);
        ck_assert(gh_symbols_add(&t, names[i], (size_t)len, i));
    }
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(gh_symbols_find(&t, names[i], strlen(names[i])), i);
    ck_assert_uint_eq(gh_symbols_find(&t, "n", 1), UINT32_MAX);
    ck_assert_uint_eq(gh_symbols_find(&t, "n20000", 6), UINT32_MAX);
    ck_assert_uint_eq(gh_symbols_find(&t, "n12", 3), 12); /* not the longer names that begin so */
    gh_symbols_free(&t);
    gh_free(names);
}
END_TEST

START_TEST(test_symbols_may_hold_zero_bytes)
{
    gh_symbols t = {0};
    ck_assert(gh_symbols_add(&t, "a\0b", 3, 1));
    ck_assert(gh_symbols_add(&t, "a\0c", 3, 2));
    ck_assert_uint_eq(gh_symbols_find(&t, "a\0b", 3), 1);
    ck_assert_uint_eq(gh_symbols_find(&t, "a\0c", 3), 2);
    ck_assert_uint_eq(gh_symbols_find(&t, "a", 1), UINT32_MAX);
    gh_symbols_free(&t);
}
END_TEST

START_TEST(test_symbols_without_memory)
{
    gh_symbols t = {0};
    gh_mem_fail_after(0);
    ck_assert(!gh_symbols_add(&t, "a", 1, 1));
    gh_mem_fail_after(-1);
    ck_assert(gh_symbols_add(&t, "a", 1, 1));
    ck_assert_uint_eq(gh_symbols_find(&t, "a", 1), 1);
    gh_symbols_free(&t);
}
END_TEST

START_TEST(test_shapes_are_told_and_counted)
{
    char text[96];
    gh_shape s = gh_shape_of(4, (int64_t[]){1, 3, -1, 224}), known = gh_shape_of(2, (int64_t[]){3, 0});
    size_t count = 42;
    ck_assert_str_eq(gh_shape_text(&s, text, sizeof text), "1x3x?x224");
    ck_assert_str_eq(gh_shape_text(&unknown, text, sizeof text), "?");
    ck_assert_str_eq(gh_shape_text(&(gh_shape){.rank = 0}, text, sizeof text), "scalar");
    ck_assert_str_eq(gh_shape_text(&s, text, 4), "1x3");
    ck_assert(!gh_shape_count(&count, &s));
    ck_assert(!gh_shape_count(&count, &unknown));
    ck_assert_uint_eq(count, 42);
    ck_assert(gh_shape_count(&count, &known));
    ck_assert_uint_eq(count, 0);
    ck_assert(gh_shape_count(&count, &(gh_shape){.rank = 0}));
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(gh_dtype_name((gh_dtype)16), "bfloat16");
    ck_assert_str_eq(gh_dtype_name((gh_dtype)63), "unknown");
    ck_assert_uint_eq(gh_dtype_size((gh_dtype)16), 0);
}
END_TEST

Suite *gh_suite_graph(void)
{
    Suite *s = suite_create("graph");
    TCase *t = tcase_create("graph");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_a_new_graph_is_empty);
    tcase_add_test(t, test_values_are_named_and_copied);
    tcase_add_test(t, test_attributes_are_read_back_or_fall_back);
    tcase_add_test(t, test_failure_is_sticky);
    tcase_add_test(t, test_too_many_nodes_is_a_limit);
    tcase_add_test(t, test_absurd_constants_are_a_limit);
    tcase_add_test(t, test_sort_orders_and_renumbers);
    tcase_add_test(t, test_sort_drops_dead_nodes);
    tcase_add_test(t, test_a_cycle_is_named);
    tcase_add_test(t, test_sort_counts_a_value_read_twice);
    tcase_add_test(t, test_sort_survives_no_memory);
    tcase_add_test(t, test_symbols_find_what_was_added);
    tcase_add_test(t, test_symbols_may_hold_zero_bytes);
    tcase_add_test(t, test_symbols_without_memory);
    tcase_add_test(t, test_shapes_are_told_and_counted);
    suite_add_tcase(s, t);
    return s;
}
