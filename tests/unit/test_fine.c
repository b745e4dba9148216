/* Classifiers trained by gradients: from fresh weights, and the last blocks of a body behind its new head. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/onnx.h"
#include "image/image.h"
#include "tasks/registry.h"
#include "tasks/run.h"
#include "train/classify/fine_parts.h"
#include "train/classify/fit.h"
#include "train/nets/grey.h"
#include "train/nets/small.h"
#include "unit/nets.h"
#include "unit/tiny.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum { SIDE = 16, A_CLASS = 14 };

static gh_train_options o;
static gh_train_summary s;
static gh_pool *pool;
static gh_err e;
static char data[256], out[256];
static volatile bool stop;

/* Lines across, lines down, or neither, in noise, of some colour. */
static void make_picture(const char *name, int kind, uint64_t seed)
{
    uint8_t pixels[SIDE * SIDE * 3];
    gh_buf png = {0};
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    int shift = (int)gh_rng_below(&rng, 4);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int along = kind == 0 ? y : x, level = kind == 2 ? 128 : (along + shift) % 4 < 2 ? 200 : 60;
            for (int c = 0; c < 3; c++)
                pixels[(y * SIDE + x) * 3 + c] =
                    (uint8_t)(level - 20 * (c == (int)(seed % 3)) + (int)gh_rng_below(&rng, 30));
        }
    ck_assert_int_eq(gh_png_encode_rgb(&png, pixels, SIDE, SIDE, NULL), GH_OK);
    tiny_file(name, png.data, png.len);
    gh_buf_free(&png);
}

static void setup(void)
{
    static const char *const classes[] = {"across", "down", "plain"};
    char name[64];
    tiny_setup();
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < A_CLASS; i++) {
            snprintf(name, sizeof name, "d/%s/%d.png", classes[c], i);
            make_picture(name, c, (uint64_t)(100 * c + i + 1));
        }
    e = (gh_err){0};
    stop = false;
    snprintf(data, sizeof data, "%s", tiny_path("d"));
    snprintf(out, sizeof out, "%s", tiny_path("models/mine"));
    o = (gh_train_options){.data = data,
                           .out = out,
                           .head = "softmax",
                           .folds = 4,
                           .seed = 1,
                           .quiet = true,
                           .report = true,
                           .stop = &stop,
                           .fine = {.scratch = "residual",
                                    .side = SIDE,
                                    .width = 4,
                                    .depth = 1,
                                    .rate = .01,
                                    .epochs = 20,
                                    .batch = 8}};
}

static void teardown(void)
{
    gh_pool_free(&pool);
    tiny_remove();
}

static gh_status train(void)
{
    s = (gh_train_summary){0};
    e = (gh_err){0};
    return gh_train_classify(&s, &o, &e);
}

static void must_train(void)
{
    ck_assert_msg(train() == GH_OK, "%s", e.text);
}

static void refused(gh_status status, const char *part)
{
    nt_refused(train(), status, &e, part);
}

static bool exists(const char *name)
{
    struct stat st;
    char path[300];
    snprintf(path, sizeof path, "%s/%s", out, name);
    return stat(path, &st) == 0;
}

static void read_network(gh_buf *b)
{
    char path[300];
    snprintf(path, sizeof path, "%s/model.onnx", out);
    ck_assert_int_eq(gh_file_read(b, path, 1 << 24, NULL), GH_OK);
}

static gh_graph *open_network(const char *folder)
{
    char path[300];
    gh_graph *g = NULL;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    ck_assert_msg(gh_onnx_read(&g, path, &e) == GH_OK, "%s", e.text);
    return g;
}

static void check_manifest(const char *part)
{
    gh_buf b = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/model.json", out);
    ck_assert_int_eq(gh_file_read(&b, path, 1 << 20, NULL), GH_OK);
    gh_buf_add(&b, "", 1);
    ck_assert_ptr_nonnull(strstr((const char *)b.data, part));
    gh_buf_free(&b);
}

/* ---- from scratch ---- */

START_TEST(test_from_scratch)
{
    static const char *const nets[] = {"residual", "mobile"};
    o.fine.scratch = nets[_i];
    o.fine.grey = _i;
    must_train();
    ck_assert(s.tuned && s.tuned_epochs == 20 && s.before == 0);
    ck_assert_msg(s.accuracy.value > .85, "accuracy %g", s.accuracy.value);
    ck_assert(exists("history.csv") && exists("training.html") && exists("report.html"));
    ck_assert(exists("selftest.png"));
    ck_assert(!exists("../.mine.run/checkpoint"));
    gh_model *m = NULL; /* with its self-test */
    ck_assert_msg(gh_model_open(&m, out, true, &e) == GH_OK, "%s", e.text);
    check_manifest("\"unfrozen_blocks\": -1");
    gh_model_put(&m);
}
END_TEST

START_TEST(test_threads_change_nothing)
{
    gh_buf one = {0}, three = {0};
    o.fine.epochs = 2;
    o.fine.mixup = .3f;
    o.fine.smoothing = .1f;
    o.balance = GH_BALANCE_SQRT;
    ck_assert_int_eq(gh_augment_read(&o.fine.augment, "flip,scale=0.2,colour=0.2", &e), GH_OK);
    must_train();
    read_network(&one);
    ck_assert_int_eq(gh_pool_new(&pool, 3, NULL), GH_OK);
    o.pool = pool;
    must_train();
    read_network(&three);
    ck_assert_uint_eq(one.len, three.len);
    ck_assert_mem_eq(one.data, three.data, one.len);
    gh_buf_free(&one);
    gh_buf_free(&three);
}
END_TEST

static void on_alarm(int signal)
{
    (void)signal;
    stop = true;
}

START_TEST(test_interrupted_and_resumed)
{
    gh_buf whole = {0}, resumed = {0};
    must_train();
    read_network(&whole);
    signal(SIGALRM, on_alarm);
    int rounds = 0;
    for (;; rounds++) { /* a twentieth of a second at a time, until it is through */
        struct itimerval timer = {.it_value = {.tv_usec = 50000 + 20000 * rounds}};
        stop = false;
        o.fine.resume = true;
        setitimer(ITIMER_REAL, &timer, NULL);
        gh_status status = train();
        timer = (struct itimerval){0};
        setitimer(ITIMER_REAL, &timer, NULL);
        ck_assert_msg(status == GH_OK || status == GH_INTERRUPTED, "%s", e.text);
        if (status == GH_OK)
            break;
        ck_assert(exists("model.onnx"));
        ck_assert_int_lt(rounds, 200);
    }
    ck_assert_int_gt(rounds, 0);
    read_network(&resumed);
    ck_assert_uint_eq(whole.len, resumed.len);
    ck_assert_mem_eq(whole.data, resumed.data, whole.len);
    gh_buf_free(&whole);
    gh_buf_free(&resumed);
}
END_TEST

START_TEST(test_votes)
{
    gh_buf table = {0};
    gh_buf_str(&table, "name,split,across,down\n");
    for (int i = 0; i < A_CLASS; i++)
        gh_buf_printf(&table, "d/across/%d.png,%s,%d,1\nd/down/%d.png,%s,2,9\n", i, i < 4 ? "valid" : "train",
                      6 + i % 3, i, i < 4 ? "valid" : "train");
    tiny_file("votes.csv", table.data, table.len);
    gh_buf_free(&table);
    snprintf(data, sizeof data, "%s", tiny_path("votes.csv"));
    must_train();
    ck_assert_uint_eq(s.classes, 2);
    ck_assert_uint_eq(s.accuracy.count, 8);
    ck_assert(s.accuracy.value > .8);
}
END_TEST

START_TEST(test_refusals)
{
    o.fine.unfreeze = 1;
    refused(GH_ARG, "exclude each other");
    o.fine.unfreeze = 0;
    o.fine.scratch = "mobil";
    refused(GH_ARG, "mobile and residual");
    o.fine.scratch = "mobile";
    o.fine.side = 8;
    refused(GH_ARG, "16 to 512");
    o.fine.side = 16;
    o.fine.width = 3;
    refused(GH_ARG, "4 to 256");
    o.fine.width = 4;
    o.fine.depth = 17;
    refused(GH_ARG, "1 to 16");
    o.fine.depth = 1;
    o.head_only = true;
    refused(GH_ARG, "--head-only");
    o.head_only = false;
    o.fine.scratch = NULL;
    o.fine.unfreeze = 1;
    o.head = "forest";
    refused(GH_ARG, "softmax and mlp");
    ck_assert(!exists("model.onnx"));
}
END_TEST

/* Large JPEG files, which serving decodes smaller: those that are judged get the very scores that the served
 * model gives them. */
START_TEST(test_judged_as_served)
{
    gh_model *m = NULL;
    gh_worker *w = NULL;
    char name[64];
    for (int i = 0; i < 8; i++) {
        static uint8_t pixels[160 * 120 * 3];
        gh_buf jpeg = {0};
        for (int k = 0; k < 160 * 120 * 3; k++) {
            int x = k / 3 % 160, y = k / 480, across = i % 2 ? x : y;
            pixels[k] = (uint8_t)(128 + 100 * sin(across * .3 + i) + 20 * sin(k * .7));
        }
        ck_assert_int_eq(gh_jpeg_encode_rgb(&jpeg, pixels, 160, 120, 90, NULL), GH_OK);
        snprintf(name, sizeof name, "j/%s/%d.jpg", i % 2 ? "down" : "across", i / 2);
        tiny_file(name, jpeg.data, jpeg.len);
        gh_buf_free(&jpeg);
    }
    snprintf(data, sizeof data, "%s", tiny_path("j"));
    o.fine.epochs = 2;
    must_train();
    gh_trainset *set = NULL;
    ck_assert_int_eq(gh_trainset_open(&set, data, &(gh_trainset_options){0}, &e), GH_OK);
    ck_assert_int_eq(gh_model_open(&m, out, true, &e), GH_OK);
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
    gh_graph *g = open_network(out);
    gh_fine_options options = {.settings = &o.fine, .set = set, .input = &m->manifest->input};
    for (uint32_t i = 0; i < set->nexamples; i++) {
        float scores[2];
        gh_buf file = {0};
        gh_result *r = NULL;
        NT_OK(gh_fine_scores(scores, g, &options, &i, 1, &e), e);
        gh_softmax_rows(scores, 1, 2, 1);
        ck_assert_int_eq(gh_file_read(&file, set->examples[i].path, 1 << 20, NULL), GH_OK);
        NT_OK(gh_run(&r, w, m, file.data, file.len, NULL, NULL, &e), e);
        ck_assert_float_eq_tol(r->labels[0].score, scores[r->labels[0].index], 1e-6f);
        gh_result_free(&r);
        gh_buf_free(&file);
    }
    gh_graph_free(&g);
    gh_worker_free(&w);
    gh_model_put(&m);
    gh_trainset_free(&set);
}
END_TEST

/* ---- unfreezing ---- */

/* A body that has seen the stripes: what a run from scratch wrote, moved to another name. */
static void make_body(char *body, size_t size)
{
    snprintf(body, size, "%s", tiny_path("models/body"));
    o.out = body;
    o.fine.epochs = 4;
    must_train();
    o.out = out;
    o.body = body;
    o.fine = (gh_fine_settings){.unfreeze = 1, .rate = .003, .epochs = 3, .batch = 8};
}

/* Elements of the constant of that name. */
static const float *weights_of(const gh_graph *g, const char *name, size_t *count)
{
    for (uint32_t i = 0; i < g->nvalues; i++)
        if (g->values[i].data && strcmp(g->values[i].name, name) == 0) {
            ck_assert(gh_shape_count(count, &g->values[i].shape));
            return g->values[i].data;
        }
    ck_abort_msg("no constant %s", name);
}

static bool same_weights(const gh_graph *a, const gh_graph *b, const char *name)
{
    size_t n, m;
    const float *x = weights_of(a, name, &n), *y = weights_of(b, name, &m);
    ck_assert_uint_eq(n, m);
    return memcmp(x, y, n * sizeof *x) == 0;
}

START_TEST(test_unfreeze)
{
    static char body[256];
    make_body(body, sizeof body);
    must_train();
    ck_assert(s.tuned && s.before > 0 && s.tuned_epochs == 3);
    gh_graph *before = open_network(body), *after = open_network(out);
    ck_assert(same_weights(before, after, "body/first/weight"));
    ck_assert(!same_weights(before, after, "body/stage1.0.conv2/weight"));
    gh_graph_free(&after);
    o.fine.unfreeze = -1;
    must_train();
    after = open_network(out);
    ck_assert(!same_weights(before, after, "body/first/weight"));
    ck_assert(same_weights(before, after, "body/first/norm/mean"));
    gh_graph_free(&after);
    gh_graph_free(&before);
    o.fine.unfreeze = 9;
    refused(GH_ARG, "the body has 2 blocks");
    o.head = "mlp";
    o.hidden = 4;
    o.fine.unfreeze = 2;
    must_train();
    ck_assert_str_eq(s.head, "mlp");
    o.head = "auto"; /* of the heads that have a gradient */
    must_train();
    ck_assert(strcmp(s.head, "mlp") == 0 || strcmp(s.head, "softmax") == 0);
}
END_TEST

START_TEST(test_a_body_without_blocks)
{
    static char body[256];
    tiny_model("body", "");
    snprintf(body, sizeof body, "%s", tiny_path("body"));
    o.body = body;
    o.fine = (gh_fine_settings){.unfreeze = 1, .rate = .003, .epochs = 1, .batch = 8};
    refused(GH_ARG, "the body has 0 blocks");
}
END_TEST

/* ---- parts ---- */

/* A network that sees brightness alone gives colours and their brightness the same scores. */
START_TEST(test_grey)
{
    gh_small_options options = {.name = "mobile", .side = 16, .width = 4, .classes = 3, .grey = true};
    float scores[2][3];
    for (int round = 0; round < 2; round++) {
        gh_graph *g = NULL;
        nt_run run;
        gh_shape shape = gh_shape_of(4, (int64_t[]){1, 3, 16, 16});
        NT_OK(gh_small_net(&g, &options, &e), e);
        bool *learns = gh_calloc(g->nvalues, sizeof *learns);
        NT_OK(gh_fine_choose(learns, g, -1, &e), e);
        size_t n = 0;
        for (uint32_t i = 0; i < g->nvalues; i++) {
            n += learns[i];
            ck_assert(!learns[i] || !gh_grey_is(g->values[i].name));
        }
        ck_assert_uint_gt(n, 10);
        gh_free(learns);
        NT_OK(nt_open(&run, &g, GH_PASS_ALL, &shape, NULL, &e), e);
        float *in = gh_session_input(run.session, 0)->data;
        for (int i = 0; i < 256; i++) {
            float red = sinf((float)i), green = cosf((float)i), blue = sinf(2 * (float)i);
            float grey = .299f * red + .587f * green + .114f * blue;
            in[i] = round ? grey : red;
            in[256 + i] = round ? grey : green;
            in[512 + i] = round ? grey : blue;
        }
        NT_OK(gh_session_run(run.session, &e), e);
        memcpy(scores[round], gh_session_output(run.session, 0)->data, sizeof scores[round]);
        nt_close(&run);
    }
    for (int c = 0; c < 3; c++)
        ck_assert_float_eq_tol(scores[0][c], scores[1][c], 1e-4f);
    ck_assert(fabsf(scores[0][0] - scores[0][1]) > 1e-4f);
}
END_TEST

Suite *gh_suite_fine(void)
{
    Suite *suite = suite_create("fine");
    TCase *t = tcase_create("fine");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_from_scratch, 0, 2);
    tcase_add_test(t, test_threads_change_nothing);
    tcase_add_test(t, test_interrupted_and_resumed);
    tcase_add_test(t, test_votes);
    tcase_add_test(t, test_judged_as_served);
    tcase_add_test(t, test_refusals);
    tcase_add_test(t, test_unfreeze);
    tcase_add_test(t, test_a_body_without_blocks);
    tcase_add_test(t, test_grey);
    suite_add_tcase(suite, t);
    return suite;
}
