/* The loop of training: that it learns, gives the same bytes however it is cut up, and says what went wrong.
 */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/net.h"
#include "train/learn/learn.h"
#include "train/learn/loss.h"
#include "train/learn/parts.h"
#include "unit/nets.h"
#include "unit/tiny.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 3, SAMPLES = 50, BATCH = 16, JUDGED = 60 };

/* What a case does to a run. */
typedef struct stripes {
    int losses, stop_at; /* calls of loss; the one that sets `stop` */
    int nan_at;          /* the call that gives no number */
    bool bad_sample, dull;
    int validations;
    volatile bool stop;
} stripes;

/* Lines across, lines down or neither, in noise. */
static void draw_stripes(float *pixels, uint32_t kind, gh_rng *rng)
{
    int shift = (int)gh_rng_below(rng, 4);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int along = kind == 0 ? y : x;
            float line = kind == 2 ? 0 : (along + shift) % 4 < 2 ? 1.0f : -1.0f;
            pixels[y * SIDE + x] = line + .7f * gh_rng_normal(rng);
        }
}

static gh_status sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target, gh_err *e)
{
    stripes *s = arg;
    uint8_t label = (uint8_t)(index % CLASSES);
    if (s->bad_sample && index == 7)
        return gh_fail(e, GH_FORMAT, "picture 7 is broken");
    draw_stripes(inputs[0], label, rng);
    memcpy(target, &label, 1);
    return GH_OK;
}

static gh_status loss(void *arg, gh_tape *t, const void *targets, double *out, gh_err *e)
{
    stripes *s = arg;
    gh_class_targets c = {.n = BATCH, .classes = CLASSES, .inner = 1, .labels = targets};
    (void)e;
    *out = gh_loss_softmax((gh_gradient){gh_tape_output_gradient(t, 0), 1, false}, gh_tape_output(t, 0)->data,
                           &c, NULL);
    s->losses++;
    if (s->losses == s->nan_at)
        *out = NAN;
    if (s->losses == s->stop_at)
        s->stop = true;
    return GH_OK;
}

/* Share of pictures that the served graph names right. */
static gh_status validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e)
{
    stripes *s = arg;
    gh_graph *copy = NULL;
    nt_run run;
    gh_shape shape = gh_shape_of(4, (int64_t[]){JUDGED, 1, SIDE, SIDE});
    int right = 0;
    gh_rng rng;
    GH_TRY(gh_graph_copy(&copy, g, e));
    GH_TRY(nt_open(&run, &copy, GH_PASS_ALL, &shape, NULL, e));
    float *in = gh_session_input(run.session, 0)->data;
    gh_rng_seed(&rng, 77);
    for (uint32_t i = 0; i < JUDGED; i++)
        draw_stripes(in + i * PIXELS, i % CLASSES, &rng);
    NT_OK(gh_session_run(run.session, e), *e);
    const float *z = gh_session_output(run.session, 0)->data;
    for (int i = 0; i < JUDGED; i++, z += CLASSES) {
        int most = z[1] > z[0] ? 1 : 0;
        most = z[2] > z[most] ? 2 : most;
        right += most == i % CLASSES;
    }
    nt_close(&run);
    s->validations++;
    *metric = s->dull ? .25 : (double)right / JUDGED;
    gh_buf_printf(details, "{\"right\": %d}", right);
    return GH_OK;
}

static gh_status draw(void *arg, const gh_graph *g, gh_buf *html, gh_err *e)
{
    (void)arg;
    (void)g;
    (void)e;
    gh_buf_str(html, "<p>a sheet</p>\n");
    return GH_OK;
}

/* ---- a network ---- */

static uint32_t weights(gh_graph *g, const char *name, gh_shape shape, float size, gh_rng *rng)
{
    float *data;
    size_t n;
    uint32_t id = gh_graph_const_f32(g, name, shape, &data);
    ck_assert(gh_shape_count(&n, &shape));
    for (size_t i = 0; i < n; i++)
        data[i] = size < 0 ? -size : size * gh_rng_normal(rng);
    return id;
}

/* Convolution, normalisation, ReLU, mean, dense. */
static gh_graph *network(void)
{
    gh_graph *g = NULL;
    gh_rng rng;
    gh_rng_seed(&rng, 3);
    ck_assert_int_eq(gh_graph_new(&g, NULL), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (int64_t[]){-1, 1, SIDE, SIDE}));
    uint32_t conv[] = {x, weights(g, "conv", gh_shape_of(4, (int64_t[]){6, 1, 3, 3}), .4f, &rng)};
    uint32_t a = gh_graph_op(g, "Conv", "conv_out", conv, 2);
    gh_graph_set_ints(g, a, "pads", (int64_t[]){1, 1, 1, 1}, 4);
    gh_shape six = gh_shape_of(1, (int64_t[]){6});
    uint32_t norm[] = {a, weights(g, "scale", six, -1, &rng), weights(g, "shift", six, 0, &rng),
                       weights(g, "mean", six, 0, &rng), weights(g, "var", six, -1, &rng)};
    uint32_t b = gh_graph_op(g, "BatchNormalization", "norm", norm, 5);
    uint32_t c = gh_graph_op(g, "Relu", "relu", &b, 1);
    uint32_t d = gh_graph_op(g, "GlobalAveragePool", "pool", &c, 1);
    uint32_t f = gh_graph_op(g, "Flatten", "flat", &d, 1);
    uint32_t dense[] = {f, weights(g, "dense", gh_shape_of(2, (int64_t[]){6, CLASSES}), .4f, &rng),
                        weights(g, "bias", gh_shape_of(1, (int64_t[]){CLASSES}), 0, &rng)};
    gh_graph_output(g, gh_graph_op(g, "Gemm", "logits", dense, 3));
    ck_assert_int_eq(gh_graph_check(g, NULL), GH_OK);
    return g;
}

static const gh_shape batch_shape = {4, {BATCH, 1, SIDE, SIDE}};

typedef struct learner {
    stripes s;
    gh_graph *g;
    gh_tape *t;
    gh_pool *pool;
    gh_learn_task task;
    gh_learn_options o;
    gh_learn_summary summary;
    gh_err e;
} learner;

/* The usual run: four epochs, averaged weights, a rising rate at first. */
static void begin(learner *l, int threads)
{
    memset(l, 0, sizeof *l);
    if (threads > 1)
        ck_assert_int_eq(gh_pool_new(&l->pool, threads, NULL), GH_OK);
    l->g = network();
    gh_tape_options tape = {.inputs = &batch_shape, .pool = l->pool};
    NT_OK(gh_tape_new(&l->t, l->g, &tape, &l->e), l->e);
    l->task = (gh_learn_task){.arg = &l->s,
                              .samples = SAMPLES,
                              .target_bytes = 1,
                              .sample = sample,
                              .loss = loss,
                              .validate = validate,
                              .metric_name = "accuracy",
                              .draw = draw};
    l->o = (gh_learn_options){.inputs = &batch_shape,
                              .optim = {.kind = GH_OPTIM_ADAMW, .decay = .01f, .clip = 5, .ema = .9f},
                              .schedule = GH_SCHEDULE_COSINE,
                              .rate = .03,
                              .warmup = .5,
                              .epochs = 4,
                              .seed = 5,
                              .folder = tiny_path("run"),
                              .title = "stripes <b>",
                              .quiet = true,
                              .pool = l->pool,
                              .stop = &l->s.stop};
}

static gh_status run(learner *l)
{
    return gh_learn(&l->summary, l->g, l->t, &l->task, &l->o, &l->e);
}

static void end(learner *l)
{
    gh_buf_free(&l->summary.details);
    gh_tape_free(&l->t);
    gh_graph_free(&l->g);
    gh_pool_free(&l->pool);
}

/* Weights, then statistics, as the graph's constants hold them. */
static float *constants(const learner *l, size_t *bytes)
{
    gh_buf all = {0};
    for (uint32_t i = 0; i < l->g->nvalues; i++) {
        size_t n;
        if (l->g->values[i].data && gh_shape_count(&n, &l->g->values[i].shape))
            gh_buf_add(&all, l->g->values[i].data, n * sizeof(float));
    }
    *bytes = all.len;
    return (float *)(void *)all.data;
}

/* What an undisturbed run of one thread ends with. */
static float *undisturbed(size_t *bytes)
{
    learner l;
    begin(&l, 1);
    l.o.folder = NULL;
    NT_OK(run(&l), l.e);
    float *all = constants(&l, bytes);
    end(&l);
    return all;
}

static void check_same(const learner *l)
{
    size_t wanted_bytes, bytes;
    float *wanted = undisturbed(&wanted_bytes), *got = constants(l, &bytes);
    ck_assert_uint_eq(wanted_bytes, bytes);
    ck_assert_mem_eq(wanted, got, bytes);
    gh_free(wanted);
    gh_free(got);
}

static void read_text(gh_buf *b, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", tiny_path("run"), name);
    ck_assert_int_eq(gh_file_read(b, path, 1 << 24, NULL), GH_OK);
    gh_buf_add(b, "", 1);
}

/* ---- tests ---- */

START_TEST(test_it_learns)
{
    learner l;
    gh_buf b = {0};
    begin(&l, 2);
    l.o.epochs = 12;
    NT_OK(run(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 12);
    ck_assert(l.summary.metric > .9 && !l.summary.early);
    ck_assert_int_eq(l.s.validations, 12);
    ck_assert_mem_eq(l.summary.details.data, "{\"right\": ", 10);
    /* the graph holds what was measured */
    double again;
    NT_OK(validate(&l.s, l.g, &again, &b, &l.e), l.e);
    ck_assert_double_eq(again, l.summary.metric);
    b.len = 0;
    read_text(&b, "history.csv");
    int lines = 0;
    for (size_t i = 0; i < b.len; i++)
        lines += b.data[i] == '\n';
    ck_assert_int_eq(lines, 13);
    ck_assert_mem_eq(b.data, "epoch,step,loss,accuracy,rate,", 30);
    b.len = 0;
    read_text(&b, "report.html");
    const char *page = (const char *)b.data;
    ck_assert_ptr_nonnull(strstr(page, "stripes &lt;b&gt;"));
    ck_assert_ptr_nonnull(strstr(page, "<p>a sheet</p>"));
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "http-equiv=\"refresh\""));
    ck_assert_ptr_null(strstr(page, "://"));
    ck_assert_ptr_null(strstr(page, "nan"));
    gh_buf_free(&b);
    end(&l);
}
END_TEST

START_TEST(test_threads_give_the_same_bytes)
{
    learner l;
    begin(&l, 3);
    NT_OK(run(&l), l.e);
    check_same(&l);
    end(&l);
}
END_TEST

/* Stopped in the middle of each epoch and at its end; four steps are an epoch. */
START_TEST(test_a_resumed_run_gives_the_same_bytes)
{
    learner l;
    begin(&l, 1);
    l.s.stop_at = _i;
    ck_assert_int_eq(run(&l), GH_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(l.e.text, "--resume"));
    end(&l);
    begin(&l, 2);
    l.o.resume = true;
    NT_OK(run(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 4);
    ck_assert_int_eq(l.s.losses, 16 - (_i - 1) / 4 * 4);
    check_same(&l);
    end(&l);
    begin(&l, 1); /* once more: it is done */
    l.o.resume = true;
    NT_OK(run(&l), l.e);
    ck_assert_int_eq(l.s.losses, 0);
    check_same(&l);
    end(&l);
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
    return loss(arg, t, targets, out, e);
}

START_TEST(test_a_killed_run_loses_an_epoch_at_most)
{
    learner l;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        begin(&l, 1);
        l.task.loss = slow_loss;
        _exit(run(&l) ? 1 : 0);
    }
    for (int i = 0; i < 2000 && rows_written() < 2; i++)
        usleep(5000);
    usleep(30000); /* into the third epoch */
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    int how, rows = rows_written();
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how));
    ck_assert_int_ge(rows, 2);
    begin(&l, 1);
    l.o.resume = true;
    NT_OK(run(&l), l.e);
    ck_assert_int_le(l.s.losses, 16 - 4 * rows);
    check_same(&l);
    end(&l);
}
END_TEST

START_TEST(test_resume_without_a_checkpoint_begins)
{
    learner l;
    begin(&l, 1);
    l.o.resume = true;
    NT_OK(run(&l), l.e);
    check_same(&l);
    end(&l);
}
END_TEST

START_TEST(test_more_epochs_later)
{
    learner l;
    begin(&l, 1);
    NT_OK(run(&l), l.e);
    end(&l);
    begin(&l, 1);
    l.o.resume = true;
    l.o.epochs = 6;
    NT_OK(run(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 6);
    ck_assert_int_eq(l.s.losses, 8);
    end(&l);
}
END_TEST

START_TEST(test_checkpoints_of_other_runs_and_damaged_ones)
{
    learner l;
    char path[200];
    begin(&l, 1);
    l.o.epochs = 1;
    NT_OK(run(&l), l.e);
    end(&l);
    snprintf(path, sizeof path, "%s/checkpoint", tiny_path("run"));
    for (int i = 0; i < 4; i++) {
        begin(&l, 1);
        l.o.resume = true;
        if (i == 0)
            l.o.seed = 6;
        else if (i == 1)
            l.task.mark = 9;
        else if (i == 2)
            l.o.optim.kind = GH_OPTIM_SGD;
        else
            l.task.samples = 49;
        nt_refused(run(&l), GH_ARG, &l.e, "another run");
        end(&l);
    }
    gh_buf b = {0};
    ck_assert_int_eq(gh_file_read(&b, path, 1 << 24, NULL), GH_OK);
    for (int i = 0; i < 4; i++) {
        size_t cut = i == 0 ? 10 : i == 1 ? b.len - 1 : b.len;
        b.data[b.len / 2] ^= i == 2;
        b.data[0] ^= i == 3;
        ck_assert_int_eq(gh_file_write(path, b.data, cut, NULL), GH_OK);
        b.data[b.len / 2] ^= i == 2;
        begin(&l, 1);
        l.o.resume = true;
        nt_refused(run(&l), GH_FORMAT, &l.e, i == 0 || i == 3 ? "no checkpoint" : "damaged");
        end(&l);
    }
    gh_buf_free(&b);
}
END_TEST

START_TEST(test_patience)
{
    learner l;
    begin(&l, 1);
    l.s.dull = true;
    l.o.epochs = 9;
    l.o.patience = 3;
    NT_OK(run(&l), l.e);
    ck_assert(l.summary.early);
    ck_assert_uint_eq(l.summary.epochs, 4);
    ck_assert_uint_eq(l.summary.best_epoch, 1);
    end(&l);
}
END_TEST

START_TEST(test_time_limit)
{
    learner l;
    begin(&l, 1);
    l.o.seconds = 1e-6;
    NT_OK(run(&l), l.e);
    ck_assert_uint_eq(l.summary.epochs, 0);
    end(&l);
}
END_TEST

START_TEST(test_numbers_that_run_away)
{
    learner l;
    begin(&l, 1);
    l.s.nan_at = 6;
    nt_refused(run(&l), GH_FORMAT, &l.e, "epoch 2, step 2: the loss ran away");
    end(&l);
    begin(&l, 1); /* a rate that no network bears */
    l.o.rate = 1e30;
    l.o.optim = (gh_optim_options){.kind = GH_OPTIM_SGD};
    l.o.warmup = 0;
    nt_refused(run(&l), GH_FORMAT, &l.e, "ran away");
    ck_assert_ptr_nonnull(strstr(l.e.text, "--lr 1e+29"));
    end(&l);
}
END_TEST

static gh_status endless(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                         gh_err *e)
{
    GH_TRY(sample(arg, index, rng, inputs, target, e));
    inputs[0][5] = index == 3 ? INFINITY : inputs[0][5];
    return GH_OK;
}

START_TEST(test_bad_samples)
{
    learner l;
    begin(&l, 2);
    l.s.bad_sample = true;
    nt_refused(run(&l), GH_FORMAT, &l.e, "picture 7 is broken");
    end(&l);
    begin(&l, 1);
    l.task.sample = endless;
    nt_refused(run(&l), GH_FORMAT, &l.e, "was given numbers that are not finite");
    end(&l);
}
END_TEST

START_TEST(test_bad_options)
{
    learner l;
    for (int i = 0; i < 4; i++) {
        begin(&l, 1);
        if (i == 0)
            l.o.epochs = 0;
        else if (i == 1)
            l.o.rate = -1;
        else if (i == 2)
            l.o.rate = NAN;
        else
            l.task.samples = 0;
        nt_refused(run(&l), GH_ARG, &l.e, "");
        end(&l);
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
    learner l, given;
    gh_buf b = {0};
    begin(&l, 1);
    l.o.rate = 0;
    l.o.epochs = 8;
    NT_OK(run(&l), l.e);
    ck_assert_msg(l.summary.rate > 1e-4 && l.summary.rate < .3, "rate %g", l.summary.rate);
    ck_assert(l.summary.metric > .7);
    read_text(&b, "report.html");
    ck_assert_ptr_nonnull(strstr((const char *)b.data, "How the rate was found"));
    /* the trial leaves no trace in the weights */
    begin(&given, 1);
    given.o.folder = NULL;
    given.o.rate = l.summary.rate;
    given.o.epochs = 8;
    NT_OK(run(&given), given.e);
    size_t n, m;
    float *x = constants(&l, &n), *y = constants(&given, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n);
    gh_free(x);
    gh_free(y);
    gh_buf_free(&b);
    end(&l);
    end(&given);
}
END_TEST

START_TEST(test_stopped_while_a_rate_is_looked_for)
{
    learner l;
    begin(&l, 1);
    l.o.rate = 0;
    l.s.stop_at = 20;
    ck_assert_int_eq(run(&l), GH_INTERRUPTED);
    end(&l);
}
END_TEST

START_TEST(test_memory_runs_out)
{
    for (int i = 0; i < 400; i++) {
        learner l;
        begin(&l, 1);
        l.o.epochs = 1;
        l.task.validate = NULL;
        gh_mem_fail_after(i);
        gh_status status = run(&l);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "allocation %d: %s", i, l.e.text);
        end(&l);
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
    tcase_add_loop_test(c, test_a_resumed_run_gives_the_same_bytes, 2, 14);
    tcase_add_test(c, test_a_killed_run_loses_an_epoch_at_most);
    tcase_add_test(c, test_resume_without_a_checkpoint_begins);
    tcase_add_test(c, test_more_epochs_later);
    tcase_add_test(c, test_checkpoints_of_other_runs_and_damaged_ones);
    tcase_add_test(c, test_patience);
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
