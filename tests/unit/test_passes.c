/* Passes and layouts change nothing but the speed: random networks with each pass on and off give the same
 * outputs; and each pass does what it is for. */
#include "unit/suites.h"

#include "base/mem.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sums in another order, and batch norms multiplied into weights: a few ulps through a dozen layers. */
#define CLOSE 2e-4

static void open_seed(nt_run *r, uint64_t seed, unsigned flags, unsigned passes)
{
    gh_err e;
    gh_graph *g = rn_build(seed, flags);
    ck_assert_ptr_nonnull(g);
    ck_assert_uint_le(flags & RN_WIDE ? g->nnodes : 0, RN_WIDE_NODES);
    gh_status status = nt_open(r, &g, passes, NULL, NULL, &e);
    ck_assert_msg(status == GH_OK, "seed %u, passes %u: %s", (unsigned)seed, passes, e.text);
}

START_TEST(test_random_networks_with_every_choice_of_passes)
{
    for (uint64_t seed = (uint64_t)_i * 40; seed < (uint64_t)_i * 40 + 40; seed++) {
        unsigned flags = _i % 2 ? RN_WIDE : seed % 3 ? 0 : RN_ODD_OUTPUTS;
        nt_run plain, r;
        open_seed(&plain, seed, flags, 0);
        nt_run_seeded(&plain, seed);
        for (unsigned passes = 1; passes <= GH_PASS_ALL; passes++) {
            char what[64];
            snprintf(what, sizeof what, "seed %u, passes %u", (unsigned)seed, passes);
            open_seed(&r, seed, flags, passes);
            nt_run_seeded(&r, seed);
            nt_same_outputs(&r, &plain, CLOSE, what);
            nt_run_seeded(&r, seed + 1); /* and again, over what the first run left behind */
            nt_run_seeded(&r, seed);
            nt_same_outputs(&r, &plain, CLOSE, what);
            nt_close(&r);
        }
        nt_close(&plain);
    }
}
END_TEST

/* ---- graphs by hand ---- */

static gh_graph *g;
static uint32_t x;

static void start(int64_t c, int64_t side)
{
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    g->opsets[0].version = 17;
    x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(1, c, side, side)));
}

static uint32_t weights(int rank, const int64_t *dims, uint64_t seed)
{
    float *data = NULL;
    size_t count = 0;
    gh_rng rng;
    gh_shape shape = gh_shape_of(rank, dims);
    gh_rng_seed(&rng, seed);
    uint32_t id = gh_graph_const_f32(g, "", shape, &data);
    ck_assert(gh_shape_count(&count, &shape));
    rn_fill(&rng, data, count);
    for (size_t i = 0; i < count; i++)
        data[i] *= 0.2f;
    return id;
}

static uint32_t conv(const char *name, uint32_t from, int64_t ic, int64_t oc)
{
    uint32_t in[2] = {from, weights(4, NT_DIMS(oc, ic, 3, 3), (uint64_t)(ic * 100 + oc))};
    uint32_t y = gh_graph_op(g, "Conv", name, in, 2);
    gh_graph_set_ints(g, y, "pads", NT_DIMS(1, 1, 1, 1), 4);
    return y;
}

static uint32_t op2(const char *type, uint32_t a, uint32_t b)
{
    uint32_t in[2] = {a, b};
    return gh_graph_op(g, type, "", in, 2);
}

static uint32_t relu(uint32_t v)
{
    return gh_graph_op(g, "Relu", "", &v, 1);
}

static uint32_t scalar(float value)
{
    return gh_graph_const(g, "", GH_F32, gh_shape_of(0, NULL), &value, true);
}

/* Opens g with all passes; *plain with none from `build`, for the answer. */
static void open_both(nt_run *r, nt_run *plain, void (*build)(void))
{
    gh_err e;
    build();
    NT_OK(nt_open(plain, &g, 0, NULL, NULL, &e), e);
    build();
    NT_OK(nt_open(r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    for (uint64_t seed = 1; seed < 3; seed++) {
        nt_run_seeded(plain, seed);
        nt_run_seeded(r, seed);
        nt_same_outputs(r, plain, CLOSE, "all passes");
    }
}

static size_t steps_of(const nt_run *r, const char *op)
{
    size_t count = 0;
    for (size_t i = 0; i < gh_plan_steps(r->plan); i++)
        count += strcmp(gh_plan_step(r->plan, i).op, op) == 0;
    return count;
}

static void build_block(void)
{
    start(16, 9);
    uint32_t a = conv("c1", x, 16, 16), in[5];
    for (uint32_t i = 1; i < 5; i++)
        in[i] = i == 4 ? gh_graph_const(g, "", GH_F32, gh_shape_of(1, NT_DIMS(16)),
                                        (float[16]){1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}, true)
                       : weights(1, NT_DIMS(16), i);
    in[0] = a;
    a = relu(gh_graph_op(g, "BatchNormalization", "bn", in, 5));
    a = conv("c2", a, 16, 16);
    gh_graph_output(g, relu(op2("Add", a, x)));
}

/* Convolution, batch norm, activation, convolution, addition, activation: two steps remain. */
START_TEST(test_a_residual_block_becomes_two_steps)
{
    nt_run r, plain;
    open_both(&r, &plain, build_block);
    ck_assert_uint_eq(steps_of(&r, "Conv"), 2);
    ck_assert_uint_eq(steps_of(&r, "BatchNormalization"), 0);
    ck_assert_uint_eq(steps_of(&r, "Relu"), 0);
    ck_assert_uint_eq(steps_of(&r, "Add"), 0);
    ck_assert_uint_eq(steps_of(&plain, "Add"), 1);
    nt_close(&r);
    nt_close(&plain);
}
END_TEST

static void build_shared(void)
{
    start(8, 6);
    uint32_t a = conv("c1", x, 8, 8), b = relu(a); /* a is read twice: neither may vanish */
    gh_graph_output(g, op2("Mul", a, b));
}

static void build_output_inside(void)
{
    start(8, 6);
    uint32_t a = conv("c1", x, 8, 8);
    gh_graph_output(g, a); /* an output: the activation must not be fused into it */
    gh_graph_output(g, relu(a));
}

static void build_doubled(void)
{
    start(8, 6);
    uint32_t a = conv("c1", x, 8, 8);
    gh_graph_output(g, op2("Add", a, a));
}

static void build_two_convs(void)
{
    start(8, 6);
    gh_graph_output(g, op2("Add", conv("c1", x, 8, 8), conv("c2", x, 8, 8)));
}

static void build_residual_twice(void)
{
    start(8, 6);
    uint32_t r = relu(x), a = op2("Add", conv("c1", r, 8, 8), r), b = op2("Add", a, conv("c2", r, 8, 8));
    gh_graph_output(g, op2("Add", b, r));
}

/* The residual is the convolution's own source, and dies there: it must not be overwritten while it is read.
 */
static void build_own_source(void)
{
    start(8, 6);
    uint32_t r = conv("c0", x, 8, 8);
    gh_graph_output(g, op2("Add", conv("c1", r, 8, 8), r));
}

static void build_chain_of_adds(void)
{
    start(8, 6);
    uint32_t a = conv("c1", x, 8, 8), b = conv("c2", a, 8, 8), c = conv("c3", b, 8, 8);
    gh_graph_output(g, op2("Add", op2("Add", b, c), op2("Add", c, a)));
}

static void build_broadcast_residual(void)
{
    start(8, 6);
    gh_graph_output(g, op2("Add", conv("c1", x, 8, 8), weights(3, NT_DIMS(8, 1, 1), 5)));
    gh_graph_output(g, op2("Add", scalar(3), conv("c2", x, 8, 8)));
}

/* A view of the value that is then overwritten in place. */
static void build_views(void)
{
    start(8, 6);
    uint32_t a = conv("c1", x, 8, 8), flat = gh_graph_op(g, "Flatten", "", &a, 1);
    uint32_t b = relu(flat), again = gh_graph_op(g, "Identity", "", &b, 1);
    gh_graph_output(g, flat);
    gh_graph_output(g, again);
    gh_graph_output(g, gh_graph_op(g, "Sigmoid", "", &again, 1));
}

static void build_clip_of_computed_bound(void)
{
    start(8, 6);
    uint32_t low = op2("Add", scalar(0.25f), scalar(0.25f)), in[2] = {conv("c1", x, 8, 8), low};
    gh_graph_output(g, gh_graph_op(g, "Clip", "", in, 2));
}

static void build_act_after_act(void)
{
    start(8, 6);
    uint32_t a = relu(conv("c1", x, 8, 8));
    gh_graph_output(g, gh_graph_op(g, "Sigmoid", "", &a, 1));
    gh_graph_output(g, gh_graph_op(g, "Tanh", "", &x, 1));
}

static void build_odd_channels(void)
{
    start(3, 7);
    uint32_t a = relu(conv("c1", x, 3, 5)), b = conv("c2", a, 5, 21), c = op2("Concat", b, b);
    gh_graph_set_int(g, c, "axis", 1);
    gh_graph_output(g, op2("Sub", relu(c), c));
}

/* The addition comes long after the convolution whose source others change in the meantime. */
static void build_late_addition(void)
{
    start(8, 6);
    uint32_t s = relu(x), a = conv("c1", s, 8, 8), t = s;
    for (int i = 0; i < 4; i++)
        t = gh_graph_op(g, "Tanh", "", &t, 1);
    gh_graph_output(g, op2("Add", a, t));
    gh_graph_output(g, t);
}

START_TEST(test_shapes_of_graphs_that_fusion_could_break)
{
    static void (*const builds[])(void) = {build_shared,
                                           build_output_inside,
                                           build_doubled,
                                           build_two_convs,
                                           build_residual_twice,
                                           build_views,
                                           build_own_source,
                                           build_chain_of_adds,
                                           build_act_after_act,
                                           build_broadcast_residual,
                                           build_odd_channels,
                                           build_late_addition,
                                           build_clip_of_computed_bound};
    for (size_t i = 0; i < GH_COUNT(builds); i++) {
        nt_run r, plain;
        open_both(&r, &plain, builds[i]);
        nt_close(&r);
        nt_close(&plain);
    }
}
END_TEST

static void build_constants(void)
{
    start(2, 4);
    uint32_t a = op2("Mul", op2("Add", scalar(1), scalar(2)), scalar(2)); /* 6 */
    gh_graph_output(g, op2("Mul", x, a));
    gh_graph_output(g, a);
}

START_TEST(test_constants_are_folded)
{
    nt_run r, plain;
    open_both(&r, &plain, build_constants);
    ck_assert_uint_eq(gh_plan_steps(r.plan), 1);
    ck_assert_uint_eq(gh_net_graph(r.net)->nnodes, 1);
    ck_assert_uint_eq(gh_net_graph(plain.net)->nnodes, 3);
    ck_assert_float_eq(*(const float *)gh_session_output(r.session, 1)->data, 6);
    nt_close(&r);
    nt_close(&plain);
}
END_TEST

static void build_dead(void)
{
    start(2, 4);
    uint32_t a = relu(x);
    relu(conv("unused", x, 2, 4));
    gh_graph_output(g, a);
}

START_TEST(test_dead_nodes_go)
{
    nt_run r, plain;
    open_both(&r, &plain, build_dead);
    ck_assert_uint_eq(gh_net_graph(r.net)->nnodes, 1);
    ck_assert_uint_eq(gh_net_packed_bytes(r.net), 0);
    nt_close(&r);
    nt_close(&plain);
}
END_TEST

static uint32_t batch_norm(uint32_t v, int64_t c, int64_t wrong)
{
    uint32_t in[5] = {v};
    for (uint32_t i = 1; i < 5; i++)
        in[i] = weights(1, NT_DIMS(i == 3 ? wrong : c), i);
    return gh_graph_op(g, "BatchNormalization", "bn", in, 5);
}

/* Folding leaves what it does not understand for shape inference to tell of. */
START_TEST(test_a_wrong_batch_norm_is_told)
{
    gh_err e;
    nt_run r;
    start(4, 5);
    gh_graph_output(g, batch_norm(conv("c", x, 4, 8), 8, 7));
    nt_refused(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), GH_FORMAT, &e,
               "node \"bn\" (BatchNormalization): input 3 holds 7 values for 8 channels");
    ck_assert_ptr_null(g);
}
END_TEST

/* A convolution that another batch norm or output reads too keeps its weights. */
static void build_conv_read_by_two(void)
{
    start(4, 5);
    uint32_t c = conv("c", x, 4, 8);
    for (int i = 0; i < 2; i++) {
        uint32_t in[5] = {c};
        for (uint32_t k = 1; k < 5; k++)
            in[k] = gh_graph_const(g, "", GH_F32, gh_shape_of(1, NT_DIMS(8)),
                                   (float[8]){1, 2, 3, 4, 5, 6, 7, 8}, true);
        gh_graph_output(g, gh_graph_op(g, "BatchNormalization", "", in, 5));
    }
}

START_TEST(test_a_convolution_read_by_two_keeps_its_weights)
{
    nt_run r, plain;
    open_both(&r, &plain, build_conv_read_by_two);
    ck_assert_uint_eq(steps_of(&r, "BatchNormalization"), 2);
    nt_close(&r);
    nt_close(&plain);
}
END_TEST

/* A constant that is too large to fold stays a constant of the plain layout, though its reader would like it
 * blocked. */
static void build_large_constant(void)
{
    start(4, 5);
    uint32_t big = weights(4, NT_DIMS(1, 8, 220, 220), 3), y = conv("c", big, 8, 16),
             z = conv("d", big, 8, 16);
    gh_graph_output(g, op2("Add", y, z));
    gh_graph_output(g, relu(x));
}

START_TEST(test_a_convolution_of_a_large_constant)
{
    gh_err e;
    nt_run plain, r;
    build_large_constant();
    NT_OK(nt_open(&plain, &g, 0, NULL, NULL, &e), e);
    nt_run_seeded(&plain, 1);
    for (unsigned passes = 1; passes <= GH_PASS_ALL; passes++) {
        build_large_constant();
        NT_OK(nt_open(&r, &g, passes, NULL, NULL, &e), e);
        nt_run_seeded(&r, 1);
        nt_same_outputs(&r, &plain, CLOSE, "large constant");
        nt_close(&r);
    }
    nt_close(&plain);
}
END_TEST

/* Every allocation of the passes fails once. */
START_TEST(test_passes_without_memory)
{
    gh_err e;
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_net *net = NULL;
        build_block();
        gh_mem_fail_after(n);
        gh_status status = gh_net_from_graph(&net, &g, GH_PASS_ALL, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert_msg(whole || (status == GH_NOMEM && !net), "allocation %d: %s", n, e.text);
        ck_assert_ptr_null(g);
        gh_net_free(&net);
    }
}
END_TEST

Suite *gh_suite_passes(void)
{
    Suite *s = suite_create("passes");
    TCase *t = tcase_create("passes");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_random_networks_with_every_choice_of_passes, 0, 5);
    tcase_add_test(t, test_a_residual_block_becomes_two_steps);
    tcase_add_test(t, test_shapes_of_graphs_that_fusion_could_break);
    tcase_add_test(t, test_constants_are_folded);
    tcase_add_test(t, test_dead_nodes_go);
    tcase_add_test(t, test_a_wrong_batch_norm_is_told);
    tcase_add_test(t, test_a_convolution_read_by_two_keeps_its_weights);
    tcase_add_test(t, test_a_convolution_of_a_large_constant);
    tcase_add_test(t, test_passes_without_memory);
    suite_add_tcase(s, t);
    return s;
}
