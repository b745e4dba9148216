/* Concatenations whose parts are computed where the concatenation wants them: the results of the plain run,
 * and no copy where none is needed. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/status.h"
#include "engine/plan.h"
#include "unit/nets.h"
#include "unit/random_net.h"

#include <stdio.h>

static int weights;

/* A 1x1 convolution of v, which has `from` channels, to `to` channels. */
static uint32_t conv(gh_graph *g, uint32_t v, int64_t from, int64_t to)
{
    gh_rng rng;
    float *data = NULL;
    char name[16];
    snprintf(name, sizeof name, "w%d", weights++);
    uint32_t in[2] = {v, gh_graph_const_f32(g, name, gh_shape_of(4, NT_DIMS(to, from, 1, 1)), &data)};
    ck_assert_ptr_nonnull(data);
    gh_rng_seed(&rng, (uint64_t)weights);
    rn_fill(&rng, data, (size_t)(to * from));
    uint32_t c = gh_graph_op(g, "Conv", "", in, 2);
    return gh_graph_op(g, "Tanh", "", &c, 1);
}

static uint32_t concat(gh_graph *g, uint32_t a, uint32_t b)
{
    uint32_t in[2] = {a, b}, c = gh_graph_op(g, "Concat", "", in, 2);
    gh_graph_set_int(g, c, "axis", 1);
    return c;
}

static gh_graph *start(uint32_t *x, int64_t n)
{
    gh_graph *g = NULL;
    weights = 0;
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    *x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, NT_DIMS(n, 16, 7, 9)));
    return g;
}

/* A skip that is read again after the concatenation, and whose other reader comes before it. */
static gh_graph *skip(int64_t n)
{
    uint32_t x;
    gh_graph *g = start(&x, n);
    uint32_t a = conv(g, x, 16, 32), b = conv(g, conv(g, a, 32, 16), 16, 16), c = concat(g, a, b);
    uint32_t d = conv(g, c, 48, 32), in[2] = {d, a};
    gh_graph_output(g, conv(g, gh_graph_op(g, "Add", "", in, 2), 32, 8));
    return g;
}

/* Concatenations in a concatenation; the last part does not fill its block. */
static gh_graph *nested(int64_t n)
{
    uint32_t x;
    gh_graph *g = start(&x, n);
    uint32_t a = conv(g, x, 16, 16), b = conv(g, a, 16, 32), c = concat(g, a, b);
    uint32_t d = conv(g, c, 48, 16), e = concat(g, c, d), f = conv(g, e, 64, 5);
    gh_graph_output(g, conv(g, concat(g, e, f), 69, 8));
    return g;
}

/* One value twice in one, and the same value in two. */
static gh_graph *twice(int64_t n)
{
    uint32_t x;
    gh_graph *g = start(&x, n);
    uint32_t a = conv(g, x, 16, 16), b = conv(g, x, 16, 16);
    uint32_t c = conv(g, concat(g, a, a), 32, 16), d = conv(g, concat(g, b, a), 32, 16);
    uint32_t e = concat(g, c, d);
    gh_graph_output(g, conv(g, gh_graph_op(g, "Tanh", "", &e, 1), 32, 8));
    return g;
}

/* The result of the concatenation is an output itself, its input another. */
static gh_graph *outputs(int64_t n)
{
    uint32_t x;
    gh_graph *g = start(&x, n);
    uint32_t a = conv(g, x, 16, 16), b = conv(g, a, 16, 16), c = concat(g, a, b);
    gh_graph_output(g, b);
    gh_graph_output(g, c);
    gh_graph_output(g, conv(g, c, 32, 8));
    return g;
}

static gh_graph *(*const graphs[])(int64_t n) = {skip, nested, twice, outputs};

START_TEST(test_results_are_those_of_the_plain_run)
{
    gh_err e;
    for (int64_t n = 1; n < 3; n++) {
        gh_graph *g = graphs[_i](n), *p = graphs[_i](n);
        nt_run fast, plain;
        NT_OK(nt_open(&fast, &g, GH_PASS_ALL, NULL, NULL, &e), e);
        NT_OK(nt_open(&plain, &p, 0, NULL, NULL, &e), e);
        for (uint64_t seed = 0; seed < 2; seed++) { /* the second finds what the first left */
            nt_run_seeded(&fast, seed);
            nt_run_seeded(&plain, seed);
            nt_same_outputs(&fast, &plain, 2e-5, "concat");
        }
        nt_close(&fast);
        nt_close(&plain);
    }
}
END_TEST

/* Inputs of concatenations that do not stand where the output wants them. */
static int copies(const gh_plan *p)
{
    int count = 0;
    for (uint32_t i = 0; i < p->nsteps; i++) {
        const gh_step *s = &p->steps[i];
        size_t at = p->buffers[p->operands[s->out].buffer].offset;
        for (uint32_t k = 0; s->strings && k < s->nin; k++) {
            const gh_operand *part = &p->operands[s->in + k];
            count += p->buffers[part->buffer].offset != at;
            at += gh_blocked_count(&part->t.shape, p->net->k->block) * sizeof(float);
        }
    }
    return count;
}

START_TEST(test_parts_stand_in_their_places)
{
    /* with blocks of 8 channels, 7 x 9 pixels of 32 channels are whole lines of the cache, too */
    static const int most[] = {0, 0, 2, 0};
    gh_err e;
    for (size_t i = 0; i < GH_COUNT(graphs); i++) {
        gh_graph *g = graphs[i](1);
        nt_run r;
        NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
        ck_assert_int_eq(copies(r.plan), most[i]);
        nt_close(&r);
    }
}
END_TEST

Suite *gh_suite_concat(void)
{
    Suite *s = suite_create("concat");
    TCase *t = tcase_create("concat");
    tcase_add_loop_test(t, test_results_are_those_of_the_plain_run, 0, (int)GH_COUNT(graphs));
    tcase_add_test(t, test_parts_stand_in_their_places);
    suite_add_tcase(s, t);
    return s;
}
