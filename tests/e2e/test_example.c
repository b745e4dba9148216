/* The library as a stranger uses it: the example, built from the public header and libgharial.a alone. */
#include "e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char output[4096];

/* Runs a shell line; its output and exit code. */
static int run(const char *line)
{
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_example(const char *model, const gh_buf *picture)
{
    const char *build = getenv("BUILD");
    char file[] = "/tmp/gharial-e2e-picture-XXXXXX", line[1200];
    int fd = mkstemp(file);
    FILE *f = fdopen(fd, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(picture->data, 1, picture->len, f), picture->len);
    ck_assert_int_eq(fclose(f), 0);
    snprintf(line, sizeof line, "%s/example %s/%s %s 2>&1", build ? build : ".build", models_dir(), model,
             file);
    int code = run(line);
    remove(file);
    return code;
}

START_TEST(test_the_example_names_a_cup)
{
    ck_assert_msg(run_example(REAL, photo("coffee.png")) == 0, "%s", output);
    ck_assert_msg(strstr(output, "600 x 400 pixels\n0.9") == output, "%s", output);
    ck_assert_ptr_nonnull(strstr(output, " espresso\n"));
    int lines = 0;
    for (const char *c = output; *c; c++)
        lines += *c == '\n';
    ck_assert_int_eq(lines, 4);
}
END_TEST

START_TEST(test_the_example_says_what_is_wrong)
{
    const gh_buf text = {.data = (uint8_t *)"this is no picture", .len = 18};
    ck_assert_int_eq(run_example("no-such-model", photo("coffee.png")), 1);
    ck_assert_msg(strstr(output, "no-such-model") != NULL, "%s", output);
    ck_assert_int_eq(run_example(REAL, &text), 1);
    ck_assert_msg(strstr(output, "JPEG") != NULL, "%s", output);
}
END_TEST

/* C++ programs include the header too; checked where there is a compiler for it. */
START_TEST(test_the_header_is_cplusplus)
{
    if (run("command -v c++ || command -v g++ || command -v clang++") != 0)
        return;
    *strchr(output, '\n') = '\0';
    char line[4400];
    snprintf(line, sizeof line,
             "echo '#include <gharial.h>\nint main() { gh_err e = {}; return gh_status_name(e.status)[0] == "
             "0; }' | "
             "%s -x c++ -Wall -Wextra -Werror -Iinclude -fsyntax-only - 2>&1",
             output);
    int code = run(line);
    ck_assert_msg(code == 0, "%s", output);
}
END_TEST

Suite *suite_example(void)
{
    Suite *s = suite_create("example");
    TCase *t = tcase_create("example");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, models_make, NULL);
    tcase_add_test(t, test_the_example_names_a_cup);
    tcase_add_test(t, test_the_example_says_what_is_wrong);
    tcase_add_test(t, test_the_header_is_cplusplus);
    suite_add_tcase(s, t);
    return s;
}
