/* Runs of training that are stopped, killed and gone on with: the same bytes as of one that was not. */
#include "unit/suites.h"

#include "base/file.h"
#include "unit/learn_case.h"
#include "unit/nets.h"
#include "unit/tiny.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Stopped in the middle of each epoch and at its end; four steps are an epoch. */
START_TEST(test_a_resumed_run_gives_the_same_bytes)
{
    lc_run l;
    lc_begin(&l, 1);
    l.s.stop_at = _i;
    ck_assert_int_eq(lc_learn(&l), GH_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(l.e.text, "--resume"));
    lc_end(&l);
    lc_begin(&l, 2);
    l.o.resume = true;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 4);
    ck_assert_int_eq(l.s.losses, 16 - (_i - 1) / 4 * 4);
    lc_check_same(&l);
    lc_end(&l);
    lc_begin(&l, 1); /* once more: it is done */
    l.o.resume = true;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_int_eq(l.s.losses, 0);
    lc_check_same(&l);
    lc_end(&l);
}
END_TEST

/* Rows of history.csv, its head not counted. */
static int rows_written(void)
{
    gh_buf b = {0};
    char path[200];
    int lines = -1;
    snprintf(path, sizeof path, "%s/history.csv", tiny_path("run"));
    if (gh_file_read(&b, path, 1 << 20, NULL) == GH_OK)
        for (size_t i = 0; i < b.len; i++)
            lines += b.data[i] == '\n';
    gh_buf_free(&b);
    return lines;
}

static gh_status slow_loss(void *arg, gh_tape *t, const void *targets, double *out, gh_err *e)
{
    usleep(20000);
    return lc_loss(arg, t, targets, out, e);
}

START_TEST(test_a_killed_run_loses_an_epoch_at_most)
{
    lc_run l;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        lc_begin(&l, 1);
        l.task.loss = slow_loss;
        _exit(lc_learn(&l) ? 1 : 0);
    }
    for (int i = 0; i < 2000 && rows_written() < 2; i++)
        usleep(5000);
    usleep(30000); /* into the third epoch */
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    int how, rows = rows_written();
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how));
    ck_assert_int_ge(rows, 2);
    lc_begin(&l, 1);
    l.o.resume = true;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_int_le(l.s.losses, 16 - 4 * rows);
    lc_check_same(&l);
    lc_end(&l);
}
END_TEST

START_TEST(test_resume_without_a_checkpoint_begins)
{
    lc_run l;
    lc_begin(&l, 1);
    l.o.resume = true;
    NT_OK(lc_learn(&l), l.e);
    lc_check_same(&l);
    lc_end(&l);
}
END_TEST

START_TEST(test_more_epochs_later)
{
    lc_run l;
    lc_begin(&l, 1);
    NT_OK(lc_learn(&l), l.e);
    lc_end(&l);
    lc_begin(&l, 1);
    l.o.resume = true;
    l.o.epochs = 6;
    NT_OK(lc_learn(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 6);
    ck_assert_int_eq(l.s.losses, 8);
    lc_end(&l);
}
END_TEST

START_TEST(test_checkpoints_of_other_runs_and_damaged_ones)
{
    lc_run l;
    char path[200];
    lc_begin(&l, 1);
    l.o.epochs = 1;
    NT_OK(lc_learn(&l), l.e);
    lc_end(&l);
    snprintf(path, sizeof path, "%s/checkpoint", tiny_path("run"));
    for (int i = 0; i < 4; i++) {
        lc_begin(&l, 1);
        l.o.resume = true;
        if (i == 0)
            l.o.seed = 6;
        else if (i == 1)
            l.task.mark = 9;
        else if (i == 2)
            l.o.optim.kind = GH_OPTIM_SGD;
        else
            l.task.samples = 49;
        nt_refused(lc_learn(&l), GH_ARG, &l.e, "another run");
        lc_end(&l);
    }
    gh_buf b = {0};
    ck_assert_int_eq(gh_file_read(&b, path, 1 << 24, NULL), GH_OK);
    for (int i = 0; i < 4; i++) {
        size_t cut = i == 0 ? 10 : i == 1 ? b.len - 1 : b.len;
        b.data[b.len / 2] ^= i == 2;
        b.data[0] ^= i == 3;
        ck_assert_int_eq(gh_file_write(path, b.data, cut, NULL), GH_OK);
        b.data[b.len / 2] ^= i == 2;
        lc_begin(&l, 1);
        l.o.resume = true;
        nt_refused(lc_learn(&l), GH_FORMAT, &l.e, i == 0 || i == 3 ? "no checkpoint" : "damaged");
        lc_end(&l);
    }
    gh_buf_free(&b);
}
END_TEST

Suite *gh_suite_learn_resume(void)
{
    Suite *s = suite_create("learn_resume");
    TCase *c = tcase_create("resume");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, tiny_setup, tiny_remove);
    tcase_add_loop_test(c, test_a_resumed_run_gives_the_same_bytes, 2, 14);
    tcase_add_test(c, test_a_killed_run_loses_an_epoch_at_most);
    tcase_add_test(c, test_resume_without_a_checkpoint_begins);
    tcase_add_test(c, test_more_epochs_later);
    tcase_add_test(c, test_checkpoints_of_other_runs_and_damaged_ones);
    suite_add_tcase(s, c);
    return s;
}
