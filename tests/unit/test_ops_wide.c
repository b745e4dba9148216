/* Operators of shapes, indices, choices and reductions beyond what the ONNX project's vectors ask: what they
 * refuse, indices out of range while running, the ends of integers, NaN, and memory that is shared. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/op.h"
#include "unit/op_case.h"

#include <math.h>
#include <string.h>

static void refused(uint32_t y, gh_status want, const char *part)
{
    gh_err e;
    nt_run r;
    gh_graph_output(op_graph, y);
    nt_refused(nt_open(&r, &op_graph, GH_PASS_ALL, NULL, NULL, &e), want, &e, part);
    ck_assert_ptr_null(op_graph);
}

static uint32_t number(gh_dtype type, const void *value)
{
    return gh_graph_const(op_graph, "", type, gh_shape_of(0, NULL), value, true);
}

static uint32_t x_of(gh_dtype type, int rank, const int64_t *dims)
{
    return op_input("x", type, rank, dims);
}

/* ---- refusals ---- */

START_TEST(test_shapes_that_are_made_are_checked)
{
    int64_t zero = 0, one = 1, large = INT64_MAX, least = INT64_MIN;
    float nan = NAN;
    op_start(17);
    refused(op_new("ConstantOfShape", x_of(GH_I64, 1, NT_DIMS(2)), GH_NONE, GH_NONE), GH_UNSUPPORTED,
            "input 0, which decides a shape, depends on the data");
    op_start(17);
    x_of(GH_F32, 1, NT_DIMS(1));
    refused(op_new("ConstantOfShape", op_ints(2, NT_DIMS(3, -1)), GH_NONE, GH_NONE), GH_FORMAT,
            "the shape holds -1");
    op_start(17);
    x_of(GH_F32, 1, NT_DIMS(1));
    refused(op_new("ConstantOfShape", op_ints(3, NT_DIMS(INT64_MAX, INT64_MAX, 9)), GH_NONE, GH_NONE),
            GH_LIMIT, "more than gharial accepts");
    op_start(17);
    x_of(GH_F32, 1, NT_DIMS(1));
    refused(op_new("Range", number(GH_I64, &zero), number(GH_I64, &one), number(GH_I64, &zero)), GH_FORMAT,
            "its delta is 0");
    op_start(17);
    x_of(GH_F32, 1, NT_DIMS(1));
    refused(op_new("Range", number(GH_I64, &least), number(GH_I64, &large), number(GH_I64, &one)), GH_LIMIT,
            "more elements than gharial accepts");
    op_start(17);
    x_of(GH_F32, 1, NT_DIMS(1));
    refused(op_new("Range", number(GH_F32, &nan), number(GH_F32, &nan), number(GH_F32, &nan)), GH_LIMIT,
            "more elements than gharial accepts");
    op_start(17);
    refused(op_new("Range", x_of(GH_I64, 0, NULL), number(GH_I64, &one), number(GH_I64, &one)),
            GH_UNSUPPORTED, "input 0, which decides a shape, depends on the data");
    op_start(17);
    refused(op_new("Expand", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_ints(2, NT_DIMS(2, 4)), GH_NONE), GH_FORMAT,
            "2x3 and 2x4 do not broadcast");
    op_start(17);
    refused(op_new("Expand", x_of(GH_F32, 1, NT_DIMS(1)), op_ints(1, NT_DIMS(-3)), GH_NONE), GH_FORMAT,
            "the shape holds -3");
    op_start(17);
    refused(op_new("Tile", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_ints(1, NT_DIMS(2)), GH_NONE), GH_FORMAT,
            "1 repeats for 2 dimensions");
    op_start(17);
    refused(op_new("Tile", x_of(GH_F32, 1, NT_DIMS(3)), op_ints(1, NT_DIMS(INT64_MAX)), GH_NONE), GH_FORMAT,
            "is repeated 9223372036854775807 times");
    op_start(17);
    refused(
        op_new("Tile", x_of(GH_F32, 2, NT_DIMS(3, 3)), op_ints(2, NT_DIMS(INT32_MAX, INT32_MAX)), GH_NONE),
        GH_LIMIT, "more than gharial accepts");
    op_start(17);
    refused(op_new("Trilu", x_of(GH_F32, 1, NT_DIMS(3)), GH_NONE, GH_NONE), GH_FORMAT,
            "a triangle of 1 dimensions");
}
END_TEST

START_TEST(test_indices_are_checked)
{
    uint32_t y;
    op_start(18);
    refused(op_new("GatherElements", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_input("i", GH_F32, 2, NT_DIMS(2, 3)),
                   GH_NONE),
            GH_FORMAT, "indices must be int64 or int32, not float32");
    op_start(18);
    refused(op_new("GatherElements", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_input("i", GH_I64, 2, NT_DIMS(9, 4)),
                   GH_NONE),
            GH_FORMAT, "4 indices in dimension 1 of 3");
    op_start(18);
    y = op_new("GatherND", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_input("i", GH_I64, 2, NT_DIMS(2, 3)), GH_NONE);
    refused(y, GH_FORMAT, "3 indices into data of 2 dimensions");
    op_start(18);
    y = op_new("GatherND", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_input("i", GH_I64, 2, NT_DIMS(2, 1)), GH_NONE);
    gh_graph_set_int(op_graph, y, "batch_dims", 2);
    refused(y, GH_FORMAT, "batch_dims is 2 for data of 2 and indices of 2 dimensions");
    op_start(18);
    y = op_new("GatherND", x_of(GH_F32, 2, NT_DIMS(2, 3)), op_input("i", GH_I64, 2, NT_DIMS(4, 1)), GH_NONE);
    gh_graph_set_int(op_graph, y, "batch_dims", 1);
    refused(y, GH_FORMAT, "data and indices differ in dimension 0");
    op_start(18);
    refused(op_new("ScatterElements", x_of(GH_F32, 1, NT_DIMS(3)), op_input("i", GH_I64, 1, NT_DIMS(2)),
                   op_input("u", GH_F32, 1, NT_DIMS(3))),
            GH_FORMAT, "indices and updates differ in shape");
    op_start(18);
    y = op_new("ScatterND", x_of(GH_F32, 2, NT_DIMS(3, 4)), op_input("i", GH_I64, 2, NT_DIMS(2, 1)),
               op_input("u", GH_F32, 2, NT_DIMS(2, 3)));
    refused(y, GH_FORMAT, "updates are 2x3, not 2x4");
    op_start(18);
    y = op_new("ScatterND", x_of(GH_F32, 2, NT_DIMS(3, 4)), op_input("i", GH_I64, 2, NT_DIMS(2, 1)),
               op_input("u", GH_F32, 2, NT_DIMS(2, 4)));
    gh_graph_set_string(op_graph, y, "reduction", "average");
    refused(y, GH_UNSUPPORTED, "reduction is \"average\"");
    op_start(18);
    refused(op_new("OneHot", x_of(GH_I64, 1, NT_DIMS(3)), op_input("d", GH_I64, 0, NULL),
                   op_input("v", GH_F32, 1, NT_DIMS(2))),
            GH_UNSUPPORTED, "input 1, which decides a shape, depends on the data");
    op_start(18);
    refused(op_new("OneHot", x_of(GH_I64, 1, NT_DIMS(3)), op_ints(1, NT_DIMS(-4)),
                   op_input("v", GH_F32, 1, NT_DIMS(2))),
            GH_FORMAT, "a depth of -4");
}
END_TEST

START_TEST(test_reductions_are_checked)
{
    uint32_t y;
    op_start(18);
    refused(op_new("ReduceSum", x_of(GH_BOOL, 1, NT_DIMS(3)), GH_NONE, GH_NONE), GH_UNSUPPORTED,
            "bool is not computed");
    op_start(18);
    refused(op_new("ReduceL1", x_of(GH_F32, 2, NT_DIMS(3, 3)), op_ints(1, NT_DIMS(2)), GH_NONE), GH_FORMAT,
            "axis 2 is outside of 2 dimensions");
    op_start(18);
    refused(op_new("ArgMax", x_of(GH_F32, 2, NT_DIMS(0, 3)), GH_NONE, GH_NONE), GH_FORMAT,
            "dimension 0 is 0: no element is the best of it");
    op_start(18);
    refused(op_new("TopK", x_of(GH_F32, 1, NT_DIMS(3)), op_ints(1, NT_DIMS(2)), GH_NONE), GH_UNSUPPORTED,
            "gharial gives values and indices, two outputs");
    for (int i = 0; i < 2; i++) {
        op_start(18);
        uint32_t in[2] = {x_of(GH_F32, 1, NT_DIMS(3)), op_ints(1, i ? NT_DIMS(4) : NT_DIMS(-1))}, out[2];
        for (int k = 0; k < 2; k++)
            out[k] = gh_graph_value(op_graph, "", GH_UNKNOWN, (gh_shape){.rank = -1});
        gh_graph_node(op_graph, "TopK", "n", in, 2, out, 2);
        refused(out[0], GH_FORMAT, i ? "the best 4 of 3 elements" : "the best -1 of 3 elements");
    }
    op_start(18);
    y = op_new("CumSum", x_of(GH_F32, 1, NT_DIMS(3)), op_ints(2, NT_DIMS(0, 0)), GH_NONE);
    refused(y, GH_FORMAT, "one axis");
}
END_TEST

/* What decides a shape must be known; where it is, folding resolves it. */
START_TEST(test_selections_by_known_elements)
{
    static const float from[] = {0, NAN, -0.0f, 2, 0, 0};
    static const uint8_t chosen[] = {0, 7, 1};
    op_start(13);
    refused(op_new("NonZero", x_of(GH_F32, 1, NT_DIMS(3)), GH_NONE, GH_NONE), GH_UNSUPPORTED,
            "node \"n\" (NonZero): input 0, which decides a shape, depends on the data");
    op_start(13);
    uint32_t x = x_of(GH_F32, 1, NT_DIMS(3));
    refused(op_new("Compress", x, op_input("c", GH_BOOL, 1, NT_DIMS(3)), GH_NONE), GH_UNSUPPORTED,
            "input 1, which decides a shape, depends on the data");
    for (unsigned passes = 0; passes <= GH_PASS_ALL; passes += GH_PASS_ALL) {
        op_start(13);
        x = x_of(GH_I64, 2, NT_DIMS(2, 3));
        uint32_t places = gh_graph_const(op_graph, "", GH_F32, gh_shape_of(2, NT_DIMS(2, 3)), from, true);
        places = op_new("NonZero", places, GH_NONE, GH_NONE);
        gh_graph_output(op_graph, places);
        uint32_t y = gh_graph_const(op_graph, "", GH_BOOL, gh_shape_of(1, NT_DIMS(3)), chosen, true);
        uint32_t in[2] = {x, y};
        y = gh_graph_op(op_graph, "Compress", "c", in, 2);
        gh_graph_set_int(op_graph, y, "axis", -1);
        nt_run r = op_opened(y, passes);
        gh_err e;
        memcpy(gh_session_input(r.session, 0)->data, NT_DIMS(1, 2, 3, 4, 5, 6), 48);
        NT_OK(gh_session_run(r.session, &e), e);
        ck_assert_mem_eq(gh_session_output(r.session, 0)->data, NT_DIMS(0, 1, 1, 0), 32);
        ck_assert_mem_eq(gh_session_output(r.session, 1)->data, NT_DIMS(2, 3, 5, 6), 32);
        nt_close(&r);
    }
}
END_TEST

START_TEST(test_equations_are_checked)
{
    static const struct {
        const char *equation;
        gh_status status;
        const char *part;
    } cases[] = {
        {"", GH_FORMAT, "does not fit 2 dimensions"},
        {"ij", GH_FORMAT, "is not for 2 inputs"},
        {"ij,jk,kl->il", GH_FORMAT, "is not for 2 inputs"},
        {"ijk,jk->i", GH_FORMAT, "does not fit 2 dimensions"},
        {"ij,j1->i", GH_FORMAT, "is not understood at \"1->i\""},
        {"ij,jk-ik", GH_FORMAT, "is not understood at \"-ik\""},
        {"ij,jk->ik,", GH_FORMAT, "is not understood at \",\""},
        {"ij,jk->ii", GH_FORMAT, "its output names 'i' twice"},
        {"ij,ik->jk", GH_FORMAT, "a label has 3 elements and 4"},
        {"...j,jk->k", GH_UNSUPPORTED, "its output has no ellipsis"},
        {"......,jk->k", GH_FORMAT, "is not understood"},
        {"ij,jk->abcdefghi", GH_FORMAT, "is not understood"},
        {"abcdefghij,jk->k", GH_FORMAT, "is not understood"},
    };
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        op_start(17);
        uint32_t y = op_new("Einsum", x_of(GH_F32, 2, NT_DIMS(3, 4)), op_input("y", GH_F32, 2, NT_DIMS(4, 5)),
                            GH_NONE);
        gh_graph_set_string(op_graph, y, "equation", cases[i].equation);
        refused(y, cases[i].status, cases[i].part);
    }
    op_start(17); /* far more products than a life has seconds */
    uint32_t in[4];
    for (int i = 0; i < 4; i++)
        in[i] = op_input("x", GH_F32, 1, NT_DIMS(1000000));
    uint32_t y = gh_graph_op(op_graph, "Einsum", "n", in, 4);
    gh_graph_set_string(op_graph, y, "equation", "a,b,c,d->");
    refused(y, GH_LIMIT, "it sums 1e+24 products, more than gharial accepts");
}
END_TEST

/* ---- running ---- */

/* Runs one node on inputs that hold int64 and are called x, i, u; `want` NULL: it is refused with `part`. */
static void int_run(uint32_t y, const int64_t *x, const int64_t *i, const int64_t *u, const int64_t *want,
                    int n, const char *part)
{
    const int64_t *given[] = {x, i, u};
    gh_err e;
    nt_run r = op_opened(y, GH_PASS_ALL);
    for (size_t k = 0; k < gh_net_inputs(r.net); k++) {
        gh_tensor *t = gh_session_input(r.session, k);
        size_t count = 0;
        ck_assert(t->type == GH_I64 && gh_shape_count(&count, &t->shape));
        memcpy(t->data, given[k], count * sizeof **given);
    }
    gh_status status = gh_session_run(r.session, &e);
    if (!want)
        nt_refused(status, GH_FORMAT, &e, part);
    else
        NT_OK(status, e);
    for (int k = 0; want && k < n; k++)
        ck_assert_int_eq(((const int64_t *)gh_session_output(r.session, 0)->data)[k], want[k]);
    nt_close(&r);
}

START_TEST(test_indices_out_of_range)
{
    static const int64_t far[] = {3, -4, INT64_MIN, INT64_MAX};
    static const char *const types[] = {"Gather", "GatherElements", "GatherND", "ScatterElements",
                                        "ScatterND"};
    for (size_t t = 0; t < GH_COUNT(types); t++)
        for (size_t k = 0; k < GH_COUNT(far); k++) {
            bool nd = strstr(types[t], "ND"), scatter = types[t][0] == 'S';
            op_start(18);
            uint32_t x = x_of(GH_I64, 1, NT_DIMS(3)), i = op_input("i", GH_I64, nd ? 2 : 1, NT_DIMS(1, 1));
            uint32_t u = scatter ? op_input("u", GH_I64, 1, NT_DIMS(1)) : GH_NONE;
            int_run(op_new(types[t], x, i, u), NT_DIMS(7, 8, 9), &far[k], NT_DIMS(5), NULL, 0,
                    "is outside of 3");
        }
    op_start(14);
    uint32_t x = x_of(GH_I64, 2, NT_DIMS(1, 3));
    int_run(op_new("CumSum", x, op_input("i", GH_I64, 0, NULL), GH_NONE), NT_DIMS(1, 2, 3), NT_DIMS(2), NULL,
            NULL, 0, "index 2 is outside of 2");
}
END_TEST

START_TEST(test_indices_from_the_end)
{
    op_start(18); /* the inputs one by one: their order is that of int_run */
    uint32_t x = x_of(GH_I64, 1, NT_DIMS(3)), i = op_input("i", GH_I64, 1, NT_DIMS(4));
    int_run(op_new("GatherElements", x, i, GH_NONE), NT_DIMS(7, 8, 9), NT_DIMS(-1, 0, -3, 2), NULL,
            NT_DIMS(9, 7, 7, 9), 4, NULL);
    op_start(18);
    x = x_of(GH_I64, 1, NT_DIMS(3));
    i = op_input("i", GH_I64, 2, NT_DIMS(3, 1));
    uint32_t y = op_new("ScatterND", x, i, op_input("u", GH_I64, 1, NT_DIMS(3)));
    gh_graph_set_string(op_graph, y, "reduction", "add");
    int_run(y, NT_DIMS(7, 8, 9), NT_DIMS(-1, 2, 0), NT_DIMS(10, 20, INT64_MAX), NT_DIMS(INT64_MIN + 6, 8, 39),
            3, NULL);
    op_start(18);
    int_run(op_new("OneHot", x_of(GH_I64, 1, NT_DIMS(4)), op_ints(1, NT_DIMS(2)), op_ints(2, NT_DIMS(5, 6))),
            NT_DIMS(-1, 0, 2, INT64_MIN), NULL, NULL, NT_DIMS(5, 6, 6, 5, 5, 5, 5, 5), 8, NULL);
}
END_TEST

START_TEST(test_integers_at_their_ends)
{
    op_start(13);
    int_run(op_new("Neg", x_of(GH_I64, 1, NT_DIMS(2)), GH_NONE, GH_NONE), NT_DIMS(INT64_MIN, 5), NULL, NULL,
            NT_DIMS(INT64_MIN, -5), 2, NULL);
    op_start(13);
    int_run(op_new("Abs", x_of(GH_I64, 1, NT_DIMS(2)), GH_NONE, GH_NONE), NT_DIMS(INT64_MIN, -5), NULL, NULL,
            NT_DIMS(INT64_MIN, 5), 2, NULL);
    op_start(13);
    uint32_t x = x_of(GH_I64, 1, NT_DIMS(6));
    int_run(op_new("Pow", x, op_input("i", GH_I64, 1, NT_DIMS(6)), GH_NONE), NT_DIMS(3, -1, 2, 0, 2, -2),
            NT_DIMS(39, -3, -1, 0, 64, 63), NULL, NT_DIMS(4052555153018976267, -1, 0, 1, 0, INT64_MIN), 6,
            NULL);
    op_start(13); /* cut off after the sum of 64 bits wrapped */
    int_run(op_new("ReduceSum", x_of(GH_I64, 1, NT_DIMS(2)), GH_NONE, GH_NONE), NT_DIMS(INT64_MAX, 2), NULL,
            NULL, NT_DIMS(INT64_MIN + 1), 1, NULL);
    op_start(18);
    int_run(op_new("ReduceMax", x_of(GH_I64, 1, NT_DIMS(2)), GH_NONE, GH_NONE),
            NT_DIMS(INT64_MIN, INT64_MIN + 1), NULL, NULL, NT_DIMS(INT64_MIN + 1), 1, NULL);
    static const int64_t ks[] = {INT64_MAX, INT64_MIN, 0, 1};
    static const int64_t upper[][4] = {{0, 0, 0, 0}, {1, 2, 3, 4}, {1, 2, 0, 4}, {0, 2, 0, 0}};
    static const int64_t lower[][4] = {{1, 2, 3, 4}, {0, 0, 0, 0}, {1, 0, 3, 4}, {1, 2, 3, 4}};
    for (int i = 0; i < 8; i++) {
        op_start(14);
        x = x_of(GH_I64, 2, NT_DIMS(2, 2));
        uint32_t y = op_new("Trilu", x, op_input("i", GH_I64, 0, NULL), GH_NONE);
        gh_graph_set_int(op_graph, y, "upper", i < 4);
        int_run(y, NT_DIMS(1, 2, 3, 4), &ks[i % 4], NULL, i < 4 ? upper[i % 4] : lower[i % 4], 4, NULL);
    }
}
END_TEST

/* The best of nothing is the end of the type's range. */
START_TEST(test_reductions_over_nothing)
{
    static const struct {
        gh_dtype type;
        int64_t most, least; /* ReduceMax and ReduceMin */
    } cases[] = {{GH_I8, INT8_MIN, INT8_MAX},
                 {GH_U8, 0, UINT8_MAX},
                 {GH_I32, INT32_MIN, INT32_MAX},
                 {GH_U32, 0, UINT32_MAX},
                 {GH_I64, INT64_MIN, INT64_MAX},
                 {GH_U64, 0, -1},
                 {GH_BOOL, 0, 1}};
    gh_err e;
    for (size_t i = 0; i < GH_COUNT(cases); i++)
        for (int least = 0; least < 2; least++) {
            op_start(20);
            nt_run r = op_opened(op_new(least ? "ReduceMin" : "ReduceMax", x_of(cases[i].type, 1, NT_DIMS(0)),
                                        GH_NONE, GH_NONE),
                                 GH_PASS_ALL);
            NT_OK(gh_session_run(r.session, &e), e);
            const gh_tensor *t = gh_session_output(r.session, 0);
            int64_t want = least ? cases[i].least : cases[i].most;
            ck_assert_mem_eq(t->data, &want, gh_dtype_size(t->type)); /* the low bytes */
            nt_close(&r);
        }
}
END_TEST

/* With no axes named, none is reduced where that is asked for; what is summed is still squared. */
START_TEST(test_a_reduction_of_no_axes)
{
    for (int i = 0; i < 2; i++) {
        op_start(18);
        uint32_t y =
            op_new("ReduceSumSquare", x_of(GH_I64, 1, NT_DIMS(2)), i ? op_ints(0, NULL) : GH_NONE, GH_NONE);
        gh_graph_set_int(op_graph, y, "noop_with_empty_axes", 1);
        int_run(y, NT_DIMS(3, -4), NULL, NULL, NT_DIMS(9, 16), 2, NULL);
    }
}
END_TEST

/* NaN is larger than every number; of equal ones the first comes first. */
START_TEST(test_the_best_with_ties_and_nan)
{
    static const float from[] = {1, NAN, 3, -INFINITY, 3, 1, NAN};
    static const int64_t largest[] = {1, 6, 2, 4, 0, 5, 3}, smallest[] = {3, 0, 5, 2, 4, 1, 6};
    gh_err e;
    for (int k = 1; k <= 7; k++)
        for (int large = 0; large < 2; large++) {
            op_start(17);
            uint32_t in[2] = {x_of(GH_F32, 1, NT_DIMS(7)), op_ints(1, NT_DIMS(k))}, out[2];
            for (int o = 0; o < 2; o++)
                out[o] = gh_graph_value(op_graph, "", GH_UNKNOWN, (gh_shape){.rank = -1});
            gh_graph_node(op_graph, "TopK", "n", in, 2, out, 2);
            gh_graph_set_int(op_graph, out[0], "largest", large);
            nt_run r = op_opened(out[1], GH_PASS_ALL);
            memcpy(gh_session_input(r.session, 0)->data, from, sizeof from);
            NT_OK(gh_session_run(r.session, &e), e);
            ck_assert_mem_eq(gh_session_output(r.session, 0)->data, large ? largest : smallest,
                             (size_t)k * sizeof *largest);
            nt_close(&r);
        }
}
END_TEST

START_TEST(test_logarithms_of_large_sums)
{
    static const float cases[][3] = {{1000, 1000, 1000.6931f}, {-1000, -1000, -999.3069f},
                                     {INFINITY, 0, INFINITY},  {-INFINITY, -INFINITY, -INFINITY},
                                     {-INFINITY, 2, 2},        {INFINITY, -INFINITY, INFINITY}};
    gh_err e;
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        op_start(18);
        nt_run r =
            op_opened(op_new("ReduceLogSumExp", x_of(GH_F32, 1, NT_DIMS(2)), GH_NONE, GH_NONE), GH_PASS_ALL);
        memcpy(gh_session_input(r.session, 0)->data, cases[i], 8);
        NT_OK(gh_session_run(r.session, &e), e);
        float got = *(const float *)gh_session_output(r.session, 0)->data, want = cases[i][2];
        ck_assert_msg(got == want || fabsf(got - want) < 1e-3f, "case %zu gave %g", i, got);
        nt_close(&r);
    }
}
END_TEST

/* A sum whose middle operand ends there takes its place, and read it too late: found by random networks. */
START_TEST(test_a_sum_in_the_place_of_its_second_operand)
{
    static const char *const types[] = {"Sum", "Max", "Mean"};
    gh_err e;
    for (size_t i = 0; i < GH_COUNT(types); i++) {
        op_start(13);
        uint32_t x = x_of(GH_F32, 1, NT_DIMS(3)), a = op_new("Neg", x, GH_NONE, GH_NONE);
        uint32_t b = gh_graph_op(op_graph, "Exp", "b", &x, 1);
        uint32_t in[3] = {a, b, a};
        nt_run r = op_opened(gh_graph_op(op_graph, types[i], "y", in, 3), GH_PASS_ALL);
        memcpy(gh_session_input(r.session, 0)->data, (float[]){0, 0, 0}, 12);
        NT_OK(gh_session_run(r.session, &e), e);
        const float *y = gh_session_output(r.session, 0)->data;
        ck_assert_float_eq_tol(y[0], i == 2 ? 1.0f / 3 : 1, 1e-6);
        nt_close(&r);
    }
}
END_TEST

/* A mask that is asked for says that all is kept; nothing is dropped at a ratio of 0. */
START_TEST(test_masks_of_dropout)
{
    static const float ratios[] = {0, 0.5f};
    uint8_t yes = 1;
    gh_err e;
    for (int opset = 7; opset < 14; opset += 6) {
        op_start(opset);
        uint32_t x = x_of(GH_F32, 1, NT_DIMS(3)), out[2], in[3] = {x};
        in[1] = opset > 9 ? number(GH_F32, &ratios[0]) : GH_NONE;
        in[2] = opset > 9 ? number(GH_BOOL, &yes) : GH_NONE;
        for (int o = 0; o < 2; o++)
            out[o] = gh_graph_value(op_graph, "", GH_UNKNOWN, (gh_shape){.rank = -1});
        gh_graph_node(op_graph, "Dropout", "n", in, opset > 9 ? 3 : 1, out, 2);
        gh_graph_output(op_graph, out[0]);
        nt_run r = op_opened(out[1], GH_PASS_ALL);
        memcpy(gh_session_input(r.session, 0)->data, (float[]){1, 2, 3}, 12);
        NT_OK(gh_session_run(r.session, &e), e);
        ck_assert_mem_eq(gh_session_output(r.session, 0)->data, ((float[]){1, 2, 3}), 12);
        const gh_tensor *mask = gh_session_output(r.session, 1);
        ck_assert_int_eq(mask->type, opset > 9 ? GH_BOOL : GH_F32);
        if (opset > 9)
            ck_assert_mem_eq(mask->data, "\1\1\1", 3);
        else
            ck_assert_mem_eq(mask->data, ((float[]){1, 1, 1}), 12);
        nt_close(&r);
    }
    op_start(13);
    refused(op_new("Dropout", x_of(GH_F32, 1, NT_DIMS(3)), number(GH_F32, &ratios[1]), number(GH_BOOL, &yes)),
            GH_UNSUPPORTED, "training mode is not run");
}
END_TEST

Suite *gh_suite_ops_wide(void)
{
    Suite *s = suite_create("ops_wide");
    TCase *t = tcase_create("refusals");
    tcase_add_test(t, test_shapes_that_are_made_are_checked);
    tcase_add_test(t, test_indices_are_checked);
    tcase_add_test(t, test_reductions_are_checked);
    tcase_add_test(t, test_equations_are_checked);
    tcase_add_test(t, test_selections_by_known_elements);
    suite_add_tcase(s, t);
    t = tcase_create("edges");
    tcase_add_test(t, test_indices_out_of_range);
    tcase_add_test(t, test_indices_from_the_end);
    tcase_add_test(t, test_integers_at_their_ends);
    tcase_add_test(t, test_reductions_over_nothing);
    tcase_add_test(t, test_a_reduction_of_no_axes);
    tcase_add_test(t, test_the_best_with_ties_and_nan);
    tcase_add_test(t, test_logarithms_of_large_sums);
    tcase_add_test(t, test_a_sum_in_the_place_of_its_second_operand);
    tcase_add_test(t, test_masks_of_dropout);
    suite_add_tcase(s, t);
    return s;
}
