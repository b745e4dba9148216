/* The decoder of anchors on hand-made tensors: given and generated anchors, both orders of axes, all three
 * activations, padding, and outputs that lie. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/detect.h"
#include "tasks/preproc.h"

#include <math.h>
#include <string.h>

enum { MOST = 4096, LABELS = 3, SIDE = 32 };

static char none[] = "", cat[] = "cat", dog[] = "dog";
static char *labels[] = {none, cat, dog};
static gh_manifest manifest;
static gh_manifest_input in;
static gh_model model;
static gh_result result;
static float boxes[MOST * 4], scores[MOST * LABELS], points[MOST * 10], anchors[MOST * 4];
static gh_tensor tensors[4];
static const gh_tensor *outputs[4];
static gh_err e;

static void shape(int64_t n)
{
    const int64_t columns[] = {4, (int64_t)manifest.nlabels, 10, 4};
    float *data[] = {boxes, scores, points, anchors};
    for (int i = 0; i < 4; i++) {
        tensors[i] = (gh_tensor){GH_F32, gh_shape_of(3, (int64_t[]){1, n, columns[i]}), data[i]};
        outputs[i] = &tensors[i];
    }
    outputs[2] = NULL;
}

/* Two anchors of 8 x 16 pixels (width x height) at (4, 0) and (20, 16) of an input of 32 x 32. */
static void setup(void)
{
    static const float given[] = {0.125f, 0, 0.375f, 0.5f, 0.625f, 0.5f, 0.875f, 1};
    manifest =
        (gh_manifest){.labels = labels, .nlabels = LABELS, .threshold = 0.4, .decoder = GH_DECODE_ANCHORS};
    manifest.boxes.variances[0] = 0.1;
    manifest.boxes.variances[1] = 0.2;
    in = (gh_manifest_input){.width = SIDE, .height = SIDE, .fit = GH_FIT_STRETCH};
    model = (gh_model){.manifest = &manifest};
    result = (gh_result){.model = &model, .width = SIDE, .height = SIDE};
    memset(boxes, 0, sizeof boxes);
    memset(scores, 0, sizeof scores);
    memset(points, 0, sizeof points);
    memcpy(anchors, given, sizeof given);
    shape(2);
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_free(result.objects);
}

static gh_status decode(gh_run_options options)
{
    return gh_detect_decode(&result, outputs, &in, &options, &e);
}

static void decoded(size_t count)
{
    ck_assert_msg(decode((gh_run_options){0}) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(result.nobjects, count);
}

static void is(size_t i, const char *label, int x, int y, int w, int h)
{
    const gh_object *o = &result.objects[i];
    ck_assert_str_eq(o->label, label);
    ck_assert_msg(o->x == x && o->y == y && o->w == w && o->h == h, "%d,%d %dx%d instead of %d,%d %dx%d",
                  o->x, o->y, o->w, o->h, x, y, w, h);
}

START_TEST(test_anchor_alone)
{
    scores[1] = 0.9f;
    decoded(1);
    is(0, "cat", 4, 0, 8, 16);
    ck_assert_int_eq(result.objects[0].index, 1);
    ck_assert_float_eq(result.objects[0].score, 0.9f);
    ck_assert_int_eq(result.objects[0].nlandmarks, 0);
}
END_TEST

/* x moves by 0.1 * 5 widths = 4, y by 0.1 * 2.5 heights = 4; the width doubles, the height halves. */
START_TEST(test_offsets)
{
    const float xy[] = {5, 2.5f, logf(2) / 0.2f, logf(0.5f) / 0.2f};
    memcpy(boxes, xy, sizeof xy);
    scores[2] = 0.9f;
    decoded(1);
    is(0, "dog", 4, 8, 16, 8); /* centre 12, 12 */
}
END_TEST

/* The same with y before x, in anchors, boxes and landmarks. */
START_TEST(test_other_order)
{
    const float yx[] = {2.5f, 5, logf(0.5f) / 0.2f, logf(2) / 0.2f};
    const float given[] = {0, 0.125f, 0.5f, 0.375f};
    manifest.boxes.axes = GH_AXES_YX;
    memcpy(boxes, yx, sizeof yx);
    memcpy(anchors, given, sizeof given);
    scores[2] = 0.9f;
    points[2] = 2.5f; /* y of the second point */
    points[3] = 5;    /* x */
    outputs[2] = &tensors[2];
    decoded(1);
    is(0, "dog", 4, 8, 16, 8);
    ck_assert_int_eq(result.objects[0].landmarks[0][0], 8);
    ck_assert_int_eq(result.objects[0].landmarks[0][1], 8);
    ck_assert_int_eq(result.objects[0].landmarks[1][0], 12);
    ck_assert_int_eq(result.objects[0].landmarks[1][1], 12);
}
END_TEST

/* The background and every other empty label are never told, however sure. */
START_TEST(test_empty_labels)
{
    scores[0] = 1;
    scores[3] = 1;
    scores[5] = 0.5f;
    decoded(1);
    is(0, "dog", 20, 16, 8, 16);
}
END_TEST

START_TEST(test_sigmoid)
{
    manifest.boxes.activation = GH_ACTIVATION_SIGMOID;
    for (int i = 0; i < 2 * LABELS; i++)
        scores[i] = -20;
    scores[1] = 2;
    scores[4] = -0.5f; /* 0.378 */
    decoded(1);
    ck_assert_float_eq_tol(result.objects[0].score, 0.880797f, 1e-6f);
    ck_assert_int_eq(decode((gh_run_options){.threshold = 0.37}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 2);
}
END_TEST

/* exp(1) / (1 + exp(1) + exp(0.5)) = 0.506; exp(0.5) of the same = 0.307. */
START_TEST(test_softmax)
{
    manifest.boxes.activation = GH_ACTIVATION_SOFTMAX;
    scores[1] = 1;
    scores[2] = 0.5f;
    scores[3] = 30; /* the other anchor is background */
    decoded(1);
    is(0, "cat", 4, 0, 8, 16);
    ck_assert_float_eq_tol(result.objects[0].score, 0.50648f, 1e-5f);
    ck_assert_int_eq(decode((gh_run_options){.threshold = 0.3}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 2);
    is(1, "dog", 4, 0, 8, 16); /* another class on the same anchor stays */
    ck_assert_float_eq_tol(result.objects[1].score, 0.30720f, 1e-5f);
}
END_TEST

/* Scores decide the order, or areas; of two boxes in one place only classes of their own stay. */
START_TEST(test_suppression_and_order)
{
    boxes[7] = logf(0.5f) / 0.2f; /* the second is half as high */
    scores[1] = 0.6f;
    scores[2] = 0.5f;
    scores[4] = 0.7f;
    decoded(3);
    ck_assert_float_eq(result.objects[0].score, 0.7f);
    is(0, "cat", 20, 20, 8, 8);
    manifest.boxes.sort = GH_SORT_AREA;
    decoded(3);
    is(0, "cat", 4, 0, 8, 16);
    is(1, "dog", 4, 0, 8, 16);
    memcpy(anchors + 4, anchors, 4 * sizeof *anchors);
    boxes[7] = 0;
    decoded(2);
    is(0, "cat", 4, 0, 8, 16);
    ck_assert_float_eq(result.objects[0].score, 0.7f);
    ck_assert_int_eq(decode((gh_run_options){.limit = 1}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 1);
}
END_TEST

/* Grids of 8 and 16 pixels on 32 x 16: 4 x 2 cells with two sizes, then 2 x 1 with one: 18 anchors. */
static void make_levels(void)
{
    manifest.boxes.nlevels = 2;
    manifest.boxes.levels[0] = (gh_anchor_level){8, 2, {4, 6}};
    manifest.boxes.levels[1] = (gh_anchor_level){16, 1, {12}};
    in.height = result.height = 16;
    shape(18);
    outputs[3] = NULL;
}

START_TEST(test_generated_anchors)
{
    static const struct {
        int at, x, y, side;
    } wanted[] = {{0, 2, 2, 4}, {1, 1, 1, 6}, {7, 25, 1, 6}, {8, 2, 10, 4}, {16, 2, 2, 12}, {17, 18, 2, 12}};
    make_levels();
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        memset(scores, 0, sizeof scores);
        scores[LABELS * wanted[i].at + 1] = 0.9f;
        decoded(1);
        is(0, "cat", wanted[i].x, wanted[i].y, wanted[i].side, wanted[i].side);
    }
    manifest.boxes.levels[1].nsizes = 2;
    ck_assert_int_eq(decode((gh_run_options){0}), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "makes 20 anchors for an input of 32 x 16, but the network has 18"));
}
END_TEST

/* A picture of 40 x 20 that fills 20 x 10 pixels at the top left: what is beyond is clipped. */
START_TEST(test_padded_input)
{
    make_levels();
    in.fit = GH_FIT_PAD;
    in.content = (gh_size){20, 10};
    result.width = 40;
    result.height = 20;
    scores[1] = 0.9f;               /* 2,2 of 4 x 4 */
    scores[LABELS * 17 + 1] = 0.8f; /* 18,2 to 30,14: the picture ends at 20, 10 */
    decoded(2);
    is(0, "cat", 4, 4, 8, 8);
    is(1, "cat", 36, 4, 4, 16);
}
END_TEST

static void lie(int i, gh_shape s, gh_dtype type)
{
    tensors[i].shape = s;
    tensors[i].type = type;
}

START_TEST(test_shapes_that_do_not_fit)
{
    const struct {
        int output;
        gh_shape shape;
        gh_dtype type;
        const char *says;
    } wrong[] = {
        {0, gh_shape_of(3, (int64_t[]){1, 2, 5}), GH_F32, "output of boxes is float32 1x2x5"},
        {0, gh_shape_of(3, (int64_t[]){2, 2, 4}), GH_F32, "output of boxes"},
        {0, gh_shape_of(0, NULL), GH_F32, "output of boxes"},
        {0, gh_shape_of(3, (int64_t[]){1, 0, 4}), GH_F32, "output of boxes"},
        {0, gh_shape_of(3, (int64_t[]){1, 2, 4}), GH_I64, "output of boxes is int64"},
        {1, gh_shape_of(3, (int64_t[]){1, 2, 4}), GH_F32, "takes 1x2x3"},
        {1, gh_shape_of(3, (int64_t[]){1, 3, 3}), GH_F32, "output of scores"},
        {3, gh_shape_of(3, (int64_t[]){1, 1, 4}), GH_F32, "output of anchors"},
        {3, gh_shape_of(4, (int64_t[]){1, 1, 2, 4}), GH_F32, "output of anchors"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        shape(2);
        lie(wrong[i].output, wrong[i].shape, wrong[i].type);
        ck_assert_int_eq(decode((gh_run_options){0}), GH_FORMAT);
        ck_assert_msg(strstr(e.text, wrong[i].says) != NULL, "%zu: %s", i, e.text);
    }
    shape(2);
    outputs[3] = NULL;
    ck_assert_int_eq(decode((gh_run_options){0}), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "output.anchors"));
    shape(2);
    lie(0, gh_shape_of(2, (int64_t[]){2, 4}), GH_F32); /* without the batch it is as good */
    decoded(0);
}
END_TEST

START_TEST(test_numbers_that_are_none)
{
    static const gh_activation activations[] = {GH_ACTIVATION_NONE, GH_ACTIVATION_SIGMOID,
                                                GH_ACTIVATION_SOFTMAX};
    static const float bad[] = {NAN, INFINITY};
    for (size_t a = 0; a < 3; a++)
        for (size_t i = 0; i < 2; i++) {
            manifest.boxes.activation = activations[a];
            scores[4] = bad[i];
            ck_assert_int_eq(decode((gh_run_options){0}), GH_INTERNAL);
            ck_assert_ptr_nonnull(strstr(e.text, "not finite"));
        }
    manifest.boxes.activation = GH_ACTIVATION_NONE;
    scores[4] = 0.9f;
    boxes[6] = 1e30f; /* exp of it is no number */
    ck_assert_int_eq(decode((gh_run_options){0}), GH_INTERNAL);
    boxes[6] = NAN;
    ck_assert_int_eq(decode((gh_run_options){0}), GH_INTERNAL);
    boxes[6] = 0;
    points[10] = NAN; /* a landmark does not cost the box */
    outputs[2] = &tensors[2];
    decoded(1);
    ck_assert_int_eq(result.objects[0].landmarks[0][0], 0);
}
END_TEST

/* Absurd boxes are clipped, and are a pixel at the least. */
START_TEST(test_clipping)
{
    boxes[0] = -1e4f;
    boxes[4] = 1e4f;
    boxes[6] = -1e3f;
    scores[1] = scores[4] = 0.9f;
    decoded(2);
    for (size_t i = 0; i < 2; i++) {
        const gh_object *o = &result.objects[i];
        ck_assert(o->x >= 0 && o->y >= 0 && o->w >= 1 && o->h >= 1);
        ck_assert(o->x + o->w <= SIDE && o->y + o->h <= SIDE);
    }
}
END_TEST

/* More candidates than are looked at: the best stay, ties go to the first. */
START_TEST(test_flood)
{
    shape(MOST);
    for (int i = 0; i < MOST; i++) {
        const float corners[4] = {(float)(i % 64) / 64, (float)(i / 64) / 64, (float)(i % 64 + 1) / 64,
                                  (float)(i / 64 + 1) / 64};
        memcpy(anchors + 4 * i, corners, sizeof corners);
        scores[LABELS * i + 1] = 0.5f;
        scores[LABELS * i + 2] = i % 2 ? 0.6f : 0.45f;
    }
    result.width = result.height = 640;
    decoded(4096);
    ck_assert_float_eq(result.objects[0].score, 0.6f);
    ck_assert_float_eq(result.objects[4095].score, 0.5f);
    ck_assert_int_eq(result.objects[2047].index, 2);
    ck_assert_int_eq(result.objects[2048].index, 1);
    for (size_t i = 2048; i < 4096; i++) /* the first half of the 0.5s: the upper 32 rows */
        ck_assert_int_lt(result.objects[i].y, 320);
}
END_TEST

Suite *gh_suite_detect_anchors(void)
{
    Suite *s = suite_create("detect_anchors");
    TCase *t = tcase_create("anchors");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_anchor_alone);
    tcase_add_test(t, test_offsets);
    tcase_add_test(t, test_other_order);
    tcase_add_test(t, test_empty_labels);
    tcase_add_test(t, test_sigmoid);
    tcase_add_test(t, test_softmax);
    tcase_add_test(t, test_suppression_and_order);
    tcase_add_test(t, test_generated_anchors);
    tcase_add_test(t, test_padded_input);
    tcase_add_test(t, test_shapes_that_do_not_fit);
    tcase_add_test(t, test_numbers_that_are_none);
    tcase_add_test(t, test_clipping);
    tcase_add_test(t, test_flood);
    suite_add_tcase(s, t);
    return s;
}
