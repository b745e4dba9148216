/* TensorFlow.js graphs on the engine: what is computed, by hand; what is left of a graph; what is refused, by
 * name. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"
#include "unit/tfjs_file.h"

#include <string.h>

static gh_buf json;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_buf_free(&json);
}

static gh_graph *import_cut(const char *nodes, const char *weights, const void *shard, size_t size,
                            const gh_tfjs_cut *cut)
{
    gh_graph *g = NULL;
    tj_model(&json, nodes, weights, false);
    NT_OK(tj_read(&g, &json, shard, size, cut, &e), e);
    return g;
}

static gh_graph *import(const char *nodes, const char *weights, const void *shard, size_t size)
{
    return import_cut(nodes, weights, shard, size, NULL);
}

static size_t count_nodes(const gh_graph *g, const char *type)
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->nnodes; i++)
        n += strcmp(g->nodes[i].type, type) == 0;
    return n;
}

/* Runs a graph of one input, which it takes over, on `x`; `want` is what its outputs have to be in turn. */
static void computes(gh_graph *g, const float *x, size_t nx, const float *want, size_t nwant)
{
    nt_run r = {0};
    size_t outputs = g->noutputs, at = 0;
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    memcpy(gh_session_input(r.session, 0)->data, x, nx * sizeof *x);
    NT_OK(gh_session_run(r.session, &e), e);
    for (size_t o = 0; o < outputs; o++) {
        size_t count = 0;
        float *y = nt_copy_output(&r, o, &count);
        for (size_t i = 0; i < count; i++, at++)
            ck_assert_msg(at < nwant && y[i] > want[at] - 1e-5f && y[i] < want[at] + 1e-5f,
                          "%zu: %g instead of %g", at, (double)y[i], at < nwant ? (double)want[at] : 0);
        gh_free(y);
    }
    ck_assert_uint_eq(at, nwant);
    nt_close(&r);
}

static void refused(const char *nodes, const char *weights, const void *shard, size_t size,
                    const gh_tfjs_cut *cut, gh_status status, const char *part)
{
    gh_graph *g = NULL;
    e = (gh_err){0};
    tj_model(&json, nodes, weights, false);
    nt_refused(tj_read(&g, &json, shard, size, cut, &e), status, &e, part);
    ck_assert_ptr_null(g);
}

/* A picture of 2x2 pixels in one colour through a 1x1 convolution to two. */
#define CONV                                                                                                 \
    "x Placeholder dtype=DT_FLOAT shape=1x2x2x1\n"                                                           \
    "c Conv2D x k strides=1,1,1,1 padding=SAME\n"                                                            \
    "y BiasAdd c b\n"
#define CONV_WEIGHTS                                                                                         \
    "k float32 1x1x1x2\n"                                                                                    \
    "b float32 2\n"
static const float conv[4] = {2, -3, 0.5f, 1}, pixels[4] = {1, 2, 3, 4};

/* A picture's numbers leave in the order of TensorFlow, channels last; shapes are known and leave nothing. */
START_TEST(test_flattening_by_the_shape)
{
    static const struct {
        float conv[4];
        int32_t ints[4];
    } shard = {{2, -3, 0.5f, 1}, {0, 1, 1, -1}};
    for (int early = 0; early < 2; early++) {
        gh_graph *g = NULL;
        tj_model(&json,
                 CONV "s Shape y:0\n"
                      "n StridedSlice s zero one two shrink_axis_mask=1\n"
                      "p Pack n rest N=2\n"
                      "z Reshape y p ^s\n",
                 CONV_WEIGHTS "zero int32 1\none int32 1\ntwo int32 1\nrest int32 -\n", early);
        NT_OK(tj_read(&g, &json, &shard, sizeof shard, NULL, &e), e);
        ck_assert_uint_eq(g->nnodes, 3); /* the convolution with its bias, one transpose, the reshape */
        ck_assert_uint_eq(count_nodes(g, "Transpose"), 1);
        const float want[8] = {2.5f, -2, 4.5f, -5, 6.5f, -8, 8.5f, -11};
        computes(g, pixels, 4, want, 8);
    }
}
END_TEST

/* Bias, activation and normalisation become parts of the convolution, whatever their names were. */
START_TEST(test_fused_operators)
{
    static const float shard[6] = {2, -3, 0.5f, 1, 0.25f, 0.1f};
    const float relu6[8] = {2.5f, 4.5f, 6, 6, 0, 0, 0, 0};
    computes(import("x Placeholder dtype=DT_FLOAT shape=1x2x2x1\n"
                    "y _FusedConv2D x k b strides=1,1,1,1 padding=VALID fused_ops=BiasAdd+Relu6 num_args=1\n",
                    CONV_WEIGHTS, conv, sizeof conv),
             pixels, 4, relu6, 8);
    const float leaky[8] = {2.5f, 4.5f, 6.5f, 8.5f, -0.5f, -1.25f, -2, -2.75f};
    computes(import("x Placeholder dtype=DT_FLOAT shape=1x2x2x1\n"
                    "y _FusedConv2D x k b strides=1,1,1,1 padding=VALID fused_ops=BiasAdd+LeakyRelu "
                    "leakyrelu_alpha=0.25\n",
                    CONV_WEIGHTS, conv, sizeof conv),
             pixels, 4, leaky, 8);
    const float prelu[8] = {2.5f, 4.5f, 6.5f, 8.5f, -0.2f, -0.5f, -0.8f, -1.1f};
    computes(import("x Placeholder dtype=DT_FLOAT shape=1x2x2x1\n"
                    "y _FusedConv2D x k b a strides=1,1,1,1 padding=VALID fused_ops=BiasAdd+Prelu\n",
                    CONV_WEIGHTS "a float32 2\n", shard, sizeof shard),
             pixels, 4, prelu, 8);
}
END_TEST

/* (x - mean) / sqrt(variance + epsilon) * gamma + beta: with 3.999 and the default of .001 the root is 2. */
START_TEST(test_batch_normalisation_vanishes)
{
    static const float shard[10] = {2,
                                    -3,
                                    /* gamma */ 1,
                                    2,
                                    /* beta */ 0,
                                    1,
                                    /* mean */ 2,
                                    -3,
                                    /* variance */ 3.999f,
                                    3.999f};
    gh_graph *g = import("x Placeholder dtype=DT_FLOAT shape=1x2x2x1\n"
                         "c Conv2D x k strides=1,1,1,1 padding=SAME\n"
                         "y FusedBatchNormV3 c gamma beta mean variance\n",
                         "k float32 1x1x1x2\ngamma float32 2\nbeta float32 2\nmean float32 2\n"
                         "variance float32 2\n",
                         shard, sizeof shard);
    ck_assert_uint_eq(g->nnodes, 1);
    const float want[8] = {0, 1, 2, 3, 1, -2, -5, -8};
    computes(g, pixels, 4, want, 8);
}
END_TEST

/* A network that sees NCHW itself: TensorFlow's order is the graph's, and nothing is turned. */
START_TEST(test_nchw_is_not_turned)
{
    static const float depth[6] = {1, 10, /* bias */ 0, 1, /* */ 0, 0};
    gh_graph *g = import("x Placeholder dtype=DT_FLOAT shape=1x3x2x2\n"
                         "c Conv2D x k strides=1,1,2,2 padding=VALID data_format=NCHW\n"
                         "d BiasAdd c b data_format=NCHW\n"
                         "y MaxPool d ksize=1,1,1,1 strides=1,1,1,1 padding=VALID data_format=NCHW\n",
                         "k float32 1x1x3x1\nb float32 1\n", depth, 16);
    ck_assert_uint_eq(count_nodes(g, "Transpose"), 0);
    const float x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, want[1] = {1 + 50 + 0 + 1};
    computes(g, x, 12, want, 1);
}
END_TEST

/* SAME at stride 2 pads behind first; depthwise filters have a multiplier; the average leaves padding out. */
START_TEST(test_windows)
{
    static const float taps[8] = {1, 0, 2, 0, 4, 0, 8, 1};
    const float x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float depthwise[8] = {61, 27, 23, 9, 5, 0, 0, 0};
    computes(import("x Placeholder dtype=DT_FLOAT shape=1x3x3x1\n"
                    "y DepthwiseConv2dNative x k strides=1,2,2,1 padding=SAME\n",
                    "k float32 2x2x1x2\n", taps, sizeof taps),
             x, 9, depthwise, 8);
    const float average[4] = {3, 4.5f, 7.5f, 9};
    computes(import("x Placeholder dtype=DT_FLOAT shape=1x3x3x1\n"
                    "y AvgPool x ksize=1,2,2,1 strides=1,2,2,1 padding=SAME\n",
                    "", NULL, 0),
             x, 9, average, 4);
    const float corner[1] = {1 * 8 + 0};
    computes(import("x Placeholder dtype=DT_FLOAT shape=1x3x3x1\n"
                    "y Conv2D x k strides=1,4,4,1 padding=EXPLICIT explicit_paddings=0,0,1,0,1,0,0,0\n",
                    "k float32 2x2x1x1\n", (const float[]){1, 2, 4, 8}, 16),
             x, 9, corner, 1);
}
END_TEST

#define MADE_WEIGHTS                                                                                         \
    "shape int32 2\nfrom int32 -\nto int32 -\nby int32 -\nplace int32 1\nsize int32 1\nseven int32 1\n"      \
    "five int32 -\nhalf float32 -\n"
static const struct {
    int32_t shape[2], from, to, by, place, size, seven, five;
    float half;
} made = {{1, 2}, 2, -4, -3, 1, 2, 7, 5, 2.5f};

/* What makes known numbers is computed while importing: nothing of it is left. */
START_TEST(test_made_numbers)
{
    gh_graph *g = import("x Placeholder dtype=DT_FLOAT shape=1x2\n"
                         "f Fill shape half\n"  /* 2.5, 2.5 */
                         "r Range from to by\n" /* 2, -1 */
                         "c Cast r DstT=DT_FLOAT\n"
                         "s SparseToDense place size seven five\n" /* 5, 7 */
                         "d Cast s DstT=DT_FLOAT\n"
                         "z ZerosLike x\n"
                         "m Mul f c\n"
                         "n Add m d\n"
                         "o Add n z\n"
                         "y Add x o\n",
                         MADE_WEIGHTS, &made, sizeof made);
    ck_assert_uint_eq(g->nnodes, 1);
    computes(g, (const float[]){1, 2}, 2, (const float[]){11, 6.5f}, 2);
}
END_TEST

static const struct {
    const char *nodes;
    gh_status status;
    const char *part;
} bad_made[] = {
    {"y Range from to place_0\nplace_0 Sub by by\n", GH_LIMIT, "makes more than"},
    {"p Mul to to\nq Mul p p\nr Mul q q\ns Mul r r\nt Pack s s N=2\ny Fill t half\n", GH_LIMIT,
     "makes more than"},
    {"y Fill shape x\n", GH_UNSUPPORTED, "input 1 is not one number"},
    {"n Pack by by N=2\ny Fill n half\n", GH_UNSUPPORTED, "shape is not known"},
    {"y SparseToDense seven size seven five\n", GH_UNSUPPORTED, "at most 8 dimensions"},
    {"y SparseToDense place shape seven five\n", GH_UNSUPPORTED, "at most 8 dimensions"},
};

START_TEST(test_made_numbers_are_bounded)
{
    gh_buf nodes = {0};
    gh_buf_printf(&nodes, "x Placeholder dtype=DT_FLOAT shape=1x2\n%s%c", bad_made[_i].nodes, 0);
    refused((const char *)nodes.data, MADE_WEIGHTS, &made, sizeof made, NULL, bad_made[_i].status,
            bad_made[_i].part);
    gh_buf_free(&nodes);
}
END_TEST

/* ---- what is wanted of a graph ---- */

#define CHAIN                                                                                                \
    "x Placeholder dtype=DT_FLOAT\n"                                                                         \
    "strange Mystery x\n"                                                                                    \
    "in Enter strange\n"                                                                                     \
    "a Mul in two\n"                                                                                         \
    "s Split axis a num_split=2\n"                                                                           \
    "b Add s:1 one\n"                                                                                        \
    "end Puzzle b\n"
#define CHAIN_WEIGHTS "two float32 -\naxis int32 -\none float32 -\n"
static const struct {
    float two;
    int32_t axis;
    float one;
} chain = {2, 1, 1};

/* Between the named tensors nothing else is looked at. */
START_TEST(test_cut_at_both_ends)
{
    const float x[4] = {1, 2, 3, 4}, want[6] = {7, 9, 2, 4, 6, 8};
    const gh_tfjs_cut cut = {"in=1x4", "b,a"}, second = {"in=1x4", "s:1"};
    gh_graph *g = import_cut(CHAIN, CHAIN_WEIGHTS, &chain, sizeof chain, &cut);
    ck_assert_uint_eq(g->ninputs, 1);
    ck_assert_str_eq(g->values[g->inputs[0]].name, "in");
    ck_assert_str_eq(g->values[g->outputs[0]].name, "b");
    ck_assert_str_eq(g->values[g->outputs[1]].name, "a");
    computes(g, x, 4, want, 6);
    g = import_cut(CHAIN, CHAIN_WEIGHTS, &chain, sizeof chain, &second);
    ck_assert_str_eq(g->values[g->outputs[0]].name, "s:1");
    computes(g, x, 4, (const float[]){6, 8}, 2);
}
END_TEST

static const struct {
    const char *inputs, *outputs;
    gh_status status;
    const char *part;
} bad_cuts[] = {
    {NULL, "nowhere", GH_NOTFOUND, "no tensor \"nowhere\"; among its last ones are end, b, s, a"},
    {"nowhere=1x4", "a", GH_NOTFOUND, "no tensor \"nowhere\""},
    {NULL, "", GH_FORMAT, "no output"},
    {NULL, "a,", GH_UNSUPPORTED, "Mystery"}, /* a comma at the end is nothing */
    {NULL, "a,,b", GH_NOTFOUND, "no tensor \"\""},
    {"in=1x4", "a,a", GH_ARG, "asked for twice"},
    {"in=1x4,in=1x4", "a", GH_ARG, "named twice"},
    {"in", "a", GH_ARG, "\"in\" needs a shape"},
    {"x", "a", GH_ARG, "\"x\" needs a shape"},
    {"in=", "a", GH_ARG, "needs a shape"},
    {"in=1x", "a", GH_ARG, "needs a shape"},
    {"in=0x4", "a", GH_ARG, "needs a shape"},
    {"in=4x?", "a", GH_ARG, "needs a shape"},
    {"in=1x2x3x4x5x6x7x8x9", "a", GH_ARG, "needs a shape"},
    {"in=99999999999999999999", "a", GH_ARG, "needs a shape"},
    {"in=1x4", "s:2", GH_UNSUPPORTED, "output 2 of \"s\""},
    {"in=1x4", "a:0:x", GH_NOTFOUND, "no tensor"},
    {"in=1x5", "b", GH_FORMAT, "5 elements cannot be split in 2"},
};

START_TEST(test_cuts_that_do_not_fit)
{
    const gh_tfjs_cut cut = {bad_cuts[_i].inputs, bad_cuts[_i].outputs};
    refused(CHAIN, CHAIN_WEIGHTS, &chain, sizeof chain, &cut, bad_cuts[_i].status, bad_cuts[_i].part);
}
END_TEST

/* The model's own word on its outputs comes before what no node reads. */
START_TEST(test_signature)
{
    const float x[1] = {3};
    gh_graph *g = NULL;
    tj_json(&json,
            "{'name':'x','op':'Placeholder','attr':{'dtype':{'type':1},"
            "'shape':{'shape':{'dim':[{'size':'1'}]}}}},"
            "{'name':'y','op':'Square','input':['x']},{'name':'z','op':'Mystery','input':['y']}",
            "");
    json.len--;
    tj_text(&json, ",'signature':{'outputs':{'squares':{'name':'y:0'}}}}");
    NT_OK(tj_read(&g, &json, NULL, 0, NULL, &e), e);
    computes(g, x, 1, (const float[]){9}, 1);
}
END_TEST

START_TEST(test_every_unknown_operator_is_named)
{
    refused(CHAIN, CHAIN_WEIGHTS, &chain, sizeof chain, NULL, GH_UNSUPPORTED,
            "3 nodes that gharial does not import: Enter (in), Mystery (strange), Puzzle (end)");
    refused("x Placeholder dtype=DT_FLOAT shape=1x4\n"
            "a Odd x\nb Odd a\nc Even b\n",
            "", NULL, 0, NULL, GH_UNSUPPORTED, "3 nodes that gharial does not import: Even (c), Odd (a, b)");
    refused("x Placeholder dtype=DT_FLOAT shape=1x4\n"
            "y _FusedConv2D x x strides=1,1,1,1 padding=SAME fused_ops=BiasAdd+Mystery\n",
            "", NULL, 0, NULL, GH_FORMAT, "operator \"y\": its input is float32 1x4");
}
END_TEST

/* Where the names do not fit into the sentence, their number does. */
START_TEST(test_hundred_unknown_operators)
{
    gh_buf nodes = {0};
    gh_buf_str(&nodes, "n0 Placeholder dtype=DT_FLOAT shape=1x4\n");
    for (int i = 1; i <= 100; i++)
        gh_buf_printf(&nodes, "n%d %s n%d\n", i, i % 2 ? "Odd" : "Even", i - 1);
    gh_buf_add(&nodes, "", 1);
    refused((const char *)nodes.data, "", NULL, 0, NULL, GH_UNSUPPORTED,
            "100 nodes that gharial does not import: Even (50), Odd (50)");
    gh_buf_free(&nodes);
}
END_TEST

/* ---- graphs that lie ---- */

static const struct {
    const char *nodes;
    gh_status status;
    const char *part;
} bad_graphs[] = {
    {"x Placeholder dtype=DT_FLOAT\ny Relu x\n", GH_UNSUPPORTED, "--inputs NAME=1x224x224x3"},
    {"x Placeholder dtype=DT_STRING shape=1\ny Relu x\n", GH_UNSUPPORTED, "neither of float32 nor of whole"},
    {"x Placeholder dtype=DT_FLOAT shape=1x?x4x3\ny Relu x\n", GH_UNSUPPORTED, "dimension 1"},
    {"x Placeholder dtype=DT_FLOAT shape=1x9223372036854775807x1x1\ny Relu x\n", GH_LIMIT, "more elements"},
    {"x Placeholder dtype=DT_FLOAT shape=?x65536x65536x1\ny Relu x\n", GH_LIMIT, "more elements"},
    {"x Placeholder dtype=DT_FLOAT shape=1x4\ny Relu x x\n", GH_FORMAT, "Relu has 2 inputs; it takes 1 to 1"},
    {"a Relu b\nb Relu a\nc Relu a\n", GH_FORMAT, "needs its own result"},
    {"a Relu a\nc Relu a\n", GH_FORMAT, "needs its own result"},
    {"x Placeholder dtype=DT_FLOAT shape=1x4\ny Relu x:1\n", GH_UNSUPPORTED, "output 1 of \"x\""},
    {"c Const\ny Relu c\n", GH_FORMAT, "no weight of this name"},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x3\ny Reshape x to\n", GH_FORMAT, "cannot take the shape"},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x1\ny Conv2D x k padding=SAME\n", GH_UNSUPPORTED,
     "its strides"},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x1\ny Conv2D x k strides=2,1,1,1 padding=SAME\n",
     GH_UNSUPPORTED, "its strides"},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x1\ny Conv2D x k strides=1,0,0,1 padding=SAME\n", GH_OK, ""},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x1\ny Conv2D x k strides=1,-1,1,1 padding=SAME\n", GH_FORMAT,
     "strides"},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x1\ny Conv2D x k strides=1,1,1,1 padding=MOST\n",
     GH_UNSUPPORTED, "padding is \"MOST\""},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x3\ny Conv2D x k strides=1,1,1,1 padding=SAME\n", GH_FORMAT,
     "do not fit weights"},
    {"x Placeholder dtype=DT_FLOAT shape=1x4\ny Cast x DstT=DT_BOOL\n", GH_UNSUPPORTED, "casts to neither"},
    {"x Placeholder dtype=DT_FLOAT shape=1x4\ny MatMul x x transpose_a=true\n", GH_UNSUPPORTED, "transposed"},
    {"x Placeholder dtype=DT_FLOAT shape=1x2x2x1\ny MirrorPad x to mode=ROUND\n", GH_FORMAT,
     "mode \"ROUND\""},
};

START_TEST(test_graphs_that_lie)
{
    static const struct {
        int32_t to[2];
        float k[2];
    } shard = {{1, 5}, {1, 2}};
    const char *weights = "to int32 2\nk float32 1x1x1x2\n";
    if (bad_graphs[_i].status != GH_OK)
        refused(bad_graphs[_i].nodes, weights, &shard, sizeof shard, NULL, bad_graphs[_i].status,
                bad_graphs[_i].part);
    else {
        gh_graph *g = import(bad_graphs[_i].nodes, weights, &shard, sizeof shard);
        gh_graph_free(&g);
    }
}
END_TEST

/* Wherever a model is cut off it is refused: in its text and in its weights. */
START_TEST(test_cut_off_anywhere)
{
    gh_graph *g = NULL;
    tj_model(&json, CONV, CONV_WEIGHTS, false);
    size_t whole = json.len;
    for (json.len = 0; json.len < whole; json.len++) {
        ck_assert_int_ne(tj_read(&g, &json, conv, sizeof conv, NULL, &e), GH_OK);
        ck_assert(!g && strlen(e.text) > 10);
    }
    for (size_t size = 0; size < sizeof conv; size++)
        nt_refused(tj_read(&g, &json, conv, size, NULL, &e), GH_FORMAT, &e, "the weights take 16");
    NT_OK(tj_read(&g, &json, conv, sizeof conv, NULL, &e), e);
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_failing_memory)
{
    gh_graph *g = NULL;
    gh_status status = GH_NOMEM;
    tj_model(&json, CONV, CONV_WEIGHTS, false);
    for (int64_t n = 0; status != GH_OK; n++) {
        ck_assert_int_lt(n, 2000);
        char *text = gh_alloc(json.len);
        memcpy(text, json.data, json.len);
        const gh_tfjs_blob blob = {"w", (const uint8_t *)conv, sizeof conv};
        gh_mem_fail_after(n);
        status = gh_tfjs_read_bytes(&g, text, json.len, &blob, 1, NULL, &e);
        gh_mem_fail_after(-1);
        ck_assert((status == GH_OK) == (g != NULL));
        ck_assert(status == GH_OK || status == GH_NOMEM);
        gh_free(text);
    }
    gh_graph_free(&g);
}
END_TEST

Suite *gh_suite_tfjs_import(void)
{
    Suite *s = suite_create("tfjs_import");
    TCase *t = tcase_create("tfjs_import");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_flattening_by_the_shape);
    tcase_add_test(t, test_fused_operators);
    tcase_add_test(t, test_batch_normalisation_vanishes);
    tcase_add_test(t, test_nchw_is_not_turned);
    tcase_add_test(t, test_windows);
    tcase_add_test(t, test_made_numbers);
    tcase_add_loop_test(t, test_made_numbers_are_bounded, 0, (int)GH_COUNT(bad_made));
    tcase_add_test(t, test_cut_at_both_ends);
    tcase_add_loop_test(t, test_cuts_that_do_not_fit, 0, (int)GH_COUNT(bad_cuts));
    tcase_add_test(t, test_signature);
    tcase_add_test(t, test_every_unknown_operator_is_named);
    tcase_add_test(t, test_hundred_unknown_operators);
    tcase_add_loop_test(t, test_graphs_that_lie, 0, (int)GH_COUNT(bad_graphs));
    tcase_add_test(t, test_cut_off_anywhere);
    tcase_add_test(t, test_failing_memory);
    suite_add_tcase(s, t);
    return s;
}
