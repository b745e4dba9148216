/* Brightness ahead of a network: grey pictures stay as they were, colours no longer count, in both orders of
 * colours and whatever the preparation. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/nets/grey.h"
#include "unit/nets.h"

#include <math.h>
#include <string.h>

enum { SIDE = 5, PIXELS = SIDE * SIDE, OUT = 2 * PIXELS };

static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
}

/* A 3x3 convolution that reads the three colours each in its own way, so that padding and order show. */
static gh_graph *make(int channels)
{
    gh_graph *g = NULL;
    float *w = NULL;
    NT_OK(gh_graph_new(&g, &e), e);
    uint32_t x = gh_graph_input(g, "image", GH_F32, gh_shape_of(4, (int64_t[]){1, channels, SIDE, SIDE}));
    uint32_t weights = gh_graph_const_f32(g, "w", gh_shape_of(4, (int64_t[]){2, channels, 3, 3}), &w);
    ck_assert_ptr_nonnull(w);
    for (int i = 0; i < 2 * channels * 9; i++)
        w[i] = (float)((i * 7) % 11 - 5) / 8;
    x = gh_graph_op(g, "Conv", "conv", (uint32_t[]){x, weights}, 2);
    gh_graph_set_ints(g, x, "kernel_shape", (int64_t[]){3, 3}, 2);
    gh_graph_set_ints(g, x, "pads", (int64_t[]){1, 1, 1, 1}, 4);
    gh_graph_output(g, x);
    NT_OK(gh_graph_check(g, &e), e);
    return g;
}

/* Runs on `rgb`, 0..255, prepared as `input` says. */
static void run(float y[OUT], gh_graph *g, const gh_manifest_input *input, const float rgb[3][PIXELS])
{
    nt_run r = {0};
    size_t n = 0;
    NT_OK(gh_graph_sort(g, &e), e);
    NT_OK(nt_open(&r, &g, GH_PASS_ALL, NULL, NULL, &e), e);
    float *x = gh_session_input(r.session, 0)->data;
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < PIXELS; i++) {
            float v = rgb[input->order == GH_ORDER_BGR ? 2 - c : c][i];
            x[c * PIXELS + i] = (v - input->mean[c]) * input->scale[c];
        }
    NT_OK(gh_session_run(r.session, &e), e);
    float *out = nt_copy_output(&r, 0, &n);
    ck_assert_uint_eq(n, OUT);
    memcpy(y, out, OUT * sizeof *y);
    gh_free(out);
    nt_close(&r);
}

static double farthest(const float a[OUT], const float b[OUT])
{
    double most = 0;
    for (int i = 0; i < OUT; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

START_TEST(test_colours_do_not_count)
{
    const gh_manifest_input inputs[] = {
        {.order = GH_ORDER_RGB, .mean = {123, 117, 104}, .scale = {.017f, .0175f, .018f}},
        {.order = GH_ORDER_BGR, .mean = {104, 117, 123}, .scale = {.02f, .01f, .005f}},
        {.order = GH_ORDER_RGB, .mean = {0, 0, 0}, .scale = {1 / 255.f, 1 / 255.f, 1 / 255.f}}};
    for (size_t k = 0; k < GH_COUNT(inputs); k++) {
        float colour[3][PIXELS], grey[3][PIXELS], plain[OUT], same[OUT], coloured[OUT], unchanged[OUT];
        gh_graph *g = NULL;
        for (int i = 0; i < PIXELS; i++) {
            colour[0][i] = (float)(i * 37 % 256);
            colour[1][i] = (float)(i * 101 % 256);
            colour[2][i] = (float)(255 - i * 59 % 256);
            for (int c = 0; c < 3; c++) /* ITU-R BT.601 */
                grey[c][i] = .299f * colour[0][i] + .587f * colour[1][i] + .114f * colour[2][i];
        }
        run(plain, make(3), &inputs[k], grey);
        run(coloured, make(3), &inputs[k], colour);
        ck_assert_double_gt(farthest(plain, coloured), .1);
        g = make(3);
        NT_OK(gh_grey_entry(g, &inputs[k], &e), e);
        run(same, g, &inputs[k], grey);
        g = make(3);
        NT_OK(gh_grey_entry(g, &inputs[k], &e), e);
        run(unchanged, g, &inputs[k], colour);
        ck_assert_double_lt(farthest(plain, same), 1e-5);
        ck_assert_double_lt(farthest(plain, unchanged), 1e-5);
    }
}
END_TEST

START_TEST(test_its_weights_are_known)
{
    const gh_manifest_input input = {.scale = {1, 1, 1}};
    gh_graph *g = make(3);
    size_t its = 0;
    NT_OK(gh_grey_entry(g, &input, &e), e);
    for (uint32_t i = 0; i < g->nvalues; i++)
        its += g->values[i].data && gh_grey_is(g->values[i].name);
    ck_assert_uint_eq(its, 2);
    ck_assert(!gh_grey_is("w"));
    gh_graph_free(&g);
}
END_TEST

START_TEST(test_one_channel_is_refused)
{
    const gh_manifest_input input = {.scale = {1, 1, 1}};
    gh_graph *g = make(1);
    nt_refused(gh_grey_entry(g, &input, &e), GH_UNSUPPORTED, &e, "does not see colours");
    gh_graph_free(&g);
}
END_TEST

Suite *gh_suite_grey(void)
{
    Suite *s = suite_create("grey");
    TCase *t = tcase_create("grey");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_colours_do_not_count);
    tcase_add_test(t, test_its_weights_are_known);
    tcase_add_test(t, test_one_channel_is_refused);
    suite_add_tcase(s, t);
    return s;
}
