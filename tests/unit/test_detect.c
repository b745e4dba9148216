/* Overlaps, suppression, maps to boxes, and the sizes of inputs that follow the picture. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/detect.h"
#include "tasks/nms.h"
#include "tasks/preproc.h"

#include <math.h>
#include <string.h>

#define ROWS    8
#define COLUMNS 16
#define CELLS   (ROWS * COLUMNS)
#define STEP    4 /* pixels a cell */

static char face[] = "face";
static char *labels[] = {face};
static gh_manifest manifest;
static gh_model model;
static gh_result result;
static float heat[CELLS], size[2 * CELLS], offset[2 * CELLS], landmarks[10 * CELLS];
static gh_err e;

static void setup(void)
{
    manifest = (gh_manifest){.labels = labels,
                             .nlabels = 1,
                             .threshold = 0.4,
                             .decoder = GH_DECODE_CENTERNET,
                             .boxes.sort = GH_SORT_AREA};
    model = (gh_model){.manifest = &manifest};
    result = (gh_result){.model = &model, .width = COLUMNS * STEP, .height = ROWS * STEP};
    memset(heat, 0, sizeof heat);
    memset(size, 0, sizeof size);
    memset(offset, 0, sizeof offset);
    memset(landmarks, 0, sizeof landmarks);
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_free(result.objects);
}

static gh_status decode(size_t maps, gh_run_options options)
{
    const int64_t channels[] = {1, 2, 2, 10};
    float *data[] = {heat, size, offset, landmarks};
    const gh_manifest_input in = {.width = COLUMNS * STEP, .height = ROWS * STEP, .fit = GH_FIT_STRETCH};
    gh_tensor t[4];
    for (size_t i = 0; i < 4; i++)
        t[i] = (gh_tensor){GH_F32, gh_shape_of(4, (int64_t[]){1, channels[i], ROWS, COLUMNS}), data[i]};
    const gh_tensor *const outputs[4] = {&t[0], &t[1], &t[2], maps > 3 ? &t[3] : NULL};
    return gh_detect_decode(&result, outputs, &in, &options, &e);
}

/* A face in one cell; sizes in pixels of the network's input. */
static void put(int row, int column, float score, float height, float width)
{
    int cell = row * COLUMNS + column;
    heat[cell] = score;
    size[cell] = logf(height / STEP);
    size[CELLS + cell] = logf(width / STEP);
}

static void box_is(size_t i, int x, int y, int w, int h)
{
    ck_assert_uint_lt(i, result.nobjects);
    const gh_object *o = &result.objects[i];
    ck_assert_msg(o->x == x && o->y == y && o->w == w && o->h == h, "%d,%d %dx%d instead of %d,%d %dx%d",
                  o->x, o->y, o->w, o->h, x, y, w, h);
}

START_TEST(test_overlap)
{
    const gh_box a = {0, 0, 10, 10, 1, 0, 0}, half = {5, 0, 15, 10, 1, 0, 0},
                 beside = {10, 0, 20, 10, 1, 0, 0}, empty = {3, 3, 3, 3, 1, 0, 0};
    ck_assert_double_eq_tol(gh_box_iou(&a, &a), 1, 1e-12);
    ck_assert_double_eq_tol(gh_box_iou(&a, &half), 1.0 / 3, 1e-12);
    ck_assert_double_eq(gh_box_iou(&a, &beside), 0);
    ck_assert_double_eq(gh_box_iou(&empty, &empty), 0);
}
END_TEST

/* b falls to a; c overlaps only b, so it stays; the other class stays; equal scores go by place. */
START_TEST(test_suppression)
{
    gh_box boxes[] = {{4, 0, 14, 10, 0.8f, 0, 1},
                      {8, 0, 18, 10, 0.7f, 0, 2},
                      {0, 0, 10, 10, 0.9f, 0, 3},
                      {0, 0, 10, 10, 0.5f, 1, 4},
                      {0, 0, 10, 10, 0.9f, 0, 5}};
    ck_assert_uint_eq(gh_nms(boxes, 5, 0.3), 3);
    ck_assert_int_eq(boxes[0].at, 3);
    ck_assert_int_eq(boxes[1].at, 2);
    ck_assert_int_eq(boxes[2].at, 4);
    ck_assert_uint_eq(gh_nms(boxes, 0, 0.3), 0);
}
END_TEST

START_TEST(test_cell_becomes_box)
{
    put(3, 5, 0.9f, 12, 8);
    int cell = 3 * COLUMNS + 5;
    offset[cell] = 0.25f;          /* rows */
    offset[CELLS + cell] = -0.25f; /* columns */
    for (int i = 0; i < 5; i++) {
        landmarks[2 * i * CELLS + cell] = 0.25f * (float)i;           /* y in heights */
        landmarks[(2 * i + 1) * CELLS + cell] = 1 - 0.25f * (float)i; /* x in widths */
    }
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 1);
    box_is(0, 17, 9, 8, 12); /* centre 5.25 * 4 = 21, 3.75 * 4 = 15 */
    ck_assert_str_eq(result.objects[0].label, "face");
    ck_assert_float_eq(result.objects[0].score, 0.9f);
    ck_assert_int_eq(result.objects[0].nlandmarks, 5);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(result.objects[0].landmarks[i][0], 25 - 2 * i);
        ck_assert_int_eq(result.objects[0].landmarks[i][1], 9 + 3 * i);
    }
    ck_assert_int_eq(decode(3, (gh_run_options){0}), GH_OK);
    ck_assert_int_eq(result.objects[0].nlandmarks, 0);
}
END_TEST

/* The picture is twice as wide and half as high as the network's input. */
START_TEST(test_picture_scale_and_clipping)
{
    result.width = 2 * COLUMNS * STEP;
    result.height = ROWS * STEP / 2;
    put(2, 5, 0.9f, 8, 8);
    put(0, 0, 0.8f, 12, 12);                 /* over the top left corner: -4 .. 8 */
    put(ROWS - 1, COLUMNS - 1, 0.7f, 16, 4); /* over the bottom */
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 3);
    box_is(0, 36, 3, 16, 4);
    box_is(1, 0, 0, 16, 4);
    box_is(2, 120, 11, 8, 5);
}
END_TEST

/* A box whose size or place is absurd is one pixel at the border at the least. */
START_TEST(test_boxes_have_a_pixel)
{
    put(1, 1, 0.9f, 1e-6f, 1e-6f);
    put(6, 14, 0.8f, 4, 4);
    offset[6 * COLUMNS + 14] = 1e6f;
    offset[CELLS + 6 * COLUMNS + 14] = 1e6f;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 2);
    for (size_t i = 0; i < 2; i++) {
        const gh_object *o = &result.objects[i];
        ck_assert_int_ge(o->w, 1);
        ck_assert_int_ge(o->h, 1);
        ck_assert_int_le(o->x + o->w, result.width);
        ck_assert_int_le(o->y + o->h, result.height);
    }
}
END_TEST

START_TEST(test_threshold_limit_overlap_and_order)
{
    put(1, 2, 0.5f, 6, 6);
    put(5, 4, 0.9f, 10, 10);
    put(5, 5, 0.8f, 10, 10); /* IoU 60 / 140 = .43 with the one before */
    put(2, 12, 0.3f, 16, 16);
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 2);
    ck_assert_float_eq(result.objects[0].score, 0.9f);
    ck_assert_int_eq(decode(4, (gh_run_options){.nms = 0.5}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 3);
    ck_assert_int_eq(decode(4, (gh_run_options){.threshold = 0.25}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 3);
    ck_assert_float_eq(result.objects[0].score, 0.3f); /* the largest first */
    ck_assert_int_eq(decode(4, (gh_run_options){.threshold = 0.25, .limit = 1}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 1);
    ck_assert_float_eq(result.objects[0].score, 0.3f);
    ck_assert_int_eq(decode(4, (gh_run_options){.threshold = 0.95}), GH_OK);
    ck_assert_uint_eq(result.nobjects, 0);
}
END_TEST

START_TEST(test_numbers_that_are_none)
{
    put(1, 2, 0.5f, 6, 6);
    size[COLUMNS + 2] = NAN;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_INTERNAL);
    size[COLUMNS + 2] = 1000; /* exp of it is no float */
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_INTERNAL);
    size[COLUMNS + 2] = 0;
    heat[0] = NAN;
    ck_assert_int_eq(decode(4, (gh_run_options){0}), GH_INTERNAL);
    ck_assert_ptr_nonnull(strstr(e.text, "not finite"));
    ck_assert_ptr_null(result.objects);
}
END_TEST

static const struct {
    int channels, rows, width;
    const char *says;
} unfit[] = {
    {2, ROWS, COLUMNS *STEP, "the decoder centernet takes"},
    {1, ROWS + 1, COLUMNS *STEP, "all of one size"},
    {1, ROWS, COLUMNS *STEP * 2, "does not fit an input of 128 x 32"},
};

START_TEST(test_maps_have_to_fit)
{
    const int64_t channels[] = {unfit[_i].channels, 2, 2, 10};
    const gh_manifest_input in = {.width = unfit[_i].width, .height = ROWS * STEP};
    const gh_tensor *outputs[4];
    gh_tensor t[4];
    for (int i = 0; i < 4; i++) {
        t[i].type = GH_F32, t[i].data = NULL,
        t[i].shape = gh_shape_of(4, (int64_t[]){1, channels[i], i ? ROWS : unfit[_i].rows, COLUMNS});
        outputs[i] = &t[i];
    }
    ck_assert_int_eq(gh_detect_check(outputs, &manifest, &in, &e), GH_FORMAT);
    ck_assert_msg(strstr(e.text, unfit[_i].says) != NULL, "%s", e.text);
}
END_TEST

/* More cells than are looked at: the best are, and the answer comes at once. */
START_TEST(test_flood_of_cells)
{
    enum { SIDE = 512, MANY = SIDE * SIDE };
    float *maps = gh_calloc((size_t)MANY * 5, sizeof *maps);
    ck_assert_ptr_nonnull(maps);
    for (int i = 0; i < MANY; i++)
        maps[i] = 0.5f + 0.4f * (float)(i % 1000) / 1000;
    maps[12345] = 0.99f;
    gh_tensor t[3] = {{GH_F32, gh_shape_of(4, (int64_t[]){1, 1, SIDE, SIDE}), maps},
                      {GH_F32, gh_shape_of(4, (int64_t[]){1, 2, SIDE, SIDE}), maps + MANY},
                      {GH_F32, gh_shape_of(4, (int64_t[]){1, 2, SIDE, SIDE}), maps + 3 * MANY}};
    const gh_tensor *const outputs[4] = {&t[0], &t[1], &t[2]};
    const gh_manifest_input in = {.width = SIDE * STEP, .height = SIDE * STEP, .fit = GH_FIT_STRETCH};
    const gh_run_options options = {0};
    result.width = result.height = SIDE * STEP;
    ck_assert_int_eq(gh_detect_decode(&result, outputs, &in, &options, &e), GH_OK);
    ck_assert_uint_gt(result.nobjects, 1000);
    ck_assert_uint_le(result.nobjects, 4096);
    bool best = false;
    for (size_t i = 0; i < result.nobjects; i++)
        best = best || result.objects[i].score > 0.98f;
    ck_assert(best);
    gh_free(maps);
}
END_TEST

static const struct {
    int width, height, max_side, want_width, want_height;
} sizes[] = {
    {512, 512, 0, 512, 512},    {513, 1, 0, 544, 32},           {33, 64, 0, 64, 64},
    {4000, 3000, 0, 1280, 960}, {3000, 4000, 600, 480, 608},    {1281, 50, 0, 1280, 64},
    {100000, 3, 0, 1280, 32},   {4000, 3000, 2048, 2048, 1536},
};

START_TEST(test_sizes_follow_the_picture)
{
    gh_manifest_input in = {.width = 640, .height = 480, .fit = GH_FIT_STRETCH, .stride = 32};
    gh_preproc_choose(&in, sizes[_i].width, sizes[_i].height, sizes[_i].max_side);
    ck_assert_int_eq(in.width, sizes[_i].want_width);
    ck_assert_int_eq(in.height, sizes[_i].want_height);
    in = (gh_manifest_input){.width = 640, .height = 480};
    gh_preproc_choose(&in, sizes[_i].width, sizes[_i].height, sizes[_i].max_side);
    ck_assert_int_eq(in.width, 640);
}
END_TEST

Suite *gh_suite_detect(void)
{
    Suite *s = suite_create("detect");
    TCase *t = tcase_create("detect");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_overlap);
    tcase_add_test(t, test_suppression);
    tcase_add_test(t, test_cell_becomes_box);
    tcase_add_test(t, test_picture_scale_and_clipping);
    tcase_add_test(t, test_boxes_have_a_pixel);
    tcase_add_test(t, test_threshold_limit_overlap_and_order);
    tcase_add_test(t, test_numbers_that_are_none);
    tcase_add_loop_test(t, test_maps_have_to_fit, 0, (int)(sizeof unfit / sizeof *unfit));
    tcase_add_test(t, test_flood_of_cells);
    tcase_add_loop_test(t, test_sizes_follow_the_picture, 0, (int)(sizeof sizes / sizeof *sizes));
    suite_add_tcase(s, t);
    return s;
}
