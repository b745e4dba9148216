/* A run of training on stripes: pictures made up as they are asked for. */
#include "unit/learn_case.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/net.h"
#include "train/learn/loss.h"
#include "unit/nets.h"
#include "unit/tiny.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Lines across, lines down or neither, in noise. */
static void draw_stripes(float *pixels, uint32_t kind, gh_rng *rng)
{
    int shift = (int)gh_rng_below(rng, 4);
    for (int y = 0; y < LC_SIDE; y++)
        for (int x = 0; x < LC_SIDE; x++) {
            int along = kind == 0 ? y : x;
            float line = kind == 2 ? 0 : (along + shift) % 4 < 2 ? 1.0f : -1.0f;
            pixels[y * LC_SIDE + x] = line + .7f * gh_rng_normal(rng);
        }
}

gh_status lc_sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target, gh_err *e)
{
    lc_stripes *s = arg;
    uint8_t label = (uint8_t)(index % LC_CLASSES);
    if (s->bad_sample && index == 7)
        return gh_fail(e, GH_FORMAT, "picture 7 is broken");
    draw_stripes(inputs[0], label, rng);
    memcpy(target, &label, 1);
    return GH_OK;
}

gh_status lc_loss(void *arg, gh_tape *t, const void *targets, double *out, gh_err *e)
{
    lc_stripes *s = arg;
    gh_class_targets c = {.n = LC_BATCH, .classes = LC_CLASSES, .inner = 1, .labels = targets};
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

gh_status lc_validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e)
{
    lc_stripes *s = arg;
    gh_graph *copy = NULL;
    nt_run run;
    gh_shape shape = gh_shape_of(4, (int64_t[]){LC_JUDGED, 1, LC_SIDE, LC_SIDE});
    int right = 0;
    gh_rng rng;
    GH_TRY(gh_graph_copy(&copy, g, e));
    GH_TRY(nt_open(&run, &copy, GH_PASS_ALL, &shape, NULL, e));
    float *in = gh_session_input(run.session, 0)->data;
    gh_rng_seed(&rng, 77);
    for (uint32_t i = 0; i < LC_JUDGED; i++)
        draw_stripes(in + i * LC_PIXELS, i % LC_CLASSES, &rng);
    NT_OK(gh_session_run(run.session, e), *e);
    const float *z = gh_session_output(run.session, 0)->data;
    for (int i = 0; i < LC_JUDGED; i++, z += LC_CLASSES) {
        int most = z[1] > z[0] ? 1 : 0;
        most = z[2] > z[most] ? 2 : most;
        right += most == i % LC_CLASSES;
    }
    nt_close(&run);
    s->validations++;
    *metric = s->dull ? .25 : (double)right / LC_JUDGED;
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
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (int64_t[]){-1, 1, LC_SIDE, LC_SIDE}));
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
    uint32_t dense[] = {f, weights(g, "dense", gh_shape_of(2, (int64_t[]){6, LC_CLASSES}), .4f, &rng),
                        weights(g, "bias", gh_shape_of(1, (int64_t[]){LC_CLASSES}), 0, &rng)};
    gh_graph_output(g, gh_graph_op(g, "Gemm", "logits", dense, 3));
    ck_assert_int_eq(gh_graph_check(g, NULL), GH_OK);
    return g;
}

static const gh_shape batch_shape = {4, {LC_BATCH, 1, LC_SIDE, LC_SIDE}};

void lc_begin(lc_run *l, int threads)
{
    memset(l, 0, sizeof *l);
    if (threads > 1)
        ck_assert_int_eq(gh_pool_new(&l->pool, threads, NULL), GH_OK);
    l->g = network();
    gh_tape_options tape = {.inputs = &batch_shape, .pool = l->pool};
    NT_OK(gh_tape_new(&l->t, l->g, &tape, &l->e), l->e);
    l->task = (gh_learn_task){.arg = &l->s,
                              .samples = LC_SAMPLES,
                              .target_bytes = 1,
                              .sample = lc_sample,
                              .loss = lc_loss,
                              .validate = lc_validate,
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

gh_status lc_learn(lc_run *l)
{
    return gh_learn(&l->summary, l->g, l->t, &l->task, &l->o, &l->e);
}

void lc_end(lc_run *l)
{
    gh_buf_free(&l->summary.details);
    gh_tape_free(&l->t);
    gh_graph_free(&l->g);
    gh_pool_free(&l->pool);
}

float *lc_constants(const lc_run *l, size_t *bytes)
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
    lc_run l;
    lc_begin(&l, 1);
    l.o.folder = NULL;
    NT_OK(lc_learn(&l), l.e);
    float *all = lc_constants(&l, bytes);
    lc_end(&l);
    return all;
}

void lc_check_same(const lc_run *l)
{
    size_t wanted_bytes, bytes;
    float *wanted = undisturbed(&wanted_bytes), *got = lc_constants(l, &bytes);
    ck_assert_uint_eq(wanted_bytes, bytes);
    ck_assert_mem_eq(wanted, got, bytes);
    gh_free(wanted);
    gh_free(got);
}

void lc_read(gh_buf *b, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", tiny_path("run"), name);
    ck_assert_int_eq(gh_file_read(b, path, 1 << 24, NULL), GH_OK);
    gh_buf_add(b, "", 1);
}
