/* Nets and their plans: sizes, the cache of eight, one packing for all, threads, lives that overlap. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "engine/cut.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gh_shape size_of(int64_t n, int64_t h, int64_t w)
{
    return gh_shape_of(4, NT_DIMS(n, 3, h, w));
}

/* Three convolutions, a residual, a pool and a dense layer on a picture of any size. */
static gh_graph *free_graph(void)
{
    gh_graph *g = NULL;
    gh_rng rng;
    float *data = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    gh_rng_seed(&rng, 99);
    uint32_t x = gh_graph_input(g, "x", GH_F32, size_of(-1, -1, -1)), v = x;
    for (int i = 0; i < 3; i++) {
        int64_t dims[] = {16, i ? 16 : 3, 3, 3};
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        uint32_t in[2] = {v, gh_graph_const_f32(g, name, gh_shape_of(4, dims), &data)};
        ck_assert_ptr_nonnull(data);
        rn_fill(&rng, data, (size_t)(16 * dims[1] * 9));
        name[0] = 'c';
        uint32_t c = gh_graph_op(g, "Conv", name, in, 2);
        gh_graph_set_ints(g, c, "pads", NT_DIMS(1, 1, 1, 1), 4);
        in[0] = c;
        in[1] = v;
        v = i ? gh_graph_op(g, "Add", "", in, 2) : c;
        v = gh_graph_op(g, "Tanh", "", &v, 1);
    }
    v = gh_graph_op(g, "GlobalAveragePool", "", &v, 1);
    v = gh_graph_op(g, "Flatten", "", &v, 1);
    uint32_t in[2] = {v, gh_graph_const_f32(g, "dense", gh_shape_of(2, NT_DIMS(16, 5)), &data)};
    rn_fill(&rng, data, 16 * 5);
    gh_graph_output(g, gh_graph_op(g, "Gemm", "out", in, 2));
    return g;
}

static gh_net *free_net(void)
{
    gh_err e;
    gh_graph *g = free_graph();
    gh_net *net = NULL;
    NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
    ck_assert_ptr_null(g);
    return net;
}

START_TEST(test_what_a_net_tells)
{
    gh_net *net = free_net(), *none = NULL;
    ck_assert_uint_eq(gh_net_inputs(net), 1);
    ck_assert_uint_eq(gh_net_outputs(net), 1);
    ck_assert_str_eq(gh_net_input(net, 0)->name, "x");
    ck_assert_int_eq(gh_net_input(net, 0)->shape.dims[2], -1);
    ck_assert_str_eq(gh_net_output(net, 0)->name, "out");
    ck_assert_uint_eq(gh_net_packed_bytes(net), 0); /* no plan yet: its size is not fixed */
    gh_net_free(&net);
    ck_assert_ptr_null(net);
    gh_net_free(&none);
}
END_TEST

START_TEST(test_sizes_that_do_not_fit_are_told)
{
    gh_err e;
    gh_net *net = free_net();
    gh_plan *plan = NULL;
    gh_shape s = gh_shape_of(4, NT_DIMS(1, 4, 8, 8));
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_ARG, &e,
               "input \"x\" is 1x4x8x8; the model takes ?x3x?x?");
    s = gh_shape_of(3, NT_DIMS(3, 8, 8));
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_ARG, &e, "3x8x8");
    s = size_of(1, -1, 8);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_ARG, &e, "1x3x?x8");
    s = size_of(1, 30000, 30000);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "larger than gharial accepts");
    s = size_of(1, 20000, 20000); /* the input alone would do */
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "more than gharial accepts");
    s = size_of(1, 10000, 10000);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "MB for its activations");
    ck_assert_ptr_null(plan);
    s = size_of(1, 8, 8); /* and afterwards it still works */
    NT_OK(gh_plan_get(&plan, net, &s, &e), e);
    gh_plan_put(&plan);
    ck_assert_ptr_null(plan);
    gh_plan_put(&plan);
    gh_net_free(&net);
}
END_TEST

START_TEST(test_the_same_size_is_the_same_plan)
{
    gh_err e;
    gh_net *net = free_net();
    gh_plan *a = NULL, *b = NULL, *c = NULL;
    gh_shape s = size_of(1, 10, 12), t = size_of(2, 10, 12);
    NT_OK(gh_plan_get(&a, net, &s, &e), e);
    uint64_t allocs = gh_mem_allocs();
    NT_OK(gh_plan_get(&b, net, &s, &e), e);
    ck_assert_uint_eq(gh_mem_allocs(), allocs);
    NT_OK(gh_plan_get(&c, net, &t, &e), e);
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_ne(a, c);
    ck_assert_double_eq(gh_plan_macs(c), 2 * gh_plan_macs(a));
    gh_plan_put(&a);
    gh_plan_put(&b);
    gh_plan_put(&c);
    gh_net_free(&net);
}
END_TEST

/* Eight are kept; the one that was used longest ago goes. */
START_TEST(test_the_ninth_size_drops_the_least_recently_used)
{
    gh_err e;
    gh_net *net = free_net();
    gh_plan *plans[9] = {NULL}, *again = NULL;
    gh_shape s[9];
    for (int i = 0; i < 9; i++) {
        s[i] = size_of(1, 8 + i, 8);
        if (i == 8) /* the first was just used: now the second is the oldest */
            NT_OK(gh_plan_get(&again, net, &s[0], &e), e);
        NT_OK(gh_plan_get(&plans[i], net, &s[i], &e), e);
    }
    ck_assert_ptr_eq(again, plans[0]);
    gh_plan_put(&again);
    uint64_t allocs = gh_mem_allocs();
    for (int i = 0; i < 9; i++) {
        if (i == 1)
            continue;
        NT_OK(gh_plan_get(&again, net, &s[i], &e), e);
        ck_assert_ptr_eq(again, plans[i]);
        gh_plan_put(&again);
    }
    ck_assert_uint_eq(gh_mem_allocs(), allocs);
    NT_OK(gh_plan_get(&again, net, &s[1], &e), e); /* built anew, the held one is another */
    ck_assert_ptr_ne(again, plans[1]);
    ck_assert_uint_gt(gh_mem_allocs(), allocs);
    gh_plan_put(&again);
    for (int i = 0; i < 9; i++)
        gh_plan_put(&plans[i]);
    gh_net_free(&net);
}
END_TEST

static nt_run bind(gh_net *net, gh_shape s)
{
    gh_err e;
    nt_run r = {.net = net};
    NT_OK(gh_plan_get(&r.plan, net, &s, &e), e);
    NT_OK(gh_session_new(&r.session, NULL, &e), e);
    NT_OK(gh_session_bind(r.session, r.plan, &e), e);
    return r;
}

static void unbind(nt_run *r)
{
    gh_session_free(&r->session);
    gh_plan_put(&r->plan);
}

/* All sizes share one packing, and each gives what a net of its own would give. */
START_TEST(test_sizes_share_their_weights)
{
    gh_err e;
    gh_net *net = free_net();
    size_t packed = 0;
    for (int i = 0; i < 9; i++) {
        gh_shape s = size_of(1 + i % 2, 8 + i, 20 - i);
        nt_run shared = bind(net, s), own;
        gh_graph *g = free_graph();
        if (i)
            ck_assert_uint_eq(gh_net_packed_bytes(net), packed);
        packed = gh_net_packed_bytes(net);
        NT_OK(nt_open(&own, &g, GH_PASS_ALL, &s, NULL, &e), e);
        nt_run_seeded(&shared, (uint64_t)i);
        nt_run_seeded(&own, (uint64_t)i);
        nt_same_outputs(&shared, &own, 0, "own net");
        nt_close(&own);
        unbind(&shared);
    }
    ck_assert_uint_ge(packed, (16 * 3 * 9 + 2 * 16 * 16 * 9) * sizeof(float));
    gh_net_free(&net);
}
END_TEST

START_TEST(test_random_networks_of_any_size)
{
    static const int64_t sizes[][2] = {{24, 24}, {31, 40}, {40, 25}, {24, 24}};
    gh_err e, f;
    int ran = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        gh_graph *g = rn_build(seed, RN_FREE_SIZE);
        gh_net *net = NULL;
        ck_assert_ptr_nonnull(g);
        gh_shape declared = g->values[g->inputs[0]].shape;
        NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
        for (size_t i = 0; i < GH_COUNT(sizes); i++) {
            gh_shape s =
                gh_shape_of(4, NT_DIMS(declared.dims[0], declared.dims[1], sizes[i][0], sizes[i][1]));
            nt_run shared = {.net = net}, own;
            gh_status a = gh_plan_get(&shared.plan, net, &s, &e);
            g = rn_build(seed, RN_FREE_SIZE);
            gh_status b = nt_open(&own, &g, 0, &s, NULL, &f);
            ck_assert_msg(a == b, "seed %u: %s and %s", (unsigned)seed, e.text, f.text);
            if (a) /* two strides gave sides that no longer add up at this size: told alike */
                continue;
            NT_OK(gh_session_new(&shared.session, NULL, &e), e);
            NT_OK(gh_session_bind(shared.session, shared.plan, &e), e);
            nt_run_seeded(&shared, seed);
            nt_run_seeded(&own, seed);
            nt_same_outputs(&shared, &own, 2e-4, "any size");
            unbind(&shared);
            nt_close(&own);
            ran++;
        }
        gh_net_free(&net);
    }
    ck_assert_int_gt(ran, 80);
}
END_TEST

/* Weights that follow from the picture's size differ from plan to plan: packed once, the first plan's would
 * have served all. */
START_TEST(test_weights_that_depend_on_the_size_are_not_shared)
{
    gh_err e;
    gh_graph *g = NULL;
    gh_net *net = NULL;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(1, 1, -1, 4)));
    uint32_t shape = gh_graph_op(g, "Shape", "", &x, 1), cast = gh_graph_op(g, "Cast", "", &shape, 1), in[2];
    gh_graph_set_int(g, cast, "to", GH_F32);
    in[0] = cast;
    in[1] = gh_graph_const(g, "as weights", GH_I64, gh_shape_of(1, NT_DIMS(4)), NT_DIMS(4, 1, 1, 1), true);
    in[1] = gh_graph_op(g, "Reshape", "", in, 2);
    in[0] = x;
    gh_graph_output(g, gh_graph_op(g, "Conv", "c", in, 2)); /* channels times 1, 1, height, width */
    NT_OK(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), e);
    for (int64_t h = 3; h < 6; h++) {
        nt_run r = bind(net, gh_shape_of(4, NT_DIMS(1, 1, h, 4)));
        float *in0 = gh_session_input(r.session, 0)->data;
        for (int64_t i = 0; i < h * 4; i++)
            in0[i] = 1;
        NT_OK(gh_session_run(r.session, &e), e);
        const float *out = gh_session_output(r.session, 0)->data;
        ck_assert_float_eq(out[0], 1);
        ck_assert_float_eq(out[(size_t)(2 * h * 4)], (float)h);
        ck_assert_float_eq(out[(size_t)(3 * h * 4)], 4);
        unbind(&r);
    }
    gh_net_free(&net);
}
END_TEST

/* ---- lives ---- */

START_TEST(test_a_net_freed_while_plans_are_held)
{
    gh_err e;
    gh_net *net = free_net(), *gone = net;
    gh_shape s = size_of(1, 9, 9), t = size_of(1, 11, 9);
    nt_run a = bind(net, s), b = bind(net, t);
    gh_plan *third = NULL;
    NT_OK(gh_plan_get(&third, net, &s, &e), e);
    gh_net_free(&net);
    ck_assert_ptr_null(net);
    a.net = b.net = gone; /* alive as long as a plan is */
    nt_run_seeded(&a, 1);
    unbind(&a);
    nt_run_seeded(&b, 1);
    gh_plan_put(&third);
    nt_run_seeded(&b, 2);
    unbind(&b);
}
END_TEST

typedef struct worker {
    gh_net *net;
    const float *want; /* of size i: 5 numbers */
    uint64_t seed;
    int wrong;
} worker;

enum { SIZES = 12, ROUNDS = 40 };

static gh_shape nth_size(int i)
{
    return size_of(1, 6 + i, 7);
}

static void *work(void *arg)
{
    worker *w = arg;
    gh_session *s = NULL;
    gh_rng rng;
    gh_rng_seed(&rng, w->seed);
    if (gh_session_new(&s, NULL, NULL)) {
        w->wrong++;
        return NULL;
    }
    for (int round = 0; round < ROUNDS; round++) {
        int i = (int)gh_rng_below(&rng, SIZES);
        gh_plan *plan = NULL;
        gh_shape shape = nth_size(i);
        if (gh_plan_get(&plan, w->net, &shape, NULL) || gh_session_bind(s, plan, NULL)) {
            w->wrong++;
        } else {
            float *in = gh_session_input(s, 0)->data;
            for (int64_t k = 0; k < 3 * shape.dims[2] * shape.dims[3]; k++)
                in[k] = (float)(k % 7) - 3;
            w->wrong += gh_session_run(s, NULL) != GH_OK;
            w->wrong += memcmp(gh_session_output(s, 0)->data, w->want + 5 * i, 5 * sizeof(float)) != 0;
        }
        gh_plan_put(&plan);
    }
    gh_session_free(&s);
    return NULL;
}

/* More sizes than places, from four threads at once; the net's owner lets go in the middle. */
START_TEST(test_threads_share_a_net)
{
    gh_err e;
    gh_net *net = free_net();
    float want[SIZES * 5];
    for (int i = 0; i < SIZES; i++) {
        gh_shape s = nth_size(i);
        nt_run r = bind(net, s);
        float *in = gh_session_input(r.session, 0)->data;
        for (int64_t k = 0; k < 3 * s.dims[2] * s.dims[3]; k++)
            in[k] = (float)(k % 7) - 3;
        NT_OK(gh_session_run(r.session, &e), e);
        memcpy(want + 5 * i, gh_session_output(r.session, 0)->data, 5 * sizeof(float));
        unbind(&r);
    }
    gh_net_free(&net);
    net = free_net(); /* nothing packed yet: the threads meet there too */
    pthread_t threads[4];
    worker w[4];
    for (uint64_t i = 0; i < 4; i++) {
        w[i] = (worker){.net = net, .want = want, .seed = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &w[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(w[i].wrong, 0);
    }
    gh_net_free(&net);
}
END_TEST

/* ---- no memory ---- */

/* Every allocation of reading, passes, plan and session fails once; each time all is given back, which the
 * address sanitizer's leak check sees. */
START_TEST(test_every_allocation_of_a_load_fails_once)
{
    char folder[] = "/tmp/gharial-test-XXXXXX", path[64];
    gh_err e;
    gh_graph *g = free_graph();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    NT_OK(gh_onnx_write(g, path, &e), e);
    gh_graph_free(&g);
    gh_shape s = size_of(1, 9, 13);
    bool whole = false;
    for (int n = 0; !whole; n++) {
        nt_run r = {0};
        ck_assert_int_lt(n, 5000);
        gh_mem_fail_after(n);
        gh_status status = gh_net_load(&r.net, path, GH_PASS_ALL, &e);
        if (!status)
            status = gh_plan_get(&r.plan, r.net, &s, &e);
        if (!status)
            status = gh_session_new(&r.session, NULL, &e);
        if (!status)
            status = gh_session_bind(r.session, r.plan, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert_msg(whole || status == GH_NOMEM, "allocation %d gave %s: %s", n, gh_status_name(status),
                      e.text);
        if (!whole && r.plan) { /* what failed can be tried again */
            gh_session_free(&r.session);
            NT_OK(gh_session_new(&r.session, NULL, &e), e);
            NT_OK(gh_session_bind(r.session, r.plan, &e), e);
            nt_run_seeded(&r, 1);
        }
        nt_close(&r);
    }
    unlink(path);
    rmdir(folder);
}
END_TEST

/* A plan that could not be built leaves the cache and the packed weights whole. */
START_TEST(test_a_failed_plan_leaves_the_net_usable)
{
    gh_err e;
    gh_net *net = free_net(), *fresh = free_net();
    gh_shape s = size_of(1, 9, 9);
    nt_run want = bind(fresh, s);
    nt_run_seeded(&want, 3);
    bool whole = false;
    for (int n = 0; !whole; n++) {
        gh_plan *plan = NULL;
        gh_mem_fail_after(n);
        gh_status status = gh_plan_get(&plan, net, &s, &e);
        gh_mem_fail_after(-1);
        whole = status == GH_OK;
        ck_assert(whole || (status == GH_NOMEM && !plan));
        gh_plan_put(&plan);
    }
    nt_run r = bind(net, s);
    nt_run_seeded(&r, 3);
    nt_same_outputs(&r, &want, 0, "after failures");
    ck_assert_uint_eq(gh_net_packed_bytes(net), gh_net_packed_bytes(fresh));
    unbind(&r);
    unbind(&want);
    gh_net_free(&net);
    gh_net_free(&fresh);
}
END_TEST

START_TEST(test_a_graph_that_failed_is_taken_over)
{
    gh_err e;
    gh_graph *g = free_graph();
    gh_net *net = NULL;
    gh_graph_const(g, "", GH_F32, gh_shape_of(1, NT_DIMS(INT64_MAX)), "", false);
    ck_assert_int_eq(gh_net_from_graph(&net, &g, GH_PASS_ALL, &e), GH_LIMIT);
    ck_assert_ptr_null(g);
    ck_assert_ptr_null(net);
    ck_assert_int_eq(gh_net_load(&net, "/nowhere/model.onnx", GH_PASS_ALL, &e), GH_NOTFOUND);
    ck_assert_int_eq(gh_net_load(&net, "/tmp", GH_PASS_ALL, &e), GH_ARG);
}
END_TEST

/* A bias of n x 1 is one value a row, also where there are as many rows as columns. */
START_TEST(test_a_column_of_biases_is_not_a_row)
{
    gh_err e;
    gh_graph *g = NULL;
    float *w = NULL, *bias = NULL;
    nt_run r;
    NT_OK(gh_graph_new(&g, &e), e);
    uint32_t in[3] = {gh_graph_input(g, "x", GH_F32, gh_shape_of(2, NT_DIMS(2, 2)))};
    in[1] = gh_graph_const_f32(g, "w", gh_shape_of(2, NT_DIMS(2, 2)), &w);
    in[2] = gh_graph_const_f32(g, "bias", gh_shape_of(2, NT_DIMS(2, 1)), &bias);
    memset(w, 0, 4 * sizeof *w);
    bias[0] = 1;
    bias[1] = 2;
    gh_graph_output(g, gh_graph_op(g, "Gemm", "y", in, 3));
    gh_shape shape = gh_shape_of(2, NT_DIMS(2, 2));
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, &shape, NULL, &e), e);
    nt_run_seeded(&r, 1);
    size_t count;
    float *y = nt_copy_output(&r, 0, &count);
    for (size_t i = 0; i < 4; i++)
        ck_assert_float_eq(y[i], i < 2 ? 1.0f : 2.0f);
    gh_free(y);
    nt_close(&r);
}
END_TEST

/* More inputs than a mask of 32 bits has. */
START_TEST(test_a_concat_of_many_blocked_inputs)
{
    gh_err e;
    nt_run all, none;
    gh_shape shape = gh_shape_of(4, NT_DIMS(1, 16, 5, 5));
    for (int i = 0; i < 2; i++) {
        gh_graph *g = NULL;
        float *w = NULL;
        uint32_t in[40];
        gh_rng rng;
        gh_rng_seed(&rng, 5);
        NT_OK(gh_graph_new(&g, &e), e);
        uint32_t conv[2] = {gh_graph_input(g, "x", GH_F32, shape)};
        conv[1] = gh_graph_const_f32(g, "w", gh_shape_of(4, NT_DIMS(16, 16, 1, 1)), &w);
        rn_fill(&rng, w, 256);
        for (size_t k = 0; k < GH_COUNT(in); k++)
            in[k] = gh_graph_op(g, "Conv", "", conv, 2);
        gh_graph_output(g, gh_graph_op(g, "Concat", "y", in, GH_COUNT(in)));
        NT_OK(nt_open(i ? &none : &all, &g, i ? 0 : GH_PASS_ALL, &shape, NULL, &e), e);
        nt_run_seeded(i ? &none : &all, 2);
    }
    nt_same_outputs(&all, &none, 1e-4, "concat");
    nt_close(&all);
    nt_close(&none);
}
END_TEST

/* Cuts are found in a time that grows with the graph, not with the square of a node's inputs. */
START_TEST(test_cuts_of_a_node_with_many_inputs)
{
    enum { MANY = 300000 };
    gh_err e;
    gh_graph *g = NULL;
    uint32_t *in = gh_calloc(MANY, sizeof *in), *cuts = NULL;
    size_t count = 0;
    NT_OK(gh_graph_new(&g, &e), e);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(2, NT_DIMS(1, 1)));
    for (uint32_t i = 0; i < MANY; i++) /* all different: outputs of no node */
        in[i] = i < MANY / 2 ? x : gh_graph_value(g, "", GH_F32, gh_shape_of(2, NT_DIMS(1, 1)));
    gh_graph_output(g, gh_graph_op(g, "Concat", "y", in, MANY));
    NT_OK(gh_graph_check(g, &e), e);
    uint64_t start = gh_now_ns();
    NT_OK(gh_graph_cuts(&cuts, &count, g, &e), e);
    ck_assert_double_lt((double)(gh_now_ns() - start), 2e9);
    gh_free(cuts);
    gh_free(in);
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_sides_beside_a_side_of_zero_are_limited)
{
    gh_err e;
    gh_net *net = free_net();
    gh_plan *plan = NULL;
    gh_shape s = size_of(0, INT64_MAX / 2, 8);
    nt_refused(gh_plan_get(&plan, net, &s, &e), GH_LIMIT, &e, "larger than gharial accepts");
    gh_net_free(&net);
}
END_TEST

Suite *gh_suite_net(void)
{
    Suite *s = suite_create("net");
    TCase *t = tcase_create("net");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_what_a_net_tells);
    tcase_add_test(t, test_sizes_that_do_not_fit_are_told);
    tcase_add_test(t, test_the_same_size_is_the_same_plan);
    tcase_add_test(t, test_the_ninth_size_drops_the_least_recently_used);
    tcase_add_test(t, test_sizes_share_their_weights);
    tcase_add_test(t, test_random_networks_of_any_size);
    tcase_add_test(t, test_weights_that_depend_on_the_size_are_not_shared);
    tcase_add_test(t, test_a_net_freed_while_plans_are_held);
    tcase_add_test(t, test_threads_share_a_net);
    tcase_add_test(t, test_every_allocation_of_a_load_fails_once);
    tcase_add_test(t, test_a_failed_plan_leaves_the_net_usable);
    tcase_add_test(t, test_a_graph_that_failed_is_taken_over);
    tcase_add_test(t, test_a_column_of_biases_is_not_a_row);
    tcase_add_test(t, test_a_concat_of_many_blocked_inputs);
    tcase_add_test(t, test_cuts_of_a_node_with_many_inputs);
    tcase_add_test(t, test_sides_beside_a_side_of_zero_are_limited);
    suite_add_tcase(s, t);
    return s;
}
