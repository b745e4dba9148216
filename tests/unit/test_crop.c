/* What of a picture a step of a pipeline sees: geometry, borders, turning. */
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/crop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

static gh_image *image;
static uint8_t *scratch;
static gh_manifest_input in;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    in = (gh_manifest_input){
        .width = 16, .height = 16, .fit = GH_FIT_STRETCH, .crop = 1, .filter = GH_FILTER_BILINEAR};
    ck_assert_int_eq(gh_image_new(&image, 64, 48, &e), GH_OK);
    image->full_width = 64;
    image->full_height = 48;
    /* red rises to the right, green downwards, four levels a pixel */
    for (int y = 0; y < 48; y++)
        for (int x = 0; x < 64; x++) {
            uint8_t *p = image->pixels + (y * 64 + x) * 3;
            p[0] = (uint8_t)(4 * x);
            p[1] = (uint8_t)(4 * y);
            p[2] = 100;
        }
    scratch = malloc(gh_crop_scratch(&in));
    ck_assert_ptr_nonnull(scratch);
}

static void teardown(void)
{
    gh_image_free(&image);
    free(scratch);
}

static void crop(gh_patch p)
{
    ck_assert_msg(gh_crop_pixels(scratch, image, &in, &p, &e) == GH_OK, "%s", e.text);
}

static const uint8_t *at(int x, int y)
{
    return scratch + (y * in.width + x) * 3;
}

static void near(const uint8_t *p, double red, double green)
{
    ck_assert_msg(fabs(p[0] - red) <= 2.5 && fabs(p[1] - green) <= 2.5, "%d %d, not %.1f %.1f", p[0], p[1],
                  red, green);
}

START_TEST(test_margin_and_square)
{
    const gh_object box = {.x = 10, .y = 20, .w = 8, .h = 12};
    gh_patch p = gh_crop_place(&(gh_crop){0}, &box);
    ck_assert(p.cx == 14 && p.cy == 26 && p.w == 8 && p.h == 12 && p.angle == 0);
    p = gh_crop_place(&(gh_crop){.margin = 0.25}, &box);
    ck_assert(p.cx == 14 && p.cy == 26 && p.w == 12 && p.h == 18);
    p = gh_crop_place(&(gh_crop){.square = true}, &box);
    ck_assert(p.cx == 14 && p.cy == 26 && p.w == 12 && p.h == 12);
    p = gh_crop_place(&(gh_crop){.square = true, .margin = 0.5}, &box);
    ck_assert(p.w == 24 && p.h == 24);
    p = gh_crop_place(&(gh_crop){.margin = -0.25}, &box);
    ck_assert(p.w == 4 && p.h == 6);
}
END_TEST

START_TEST(test_eyes_give_the_angle)
{
    gh_object face = {.x = 10, .y = 10, .w = 20, .h = 20, .nlandmarks = GH_LANDMARKS};
    const gh_crop align = {.align = true};
    memcpy(face.landmarks, (int[2][2]){{14, 14}, {24, 24}}, sizeof(int[2][2]));
    ck_assert_double_eq_tol(gh_crop_place(&align, &face).angle, PI / 4, 1e-9);
    ck_assert(gh_crop_place(&(gh_crop){0}, &face).angle == 0);
    memcpy(face.landmarks, (int[2][2]){{14, 14}, {14, 14}}, sizeof(int[2][2]));
    ck_assert(gh_crop_place(&align, &face).angle == 0);
    face.nlandmarks = 0;
    ck_assert(gh_crop_place(&align, &face).angle == 0);
}
END_TEST

/* Whole pixels of the picture come out as they are. */
START_TEST(test_pixels_are_the_pictures)
{
    crop((gh_patch){20, 20, 16, 16, 0});
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++)
            ck_assert_mem_eq(at(x, y), image->pixels + ((12 + y) * 64 + 12 + x) * 3, 3);
}
END_TEST

/* A patch of 16 pixels whose left and upper half lies beyond the picture: its corner's pixel repeats. */
START_TEST(test_beyond_the_border_the_edge_repeats)
{
    crop((gh_patch){0, 0, 16, 16, 0});
    for (int i = 0; i < 8; i++) {
        near(at(i, i), 0, 0);
        near(at(8 + i, i), 4 * i, 0);
        near(at(i, 8 + i), 0, 4 * i);
        near(at(8 + i, 8 + i), 4 * i, 4 * i);
    }
    crop((gh_patch){64, 48, 16, 16, 0});
    near(at(0, 0), 4 * 56, 4 * 40);
    near(at(15, 15), 4 * 63, 4 * 47);
    crop((gh_patch){300, -200, 16, 16, 0}); /* nothing of it is there */
    near(at(3, 3), 4 * 63, 0);
    crop((gh_patch){0, 0, 0.5, 400, 0});
    crop((gh_patch){32, 24, 4000, 4000, 0});
}
END_TEST

/* A quarter turn: what was to the right is now above. */
START_TEST(test_turned)
{
    crop((gh_patch){32, 24, 16, 16, PI / 2});
    for (int y = 2; y < 14; y++)
        for (int x = 2; x < 14; x++)
            near(at(x, y), 4 * (39 - y), 4 * (16 + x));
    crop((gh_patch){32, 24, 16, 16, PI / 6});
    for (int y = 2; y < 14; y++)
        for (int x = 2; x < 14; x++) {
            double u = x - 7.5, v = y - 7.5, c = cos(PI / 6), s = sin(PI / 6);
            near(at(x, y), 4 * (31.5 + c * u - s * v), 4 * (23.5 + s * u + c * v));
        }
}
END_TEST

/* Upright and turned by nothing to speak of give the same; at the border to within a pixel of the network. */
START_TEST(test_turning_by_nothing)
{
    const double where[][2] = {{32, 24}, {4, 5}, {60, 44}};
    for (size_t i = 0; i < GH_COUNT(where); i++) {
        uint8_t upright[16 * 16 * 3];
        crop((gh_patch){where[i][0], where[i][1], 24, 24, 0});
        memcpy(upright, scratch, sizeof upright);
        crop((gh_patch){where[i][0], where[i][1], 24, 24, 1e-9});
        for (size_t k = 0; k < sizeof upright; k++)
            ck_assert_msg(abs(upright[k] - scratch[k]) <= (i ? 6 : 2), "place %zu, byte %zu: %d and %d", i, k,
                          upright[k], scratch[k]);
    }
}
END_TEST

/* A picture that was decoded at half its size: the same place. */
START_TEST(test_scaled_pictures)
{
    image->full_width = 128;
    image->full_height = 96;
    crop((gh_patch){40, 40, 32, 32, 0});
    for (int i = 0; i < 16; i++)
        ck_assert_mem_eq(at(i, i), image->pixels + ((12 + i) * 64 + 12 + i) * 3, 3);
    crop((gh_patch){64, 48, 32, 32, PI / 2});
    near(at(5, 5), 4 * (39 - 5), 4 * (16 + 5));
}
END_TEST

/* The network's own fit is applied to the patch as to a picture. */
START_TEST(test_the_models_fit_applies)
{
    in.fit = GH_FIT_LETTERBOX;
    in.mean[0] = in.mean[1] = in.mean[2] = 7;
    crop((gh_patch){32, 24, 32, 16, 0});
    ck_assert_int_eq(at(8, 0)[0], 7);
    ck_assert_int_eq(at(8, 15)[2], 7);
    near(at(0, 8), 4 * 16.5, 4 * (16 + 2 * 4 + 0.5));
    in.fit = GH_FIT_CROP;
    in.crop = 0.5;
    crop((gh_patch){32, 24, 32, 32, 0}); /* the middle 16 x 16 of it */
    for (int i = 0; i < 16; i++)
        near(at(i, i), 4 * (24 + i), 4 * (16 + i));
}
END_TEST

Suite *gh_suite_crop(void)
{
    Suite *s = suite_create("crop");
    TCase *t = tcase_create("crop");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_margin_and_square);
    tcase_add_test(t, test_eyes_give_the_angle);
    tcase_add_test(t, test_pixels_are_the_pictures);
    tcase_add_test(t, test_beyond_the_border_the_edge_repeats);
    tcase_add_test(t, test_turned);
    tcase_add_test(t, test_turning_by_nothing);
    tcase_add_test(t, test_scaled_pictures);
    tcase_add_test(t, test_the_models_fit_applies);
    suite_add_tcase(s, t);
    return s;
}
