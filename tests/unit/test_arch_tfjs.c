/* A network of the table with the weights of a TensorFlow.js manifest: the numbers against plain loops over
 * TensorFlow's own order (rows, columns, channels), and what is said of a manifest that does not fit. */
#include "unit/suites.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "import/tfjs.h"
#include "unit/nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 112, BLOCKS = 4, CONVS = 4, CLASSES = 5, MOST = 64, LARGEST = 56 * 56 * 32 };

static char dir[64], path[96], shard_path[96];
static gh_buf manifest, shard;
static gh_rng rng;
static gh_err e;
static float *parameters[MOST]; /* in the order of the file */
static int count;

static void setup(void)
{
    gh_log_setup(GH_LOG_ERROR, false);
    snprintf(dir, sizeof dir, "/tmp/gharial-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    snprintf(shard_path, sizeof shard_path, "%s/weights.bin", dir);
    manifest = shard = (gh_buf){0};
    gh_rng_seed(&rng, 7);
    e = (gh_err){0};
    count = 0;
}

static void teardown(void)
{
    unlink(path);
    unlink(shard_path);
    rmdir(dir);
    gh_buf_free(&manifest);
    gh_buf_free(&shard);
    for (int i = 0; i < count; i++)
        gh_free(parameters[i]);
    gh_log_setup(GH_LOG_INFO, false);
}

/* One tensor of `n` numbers about zero, at most `size`. */
static void add(const char *name, const char *shape, size_t n, double size)
{
    float *w = gh_calloc(n, sizeof *w);
    ck_assert(w && count < MOST);
    for (size_t i = 0; i < n; i++)
        w[i] = (float)(((double)gh_rng_float(&rng) * 2 - 1) * size);
    gh_buf_printf(&manifest, "%s{\"name\":\"%s\",\"shape\":[%s],\"dtype\":\"float32\"}", count ? "," : "",
                  name, shape);
    gh_buf_add(&shard, w, n * sizeof *w);
    parameters[count++] = w;
}

/* The tensors of the published file, in its order; `without` is left out. */
static void write_file(const char *without)
{
    char name[64], shape[64];
    gh_buf_str(&manifest, "[{\"weights\":[");
    for (int block = 0, in = 3, out = 32; block < BLOCKS; block++, in = out, out *= 2)
        for (int conv = 0; conv < CONVS; conv++) {
            int from = conv ? out : in;
            const char *point = block || conv ? "pointwise_filter" : "filters";
            if (block || conv) {
                snprintf(name, sizeof name, "dense%d/conv%d/depthwise_filter", block, conv);
                snprintf(shape, sizeof shape, "3,3,%d,1", from);
                add(name, shape, (size_t)(9 * from), .5);
            }
            snprintf(name, sizeof name, "dense%d/conv%d/%s", block, conv, point);
            snprintf(shape, sizeof shape, block || conv ? "1,1,%d,%d" : "3,3,%d,%d", from, out);
            add(name, shape, (size_t)((block || conv ? 1 : 9) * from * out), 1 / sqrt((double)from));
            snprintf(name, sizeof name, "dense%d/conv%d/bias", block, conv);
            snprintf(shape, sizeof shape, "%d", out);
            if (!without || strcmp(name, without) != 0)
                add(name, shape, (size_t)out, .1);
        }
    add("fc/weights", "256,5", 256 * CLASSES, .1);
    add("fc/bias", "5", CLASSES, .1);
    gh_buf_str(&manifest, "],\"paths\":[\"weights.bin\"]}]");
    ck_assert(!manifest.failed && !shard.failed);
    NT_OK(gh_file_write(path, manifest.data, manifest.len, &e), e);
    NT_OK(gh_file_write(shard_path, shard.data, shard.len, &e), e);
}

/* ---- plain loops ---- */

/* A 3x3 window at `stride` with TensorFlow's padding "same" of an even side; `wide` filters read all
 * channels, else there is one a channel. */
static void window(float *y, const float *x, const float *w, int side, int in, int out, int stride, bool wide)
{
    const int to = side / stride, before = stride == 2 ? 0 : 1;
    for (int r = 0; r < to; r++)
        for (int c = 0; c < to; c++)
            for (int o = 0; o < out; o++) {
                double sum = 0;
                for (int at = 0; at < 9; at++) {
                    int sr = r * stride + at / 3 - before, sc = c * stride + at % 3 - before;
                    if (sr < 0 || sr >= side || sc < 0 || sc >= side)
                        continue;
                    for (int i = wide ? 0 : o; i < (wide ? in : o + 1); i++)
                        sum += (double)x[(sr * side + sc) * in + i] *
                               (double)w[(at * in + i) * (wide ? out : 1) + (wide ? o : 0)];
                }
                y[(r * to + c) * out + o] = (float)sum;
            }
}

static void dense(float *y, const float *x, const float *w, const float *bias, int rows, int in, int out)
{
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out; o++) {
            double sum = (double)bias[o];
            for (int i = 0; i < in; i++)
                sum += (double)x[r * in + i] * (double)w[i * out + o];
            y[r * out + o] = (float)sum;
        }
}

/* Leaves the logits in y[0..CLASSES). */
static void expected(float *y, const float *picture)
{
    float *x = gh_calloc(SIDE * SIDE * 3 + LARGEST, sizeof *x), *t = gh_calloc(4 * LARGEST, sizeof *t);
    float *sum = gh_calloc(LARGEST, sizeof *sum), *first = gh_calloc(LARGEST, sizeof *first);
    float **w = parameters, mean[256] = {0};
    int side = SIDE;
    ck_assert(x && t && sum && first);
    memcpy(x, picture, SIDE * SIDE * 3 * sizeof *x);
    for (int block = 0, in = 3, out = 32; block < BLOCKS; block++, in = out, out *= 2) {
        int pixels = side / 2 * (side / 2);
        for (int conv = 0; conv < CONVS; conv++) {
            const int from = conv ? out : in, stride = conv ? 1 : 2;
            if (block || conv) {
                window(t, x, *w++, side, from, from, stride, false);
                dense(first, t, w[0], w[1], pixels, from, out);
            } else {
                window(first, x, w[0], side, from, out, stride, true);
                for (int i = 0; i < pixels * out; i++)
                    first[i] += w[1][i % out];
            }
            w += 2;
            side = SIDE >> (block + 1);
            for (int i = 0; i < pixels * out; i++) { /* the first one's ReLU comes before the sum */
                sum[i] = conv ? sum[i] + first[i] : fmaxf(first[i], 0);
                x[i] = fmaxf(sum[i], 0);
            }
        }
    }
    for (int i = 0; i < 49 * 256; i++)
        mean[i % 256] += x[i] / 49;
    dense(y, mean, w[0], w[1], 1, 256, CLASSES);
    gh_free(x);
    gh_free(t);
    gh_free(sum);
    gh_free(first);
}

START_TEST(test_computes_as_tensorflow)
{
    gh_graph *g = NULL;
    nt_run r = {0};
    float want[CLASSES], *picture = gh_calloc(SIDE * SIDE * 3, sizeof *picture);
    size_t n = 0;
    ck_assert_ptr_nonnull(picture);
    write_file(NULL);
    NT_OK(gh_tfjs_read_weights(&g, path, "face-expression", &e), e);
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, &(gh_shape){4, {1, 3, SIDE, SIDE}}, NULL, &e), e);
    float *x = gh_session_input(r.session, 0)->data;
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        picture[i] = (float)((double)gh_rng_float(&rng) - .5);
        x[i % 3 * SIDE * SIDE + i / 3] = picture[i];
    }
    NT_OK(gh_session_run(r.session, &e), e);
    float *y = nt_copy_output(&r, 0, &n);
    expected(want, picture);
    ck_assert_uint_eq(n, CLASSES);
    for (int i = 0; i < CLASSES; i++)
        ck_assert_msg(fabsf(y[i] - want[i]) <= 1e-4f * (1 + fabsf(want[i])), "%d: %g instead of %g", i,
                      (double)y[i], (double)want[i]);
    ck_assert(fabsf(want[0] - want[1]) > 1e-3f);
    gh_free(y);
    gh_free(picture);
    nt_close(&r);
}
END_TEST

START_TEST(test_what_is_missing_is_named)
{
    gh_graph *g = NULL;
    write_file("dense2/conv1/bias");
    nt_refused(gh_tfjs_read_weights(&g, path, "face-expression", &e), GH_FORMAT, &e, "dense2/conv1/bias");
    ck_assert_ptr_null(g);
}
END_TEST

START_TEST(test_files_that_are_no_manifest)
{
    static const struct {
        const char *text;
        gh_status status;
        const char *part;
    } cases[] = {{"{}", GH_FORMAT, "weightsManifest"},
                 {"[", GH_FORMAT, "manifest"},
                 {"[{\"weights\":[],\"paths\":[\"../other\"]}]", GH_FORMAT, "within the model's own folder"},
                 {"[{\"weights\":[],\"paths\":[\"absent.bin\"]}]", GH_NOTFOUND, "absent.bin"},
                 {"[]", GH_FORMAT, "dense0/conv0/filters"}};
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_graph *g = NULL;
        e = (gh_err){0};
        NT_OK(gh_file_write(path, cases[i].text, strlen(cases[i].text), &e), e);
        nt_refused(gh_tfjs_read_weights(&g, path, "face-expression", &e), cases[i].status, &e, cases[i].part);
        ck_assert_ptr_null(g);
    }
}
END_TEST

Suite *gh_suite_arch_tfjs(void)
{
    Suite *s = suite_create("arch_tfjs");
    TCase *t = tcase_create("arch_tfjs");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_computes_as_tensorflow);
    tcase_add_test(t, test_what_is_missing_is_named);
    tcase_add_test(t, test_files_that_are_no_manifest);
    suite_add_tcase(s, t);
    return s;
}
