/* Broken and hostile ONNX files: each is refused with its own sentence. What is meant to take memory or time
 * is in test_onnx_size.c. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"

#include <string.h>

/* One graph under construction with an input x and an output y of 1x3x4x4. */
static gh_buf graph;
static const int64_t picture[] = {1, 3, 4, 4}, ten[] = {10}, scalar[1];
static const float numbers[64];

static void start(void)
{
    graph = (gh_buf){0};
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 4, picture);
    nt_put_info(&graph, GRAPH_OUTPUT, "y", GH_F32, 4, picture);
}

/* Reads the model as far as a net; checks the answer. */
static void expect_with(gh_status want, const char *part, int64_t opset)
{
    gh_buf model = {0};
    gh_err e;
    nt_bytes read;
    gh_net *net = NULL;
    nt_put_model(&model, &graph, opset);
    gh_status status = nt_read(&read, model.data, model.len, &e);
    if (!status)
        status = gh_net_from_graph(&net, &read.graph, GH_PASS_ALL, &e);
    if (want)
        nt_refused(status, want, &e, part);
    else
        NT_OK(status, e);
    gh_net_free(&net);
    nt_forget(&read);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}

static void expect(gh_status want, const char *part)
{
    expect_with(want, part, 13);
}

START_TEST(test_the_frame_of_these_tests_is_sound)
{
    start();
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    expect(GH_OK, "");
}
END_TEST

START_TEST(test_not_a_model)
{
    static const char *const texts[] = {"", "{}", "GIF89a", "\x08\x08", "\x08\x08\x3a\x00"};
    static const size_t lengths[] = {0, 2, 6, 2, 4};
    gh_err e;
    for (size_t i = 0; i < GH_COUNT(texts); i++) {
        nt_bytes b;
        gh_net *net = NULL;
        gh_status status = nt_read(&b, texts[i], lengths[i], &e);
        if (!status)
            status = gh_net_from_graph(&net, &b.graph, GH_PASS_ALL, &e);
        ck_assert_int_eq(status, GH_FORMAT);
        nt_forget(&b);
    }
}
END_TEST

START_TEST(test_a_cycle_is_named)
{
    start();
    nt_put_node(&graph, "Add", "first", NT_LIST("x", "b"), NT_LIST("a"));
    nt_put_node(&graph, "Relu", "second", NT_LIST("a"), NT_LIST("b"));
    nt_put_node(&graph, "Relu", "third", NT_LIST("a"), NT_LIST("y"));
    expect(GH_FORMAT, "cycle");
}
END_TEST

START_TEST(test_a_missing_initializer_is_named)
{
    start();
    nt_put_node(&graph, "Conv", "stem", NT_LIST("x", "weights"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"stem\" (Conv) reads \"weights\"");
    start();
    expect(GH_FORMAT, "output \"y\" is given by no node");
}
END_TEST

START_TEST(test_double_definitions_are_named)
{
    start();
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    nt_put_node(&graph, "Relu", "s", NT_LIST("x"), NT_LIST("y"));
    expect(GH_FORMAT, "\"y\" is defined twice");
    start(); /* twice by one node */
    nt_put_node(&graph, "Twist", "s", NT_LIST("x"), NT_LIST("y", "y"));
    expect(GH_FORMAT, "\"y\" is defined twice");
    start(); /* an initializer and a node */
    nt_put_tensor(&graph, GRAPH_INIT, "y", GH_F32, 1, ten, numbers, 40);
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    expect(GH_FORMAT, "\"y\" is defined twice");
    start(); /* two initializers */
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 1, ten, numbers, 40);
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 1, ten, numbers, 40);
    nt_put_node(&graph, "Add", "r", NT_LIST("x", "w"), NT_LIST("y"));
    expect(GH_FORMAT, "\"w\" is defined twice");
    start(); /* an input that a node gives */
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("x"));
    nt_put_node(&graph, "Relu", "s", NT_LIST("x"), NT_LIST("y"));
    expect(GH_FORMAT, "\"x\" is an input and the output of a node");
}
END_TEST

/* The second declaration hid the first input, which then was never filled. */
START_TEST(test_an_input_declared_twice_is_refused)
{
    start();
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 1, ten);
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    expect(GH_FORMAT, "input \"x\" is declared twice");
}
END_TEST

/* What an output says of an input's shape must not replace what the input says. */
START_TEST(test_an_output_does_not_redeclare_an_input)
{
    gh_buf model = {0};
    gh_err e;
    nt_bytes read;
    start();
    nt_put_info(&graph, GRAPH_OUTPUT, "x", GH_I64, 1, ten);
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    nt_put_model(&model, &graph, 13);
    NT_OK(nt_read(&read, model.data, model.len, &e), e);
    const gh_value *x = &read.graph->values[read.graph->inputs[0]];
    ck_assert_int_eq(x->type, GH_F32);
    ck_assert_int_eq(x->shape.rank, 4);
    nt_forget(&read);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

START_TEST(test_wrong_shapes_are_told)
{
    static const int64_t weights[] = {8, 4, 3, 3}, few[] = {1, 3, 1, 1}, twelve[] = {12},
                         huge[] = {1, 3, 5, 5};
    start(); /* 4 channels expected, 3 come */
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, weights, NULL, 0);
    expect(GH_FORMAT, "tensor \"w\" has a length that differs from its dimensions");
    start();
    float *zeros = gh_calloc(8 * 4 * 9, sizeof *zeros);
    ck_assert_ptr_nonnull(zeros);
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, weights, zeros, 8 * 4 * 9 * sizeof *zeros);
    gh_free(zeros);
    nt_put_node(&graph, "Conv", "c", NT_LIST("x", "w"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"c\" (Conv): 3 input channels do not fit");
    start(); /* a bias of the wrong length */
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, few, numbers, 12);
    nt_put_tensor(&graph, GRAPH_INIT, "b", GH_F32, 1, ten, numbers, 40);
    nt_put_node(&graph, "Conv", "c", NT_LIST("x", "w", "b"), NT_LIST("y"));
    expect(GH_FORMAT, "the bias must hold 1 float32");
    start(); /* a window larger than the picture */
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, huge, numbers, 0);
    expect(GH_FORMAT, "length");
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "d", GH_F32, 1, twelve, numbers, 48);
    nt_put_node(&graph, "Add", "a", NT_LIST("x", "d"), NT_LIST("y"));
    expect(GH_FORMAT, "1x3x4x4 and 12 do not broadcast");
}
END_TEST

START_TEST(test_absurd_dimensions_are_refused)
{
    static const int64_t large[] = {INT64_MAX, INT64_MAX}, empty[] = {0, INT64_MAX},
                         wide[] = {1, 3, 60000, 60000};
    static const int64_t nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, over[] = {1, 3, (int64_t)1 << 40, 1};
    graph = (gh_buf){0};
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 4, over);
    expect(GH_LIMIT, "dimension of 1099511627776");
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 9, nine);
    expect(GH_LIMIT, "more than 8 dimensions");
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 2, large, numbers, 4);
    expect(GH_FORMAT, "tensor \"w\" has absurd dimensions");
    start(); /* no element, but a side that overflows sums and products */
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 2, empty, numbers, 0);
    expect(GH_FORMAT, "tensor \"w\" has absurd dimensions");
    graph = (gh_buf){0}; /* ten gigabytes of activations */
    nt_put_info(&graph, GRAPH_INPUT, "x", GH_F32, 4, wide);
    nt_put_info(&graph, GRAPH_OUTPUT, "y", GH_F32, 4, wide);
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    expect(GH_LIMIT, "larger than gharial accepts");
}
END_TEST

START_TEST(test_missing_operators_are_named_together)
{
    start();
    nt_put_node(&graph, "Warble", "gelu", NT_LIST("x"), NT_LIST("a"));
    nt_put_node(&graph, "Relu", "fine", NT_LIST("a"), NT_LIST("b"));
    nt_put_node(&graph, "Frobnicate", "where", NT_LIST("b"), NT_LIST("c"));
    nt_put_node(&graph, "Warble", "again", NT_LIST("c"), NT_LIST("d"));
    nt_put_node(&graph, "Twist", "warp", NT_LIST("d"), NT_LIST("y"));
    gh_buf again = {0}, third = {0};
    gh_buf_add(&again, graph.data, graph.len);
    gh_buf_add(&third, graph.data, graph.len);
    expect_with(GH_UNSUPPORTED, "the model needs 4 nodes that gharial does not run", 17);
    graph = again;
    expect_with(GH_UNSUPPORTED, "Warble opset 17 (node \"gelu\"), Frobnicate opset 17 (node \"where\")", 17);
    graph = third;
    expect_with(GH_UNSUPPORTED, "Twist opset 17 (node \"warp\")", 17);
}
END_TEST

START_TEST(test_an_opset_from_the_future_is_named)
{
    start();
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    expect_with(GH_UNSUPPORTED, "Relu opset 99", 99);
}
END_TEST

START_TEST(test_wrong_numbers_of_operands)
{
    start();
    nt_put_node(&graph, "Add", "a", NT_LIST("x"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"a\" (Add) has 1 inputs");
    start();
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y", "z"));
    expect(GH_FORMAT, "node \"r\" (Relu) has 1 inputs and 2 outputs");
    start(); /* a needed input left out */
    nt_put_node(&graph, "Add", "a", NT_LIST("x", ""), NT_LIST("y"));
    expect(GH_FORMAT, "node \"a\" (Add): input 1 is missing");
}
END_TEST

/* Passes look at nodes before shapes are inferred: a needed input may be missing there. */
START_TEST(test_left_out_inputs_do_not_crash_the_passes)
{
    static const int64_t three[] = {3}, weights[] = {3, 3, 1, 1};
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "p", GH_F32, 1, three, numbers, 12);
    nt_put_node(&graph, "BatchNormalization", "bn", NT_LIST("", "p", "p", "p", "p"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"bn\" (BatchNormalization): input 0 is missing");
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "p", GH_F32, 1, three, numbers, 12);
    nt_put_node(&graph, "Conv", "c", NT_LIST("x", ""), NT_LIST("a"));
    nt_put_node(&graph, "BatchNormalization", "bn", NT_LIST("a", "p", "p", "p", "p"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"c\" (Conv): input 1 is missing");
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, weights, numbers, 36);
    nt_put_tensor(&graph, GRAPH_INIT, "p", GH_F32, 1, three, numbers, 12);
    nt_put_node(&graph, "Conv", "c", NT_LIST("", "w"), NT_LIST("a"));
    nt_put_node(&graph, "BatchNormalization", "bn", NT_LIST("a", "p", "p", "p", "p"), NT_LIST("b"));
    nt_put_node(&graph, "Relu", "r", NT_LIST("b"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"c\" (Conv): input 0 is missing");
    start();
    nt_put_node(&graph, "Relu", "r", NT_LIST(""), NT_LIST("y"));
    expect(GH_FORMAT, "node \"r\" (Relu): input 0 is missing");
    start();
    nt_put_node(&graph, "Flatten", "f", NT_LIST(""), NT_LIST("y"));
    expect(GH_FORMAT, "node \"f\" (Flatten): input 0 is missing");
}
END_TEST

START_TEST(test_forms_that_are_not_read)
{
    gh_buf tensor = {0};
    start();
    gh_wire_put_bytes(&graph, GRAPH_SPARSE, "", 0);
    expect(GH_UNSUPPORTED, "sparse");
    start();
    gh_wire_put_varint(&tensor, TENSOR_TYPE, GH_F32);
    gh_wire_put_string(&tensor, TENSOR_NAME, "far");
    gh_wire_put_varint(&tensor, TENSOR_LOCATION, 1);
    gh_wire_put_bytes(&graph, GRAPH_INIT, tensor.data, tensor.len);
    expect(GH_FORMAT, "tensor \"far\" keeps its elements in another file");
    gh_buf_free(&tensor);
}
END_TEST

/* ---- bugs that were ---- */

/* A name was copied up to its zero byte and looked up in its full length: bytes behind the copy were read. */
START_TEST(test_names_may_hold_zero_bytes)
{
    gh_buf node = {0}, model = {0};
    gh_err e;
    nt_bytes read;
    char name[5000];
    start();
    memset(name, 'n', sizeof name);
    name[0] = 0;
    for (int i = 0; i < 3; i++) {
        name[4000 + i] = 'm';
        node.len = 0;
        gh_wire_put_string(&node, NODE_TYPE, "Relu");
        gh_wire_put_string(&node, NODE_INPUT, "x");
        gh_wire_put_bytes(&node, NODE_OUTPUT, name, sizeof name);
        gh_wire_put_bytes(&graph, GRAPH_NODE, node.data, node.len);
    }
    nt_put_node(&graph, "Relu", "r", NT_LIST("x"), NT_LIST("y"));
    nt_put_model(&model, &graph, 13);
    NT_OK(nt_read(&read, model.data, model.len, &e), e);
    ck_assert_uint_eq(read.graph->nnodes, 4);
    nt_forget(&read);
    gh_buf_free(&node);
    gh_buf_free(&model);
    gh_buf_free(&graph);
}
END_TEST

/* One attribute of a node "r" that reads x and gives y. */
static void node_with_attr(const char *type, const gh_buf *attr)
{
    gh_buf node = {0};
    gh_wire_put_string(&node, NODE_TYPE, type);
    gh_wire_put_string(&node, NODE_NAME, "r");
    gh_wire_put_string(&node, NODE_INPUT, "x");
    gh_wire_put_string(&node, NODE_OUTPUT, "y");
    gh_wire_put_bytes(&node, NODE_ATTR, attr->data, attr->len);
    gh_wire_put_bytes(&graph, GRAPH_NODE, node.data, node.len);
    gh_buf_free(&node);
}

/* The type said integers, the list held floats: a count without elements. */
START_TEST(test_an_attribute_of_another_type_than_it_says)
{
    gh_buf a = {0};
    start();
    gh_wire_put_string(&a, ATTR_NAME, "perm");
    for (int i = 0; i < 4; i++)
        gh_wire_put_float(&a, ATTR_FLOATS, 1);
    gh_wire_put_varint(&a, ATTR_TYPE, GH_ATTR_INTS);
    node_with_attr("Transpose", &a);
    expect(GH_FORMAT, "attribute \"perm\"");
    a.len = 0;
    start();
    gh_wire_put_string(&a, ATTR_NAME, "value");
    gh_wire_put_varint(&a, ATTR_TYPE, GH_ATTR_TENSOR);
    node_with_attr("Relu", &a);
    expect(GH_FORMAT, "attribute \"value\"");
    gh_buf_free(&a);
}
END_TEST

/* A text's length was taken for the number of strings before it: strings were stored beyond their table. */
START_TEST(test_an_attribute_with_a_text_and_strings)
{
    gh_buf a = {0};
    char longest[3000];
    memset(longest, 't', sizeof longest);
    for (int type = 0; type < 9; type++) {
        start();
        a.len = 0;
        gh_wire_put_string(&a, ATTR_NAME, "odd");
        gh_wire_put_bytes(&a, ATTR_S, longest, sizeof longest);
        for (int i = 0; i < 40; i++) {
            gh_wire_put_string(&a, ATTR_STRINGS, "");
            gh_wire_put_varint(&a, ATTR_INTS, 4);
        }
        gh_wire_put_string(&a, ATTR_STRINGS, "");
        gh_wire_put_varint(&a, ATTR_TYPE, (uint64_t)type);
        node_with_attr("Relu", &a);
        expect(GH_FORMAT, "attribute \"odd\"");
    }
    gh_buf_free(&a);
}
END_TEST

/* Files of IR version 1 and 2 have no type field. */
START_TEST(test_attributes_without_a_type)
{
    gh_buf a = {0};
    start();
    gh_wire_put_string(&a, ATTR_NAME, "perm");
    for (uint64_t i = 0; i < 4; i++)
        gh_wire_put_varint(&a, ATTR_INTS, i);
    node_with_attr("Transpose", &a);
    expect(GH_OK, "");
    gh_buf_free(&a);
}
END_TEST

/* A bound without an element was read all the same. */
START_TEST(test_clip_with_an_empty_bound)
{
    static const int64_t none[] = {0}, two[] = {2};
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "low", GH_F32, 1, none, numbers, 0);
    nt_put_node(&graph, "Clip", "c", NT_LIST("x", "low"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"c\" (Clip): input 1 must hold one value");
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "high", GH_F32, 1, two, numbers, 8);
    nt_put_node(&graph, "Clip", "c", NT_LIST("x", "", "high"), NT_LIST("y"));
    expect(GH_FORMAT, "node \"c\" (Clip): input 2 must hold one value");
    start();
    nt_put_tensor(&graph, GRAPH_INIT, "high", GH_F32, 0, scalar, numbers, 4);
    nt_put_node(&graph, "Clip", "c", NT_LIST("x", "", "high"), NT_LIST("y"));
    expect(GH_OK, "");
}
END_TEST

/* A convolution whose bias is computed took part in a fused addition that it could not run. */
START_TEST(test_an_addition_to_a_convolution_with_a_computed_bias)
{
    static const int64_t weights[] = {3, 3, 1, 1}, three[] = {3};
    start();
    nt_put_info(&graph, GRAPH_INPUT, "b", GH_F32, 1, three);
    nt_put_tensor(&graph, GRAPH_INIT, "w", GH_F32, 4, weights, numbers, 36);
    nt_put_node(&graph, "Conv", "c", NT_LIST("x", "w", "b"), NT_LIST("a"));
    nt_put_node(&graph, "Add", "add", NT_LIST("a", "x"), NT_LIST("y"));
    expect(GH_OK, "");
}
END_TEST

static void add_models(TCase *t)
{
    tcase_add_test(t, test_the_frame_of_these_tests_is_sound);
    tcase_add_test(t, test_not_a_model);
    tcase_add_test(t, test_a_cycle_is_named);
    tcase_add_test(t, test_a_missing_initializer_is_named);
    tcase_add_test(t, test_double_definitions_are_named);
    tcase_add_test(t, test_an_input_declared_twice_is_refused);
    tcase_add_test(t, test_an_output_does_not_redeclare_an_input);
    tcase_add_test(t, test_wrong_shapes_are_told);
    tcase_add_test(t, test_absurd_dimensions_are_refused);
    tcase_add_test(t, test_missing_operators_are_named_together);
    tcase_add_test(t, test_an_opset_from_the_future_is_named);
    tcase_add_test(t, test_wrong_numbers_of_operands);
    tcase_add_test(t, test_left_out_inputs_do_not_crash_the_passes);
    tcase_add_test(t, test_forms_that_are_not_read);
    tcase_add_test(t, test_names_may_hold_zero_bytes);
    tcase_add_test(t, test_an_attribute_of_another_type_than_it_says);
    tcase_add_test(t, test_an_attribute_with_a_text_and_strings);
    tcase_add_test(t, test_attributes_without_a_type);
    tcase_add_test(t, test_clip_with_an_empty_bound);
    tcase_add_test(t, test_an_addition_to_a_convolution_with_a_computed_bias);
}

Suite *gh_suite_onnx_bad(void)
{
    Suite *s = suite_create("onnx_bad");
    TCase *t = tcase_create("models");
    add_models(t);
    suite_add_tcase(s, t);
    return s;
}
