/* ConvTranspose: the packed run against the plain one, a small case by hand, and what is refused. The ONNX
 * project's vectors are run by tests/onnx. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/pool.h"
#include "unit/nets.h"
#include "unit/random_net.h"

/* n, ic, ih, iw; oc of a group, kh, kw; groups; strides, pads (top, left, bottom, right), output padding,
 * dilations. */
typedef struct geometry {
    int64_t in[4], weights[3], group, strides[2], pads[4], extra[2], dilations[2];
} geometry;

static const geometry geometries[] = {
    {{1, 24, 5, 7}, {24, 2, 2}, 1, {2, 2}, {0}, {0}, {1, 1}},
    {{2, 3, 4, 4}, {5, 4, 4}, 1, {2, 2}, {1, 1, 1, 1}, {0}, {1, 1}},
    {{1, 6, 3, 5}, {2, 3, 2}, 3, {2, 3}, {1, 0, 0, 1}, {1, 2}, {1, 1}},
    {{1, 4, 6, 3}, {1, 3, 3}, 4, {1, 1}, {2, 2, 2, 2}, {0}, {2, 2}},
    {{3, 2, 1, 1}, {3, 1, 5}, 1, {4, 1}, {0, 2, 0, 1}, {3, 0}, {1, 3}},
    {{1, 1, 2, 2}, {1, 1, 1}, 1, {3, 3}, {0}, {0}, {1, 1}}, /* pixels that no product reaches */
    {{1, 2, 3, 3}, {2, 3, 3}, 1, {1, 1}, {2, 2, 2, 2}, {0}, {1, 1}},
};

static const uint64_t seed = 11;

static gh_graph *build(const geometry *c)
{
    gh_graph *g = NULL;
    gh_rng rng;
    float *w = NULL, *b = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    gh_rng_seed(&rng, seed);
    gh_shape ws = gh_shape_of(4, NT_DIMS(c->in[1], c->weights[0], c->weights[1], c->weights[2]));
    size_t count = 0;
    ck_assert(gh_shape_count(&count, &ws));
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, c->in));
    uint32_t in[3] = {x, gh_graph_const_f32(g, "w", ws, &w),
                      gh_graph_const_f32(g, "b", gh_shape_of(1, NT_DIMS(c->weights[0] * c->group)), &b)};
    rn_fill(&rng, w, count);
    rn_fill(&rng, b, (size_t)(c->weights[0] * c->group));
    uint32_t y = gh_graph_op(g, "ConvTranspose", "up", in, 3);
    gh_graph_set_int(g, y, "group", c->group);
    gh_graph_set_ints(g, y, "strides", c->strides, 2);
    gh_graph_set_ints(g, y, "pads", c->pads, 4);
    gh_graph_set_ints(g, y, "output_padding", c->extra, 2);
    gh_graph_set_ints(g, y, "dilations", c->dilations, 2);
    gh_graph_output(g, gh_graph_op(g, "Relu", "relu", &y, 1));
    return g;
}

/* With packed weights and a fused activation, on one thread and on three: what the plain run gives. */
START_TEST(test_packed_is_plain)
{
    gh_err e;
    gh_graph *g = build(&geometries[_i]);
    gh_pool *pool = NULL;
    nt_run plain, packed, spread;
    NT_OK(gh_pool_new(&pool, 3, &e), e);
    NT_OK(nt_open(&plain, &g, 0, NULL, NULL, &e), e);
    g = build(&geometries[_i]);
    NT_OK(nt_open(&packed, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    g = build(&geometries[_i]);
    NT_OK(nt_open(&spread, &g, GH_PASS_ALL, NULL, pool, &e), e);
    bool blocked = geometries[_i].group == 1 && geometries[_i].dilations[1] == 1;
    ck_assert_uint_eq(gh_plan_steps(packed.plan), blocked ? 3 : 1);
    ck_assert_str_eq(gh_plan_step(packed.plan, blocked).kernel,
                     blocked ? gh_kernels_get()->conv_transpose->name : "matmul_scatter");
    nt_run_seeded(&plain, seed);
    nt_run_seeded(&packed, seed);
    nt_run_seeded(&spread, seed);
    nt_same_outputs(&plain, &packed, 1e-5, "packed");
    nt_same_outputs(&packed, &spread, 0, "threads");
    nt_close(&plain);
    nt_close(&packed);
    nt_close(&spread);
    gh_pool_free(&pool);
}
END_TEST

/* Two pixels 1, 2 by a 1 x 3 window 1, 10, 100 at stride 2: windows meet in one pixel. */
START_TEST(test_by_hand)
{
    static const float window[3] = {1, 10, 100}, want[5] = {1, 10, 102, 20, 200};
    gh_err e;
    gh_graph *g = NULL;
    nt_run r;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t in[2] = {gh_graph_input(g, "x", GH_F32, gh_shape_of(3, NT_DIMS(1, 1, 2))),
                      gh_graph_const(g, "w", GH_F32, gh_shape_of(3, NT_DIMS(1, 1, 3)), window, true)};
    uint32_t y = gh_graph_op(g, "ConvTranspose", "up", in, 2);
    gh_graph_set_ints(g, y, "strides", NT_DIMS(2), 1);
    gh_graph_output(g, y);
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    float *x = gh_session_input(r.session, 0)->data;
    x[0] = 1;
    x[1] = 2;
    NT_OK(gh_session_run(r.session, &e), e);
    const gh_tensor *t = gh_session_output(r.session, 0);
    ck_assert_int_eq(t->shape.rank, 3);
    ck_assert_int_eq(t->shape.dims[2], 5);
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq(((const float *)t->data)[i], want[i]);
    nt_close(&r);
}
END_TEST

static const struct {
    const char *name, *says;
    int64_t values[4];
    size_t count;
    gh_status status;
} bad[] = {
    {"strides", "attribute strides holds 0", {0, 1}, 2, GH_FORMAT},
    {"strides", "attribute strides must hold 2 integers", {1, 1, 1}, 3, GH_FORMAT},
    {"pads", "an output side of -2", {9, 0, 0, 0}, 4, GH_FORMAT},
    {"output_padding", "attribute output_padding holds -1", {-1, 0}, 2, GH_FORMAT},
    {"output_shape", "attribute output_shape holds 65537", {65537, 1}, 2, GH_FORMAT},
    {"kernel_shape", "kernel_shape differs", {3, 3}, 2, GH_FORMAT},
};

START_TEST(test_bad_attributes_are_told)
{
    gh_err e;
    gh_graph *g = NULL;
    nt_run r;
    float *w = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t in[2] = {gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(1, 2, 4, 4))),
                      gh_graph_const_f32(g, "w", gh_shape_of(4, NT_DIMS(2, 3, 4, 4)), &w)};
    for (int i = 0; i < 96; i++)
        w[i] = 1;
    uint32_t y = gh_graph_op(g, "ConvTranspose", "up", in, 2);
    gh_graph_set_ints(g, y, bad[_i].name, bad[_i].values, bad[_i].count);
    gh_graph_output(g, y);
    nt_refused(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), bad[_i].status, &e, bad[_i].says);
}
END_TEST

START_TEST(test_channels_have_to_fit)
{
    gh_err e;
    gh_graph *g = NULL;
    nt_run r;
    float *w = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t in[2] = {gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(1, 3, 4, 4))),
                      gh_graph_const_f32(g, "w", gh_shape_of(4, NT_DIMS(2, 3, 1, 1)), &w)};
    for (int i = 0; i < 6; i++)
        w[i] = 1;
    gh_graph_output(g, gh_graph_op(g, "ConvTranspose", "up", in, 2));
    nt_refused(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), GH_FORMAT, &e,
               "3 input channels do not fit weights of 2 x 3 channels");
}
END_TEST

Suite *gh_suite_conv_transpose(void)
{
    Suite *s = suite_create("conv_transpose");
    TCase *t = tcase_create("conv_transpose");
    tcase_add_loop_test(t, test_packed_is_plain, 0, (int)(sizeof geometries / sizeof *geometries));
    tcase_add_test(t, test_by_hand);
    tcase_add_loop_test(t, test_bad_attributes_are_told, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(t, test_channels_have_to_fit);
    suite_add_tcase(s, t);
    return s;
}
