/* Bodies for decoders and heads of boxes: where networks of masks and detectors are cut, pooling of one size,
 * and a layer of scores that begins anew from the old one. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/onnx.h"
#include "train/nets/body.h"
#include "train/nets/layers.h"
#include "train/nets/score_layer.h"
#include "train/nets/shapes.h"
#include "unit/nets.h"
#include "unit/tiny.h"

#include <math.h>
#include <string.h>

enum { SIDE = 64, IN = 6 };

static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
    tiny_text("net/model.json", tiny_manifest("net", ""));
}

static gh_layers begin(uint32_t *image)
{
    gh_layers b = {.prefix = "net"};
    NT_OK(gh_graph_new(&b.g, &e), e);
    gh_rng_seed(&b.rng, 1);
    *image = gh_graph_input(b.g, "image", GH_F32, gh_shape_of(4, (int64_t[]){1, 3, SIDE, SIDE}));
    return b;
}

static uint32_t conv(gh_layers *b, const char *name, uint32_t x, int in, int out, int stride)
{
    return gh_layer_add_conv(
        b, name, x, &(gh_layer_conv){.in = in, .out = out, .kernel = 3, .stride = stride, .bias = true});
}

/* tiny_manifest's pictures are 8 x 8, and its network pools 2 x 2 there: over all of them. */
static uint32_t with_attention(gh_layers *b, uint32_t x)
{
    uint32_t mean = gh_graph_op(b->g, "AveragePool", "net/mean", &x, 1);
    gh_graph_set_ints(b->g, mean, "kernel_shape", (int64_t[]){2, 2}, 2);
    gh_graph_set_ints(b->g, mean, "strides", (int64_t[]){2, 2}, 2);
    mean = gh_graph_op(b->g, "Sigmoid", "net/gate", &mean, 1);
    return gh_graph_op(b->g, "Mul", "net/gated", (uint32_t[]){x, mean}, 2);
}

/* Down to stride 4 and up again, one score a pixel, by either kind of convolution. */
static gh_graph *masks(bool transposed)
{
    uint32_t x;
    gh_layers b = begin(&x);
    x = conv(&b, "down2", x, 3, IN, 2);
    x = conv(&b, "down4", x, IN, IN, 2);
    x = with_attention(&b, x);
    x = gh_layer_add_nearest(&b, "up2", x);
    x = gh_layer_add_relu(&b, "last", x);
    x = transposed ? gh_layer_add_learned(&b, "score", x, IN, 1) : conv(&b, "score", x, IN, 1, 1);
    x = gh_graph_op(b.g, "Sigmoid", "mask", &x, 1);
    gh_graph_output(b.g, x);
    NT_OK(gh_graph_check(b.g, &e), e);
    return b.g;
}

static void save(gh_graph *g)
{
    NT_OK(gh_onnx_write(g, tiny_path("net/model.onnx"), &e), e);
    gh_graph_free(&g);
}

static gh_body *open_body(const char *cut, int side)
{
    gh_body *b = NULL;
    NT_OK(gh_body_open_maps(&b, tiny_path("net"), cut, side, side, &e), e);
    return b;
}

START_TEST(test_masks_are_cut_before_their_scores)
{
    gh_graph *g = NULL;
    gh_shapes s = {0};
    save(masks(true));
    gh_body *b = open_body(NULL, SIDE);
    ck_assert_str_eq(b->cut, "net/last");
    ck_assert(b->file_hash.low != 0);
    NT_OK(gh_body_maps(&g, b, false, &e), e);
    ck_assert_str_eq(g->values[g->outputs[0]].name, "net/last");
    /* what pooled over all of 8 x 8 pixels does so over all of 96 x 96, or it could not be multiplied */
    NT_OK(gh_shapes_read(&s, g, 96, 96, false, &e), e);
    ck_assert_int_eq(gh_shapes_level(&s, g->outputs[0]), 1);
    gh_shapes_free(&s);
    gh_graph_free(&g);
    gh_body_free(&b);
    b = open_body("net/gated", SIDE);
    ck_assert_str_eq(b->cut, "net/gated");
    gh_body_free(&b);
    gh_status status = gh_body_open_maps(&b, tiny_path("net"), "net/wheel", SIDE, SIDE, &e);
    nt_refused(status, GH_NOTFOUND, &e, "no value \"net/wheel\"");
    ck_assert_ptr_null(b);
}
END_TEST

/* A detector: boxes from stride 16 and from stride 64; the way down goes on beside them. */
START_TEST(test_a_detector_is_cut_on_its_way_down)
{
    static const char *const names[] = {"s2", "s4", "s8", "s16", "s32", "s64"};
    uint32_t x;
    gh_layers b = begin(&x);
    for (int i = 0; i < 6; i++) {
        x = conv(&b, names[i], x, i ? IN : 3, IN, 2);
        if (i == 3 || i == 5)
            gh_graph_output(b.g, conv(&b, i == 3 ? "boxes16" : "boxes64", x, IN, IN, 1));
        if (i == 4) {
            x = gh_layer_add_relu(&b, "wide32", conv(&b, "widen", x, IN, 3 * IN, 1));
            conv(&b, "boxes32", x, 3 * IN, 4 * IN, 1); /* wider, but beside the way */
            x = gh_layer_add_relu(&b, "narrow32", conv(&b, "narrow", x, 3 * IN, IN, 1));
        }
    }
    NT_OK(gh_graph_check(b.g, &e), e);
    b.g->values[b.g->inputs[0]].shape = gh_shape_of(4, (int64_t[]){1, 3, 128, 128});
    /* no map of scores: rows of boxes, of the one size that the network was made for */
    const int64_t dims[] = {1, 8 * 8, IN};
    uint32_t rows = gh_graph_const(b.g, "dims", GH_I64, gh_shape_of(1, (int64_t[]){3}), dims, true),
             boxes = gh_graph_op(b.g, "Reshape", "rows", (uint32_t[]){b.g->outputs[0], rows}, 2);
    b.g->outputs[0] = boxes;
    save(b.g);
    gh_body *body = open_body(NULL, 192);
    ck_assert_str_eq(body->cut, "net/wide32");
    gh_body_free(&body);
}
END_TEST

static float *answer(gh_graph **g, size_t *count)
{
    nt_run r;
    const gh_shape in = nt_size(1, SIDE, SIDE);
    NT_OK(nt_open(&r, g, GH_PASS_ALL, &in, NULL, &e), e);
    nt_run_seeded(&r, 3);
    float *y = nt_copy_output(&r, 0, count);
    nt_close(&r);
    return y;
}

/* Of one score two halves: their softmax is the sigmoid that there was. Of an old class's name its weights.
 */
START_TEST(test_scores_begin_where_they_were)
{
    for (int transposed = 0; transposed < 2; transposed++) {
        const int both[] = {0, 1}, other[] = {-1, 0, -1};
        gh_score_layer l;
        uint32_t scores;
        size_t n, n2, n3;
        save(masks(transposed));
        gh_body *b = open_body(NULL, SIDE);
        gh_graph *old = NULL, *g = NULL;
        NT_OK(gh_body_maps(&old, b, true, &e), e);
        float *was = answer(&old, &n);
        NT_OK(gh_body_maps(&g, b, true, &e), e);
        ck_assert(gh_score_layer_find(&l, g));
        ck_assert(l.transposed == (transposed == 1) && l.in == IN && l.out == 1);
        NT_OK(gh_score_layer_renew(&scores, g, &l,
                                   &(gh_score_start){.classes = 2, .row = both, .halves = true, .seed = 1},
                                   &e),
              e);
        g->outputs[0] = scores;
        float *two = answer(&g, &n2);
        ck_assert_uint_eq(n2, 2 * n);
        for (size_t i = 0; i < n; i++)
            ck_assert_float_eq_tol(1 / (1 + expf(two[i] - two[n + i])), was[i], 1e-5f);
        NT_OK(gh_body_maps(&g, b, true, &e), e);
        ck_assert(gh_score_layer_find(&l, g));
        NT_OK(gh_score_layer_renew(&scores, g, &l, &(gh_score_start){.classes = 3, .row = other, .seed = 1},
                                   &e),
              e);
        g->outputs[0] = scores;
        float *three = answer(&g, &n3);
        ck_assert_uint_eq(n3, 3 * n);
        double fresh = 0;
        for (size_t i = 0; i < n; i++) {
            ck_assert_float_eq_tol(1 / (1 + expf(-three[n + i])), was[i], 1e-5f);
            fresh = fmax(fresh, fabs((double)three[i] - (double)three[2 * n + i]));
        }
        ck_assert_double_gt(fresh, 1e-3);
        gh_free(was);
        gh_free(two);
        gh_free(three);
        gh_body_free(&b);
    }
}
END_TEST

START_TEST(test_what_scores_no_pixels)
{
    gh_score_layer l;
    gh_graph *g = tiny_graph();
    ck_assert(!gh_score_layer_find(&l, g));
    gh_graph_free(&g);
    NT_OK(gh_graph_new(&g, &e), e);
    ck_assert(!gh_score_layer_find(&l, g));
    gh_graph_free(&g);
}
END_TEST

Suite *gh_suite_body_maps(void)
{
    Suite *suite = suite_create("body_maps");
    TCase *c = tcase_create("body_maps");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, tiny_remove);
    tcase_add_test(c, test_masks_are_cut_before_their_scores);
    tcase_add_test(c, test_a_detector_is_cut_on_its_way_down);
    tcase_add_test(c, test_scores_begin_where_they_were);
    tcase_add_test(c, test_what_scores_no_pixels);
    suite_add_tcase(suite, c);
    return suite;
}
