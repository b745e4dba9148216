/* Command line options: every type, the environment under them, and what is refused. */
#include "unit/suites.h"

#include "cli/options.h"
#include "unit/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct values {
    const char *model;
    gh_opt_list dirs;
    bool json;
    int64_t top, limit;
    double threshold;
} values;

static const gh_option table[] = {
    {"model", GH_OPT_STRING, offsetof(values, model), "NAME", "a name", 0, 0},
    {"dirs", GH_OPT_LIST, offsetof(values, dirs), "DIR", "folders", 0, 0},
    {"json", GH_OPT_FLAG, offsetof(values, json), .help = "as JSON"},
    {"top", GH_OPT_INT, offsetof(values, top), "N", "how many", 1, 1000},
    {"body-limit", GH_OPT_BYTES, offsetof(values, limit), "BYTES", "how much", 0, 0},
    {"threshold", GH_OPT_REAL, offsetof(values, threshold), "S", "least", 0, 1},
    {0},
};

static const gh_usage usage = {.command = "try",
                               .args = "FILE...",
                               .about = "Tries.",
                               .example = "gharial try x",
                               .options = table,
                               .max_args = 3};

static values v;
static int nargs;
static char *args[16];

/* Parses a command line given as one string; words are parted by blanks. */
static int parse(const char *line)
{
    static char copy[512];
    snprintf(copy, sizeof copy, "try %s", line);
    nargs = 0;
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        args[nargs++] = word;
    args[nargs] = NULL;
    v = (values){.top = 5, .threshold = 0.25};
    capture_begin();
    int code = gh_options_parse(&usage, &v, &nargs, args);
    capture_end();
    return code;
}

static void clear_environment(void)
{
    static const char *const names[] = {"MODEL",      "DIRS",      "JSON", "TOP",
                                        "BODY_LIMIT", "THRESHOLD", "LOG",  "LOG_LEVEL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[40];
        snprintf(name, sizeof name, "GHARIAL_%s", names[i]);
        unsetenv(name);
    }
}

START_TEST(test_every_type_is_read)
{
    ck_assert_int_eq(
        parse("a --model m --top=7 b --json --threshold 0.5 --body-limit 16M --dirs x --dirs=y c"),
        GH_OPT_GO_ON);
    ck_assert_str_eq(v.model, "m");
    ck_assert_int_eq(v.top, 7);
    ck_assert(v.json);
    ck_assert_double_eq(v.threshold, 0.5);
    ck_assert_int_eq(v.limit, 16 << 20);
    ck_assert_uint_eq(v.dirs.count, 2);
    ck_assert_str_eq(v.dirs.items[1], "y");
    ck_assert_int_eq(nargs, 3);
    ck_assert_str_eq(args[0], "a");
    ck_assert_str_eq(args[2], "c");
}
END_TEST

START_TEST(test_defaults_stay)
{
    ck_assert_int_eq(parse(""), GH_OPT_GO_ON);
    ck_assert_int_eq(v.top, 5);
    ck_assert_double_eq(v.threshold, 0.25);
    ck_assert_ptr_null(v.model);
    ck_assert_int_eq(nargs, 0);
}
END_TEST

START_TEST(test_two_dashes_end_the_options)
{
    ck_assert_int_eq(parse("-- --json - -x"), GH_OPT_GO_ON);
    ck_assert(!v.json);
    ck_assert_int_eq(nargs, 3);
    ck_assert_str_eq(args[0], "--json");
    ck_assert_int_eq(parse("-"), GH_OPT_GO_ON); /* standard input is an argument */
    ck_assert_int_eq(nargs, 1);
}
END_TEST

START_TEST(test_a_value_may_begin_with_a_dash)
{
    ck_assert_int_eq(parse("--model --json"), GH_OPT_GO_ON);
    ck_assert_str_eq(v.model, "--json");
    ck_assert(!v.json);
}
END_TEST

START_TEST(test_environment_is_under_the_options)
{
    setenv("GHARIAL_TOP", "9", 1);
    setenv("GHARIAL_DIRS", "a:b::c", 1);
    setenv("GHARIAL_JSON", "yes", 1);
    setenv("GHARIAL_BODY_LIMIT", "2k", 1);
    setenv("GHARIAL_MODEL", "", 1); /* empty is as good as unset */
    ck_assert_int_eq(parse(""), GH_OPT_GO_ON);
    ck_assert_int_eq(v.top, 9);
    ck_assert_uint_eq(v.dirs.count, 3);
    ck_assert_str_eq(v.dirs.items[2], "c");
    ck_assert(v.json);
    ck_assert_int_eq(v.limit, 2048);
    ck_assert_ptr_null(v.model);
    ck_assert_int_eq(parse("--top 3 --json=no --dirs d"), GH_OPT_GO_ON);
    ck_assert_int_eq(v.top, 3);
    ck_assert(!v.json);
    ck_assert_uint_eq(v.dirs.count, 1);
    ck_assert_str_eq(v.dirs.items[0], "d");
}
END_TEST

static const struct {
    const char *line, *says;
} wrong[] = {
    {"--modle x", "no option --modle (did you mean --model?)"},
    {"--body_limit 3", "did you mean --body-limit?"},
    {"--xyzzy", "no option --xyzzy; see"},
    {"-j", "options are long"},
    {"--top", "--top needs a value (N)"},
    {"--top 0", "--top is '0'; it takes a whole number from 1 to 1000"},
    {"--top 1001", "from 1 to 1000"},
    {"--top 5x", "--top is '5x'"},
    {"--top=", "--top is ''"},
    {"--top 99999999999999999999", "--top is '99999999999999999999'"},
    {"--threshold nan", "it takes a number from 0 to 1"},
    {"--threshold 1.01", "it takes a number from 0 to 1"},
    {"--json=maybe", "it takes true or false"},
    {"--body-limit -1", "0 or more (K, M or G may follow)"},
    {"--body-limit 5T", "--body-limit is '5T'"},
    {"--body-limit 9999999999G", "--body-limit is"},
    {"--log xml", "it takes text or json"},
    {"--log-level loud", "it takes error, warn, info or debug"},
    {"a b c d", "'d' is one argument too many"},
};

START_TEST(test_wrong_use_is_told)
{
    int code = parse(wrong[_i].line);
    ck_assert_int_eq(code, 2);
    ck_assert_msg(strstr(capture_err, wrong[_i].says) != NULL, "'%s' says: %s", wrong[_i].line, capture_err);
    ck_assert_msg(strncmp(capture_err, "gharial try: ", 13) == 0, "%s", capture_err);
}
END_TEST

START_TEST(test_wrong_environment_is_told)
{
    setenv("GHARIAL_TOP", "many", 1);
    ck_assert_int_eq(parse(""), 2);
    ck_assert_msg(strstr(capture_err, "GHARIAL_TOP is 'many'") != NULL, "%s", capture_err);
}
END_TEST

START_TEST(test_too_many_values_of_a_list)
{
    char text[80] = "";
    for (int i = 0; i <= GH_OPT_LIST_MAX; i++)
        strcat(text, "a:");
    setenv("GHARIAL_DIRS", text, 1);
    ck_assert_int_eq(parse(""), 2);
    ck_assert_msg(strstr(capture_err, "up to 32 values") != NULL, "%s", capture_err);
}
END_TEST

START_TEST(test_help)
{
    ck_assert_int_eq(parse("--help"), 0);
    ck_assert_ptr_nonnull(strstr(capture_out, "usage: gharial try [OPTION]... FILE..."));
    ck_assert_ptr_nonnull(strstr(capture_out, "--body-limit BYTES"));
    ck_assert_ptr_nonnull(strstr(capture_out, "example: gharial try x"));
    int lines = 0;
    for (const char *c = capture_out; *c; c++)
        lines += *c == '\n';
    ck_assert_int_le(lines, 24);
    ck_assert_int_eq(parse("-h x y z w"), 0); /* help comes before everything else */
}
END_TEST

START_TEST(test_nearest)
{
    static const char *const names[] = {"serve", "predict", "eval", "bench", "inspect", "version"};
    ck_assert_str_eq(gh_nearest("sevre", names, 6), "serve");
    ck_assert_str_eq(gh_nearest("pred", names, 6), "predict");
    ck_assert_str_eq(gh_nearest("inspct", names, 6), "inspect");
    ck_assert_ptr_null(gh_nearest("train", names, 6));
    ck_assert_ptr_null(gh_nearest("", names, 6));
    char longer[200];
    memset(longer, 'e', sizeof longer);
    longer[199] = '\0';
    ck_assert_ptr_null(gh_nearest(longer, names, 6));
}
END_TEST

Suite *gh_suite_options(void)
{
    Suite *s = suite_create("options");
    TCase *t = tcase_create("options");
    tcase_add_checked_fixture(t, clear_environment, clear_environment);
    tcase_add_test(t, test_every_type_is_read);
    tcase_add_test(t, test_defaults_stay);
    tcase_add_test(t, test_two_dashes_end_the_options);
    tcase_add_test(t, test_a_value_may_begin_with_a_dash);
    tcase_add_test(t, test_environment_is_under_the_options);
    tcase_add_loop_test(t, test_wrong_use_is_told, 0, (int)(sizeof wrong / sizeof *wrong));
    tcase_add_test(t, test_wrong_environment_is_told);
    tcase_add_test(t, test_too_many_values_of_a_list);
    tcase_add_test(t, test_help);
    tcase_add_test(t, test_nearest);
    suite_add_tcase(s, t);
    return s;
}
