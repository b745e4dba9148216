/* gharial import as a command: exit codes, and nothing left behind when it fails. */
#include "unit/checkpoint.h"
#include "unit/suites.h"
#include "unit/tfjs_file.h"

#include "base/file.h"
#include "cli/cli.h"
#include "engine/onnx.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], file[PATH_MAX], out[PATH_MAX];
static int was_stderr;

static void setup(void)
{
    strcpy(dir, "/tmp/gharial-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/weights.pth", dir);
    snprintf(out, sizeof out, "%s/model.onnx", dir);
    fflush(stderr); /* the sentences have tests of their own */
    was_stderr = dup(STDERR_FILENO);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

static void teardown(void)
{
    char command[80];
    fflush(stderr);
    ck_assert_int_ge(dup2(was_stderr, STDERR_FILENO), 0);
    close(was_stderr);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void put(const gh_buf *b)
{
    ck_assert_int_eq(gh_file_write(file, b->data, b->len, NULL), GH_OK);
}

static int import(int argc, const char **argv)
{
    char *args[16] = {0};
    for (int i = 0; i < argc; i++)
        args[i] = (char *)argv[i];
    return gh_cmd_import(argc, args);
}
#define IMPORT(...)                                                                                          \
    import((int)(sizeof(const char *[]){"import", __VA_ARGS__} / sizeof(char *)),                            \
           (const char *[]){"import", __VA_ARGS__})

static int count_files(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    ck_assert_ptr_nonnull(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(d);
    return n;
}

START_TEST(test_wrong_usage)
{
    const float six[6] = {0};
    const ck_tensor w = {.name = "w", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six};
    gh_buf b = {0};
    ck_old(&b, &w, 1);
    put(&b);
    gh_buf_free(&b);
    ck_assert_int_eq(IMPORT("--arch", "efficientnet-lite0"), 2);         /* no file */
    ck_assert_int_eq(IMPORT("--out", out, file), 2);                     /* no network */
    ck_assert_int_eq(IMPORT("--arch", "efficientnet-lite0", file), 2);   /* no output */
    ck_assert_int_eq(IMPORT("--nonsense", file), 2);                     /* no such option */
    ck_assert_int_eq(IMPORT("--from", "caffe2", "--out", out, file), 4); /* no such format */
    ck_assert_int_eq(IMPORT("--arch", "vgg", "--out", out, file), 1);    /* no such network */
    ck_assert_int_eq(IMPORT("--model", dir, file), 1);                   /* no manifest there */
    ck_assert_int_eq(IMPORT("--model", "no-such-model", file), 1);       /* by its name */
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* Checkpoints that are broken, hostile or of another network: exit code 3 or 4 and no model. */
START_TEST(test_bad_checkpoints)
{
    const float six[6] = {0};
    const ck_tensor w = {.name = "w", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six};
    gh_buf b = {0};
    ck_old(&b, &w, 1);
    put(&b);
    ck_assert_int_eq(IMPORT("--arch", "efficientnet-lite0", "--out", out, file), 3);
    b.len -= 4;
    put(&b);
    ck_assert_int_eq(IMPORT("--arch", "efficientnet-lite0", "--out", out, file), 3);
    b.len = 0;
    ck_old_head(&b);
    gh_buf_str(&b, "cos\nsystem\n(X");
    put(&b);
    ck_assert_int_eq(IMPORT("--arch", "efficientnet-lite0", "--out", out, file), 4);
    gh_buf_free(&b);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

static void write_in(const char *name, const void *data, size_t len)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(gh_file_write(path, data, len, NULL), GH_OK);
}

/* The first input's and output's names of what was written. */
static void check_ends(const char *input, const char *output)
{
    gh_graph *g = NULL;
    gh_err e = {0};
    ck_assert_msg(gh_onnx_read(&g, out, &e) == GH_OK, "%s", e.text);
    ck_assert_str_eq(g->values[g->inputs[0]].name, input);
    ck_assert_str_eq(g->values[g->outputs[0]].name, output);
    gh_graph_free(&g);
    ck_assert_int_eq(unlink(out), 0);
}

/* A TensorFlow.js model: the shard lies beside the topology; the ends may be named by options or by the
 * manifest. */
START_TEST(test_tfjs)
{
    const float two = 2;
    gh_buf b = {0};
    tj_model(&b,
             "x Placeholder dtype=DT_FLOAT shape=1x2x2x3\n"
             "n/a Mul x two\n"
             "n/b Relu n/a\n"
             "c Mystery n/b\n",
             "two float32 -\n", false);
    put(&b);
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--cut", "n/b", "--out", out, file), 1); /* no shard */
    write_in("w", &two, 3);
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--cut", "n/b", "--out", out, file), 3);
    write_in("w", &two, sizeof two);
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--out", out, file), 4); /* Mystery */
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--cut", "d", "--out", out, file), 1);
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--cut", "n/b", "--inputs", "n/a", "--out", out, file), 2);
    ck_assert_int_eq(count_files(), 2);
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--cut", "n/b", "--out", out, file), 0);
    check_ends("x", "n/b");
    ck_assert_int_eq(IMPORT("--from", "tfjs", "--cut", "n/b", "--inputs", "n/a=1x2x2x3", "--out", out, file),
                     0);
    check_ends("n/a", "n/b");
    b.len = 0;
    tj_text(&b, "{'name':'m','version':'1','task':'embed','output':'features','input':{'width':2,'height':2,"
                "'mean':0,'scale':1,'fit':'stretch'},'source':{'format':'tfjs','cut':'n/a'}}");
    write_in("model.json", b.data, b.len);
    ck_assert_int_eq(IMPORT("--model", dir, file), 0);
    check_ends("x", "n/a");
    ck_assert_int_eq(IMPORT("--model", dir, "--cut", "n/b", file), 0);
    check_ends("x", "n/b");
    gh_buf_free(&b);
}
END_TEST

Suite *gh_suite_cmd_import(void)
{
    Suite *s = suite_create("cmd_import");
    TCase *t = tcase_create("cmd_import");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_wrong_usage);
    tcase_add_test(t, test_bad_checkpoints);
    tcase_add_test(t, test_tfjs);
    suite_add_tcase(s, t);
    return s;
}
