/* The decoder of one box a picture. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/detect.h"

#include <math.h>
#include <string.h>

#define SIDE 100

static char cat[] = "cat", dog[] = "dog", none[] = "";
static char *labels[] = {cat, dog, none};
static gh_manifest manifest;
static gh_model model;
static gh_result result;
static float box[4], scores[3];
static gh_err e;

static void setup(void)
{
    manifest = (gh_manifest){.labels = labels, .nlabels = 3, .threshold = 0.25, .decoder = GH_DECODE_BOX};
    model = (gh_model){.manifest = &manifest};
    result = (gh_result){.model = &model, .width = 4 * SIDE, .height = 2 * SIDE};
    memcpy(box, (float[]){0.5f, 0.25f, 0.2f, 0.5f}, sizeof box);
    memcpy(scores, (float[]){0.125f, 0.75f, 0.5f}, sizeof scores);
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_free(result.objects);
}

/* `extra`: a third output is there; `columns` of scores. */
static gh_status decode(gh_fit fit, int64_t columns, bool extra)
{
    const gh_manifest_input in = {.width = SIDE, .height = SIDE, .fit = fit};
    const gh_tensor t[] = {{GH_F32, gh_shape_of(2, (int64_t[]){1, 4}), box},
                           {GH_F32, gh_shape_of(2, (int64_t[]){1, columns}), scores}};
    const gh_tensor *const outputs[4] = {&t[0], &t[1], extra ? &t[0] : NULL, NULL};
    return gh_detect_decode(&result, outputs, &in, &(gh_run_options){0}, &e);
}

static void object_is(const char *label, int x, int y, int w, int h)
{
    ck_assert_uint_eq(result.nobjects, 1);
    const gh_object *o = &result.objects[0];
    ck_assert_str_eq(o->label, label);
    ck_assert_msg(o->x == x && o->y == y && o->w == w && o->h == h, "%d,%d %dx%d", o->x, o->y, o->w, o->h);
}

START_TEST(test_the_best_label_alone)
{
    ck_assert_msg(decode(GH_FIT_STRETCH, 3, false) == GH_OK, "%s", e.text);
    object_is("dog", 160, 0, 80, 100);
    ck_assert_float_eq(result.objects[0].score, 0.75f);
    ck_assert_int_eq(result.objects[0].nlandmarks, 0);
}
END_TEST

/* The picture takes the middle 50 rows of 100: four pixels of it in one of the input. */
START_TEST(test_letterbox)
{
    box[1] = 0.5f;
    ck_assert_int_eq(decode(GH_FIT_LETTERBOX, 3, false), GH_OK);
    object_is("dog", 160, 0, 80, 200);
}
END_TEST

START_TEST(test_nothing_over_the_threshold)
{
    scores[1] = 0.25f;
    scores[2] = 0;
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, false), GH_OK);
    ck_assert_uint_eq(result.nobjects, 0);
    scores[2] = 0.9f; /* a label without a name */
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, false), GH_OK);
    ck_assert_uint_eq(result.nobjects, 0);
}
END_TEST

START_TEST(test_activations)
{
    memcpy(scores, (float[]){1, 3, 2}, sizeof scores);
    manifest.boxes.activation = GH_ACTIVATION_SIGMOID;
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, false), GH_OK);
    ck_assert_float_eq_tol(result.objects[0].score, (float)(1 / (1 + exp(-3.0))), 1e-6f);
    manifest.boxes.activation = GH_ACTIVATION_SOFTMAX;
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, false), GH_OK);
    ck_assert_float_eq_tol(result.objects[0].score, (float)(exp(3.0) / (exp(1.0) + exp(2.0) + exp(3.0))),
                           1e-6f);
}
END_TEST

START_TEST(test_outputs_have_to_fit)
{
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 2, false), GH_FORMAT);
    ck_assert_str_eq(e.text, "the output of scores is float32 1x2; the decoder box takes 1x3");
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, true), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "takes two outputs"));
    manifest.nlabels = 0;
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 0, false), GH_FORMAT);
}
END_TEST

START_TEST(test_numbers_that_are_none)
{
    scores[0] = NAN;
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, false), GH_INTERNAL);
    scores[0] = 0;
    box[3] = INFINITY;
    ck_assert_int_eq(decode(GH_FIT_STRETCH, 3, false), GH_INTERNAL);
}
END_TEST

Suite *gh_suite_detect_box(void)
{
    Suite *s = suite_create("detect_box");
    TCase *t = tcase_create("detect_box");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_the_best_label_alone);
    tcase_add_test(t, test_letterbox);
    tcase_add_test(t, test_nothing_over_the_threshold);
    tcase_add_test(t, test_activations);
    tcase_add_test(t, test_outputs_have_to_fit);
    tcase_add_test(t, test_numbers_that_are_none);
    suite_add_tcase(s, t);
    return s;
}
