/* From pictures to a served model with the real binary: train, SIGHUP, ask. The pictures are pieces of two
 * photos. */
#include "e2e/harness.h"

#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static server s;
static reply r;

static const char *path_of(const char *name)
{
    return path_in(dir, name);
}

static void setup(void)
{
    gh_err e = {0};
    strcpy(dir, "/tmp/gharial-train-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(gh_dir_make(path_of("models"), &e), GH_OK);
    photo_pieces(path_of("photos/cat"), "chelsea.png");
    photo_pieces(path_of("photos/cup"), "coffee.png");
}

static void teardown(void)
{
    reply_free(&r);
    remove_folder(dir);
}

static void must_train(const char *out, const char *option)
{
    gh_buf text = {0}, err = {0};
    char body[256];
    snprintf(body, sizeof body, "%s/" REAL, models_dir());
    int code = run_binary(&text, &err,
                          ARGS("train", "--data", path_of("photos"), "--out", path_of(out), "--body", body,
                               "--head", "softmax", "--folds", "2", "--no-cache", "--json", option));
    ck_assert_msg(code == 0, "exit code %d: %s", code, (const char *)err.data);
    json_t *o = json_loads((const char *)text.data, 0, NULL);
    ck_assert_ptr_nonnull(o);
    ck_assert_double_ge(json_number_value(json_object_get(o, "accuracy")), 0.8);
    json_decref(o);
    gh_buf_free(&text);
    gh_buf_free(&err);
}

static int classify(const char *target, const char *file)
{
    reply_free(&r);
    ask(&r, s.address, "POST", target, NULL, photo(file)->data, photo(file)->len);
    return r.status;
}

static void check_label(const char *target, const char *file, const char *label)
{
    ck_assert_int_eq(classify(target, file), 200);
    json_t *o = reply_json(&r);
    ck_assert_str_eq(first_label(o), label);
    json_decref(o);
}

/* A server that runs takes the new model up, and no request fails meanwhile. */
START_TEST(test_a_running_server_takes_it_up)
{
    server_start(&s, ARGS("--models", path_of("models")));
    ck_assert_int_eq(classify("/classify?model=pets", "chelsea.png"), 404);
    must_train("models/pets", NULL);
    kill(s.pid, SIGHUP);
    for (int i = 0; i < 200 && classify("/classify?model=pets", "chelsea.png") != 200; i++) {
        ck_assert_int_eq(r.status, 404);
        ck_assert_int_eq(classify("/classify?model=" REAL, "coffee.png"), 200);
        usleep(20000);
    }
    check_label("/classify?model=pets", "chelsea.png", "cat");
    check_label("/classify?model=pets", "coffee.png", "cup");
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A head stored alone stands on the body that is loaded already, in one pass. */
START_TEST(test_a_head_alone_shares_the_body)
{
    must_train("models/pets", "--head-only");
    server_start(&s, ARGS("--models", path_of("models")));
    ck_assert_int_eq(classify("/classify?model=" REAL ",pets", "coffee.png"), 200);
    json_t *o = reply_json(&r), *results = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(results), 2);
    ck_assert_str_eq(first_label(json_array_get(results, 0)), "espresso");
    ck_assert_str_eq(first_label(json_array_get(results, 1)), "cup");
    json_t *time = json_object_get(json_array_get(results, 1), "time_ms");
    ck_assert_double_eq(json_number_value(json_object_get(time, "decode")), 0);
    json_decref(o);
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* A picture like none that it learnt from is "unknown"; one that is like them is not. */
START_TEST(test_strangers_are_unknown)
{
    static const struct {
        const char *file;
        bool unknown;
    } rows[] = {
        {"chelsea.png", false}, {"coffee.png", false}, {"rocket.jpg", true}, {"motorcycle_left.png", true}};
    must_train("models/pets", NULL);
    server_start(&s, ARGS("--models", path_of("models")));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(classify("/classify?model=pets", rows[i].file), 200);
        json_t *o = reply_json(&r);
        ck_assert_msg(json_is_true(json_object_get(o, "unknown")) == rows[i].unknown, "%s: %s", rows[i].file,
                      (const char *)r.body.data);
        json_decref(o);
    }
    ck_assert_int_eq(server_stop(&s), 0);
}
END_TEST

/* Lines of a file, or 0. */
static int lines_of(const char *path)
{
    gh_buf b = {0};
    int lines = 0;
    if (gh_file_read(&b, path, 1 << 20, NULL) == GH_OK)
        for (size_t i = 0; i < b.len; i++)
            lines += b.data[i] == '\n';
    gh_buf_free(&b);
    return lines;
}

#define SCRATCH(...)                                                                                         \
    ARGS("train", "classify", "--data", path_of("photos"), "--out", path_of("models/net"), "--from-scratch", \
         "mobile", "--size", "32", "--width", "4", "--batch", "8", __VA_ARGS__)

/* A run by gradients that Ctrl-C ends, or a kill, goes on where its last whole epoch ended. */
START_TEST(test_a_run_that_was_ended_goes_on)
{
    gh_buf text = {0}, err = {0};
    const char *history = path_of("models/.net.run/history.csv");
    int how, nothing = open("/dev/null", O_WRONLY);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const char *const *args = SCRATCH("--epochs", "2000");
        const char *argv[32] = {binary()};
        for (int i = 0; args[i]; i++)
            argv[i + 1] = args[i];
        dup2(nothing, STDERR_FILENO);
        execv(binary(), (char *const *)(uintptr_t)argv);
        _exit(9);
    }
    close(nothing);
    for (int i = 0; i < 3000 && lines_of(history) < 4; i++)
        usleep(10000);
    ck_assert_int_ge(lines_of(history), 4);
    kill(child, _i ? SIGKILL : SIGINT);
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(_i ? WIFSIGNALED(how) : WIFEXITED(how) && WEXITSTATUS(how) == 130);
    ck_assert_int_ne(access(path_of("models/net"), F_OK), 0);
    ck_assert_int_eq(run_binary(&text, &err, SCRATCH("--epochs", "1", "--lr", "0.1", "--resume")), 2);
    ck_assert_ptr_nonnull(strstr((const char *)err.data, "belongs to another run"));
    int code = run_binary(&text, &err, SCRATCH("--epochs", "1", "--resume", "--json"));
    ck_assert_msg(code == 0, "exit code %d: %s", code, (const char *)err.data);
    json_t *o = json_loads((const char *)text.data, 0, NULL), *run = json_object_get(o, "gradients");
    ck_assert_int_ge((int)json_integer_value(json_object_get(run, "epochs")), 3);
    json_decref(o);
    ck_assert_int_eq(access(path_of("models/net/training.html"), F_OK), 0);
    ck_assert_int_ne(access(path_of("models/.net.run"), F_OK), 0);
    gh_buf_free(&text);
    gh_buf_free(&err);
}
END_TEST

START_TEST(test_wrong_use_is_told)
{
    gh_buf text = {0}, err = {0};
    ck_assert_int_eq(run_binary(&text, &err, ARGS("train", "--data", path_of("photos"))), 2);
    ck_assert_ptr_nonnull(strstr((const char *)err.data, "--out"));
    ck_assert_int_eq(
        run_binary(&text, &err, ARGS("train", "--data", path_of("nothing"), "--out", path_of("m"))), 1);
    ck_assert_int_eq(
        run_binary(&text, &err,
                   ARGS("train", "--data", path_of("photos"), "--out", path_of("m"), "--balance", "much")),
        2);
    err.len = 0;
    ck_assert_int_eq(run_binary(&text, &err, ARGS("train", "clasify", "--data", path_of("photos"))), 2);
    ck_assert_ptr_nonnull(strstr((const char *)err.data, "did you mean 'classify'"));
    err.len = 0;
    ck_assert_int_eq(run_binary(&text, &err, ARGS("train", "classify", "--data", path_of("photos"))), 2);
    ck_assert_ptr_nonnull(strstr((const char *)err.data, "--out"));
    gh_buf_free(&text);
    gh_buf_free(&err);
}
END_TEST

Suite *suite_train(void)
{
    Suite *suite = suite_create("train");
    TCase *c = tcase_create("train");
    tcase_set_timeout(c, 120);
    tcase_add_unchecked_fixture(c, models_make, NULL);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_a_running_server_takes_it_up);
    tcase_add_test(c, test_a_head_alone_shares_the_body);
    tcase_add_test(c, test_strangers_are_unknown);
    tcase_add_loop_test(c, test_a_run_that_was_ended_goes_on, 0, 2);
    tcase_add_test(c, test_wrong_use_is_told);
    suite_add_tcase(suite, c);
    return suite;
}
