/* The loop of training: that it learns, gives the same bytes on any number of threads, ends when it should,
 * and says what went wrong. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/learn/parts.h"
#include "unit/learn_case.h"
#include "unit/nets.h"
#include "unit/tiny.h"

#include <math.h>
#include <string.h>

START_TEST(test_it_learns)
{
    lc_run l;
    gh_buf b = {0};
    lc_begin(&l, 2);
    l.o.epochs = 12;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 12);
    ck_assert(l.summary.metric > .9 && !l.summary.early);
    ck_assert_int_eq(l.s.validations, 12);
    ck_assert_mem_eq(l.summary.details.data, "{\"right\": ", 10);
    /* the graph holds what was measured */
    double again;
    NT_OK(lc_validate(&l.s, l.g, &again, &b, &l.e), l.e);
    ck_assert_double_eq(again, l.summary.metric);
    b.len = 0;
    lc_read(&b, "history.csv");
    int lines = 0;
    for (size_t i = 0; i < b.len; i++)
        lines += b.data[i] == '\n';
    ck_assert_int_eq(lines, 13);
    ck_assert_mem_eq(b.data, "epoch,step,loss,accuracy,rate,", 30);
    b.len = 0;
    lc_read(&b, "report.html");
    const char *page = (const char *)b.data;
    ck_assert_ptr_nonnull(strstr(page, "stripes &lt;b&gt;"));
    ck_assert_ptr_nonnull(strstr(page, "<p>a sheet</p>"));
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "http-equiv=\"refresh\""));
    ck_assert_ptr_null(strstr(page, "://"));
    ck_assert_ptr_null(strstr(page, "nan"));
    gh_buf_free(&b);
    lc_end(&l);
}
END_TEST

START_TEST(test_threads_give_the_same_bytes)
{
    lc_run l;
    lc_begin(&l, 3);
    NT_OK(lc_learn(&l), l.e);
    lc_check_same(&l);
    lc_end(&l);
}
END_TEST

START_TEST(test_patience)
{
    lc_run l;
    lc_begin(&l, 1);
    l.s.dull = true;
    l.o.epochs = 9;
    l.o.patience = 3;
    NT_OK(lc_learn(&l), l.e);
    ck_assert(l.summary.early);
    ck_assert_uint_eq(l.summary.epochs, 4);
    ck_assert_uint_eq(l.summary.best_epoch, 1);
    lc_end(&l);
}
END_TEST

/* A network that knows the task is judged first, and comes back as it was where learning only spoils it. */
START_TEST(test_what_was_there_counts)
{
    lc_run l;
    size_t n, n2;
    gh_buf b = {0};
    lc_begin(&l, 1);
    l.task.trained = true;
    l.s.dull = true; /* every judgement is the same: none is better */
    float *before = lc_constants(&l, &n);
    NT_OK(lc_learn(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 4);
    ck_assert_uint_eq(l.summary.best_epoch, 0);
    ck_assert_int_eq(l.s.validations, 5);
    float *after = lc_constants(&l, &n2);
    ck_assert(n == n2 && memcmp(before, after, n) == 0);
    lc_read(&b, "report.html");
    ck_assert_ptr_nonnull(strstr((const char *)b.data, "Before the first step: accuracy"));
    gh_free(before);
    gh_free(after);
    gh_buf_free(&b);
    lc_end(&l);
    lc_begin(&l, 1);
    l.task.trained = true; /* it learns: an epoch is better */
    NT_OK(lc_learn(&l), l.e);
    ck_assert_uint_gt(l.summary.best_epoch, 0);
    lc_end(&l);
}
END_TEST

START_TEST(test_time_limit)
{
    lc_run l;
    lc_begin(&l, 1);
    l.o.seconds = 1e-6;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 0);
    lc_end(&l);
}
END_TEST

START_TEST(test_numbers_that_run_away)
{
    lc_run l;
    lc_begin(&l, 1);
    l.s.nan_at = 6;
    nt_refused(lc_learn(&l), GH_FORMAT, &l.e, "epoch 2, step 2: the loss ran away");
    lc_end(&l);
    lc_begin(&l, 1); /* a rate that no network bears */
    l.o.rate = 1e30;
    l.o.optim = (gh_optim_options){.kind = GH_OPTIM_SGD};
    l.o.warmup = 0;
    nt_refused(lc_learn(&l), GH_FORMAT, &l.e, "ran away");
    ck_assert_ptr_nonnull(strstr(l.e.text, "--lr 1e+29"));
    lc_end(&l);
}
END_TEST

static gh_status endless(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                         gh_err *e)
{
    GH_TRY(lc_sample(arg, index, rng, inputs, target, e));
    inputs[0][5] = index == 3 ? INFINITY : inputs[0][5];
    return GH_OK;
}

START_TEST(test_bad_samples)
{
    lc_run l;
    lc_begin(&l, 2);
    l.s.bad_sample = true;
    nt_refused(lc_learn(&l), GH_FORMAT, &l.e, "picture 7 is broken");
    lc_end(&l);
    lc_begin(&l, 1);
    l.task.sample = endless;
    nt_refused(lc_learn(&l), GH_FORMAT, &l.e, "was given numbers that are not finite");
    lc_end(&l);
}
END_TEST

START_TEST(test_bad_options)
{
    lc_run l;
    for (int i = 0; i < 4; i++) {
        lc_begin(&l, 1);
        if (i == 0)
            l.o.epochs = 0;
        else if (i == 1)
            l.o.rate = -1;
        else if (i == 2)
            l.o.rate = NAN;
        else
            l.task.samples = 0;
        nt_refused(lc_learn(&l), GH_ARG, &l.e, "");
        lc_end(&l);
    }
}
END_TEST

/* ---- the rate finder ---- */

START_TEST(test_choice_of_a_rate)
{
    enum { N = 60 };
    double rates[N], losses[N];
    for (int i = 0; i < N; i++) { /* falls fastest at i = 30 and is least at 45 */
        rates[i] = pow(10, -6 + .1 * i);
        losses[i] = 2 - 1 / (1 + exp(-.4 * (i - 30))) + (i > 45 ? .1 * (i - 45) : 0);
    }
    ck_assert_double_eq_tol(gh_learn_choose_rate(rates, losses, N), 1e-3, 1e-9);
    for (int i = 0; i < N; i++) /* falls fastest right before it is least */
        losses[i] = i < 40 ? 2 - .001 * i : i < 45 ? 1.9 - .3 * (i - 40) : 1 + i;
    ck_assert_double_eq_tol(gh_learn_choose_rate(rates, losses, N), pow(10, -6 + 4.4 - 1), 1e-9);
    for (int i = 0; i < N; i++) /* never falls: below the lowest that was tried */
        losses[i] = 1 + i;
    ck_assert_double_eq_tol(gh_learn_choose_rate(rates, losses, N), 1e-7, 1e-12);
}
END_TEST

START_TEST(test_a_found_rate)
{
    lc_run l, given;
    gh_buf b = {0};
    lc_begin(&l, 1);
    l.o.rate = 0;
    l.o.epochs = 8;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_msg(l.summary.rate > 1e-4 && l.summary.rate < .3, "rate %g", l.summary.rate);
    ck_assert(l.summary.metric > .7);
    lc_read(&b, "report.html");
    ck_assert_ptr_nonnull(strstr((const char *)b.data, "How the rate was found"));
    /* the trial leaves no trace in the weights */
    lc_begin(&given, 1);
    given.o.folder = NULL;
    given.o.rate = l.summary.rate;
    given.o.epochs = 8;
    NT_OK(lc_learn(&given), given.e);
    size_t n, m;
    float *x = lc_constants(&l, &n), *y = lc_constants(&given, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n);
    gh_free(x);
    gh_free(y);
    gh_buf_free(&b);
    lc_end(&l);
    lc_end(&given);
}
END_TEST

START_TEST(test_stopped_while_a_rate_is_looked_for)
{
    lc_run l;
    lc_begin(&l, 1);
    l.o.rate = 0;
    l.s.stop_at = 20;
    ck_assert_int_eq(lc_learn(&l), GH_INTERRUPTED);
    lc_end(&l);
}
END_TEST

START_TEST(test_memory_runs_out)
{
    for (int i = 0; i < 400; i++) {
        lc_run l;
        lc_begin(&l, 1);
        l.o.epochs = 1;
        l.task.validate = NULL;
        gh_mem_fail_after(i);
        gh_status status = lc_learn(&l);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, l.e.text);
        lc_end(&l);
        if (status == GH_OK) {
            ck_assert_int_gt(i, 12);
            return;
        }
    }
    ck_abort_msg("it never succeeds");
}
END_TEST

Suite *gh_suite_learn(void)
{
    Suite *s = suite_create("learn");
    TCase *c = tcase_create("learn");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, tiny_setup, tiny_remove);
    tcase_add_test(c, test_it_learns);
    tcase_add_test(c, test_threads_give_the_same_bytes);
    tcase_add_test(c, test_patience);
    tcase_add_test(c, test_what_was_there_counts);
    tcase_add_test(c, test_time_limit);
    tcase_add_test(c, test_numbers_that_run_away);
    tcase_add_test(c, test_bad_samples);
    tcase_add_test(c, test_bad_options);
    tcase_add_test(c, test_choice_of_a_rate);
    tcase_add_test(c, test_a_found_rate);
    tcase_add_test(c, test_stopped_while_a_rate_is_looked_for);
    tcase_add_test(c, test_memory_runs_out);
    suite_add_tcase(s, c);
    return s;
}
