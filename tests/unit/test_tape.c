/* The tape as a whole: it learns, its gradients are those of the loss, results do not depend on threads or
 * on what is computed again, a part can be frozen, and the trained graph serves. */
#include "base/mem.h"
#include "engine/net.h"
#include "unit/suites.h"
#include "unit/tape_case.h"

#include <math.h>
#include <string.h>

/* Everything that a small body and a decoder have: strides, depthwise, a residual, pooling, a skip. */
static uint32_t body(tc_graph *t, int64_t n, int64_t size)
{
    uint32_t x = tc_input(t, 4, (int64_t[]){n, 3, size, size + 1});
    uint32_t a = tc_op(t, "Relu", tc_norm(t, tc_conv(t, x, 3, 8, 3, 1, 1), 8), GH_NONE, GH_NONE);
    uint32_t b = tc_op(t, "MaxPool", a, GH_NONE, GH_NONE);
    gh_graph_set_ints(t->g, b, "kernel_shape", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(t->g, b, "strides", (int64_t[]){2, 2}, 2);
    uint32_t six[] = {tc_floats(t, 1, (float[]){0}), tc_floats(t, 1, (float[]){6})};
    uint32_t c = tc_op(t, "Clip", tc_norm(t, tc_conv(t, b, 8, 8, 3, 1, 8), 8), six[0], six[1]);
    uint32_t d = tc_op(t, "Add", b, tc_norm(t, tc_conv(t, c, 8, 8, 1, 1, 1), 8), GH_NONE);
    uint32_t e = tc_op(t, "Relu", tc_conv(t, d, 8, 6, 3, 2, 2), GH_NONE, GH_NONE);
    return tc_op(t, "Add", e, tc_conv(t, e, 6, 6, 1, 1, 1), GH_NONE);
}

static void classify(tc_graph *t, uint32_t x, int64_t channels, int64_t classes)
{
    uint32_t flat = tc_op(t, "Flatten", tc_op(t, "GlobalAveragePool", x, GH_NONE, GH_NONE), GH_NONE, GH_NONE);
    uint32_t w = tc_random(t, 2, (int64_t[]){classes, channels}, -0.5f, 0.5f);
    uint32_t y = tc_op(t, "Gemm", flat, w, tc_random(t, 1, &classes, -0.5f, 0.5f));
    gh_graph_set_int(t->g, y, "transB", 1);
    gh_graph_output(t->g, y);
}

/* Stripes across or down, a class each, with some noise. */
static void draw_stripes(float *x, int n, gh_rng *rng)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 64; k++)
            *x++ = ((i % 2 ? k : k / 8) / 2 % 2 ? 1.0f : -1.0f) + 0.5f * gh_rng_normal(rng);
}

/* Softmax and cross-entropy of the stripes' classes; fills the gradient. */
static double stripes_loss(gh_tape *tape, int n, int *right)
{
    const float *y = gh_tape_output(tape, 0)->data;
    float *dy = gh_tape_output_gradient(tape, 0);
    double loss = 0;
    *right = 0;
    for (int i = 0; i < n; i++) {
        double p = 1 / (1 + exp((double)y[2 * i] - (double)y[2 * i + 1]));
        loss -= log(i % 2 ? p : 1 - p) / n;
        *right += (p > 0.5) == (i % 2);
        if (dy) {
            dy[2 * i + 1] = (float)(p - (i % 2)) / (float)n;
            dy[2 * i] = -dy[2 * i + 1];
        }
    }
    return loss;
}

START_TEST(test_learns_stripes)
{
    enum { N = 16 };
    tc_graph t = tc_new(3);
    gh_err e = {0};
    gh_rng rng;
    int right;
    double first = 0, loss = 0;
    uint32_t x = tc_input(&t, 4, (int64_t[]){N, 1, 8, 8});
    uint32_t a = tc_op(&t, "Relu", tc_norm(&t, tc_conv(&t, x, 1, 4, 3, 1, 1), 4), GH_NONE, GH_NONE);
    classify(&t, tc_op(&t, "Relu", tc_norm(&t, tc_conv(&t, a, 4, 4, 3, 2, 1), 4), GH_NONE, GH_NONE), 4, 2);
    gh_tape *tape = tc_tape(&t, (gh_tape_options){0});
    gh_rng_seed(&rng, 5);
    for (int step = 0; step < 150; step++) {
        draw_stripes(gh_tape_input(tape, 0), N, &rng);
        NT_OK(gh_tape_forward(tape, true, &e), e);
        loss = stripes_loss(tape, N, &right);
        first = step == 0 ? loss : first;
        NT_OK(gh_tape_backward(tape, &e), e);
        for (size_t i = 0; i < gh_tape_count(tape); i++)
            gh_tape_weights(tape)[i] -= 0.2f * gh_tape_gradients(tape)[i];
    }
    ck_assert_msg(first > 0.5 && loss < 0.1, "loss from %g to %g", first, loss);
    /* with running statistics, and the same from the stored graph */
    draw_stripes(gh_tape_input(tape, 0), N, &rng);
    NT_OK(gh_tape_forward(tape, false, &e), e);
    stripes_loss(tape, N, &right);
    ck_assert_int_ge(right, N - 1);
    NT_OK(gh_tape_store(tape, &e), e);
    float own[2 * N], pictures[N * 64];
    memcpy(own, gh_tape_output(tape, 0)->data, sizeof own);
    memcpy(pictures, gh_tape_input(tape, 0), sizeof pictures);
    gh_tape_free(&tape);
    nt_run run;
    NT_OK(nt_open(&run, &t.g, GH_PASS_ALL, NULL, NULL, &e), e);
    memcpy(gh_session_input(run.session, 0)->data, pictures, sizeof pictures);
    NT_OK(gh_session_run(run.session, &e), e);
    ck_assert_double_lt(nt_difference(gh_session_output(run.session, 0)->data, own, GH_COUNT(own)), 1e-4);
    nt_close(&run);
}
END_TEST

/* The loss that tc_step would give after weight i has moved by `by`. */
static double moved(tc_graph *t, gh_tape *tape, size_t i, float by)
{
    float *w = gh_tape_weights(tape), was = w[i];
    w[i] += by;
    double loss = tc_step(t, tape, 11);
    w[i] = was;
    return loss;
}

static float *copy_gradients(gh_tape *tape)
{
    size_t bytes = gh_tape_count(tape) * sizeof(float);
    float *copy = gh_alloc(bytes);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, gh_tape_gradients(tape), bytes);
    return copy;
}

/* Differences of the float passes themselves, along the gradient: the loss rises by step times its length. */
START_TEST(test_gradient_is_the_slope)
{
    tc_graph t = tc_new(1);
    classify(&t, body(&t, 2, 11), 6, 3);
    gh_tape *tape = tc_tape(&t, (gh_tape_options){0});
    tc_fill(&t, tape, 7);
    tc_step(&t, tape, 11);
    float *g = copy_gradients(tape), *w = gh_tape_weights(tape);
    double square = 0;
    for (size_t i = 0; i < gh_tape_count(tape); i++)
        square += (double)g[i] * g[i];
    double h = 1e-3 / sqrt(square), loss[2];
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < gh_tape_count(tape); i++)
            w[i] += (float)((side ? -2 : 1) * h) * g[i];
        loss[side] = tc_step(&t, tape, 11);
    }
    double slope = (loss[0] - loss[1]) / (2 * h);
    ck_assert_msg(fabs(slope / square - 1) < 0.01, "slope %g, square of the gradient %g", slope, square);
    for (size_t i = 0; i < gh_tape_count(tape); i++)
        w[i] += (float)h * g[i];
    /* single weights, the largest gradients of each tensor */
    const gh_tape_param *params;
    for (size_t p = 0; p < gh_tape_params(tape, &params); p++) {
        size_t best = params[p].offset;
        for (size_t i = best; i < params[p].offset + params[p].count; i++)
            best = fabsf(g[i]) > fabsf(g[best]) ? i : best;
        double slope_one = (moved(&t, tape, best, 2e-3f) - moved(&t, tape, best, -2e-3f)) / 4e-3;
        ck_assert_msg(fabs(slope_one - g[best]) < 0.1 * fabs((double)g[best]) + 2e-3, "%s: %g, not %g",
                      params[p].name, (double)g[best], slope_one);
    }
    gh_free(g);
    gh_tape_free(&tape);
    gh_graph_free(&t.g);
}
END_TEST

/* Gradients of the small body after one step. */
static float *gradients_with(gh_tape_options o, size_t *count, size_t *bytes)
{
    tc_graph t = tc_new(1);
    uint32_t x = body(&t, 3, 21);
    classify(&t, x, 6, 3);
    gh_graph_output(t.g, x);
    gh_tape *tape = tc_tape(&t, o);
    tc_fill(&t, tape, 7);
    tc_step(&t, tape, 11);
    float *g = copy_gradients(tape);
    *count = gh_tape_count(tape);
    *bytes = gh_tape_bytes(tape);
    gh_tape_free(&tape);
    gh_graph_free(&t.g);
    return g;
}

START_TEST(test_same_with_two_threads)
{
    gh_pool *pool = NULL;
    gh_err e = {0};
    size_t count, bytes;
    NT_OK(gh_pool_new(&pool, 2, &e), e);
    float *one = gradients_with((gh_tape_options){0}, &count, &bytes);
    float *two = gradients_with((gh_tape_options){.pool = pool}, &count, &bytes);
    ck_assert_mem_eq(one, two, count * sizeof *one);
    gh_free(one);
    gh_free(two);
    gh_pool_free(&pool);
}
END_TEST

START_TEST(test_same_when_computed_again)
{
    size_t count, bytes, fewer;
    float *kept = gradients_with((gh_tape_options){0}, &count, &bytes);
    float *again = gradients_with((gh_tape_options){.checkpointing = true}, &count, &fewer);
    ck_assert_mem_eq(kept, again, count * sizeof *kept);
    gh_free(kept);
    gh_free(again);
}
END_TEST

/* In a long chain what is computed again saves memory. */
START_TEST(test_checkpointing_saves)
{
    size_t bytes[2];
    for (int again = 0; again < 2; again++) {
        tc_graph t = tc_new(1);
        uint32_t x = tc_input(&t, 4, (int64_t[]){2, 4, 40, 40});
        for (int i = 0; i < 24; i++)
            x = tc_op(&t, "Tanh", tc_conv(&t, x, 4, 4, 3, 1, 1), GH_NONE, GH_NONE);
        gh_graph_output(t.g, x);
        gh_tape *tape = tc_tape(&t, (gh_tape_options){.checkpointing = again});
        bytes[again] = gh_tape_bytes(tape);
        gh_tape_free(&tape);
        gh_graph_free(&t.g);
    }
    ck_assert_msg(bytes[1] < bytes[0] * 0.7, "%zu bytes, with checkpointing %zu", bytes[0], bytes[1]);
}
END_TEST

static bool only_gemm(void *arg, const gh_graph *g, uint32_t value)
{
    (void)arg;
    for (uint32_t i = 0; i < g->nnodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].ninputs; k++)
            if (g->nodes[i].inputs[k] == value && strcmp(g->nodes[i].type, "Gemm") == 0)
                return true;
    return false;
}

/* A frozen body: its norms stand still, and the head's gradient is what it is otherwise. */
START_TEST(test_frozen_body)
{
    tc_graph t = tc_new(1);
    const gh_tape_param *params;
    size_t states;
    classify(&t, body(&t, 2, 11), 6, 3);
    gh_tape *tape = tc_tape(&t, (gh_tape_options){.trains = only_gemm});
    ck_assert_uint_eq(gh_tape_params(tape, &params), 2);
    ck_assert(params[0].decays && !params[1].decays);
    float *state = gh_tape_state(tape, &states), *before = gh_alloc(states * sizeof *state);
    memcpy(before, state, states * sizeof *state);
    tc_fill(&t, tape, 7);
    tc_step(&t, tape, 11);
    ck_assert_mem_eq(before, state, states * sizeof *state);
    for (size_t p = 0; p < 2; p++)
        for (size_t i = params[p].offset; i < params[p].offset + params[p].count; i++) {
            double slope = (moved(&t, tape, i, 0.1f) - moved(&t, tape, i, -0.1f)) / 0.2;
            ck_assert_double_lt(fabs(slope - (double)gh_tape_gradients(tape)[i]), 1e-4);
        }
    gh_free(before);
    gh_tape_free(&tape);
    gh_graph_free(&t.g);
}
END_TEST

START_TEST(test_refuses)
{
    tc_graph t = tc_new(1);
    gh_tape *tape = NULL;
    gh_err e = {0};
    uint32_t x = tc_input(&t, 4, (int64_t[]){1, 2, 4, 4});
    gh_shape shape = t.g->values[x].shape;
    gh_graph_output(t.g, tc_op(&t, "Erf", tc_conv(&t, x, 2, 2, 1, 1, 1), GH_NONE, GH_NONE));
    nt_refused(gh_tape_new(&tape, t.g, &(gh_tape_options){.inputs = &shape}, &e), GH_UNSUPPORTED, &e, "Erf");
    ck_assert_ptr_null(tape);
    gh_graph_free(&t.g);
    t = tc_new(1);
    gh_graph_output(t.g, tc_op(&t, "Relu", tc_input(&t, 4, shape.dims), GH_NONE, GH_NONE));
    nt_refused(gh_tape_new(&tape, t.g, &(gh_tape_options){.inputs = &shape}, &e), GH_ARG, &e, "learnt");
    gh_graph_free(&t.g);
}
END_TEST

Suite *gh_suite_tape(void)
{
    Suite *s = suite_create("tape");
    TCase *c = tcase_create("tape");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_learns_stripes);
    tcase_add_test(c, test_gradient_is_the_slope);
    tcase_add_test(c, test_same_with_two_threads);
    tcase_add_test(c, test_same_when_computed_again);
    tcase_add_test(c, test_checkpointing_saves);
    tcase_add_test(c, test_frozen_body);
    tcase_add_test(c, test_refuses);
    suite_add_tcase(s, c);
    return s;
}
