/* Status table and the sentences of gh_err. */
#include "unit/suites.h"

#include "base/status.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(test_table_follows_the_contract)
{
    static const struct {
        gh_status status;
        const char *name;
        int http, exit;
    } want[] = {
        {GH_OK, "ok", 200, 0},
        {GH_NOMEM, "nomem", 503, 1},
        {GH_ARG, "arg", 400, 2},
        {GH_NOTFOUND, "notfound", 404, 1},
        {GH_IO, "io", 500, 1},
        {GH_FORMAT, "format", 422, 3},
        {GH_UNSUPPORTED, "unsupported", 415, 4},
        {GH_LIMIT, "limit", 413, 3},
        {GH_BUSY, "busy", 429, 1},
        {GH_UNAVAILABLE, "unavailable", 503, 1},
        {GH_TIMEOUT, "timeout", 504, 1},
        {GH_INTERRUPTED, "interrupted", 503, 130},
        {GH_INTERNAL, "internal", 500, 1},
    };
    ck_assert_uint_eq(GH_COUNT(want), GH_STATUS_COUNT);
    for (size_t i = 0; i < GH_COUNT(want); i++) {
        ck_assert_str_eq(gh_status_name(want[i].status), want[i].name);
        ck_assert_int_eq(gh_status_http(want[i].status), want[i].http);
        ck_assert_int_eq(gh_status_exit(want[i].status), want[i].exit);
    }
}
END_TEST

START_TEST(test_unknown_status_is_internal)
{
    ck_assert_str_eq(gh_status_name((gh_status)99), "internal");
    ck_assert_int_eq(gh_status_http((gh_status)-1), 500);
    ck_assert_int_eq(gh_status_exit(GH_STATUS_COUNT), 1);
}
END_TEST

START_TEST(test_fail_records_and_returns)
{
    gh_err e = {0};
    ck_assert_int_eq(gh_fail(&e, GH_LIMIT, "%d of %s", 3, "four"), GH_LIMIT);
    ck_assert_int_eq(e.status, GH_LIMIT);
    ck_assert_str_eq(e.text, "3 of four");
    ck_assert_int_eq(gh_fail(NULL, GH_IO, "nobody reads this"), GH_IO);
    ck_assert_int_eq(gh_err_prefix(NULL, GH_IO, "nor this"), GH_IO);
}
END_TEST

START_TEST(test_prefix_keeps_the_sentence)
{
    gh_err e = {0};
    gh_status status = gh_fail(&e, GH_FORMAT, "it ends too early");
    ck_assert_int_eq(gh_err_prefix(&e, status, "node %d", 7), GH_FORMAT);
    ck_assert_str_eq(e.text, "node 7: it ends too early");
    ck_assert_int_eq(gh_err_prefix(&e, GH_ARG, "model"), GH_ARG);
    ck_assert_int_eq(e.status, GH_ARG);
    ck_assert_str_eq(e.text, "model: node 7: it ends too early");
}
END_TEST

START_TEST(test_own_text_may_be_an_argument)
{
    gh_err e = {0};
    gh_status status = gh_fail(&e, GH_IO, "inner");
    status = gh_fail(&e, status, "outer (%s) and again (%s)", e.text, e.text);
    ck_assert_str_eq(e.text, "outer (inner) and again (inner)");
}
END_TEST

/* Whatever the offset, a cut at the end of the buffer falls between two characters. */
START_TEST(test_long_text_is_cut_between_characters)
{
    static const char *const chars[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\x8A"};
    char text[1200];
    for (size_t c = 0; c < GH_COUNT(chars); c++)
        for (size_t offset = 0; offset < 4; offset++) {
            size_t n = strlen(chars[c]), len = offset;
            memset(text, 'x', offset);
            for (; len + n < sizeof text; len += n)
                memcpy(text + len, chars[c], n);
            text[len] = '\0';
            gh_err e;
            memset(&e, 'z', sizeof e);
            gh_fail(&e, GH_ARG, "%s", text);
            size_t kept = strlen(e.text);
            ck_assert_uint_lt(kept, sizeof e.text);
            ck_assert_uint_ge(kept, sizeof e.text - 4);
            ck_assert_uint_eq((kept - offset) % n, 0);
            ck_assert_int_eq(memcmp(e.text, text, kept), 0);
        }
}
END_TEST

START_TEST(test_assert_stays_on_and_aborts)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        GH_ASSERT(getpid() == 0);
        _exit(0);
    }
    int state;
    ck_assert_int_eq(waitpid(pid, &state, 0), pid);
    ck_assert(WIFSIGNALED(state));
    ck_assert_int_eq(WTERMSIG(state), SIGABRT);
}
END_TEST

Suite *gh_suite_status(void)
{
    Suite *s = suite_create("status");
    TCase *t = tcase_create("status");
    tcase_add_test(t, test_table_follows_the_contract);
    tcase_add_test(t, test_unknown_status_is_internal);
    tcase_add_test(t, test_fail_records_and_returns);
    tcase_add_test(t, test_prefix_keeps_the_sentence);
    tcase_add_test(t, test_own_text_may_be_an_argument);
    tcase_add_test(t, test_long_text_is_cut_between_characters);
    tcase_add_test(t, test_assert_stays_on_and_aborts);
    suite_add_tcase(s, t);
    return s;
}
