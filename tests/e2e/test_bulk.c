/* gharial predict over many pictures at a time: lines in the order of the pictures, the same as one thread
 * gives; whole lines after a signal; an end where nothing can be written. */
#include "e2e/harness.h"

#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PICTURES 60

static char dir[64], in[96];
static gh_buf out, err;

static void shell(const char *command)
{
    ck_assert_msg(system(command) == 0, "%s", command);
}

/* Sixty pictures of two sizes; each tenth is none. */
static void start(void)
{
    char command[640];
    strcpy(dir, "/tmp/gharial-bulk-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(in, sizeof in, "%s/in", dir);
    snprintf(command, sizeof command,
             "mkdir %s; i=10; while [ $i -lt 70 ]; do case $i in *3) echo no picture >%s/$i.png;; "
             "*[05]) cp .build/photos/astronaut.png %s/$i.png;; *) cp .build/photos/rocket.jpg %s/$i.jpg;; "
             "esac; i=$((i+1)); done",
             in, in, in, in);
    shell(command);
}

static void done(void)
{
    gh_buf_free(&out);
    gh_buf_free(&err);
    remove_folder(dir);
}

#define PREDICT(...) ARGS("predict", "--models", "models", "--json", __VA_ARGS__)

/* The lines, without what a run's speed changes; the caller frees. */
static json_t *read_lines(const char *text)
{
    json_t *lines = json_array();
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        json_t *o = json_loadb(text, (size_t)(end - text), 0, NULL);
        ck_assert_ptr_nonnull(o);
        json_object_del(o, "time_ms");
        json_array_append_new(lines, o);
    }
    ck_assert_str_eq(text, ""); /* the last line is whole */
    return lines;
}

START_TEST(test_lines_are_in_order)
{
    ck_assert_int_eq(run_binary(&out, &err, PREDICT("--threads", "1", in)), 3);
    json_t *one = read_lines((char *)out.data);
    ck_assert_uint_eq(json_array_size(one), PICTURES);
    for (size_t i = 0; i < PICTURES; i++) {
        char part[16];
        const json_t *o = json_array_get(one, i);
        snprintf(part, sizeof part, "/%zu.", i + 10);
        ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(o, "file")), part));
        ck_assert_int_eq(json_object_get(o, "error") != NULL, i % 10 == 3);
    }
    ck_assert_int_eq(run_binary(&out, &err, PREDICT("--threads", "4", in)), 3);
    ck_assert_ptr_nonnull(strstr((char *)err.data, "6 of 60 pictures failed"));
    json_t *four = read_lines((char *)out.data);
    ck_assert(json_equal(one, four));
    json_decref(one);
    json_decref(four);
}
END_TEST

/* A folder that is not there, among others: its line stands in its place. */
START_TEST(test_failures_stand_in_their_place)
{
    char first[128], last[128];
    snprintf(first, sizeof first, "%s/11.jpg", in);
    snprintf(last, sizeof last, "%s/12.jpg", in);
    ck_assert_int_eq(run_binary(&out, &err, PREDICT(first, "/tmp/gharial-none/", last)), 3);
    json_t *lines = read_lines((char *)out.data);
    ck_assert_uint_eq(json_array_size(lines), 3);
    ck_assert_ptr_nonnull(json_object_get(json_array_get(lines, 1), "error"));
    ck_assert_ptr_null(json_object_get(json_array_get(lines, 2), "error"));
    json_decref(lines);
}
END_TEST

/* Starts it on `copies` of the folder with standard output to the file. */
static pid_t start_run(const char *file, int copies)
{
    const char *argv[64] = {"gharial", "predict", "--models", "models", "--json", "--threads", "3"};
    for (int i = 0; i < copies; i++)
        argv[7 + i] = in;
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
            _exit(126);
        execv(binary(), (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

START_TEST(test_a_signal_leaves_whole_lines)
{
    char file[128];
    gh_buf text = {0};
    gh_err e = {0};
    int status = 0;
    snprintf(file, sizeof file, "%s/lines", dir);
    pid_t pid = start_run(file, 50);
    for (int i = 0; i < 600 && text.len < 1000; i++) {
        gh_buf_free(&text);
        usleep(50000);
        ck_assert(access(file, R_OK) != 0 || gh_file_read(&text, file, 1 << 24, &e) == GH_OK);
    }
    ck_assert_int_eq(kill(pid, _i ? SIGTERM : SIGINT), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 130);
    gh_buf_free(&text);
    ck_assert_int_eq(gh_file_read(&text, file, 1 << 24, &e), GH_OK);
    gh_buf_add(&text, "", 1);
    json_t *lines = read_lines((char *)text.data);
    ck_assert_uint_gt(json_array_size(lines), 1);
    ck_assert_uint_lt(json_array_size(lines), 50 * PICTURES);
    json_decref(lines);
    gh_buf_free(&text);
}
END_TEST

/* Three thousand pictures, of which the first cannot be told. */
START_TEST(test_a_full_disk_ends_the_run)
{
    int status = 0;
    pid_t pid = start_run("/dev/full", 50);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

/* Names of files are given in the order of the pictures, whoever is done first. */
START_TEST(test_files_are_named_in_order)
{
    char to[96], copy[256], list[400];
    snprintf(to, sizeof to, "%s/to", dir);
    snprintf(copy, sizeof copy, "mkdir %s/b && cp .build/photos/coffee.png %s/b/11.png", in, in);
    shell(copy);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(run_binary(&out, &err,
                                    ARGS("predict", "--models", "models", "--model", "faces-detector",
                                         "--annotate", "--threads", round ? "4" : "1", "--out", to, in)),
                         3);
        snprintf(list, sizeof list, "test $(ls %s | wc -l) = 55 && cd %s && sha256sum * >%s/sums%d && rm *",
                 to, to, dir, round);
        shell(list);
    }
    snprintf(list, sizeof list, "cmp %s/sums0 %s/sums1 && grep -q ' 11-2.jpg' %s/sums0", dir, dir, dir);
    shell(list);
}
END_TEST

Suite *suite_bulk(void)
{
    Suite *suite = suite_create("bulk");
    TCase *c = tcase_create("bulk");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, start, done);
    tcase_add_test(c, test_lines_are_in_order);
    tcase_add_test(c, test_failures_stand_in_their_place);
    tcase_add_loop_test(c, test_a_signal_leaves_whole_lines, 0, 2);
    tcase_add_test(c, test_a_full_disk_ends_the_run);
    tcase_add_test(c, test_files_are_named_in_order);
    suite_add_tcase(suite, c);
    return suite;
}
