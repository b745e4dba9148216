/* Optimisers and schedules against steps that PyTorch 2.15.0 took. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/learn/optim.h"

#include <math.h>
#include <string.h>

static const gh_optim_part parts[] = {{0, 3, true, 0}, {3, 1, false, 0}};

/* Six steps from 2 sin(i + 1) with the gradient w * k + cos(t). */
static void six_steps(float w[4], const gh_optim_options *options)
{
    static const float k[] = {.5f, 1, 2, 4};
    gh_optim *o = NULL;
    float g[4];
    ck_assert_int_eq(gh_optim_new(&o, options, parts, 2, 4, NULL), GH_OK);
    for (int i = 0; i < 4; i++)
        w[i] = 2 * sinf((float)(i + 1));
    for (int t = 0; t < 6; t++) {
        for (int i = 0; i < 4; i++)
            g[i] = w[i] * k[i] + cosf((float)t);
        ck_assert(gh_optim_step(o, w, g, .1, NULL) > 0);
    }
    gh_optim_free(&o);
    ck_assert_ptr_null(o);
}

START_TEST(test_steps_as_recorded)
{
    static const struct {
        gh_optim_options o;
        double w[4];
    } cases[] = {
        {{.kind = GH_OPTIM_ADAMW, .decay = .05f}, {1.18613096, 1.23516185, -0.00560153359, -0.914761341}},
        {{.kind = GH_OPTIM_ADAMW, .decay = .05f, .clip = 1},
         {1.1793714, 1.22744798, -0.00215655383, -0.911485914}},
        {{.kind = GH_OPTIM_SGD, .decay = .05f, .momentum = .9f},
         {0.280814146, -0.464413087, 0.0227655417, 0.885194364}},
        {{.kind = GH_OPTIM_SGD, .decay = .05f, .momentum = .9f, .nesterov = true},
         {0.25602346, -0.315802505, 0.158608204, 0.126764078}},
    };
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        float w[4];
        six_steps(w, &cases[i].o);
        for (int k = 0; k < 4; k++)
            ck_assert_msg(fabs((double)w[k] - cases[i].w[k]) < 2e-6, "case %zu, weight %d: %.9g, not %.9g", i,
                          k, (double)w[k], cases[i].w[k]);
    }
}
END_TEST

START_TEST(test_rates_as_recorded)
{
    static const double cycle[] = {0.04,        0.131671843, 0.371671843, 0.668328157,  0.908328157,
                                   1,           0.987464006, 0.950484632, 0.890916178,  0.811745654,
                                   0.716943002, 0.611262022, 0.500002,    0.388741978,  0.283060998,
                                   0.188258346, 0.109087822, 0.049519368, 0.0125399938, 4e-06},
                        cosine[] = {1,     0.975772976, 0.905463412, 0.7959537,   0.657963412,
                                    0.505, 0.352036588, 0.2140463,   0.104536588, 0.0342270244};
    gh_schedule s = {GH_SCHEDULE_ONE_CYCLE, 1, 4e-6, 0, 20};
    for (uint64_t i = 0; i < 20; i++)
        ck_assert_double_eq_tol(gh_schedule_rate(&s, i), cycle[i], 1e-8);
    s = (gh_schedule){GH_SCHEDULE_COSINE, 1, .01, 0, 10};
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_double_eq_tol(gh_schedule_rate(&s, i), cosine[i], 1e-8);
}
END_TEST

START_TEST(test_warm_up)
{
    gh_schedule s = {GH_SCHEDULE_CONSTANT, 2, 0, 3, 10};
    static const double rises[] = {.5, 1, 1.5, 2, 2};
    for (uint64_t i = 0; i < 5; i++)
        ck_assert_double_eq_tol(gh_schedule_rate(&s, i), rises[i], 1e-12);
    s.kind = GH_SCHEDULE_COSINE;
    ck_assert_double_eq_tol(gh_schedule_rate(&s, 3), 2, 1e-12);
    ck_assert(gh_schedule_rate(&s, 9) < .2 && gh_schedule_rate(&s, 9) > 0);
    for (int kind = 0; kind < 3; kind++) /* runs that hardly are any */
        for (uint64_t total = 0; total < 5; total++)
            for (uint64_t i = 0; i <= total; i++) {
                gh_schedule tiny = {(gh_schedule_kind)kind, 1, 0, total, total};
                double r = gh_schedule_rate(&tiny, i);
                ck_assert(r >= 0 && r <= 1);
            }
}
END_TEST

START_TEST(test_own_rates_and_gaps)
{
    /* the second part at a tenth of the rate; what no part holds stays */
    static const gh_optim_part p[] = {{0, 1, false, 0}, {2, 1, false, .1f}};
    gh_optim_options options = {.kind = GH_OPTIM_SGD, .decay = 1};
    gh_optim *o = NULL;
    float w[3] = {1, 1, 1}, g[3] = {1, 1, 1};
    ck_assert_int_eq(gh_optim_new(&o, &options, p, 2, 3, NULL), GH_OK);
    ck_assert_double_eq_tol(gh_optim_step(o, w, g, .5, NULL), sqrt(3), 1e-9);
    ck_assert_float_eq(w[0], .5f);
    ck_assert_float_eq(w[1], 1);
    ck_assert_float_eq_tol(w[2], .95f, 1e-7f);
    gh_optim_free(&o);
}
END_TEST

START_TEST(test_average)
{
    gh_optim_options options = {.kind = GH_OPTIM_SGD, .ema = .5f};
    gh_optim *o = NULL;
    float w[4] = {1, 2, 3, 4}, ema[4] = {1, 2, 3, 4}, g[4];
    ck_assert_int_eq(gh_optim_new(&o, &options, parts, 2, 4, NULL), GH_OK);
    for (int t = 1; t <= 30; t++) {
        double kept = fmin(.5, t / (10.0 + t));
        for (int i = 0; i < 4; i++)
            g[i] = sinf((float)(i + t));
        gh_optim_step(o, w, g, .3, NULL);
        ck_assert_double_eq_tol(gh_optim_kept(o), kept, 1e-12);
        for (int i = 0; i < 4; i++) {
            ema[i] = (float)kept * ema[i] + (float)(1 - kept) * w[i];
            ck_assert_float_eq_tol(gh_optim_average(o)[i], ema[i], 1e-5f);
        }
    }
    gh_optim_free(&o);
}
END_TEST

START_TEST(test_bad_gradients_change_nothing)
{
    gh_optim_options options = {.kind = GH_OPTIM_ADAMW, .ema = .9f};
    gh_optim *o = NULL;
    float w[4] = {1, 2, 3, 4}, g[4] = {1, NAN, 1, 1}, before[4];
    ck_assert_int_eq(gh_optim_new(&o, &options, parts, 2, 4, NULL), GH_OK);
    memcpy(before, w, sizeof w);
    size_t bytes;
    uint8_t *state = gh_optim_state(o, &bytes), *copy = gh_alloc(bytes);
    memcpy(copy, state, bytes);
    ck_assert(isnan(gh_optim_step(o, w, g, .1, NULL)));
    g[1] = INFINITY;
    ck_assert(isinf(gh_optim_step(o, w, g, .1, NULL)));
    ck_assert_mem_eq(w, before, sizeof w);
    ck_assert_mem_eq(state, copy, bytes);
    gh_free(copy);
    gh_optim_free(&o);
}
END_TEST

enum { MANY = 100003 };

static float many[2][MANY], slope[2][MANY];

static void many_steps(gh_optim *o, float *w, float *g, int from, int to, gh_pool *pool)
{
    for (int t = from; t < to; t++) {
        for (int i = 0; i < MANY; i++)
            g[i] = w[i] + sinf((float)(i * 7 + t));
        gh_optim_step(o, w, g, .01, pool);
    }
}

/* The same bytes with one and three threads, and when a run goes on from a saved state. */
START_TEST(test_same_bytes)
{
    static const gh_optim_part p[] = {{0, 70000, true, 0}, {70000, MANY - 70000, false, 0}};
    gh_pool *pool = NULL;
    ck_assert_int_eq(gh_pool_new(&pool, 3, NULL), GH_OK);
    for (int kind = 0; kind < 2; kind++) {
        gh_optim_options options = {
            .kind = (gh_optim_kind)kind, .momentum = .9f, .decay = .1f, .clip = 5, .ema = .99f};
        gh_optim *a = NULL, *b = NULL, *c = NULL;
        ck_assert_int_eq(gh_optim_new(&a, &options, p, 2, MANY, NULL), GH_OK);
        ck_assert_int_eq(gh_optim_new(&b, &options, p, 2, MANY, NULL), GH_OK);
        ck_assert_int_eq(gh_optim_new(&c, &options, p, 2, MANY, NULL), GH_OK);
        for (int i = 0; i < MANY; i++)
            many[0][i] = many[1][i] = cosf((float)i);
        many_steps(a, many[0], slope[0], 0, 4, NULL);
        many_steps(b, many[1], slope[1], 0, 2, pool);
        size_t bytes;
        void *from = gh_optim_state(b, &bytes);
        memcpy(gh_optim_state(c, &bytes), from, bytes);
        many_steps(c, many[1], slope[1], 2, 4, pool);
        ck_assert_mem_eq(many[0], many[1], sizeof many[0]);
        ck_assert_mem_eq(gh_optim_average(a), gh_optim_average(c), sizeof many[0]);
        gh_optim_free(&a);
        gh_optim_free(&b);
        gh_optim_free(&c);
    }
    gh_pool_free(&pool);
}
END_TEST

START_TEST(test_memory_runs_out)
{
    gh_optim_options options = {.kind = GH_OPTIM_ADAMW, .ema = .9f};
    gh_optim *o = NULL;
    for (int i = 0;; i++) {
        gh_mem_fail_after(i);
        gh_status status = gh_optim_new(&o, &options, parts, 2, 4, NULL);
        if (status == GH_OK) {
            ck_assert_int_gt(i, 2);
            break;
        }
        ck_assert_int_eq(status, GH_NOMEM);
        ck_assert_ptr_null(o);
    }
    gh_mem_fail_after(-1);
    gh_optim_free(&o);
}
END_TEST

Suite *gh_suite_optim(void)
{
    Suite *s = suite_create("optim");
    TCase *c = tcase_create("optim");
    tcase_add_test(c, test_steps_as_recorded);
    tcase_add_test(c, test_rates_as_recorded);
    tcase_add_test(c, test_warm_up);
    tcase_add_test(c, test_own_rates_and_gaps);
    tcase_add_test(c, test_average);
    tcase_add_test(c, test_bad_gradients_change_nothing);
    tcase_add_test(c, test_same_bytes);
    tcase_add_test(c, test_memory_runs_out);
    suite_add_tcase(s, c);
    return s;
}
