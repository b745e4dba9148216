/* Log lines: their form, their escapes, and that each is one whole line. Standard error goes to a file. */
#include "unit/suites.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#include <jansson.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *captured;
static int old_stderr;
static char text[1 << 20];

static void capture(void)
{
    captured = tmpfile();
    ck_assert_ptr_nonnull(captured);
    fflush(stderr);
    old_stderr = dup(STDERR_FILENO);
    dup2(fileno(captured), STDERR_FILENO);
}

/* What was logged since the last call; standard error is itself again. */
static const char *end_capture(void)
{
    dup2(old_stderr, STDERR_FILENO);
    close(old_stderr);
    rewind(captured);
    size_t n = fread(text, 1, sizeof text - 1, captured);
    text[n] = '\0';
    fclose(captured);
    gh_log_setup(GH_LOG_INFO, false);
    return text;
}

static bool matches(const char *line, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int result = regexec(&regex, line, 0, NULL, 0);
    regfree(&regex);
    return result == 0;
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

START_TEST(test_text_form)
{
    capture();
    gh_log(GH_LOG_INFO, "loaded %d models", 3);
    gh_log_fields(GH_LOG_WARN, "slow", "model", "lite0", "note", "two words", "empty", "", (char *)NULL);
    const char *out = end_capture();
    ck_assert_msg(matches(out, "^" STAMP " info  loaded 3 models\n" STAMP
                               " warn  slow model=lite0 note=\"two words\" empty=\"\"\n$"),
                  "%s", out);
}
END_TEST

START_TEST(test_levels)
{
    capture();
    gh_log_setup(GH_LOG_WARN, false);
    ck_assert(gh_log_enabled(GH_LOG_ERROR));
    ck_assert(gh_log_enabled(GH_LOG_WARN));
    ck_assert(!gh_log_enabled(GH_LOG_INFO));
    gh_log(GH_LOG_ERROR, "one");
    gh_log(GH_LOG_WARN, "two");
    gh_log(GH_LOG_INFO, "three");
    gh_log_fields(GH_LOG_DEBUG, "four", "k", "v", (char *)NULL);
    const char *out = end_capture();
    ck_assert(matches(out, "^" STAMP " error one\n" STAMP " warn  two\n$"));
}
END_TEST

START_TEST(test_json_form)
{
    capture();
    gh_log_setup(GH_LOG_DEBUG, true);
    gh_log_fields(GH_LOG_DEBUG, "a \"quoted\\\" line\nand another", "path", "C:\\x", "caf\xC3\xA9",
                  "\x01\x7F\t", (char *)NULL);
    const char *out = end_capture();
    ck_assert_uint_eq(strcspn(out, "\n"), strlen(out) - 1);
    json_t *json = json_loads(out, 0, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_uint_eq(json_object_size(json), 5);
    ck_assert(matches(json_string_value(json_object_get(json, "time")), "^" STAMP "$"));
    ck_assert_str_eq(json_string_value(json_object_get(json, "level")), "debug");
    ck_assert_str_eq(json_string_value(json_object_get(json, "message")), "a \"quoted\\\" line\nand another");
    ck_assert_str_eq(json_string_value(json_object_get(json, "path")), "C:\\x");
    ck_assert_str_eq(json_string_value(json_object_get(json, "caf\xC3\xA9")), "\x01\x7F\t");
    json_decref(json);
}
END_TEST

/* A line break in the text must not look like a second line of ours. */
START_TEST(test_text_is_one_line)
{
    capture();
    gh_log(GH_LOG_INFO, "model x\n2025-01-01T00:00:00.000Z error forged\r\x1B[31m");
    gh_log_fields(GH_LOG_INFO, "m", "k", "v\nw", (char *)NULL);
    const char *out = end_capture();
    ck_assert_ptr_nonnull(strstr(out, "x\\n2025-01-01T00:00:00.000Z error forged\\u000d\\u001b[31m\n"));
    ck_assert_ptr_nonnull(strstr(out, "k=\"v\\nw\"\n"));
}
END_TEST

START_TEST(test_bytes_that_are_not_utf8)
{
    static const char *const bad[] = {"\xFF",
                                      "\x80",
                                      "\xC3",
                                      "\xC0\xAF",
                                      "\xE0\x80\xAF",
                                      "\xED\xA0\x80",
                                      "\xF0\x80\x80\xAF",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        capture();
        gh_log_setup(GH_LOG_INFO, true);
        gh_log(GH_LOG_INFO, "a%sz", bad[i]);
        json_t *json = json_loads(end_capture(), 0, NULL);
        ck_assert_ptr_nonnull(json);
        const char *message = json_string_value(json_object_get(json, "message"));
        ck_assert(message[0] == 'a' && message[strlen(message) - 1] == 'z');
        ck_assert_ptr_nonnull(strstr(message, "\xEF\xBF\xBD"));
        json_decref(json);
    }
}
END_TEST

/* Random bytes of every length up to beyond the line's end: always one line, always JSON. */
START_TEST(test_random_text_stays_json)
{
    static char message[12000], value[12000];
    gh_rng rng;
    gh_rng_seed(&rng, 6);
    for (int i = 0; i < 400; i++) {
        size_t n = gh_rng_below(&rng, i % 4 ? 200 : sizeof message), m = gh_rng_below(&rng, sizeof value);
        for (size_t j = 0; j < n; j++)
            message[j] = (char)(1 + gh_rng_below(&rng, 255));
        for (size_t j = 0; j < m; j++)
            value[j] = (char)(i % 2 ? 'x' : 1 + gh_rng_below(&rng, 255));
        message[n] = value[m] = '\0';
        bool as_json = i % 3 != 0;
        capture();
        gh_log_setup(GH_LOG_INFO, as_json);
        gh_log_fields(GH_LOG_INFO, message, "first", value, "second", value, "third", "3", (char *)NULL);
        const char *out = end_capture();
        ck_assert_uint_gt(strlen(out), 0);
        ck_assert_uint_eq(strcspn(out, "\n"), strlen(out) - 1);
        json_error_t error;
        json_t *json = as_json ? json_loads(out, JSON_REJECT_DUPLICATES, &error) : json_null();
        ck_assert_msg(json != NULL, "%s", as_json ? error.text : "");
        json_decref(json);
    }
}
END_TEST

START_TEST(test_long_message_is_cut)
{
    static char message[20000];
    memset(message, '"', sizeof message - 1);
    for (size_t n = 3900; n < 4300; n++) { /* around the end of the line, at every offset */
        capture();
        gh_log_setup(GH_LOG_INFO, true);
        message[n] = '\0';
        gh_log_fields(GH_LOG_INFO, message, "k", message, (char *)NULL);
        message[n] = '"';
        const char *out = end_capture();
        ck_assert_uint_le(strlen(out), 8192);
        json_t *json = json_loads(out, 0, NULL);
        ck_assert_ptr_nonnull(json);
        json_decref(json);
    }
}
END_TEST

static void *log_lines(void *arg)
{
    for (int i = 0; i < 500; i++)
        gh_log(GH_LOG_INFO, "%s %d end", (const char *)arg, i);
    return NULL;
}

START_TEST(test_lines_of_threads_do_not_mix)
{
    static char names[3][200];
    pthread_t thread[3];
    capture();
    for (int i = 0; i < 3; i++) {
        memset(names[i], 'a' + i, sizeof names[i] - 1);
        ck_assert_int_eq(pthread_create(&thread[i], NULL, log_lines, names[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    const char *out = end_capture();
    int lines = 0;
    for (char *line = strtok((char *)(uintptr_t)out, "\n"); line; line = strtok(NULL, "\n"), lines++)
        ck_assert(matches(line, "^" STAMP " info  (a{199}|b{199}|c{199}) [0-9]+ end$"));
    ck_assert_int_eq(lines, 1500);
}
END_TEST

START_TEST(test_logging_allocates_nothing)
{
    uint64_t before = gh_mem_allocs();
    capture();
    gh_log(GH_LOG_INFO, "hello");
    ck_assert_ptr_nonnull(strstr(end_capture(), "hello"));
    ck_assert_uint_eq(gh_mem_allocs(), before);
}
END_TEST

Suite *gh_suite_log(void)
{
    Suite *s = suite_create("log");
    TCase *t = tcase_create("log");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_text_form);
    tcase_add_test(t, test_levels);
    tcase_add_test(t, test_json_form);
    tcase_add_test(t, test_text_is_one_line);
    tcase_add_test(t, test_bytes_that_are_not_utf8);
    tcase_add_test(t, test_random_text_stays_json);
    tcase_add_test(t, test_long_message_is_cut);
    tcase_add_test(t, test_lines_of_threads_do_not_mix);
    tcase_add_test(t, test_logging_allocates_nothing);
    suite_add_tcase(s, t);
    return s;
}
