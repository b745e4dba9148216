/* Results as pictures: what is drawn where, at every border and in a crowd, and the picture stays upright. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "base/mem.h"
#include "tasks/annotate.h"

#include <stdlib.h>
#include <string.h>

static gh_image *grey(int width, int height)
{
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_int_eq(gh_image_new(&image, width, height, &e), GH_OK);
    memset(image->pixels, 128, (size_t)width * (size_t)height * 3);
    return image;
}

/* Sum of the differences from the grey. */
static int changed(const gh_image *image, int x, int y)
{
    const uint8_t *p = image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
    return abs(p[0] - 128) + abs(p[1] - 128) + abs(p[2] - 128);
}

static gh_object box(const char *label, int x, int y, int w, int h)
{
    return (gh_object){.label = label, .score = 0.9f, .x = x, .y = y, .w = w, .h = h};
}

static void draw(gh_image *image, gh_object *objects, size_t n)
{
    gh_err e = {0};
    gh_result r = {.width = image->width, .height = image->height, .objects = objects, .nobjects = n};
    ck_assert_msg(gh_annotate_draw(image, &r, &e) == GH_OK, "%s", e.text);
}

START_TEST(test_border_and_label)
{
    gh_image *image = grey(400, 300);
    gh_object o = box("cat", 100, 100, 120, 90);
    draw(image, &o, 1);
    for (int y = 105; y < 185; y++) {
        ck_assert_int_gt(changed(image, 100, y), 20);
        ck_assert_int_eq(changed(image, 160, y), 0);
    }
    ck_assert_int_gt(changed(image, 160, 189), 20);
    ck_assert_int_gt(changed(image, 104, 93), 20); /* the label stands on the box */
    ck_assert_int_eq(changed(image, 20, 20), 0);
    ck_assert_int_eq(changed(image, 380, 280), 0);
    gh_image_free(&image);
}
END_TEST

/* At the top the label has no room above: it goes below, and never leaves the picture. */
START_TEST(test_label_stays_inside)
{
    gh_image *image = grey(400, 300);
    gh_object o = box("cat", 150, 0, 60, 60);
    draw(image, &o, 1);
    ck_assert_int_gt(changed(image, 155, 66), 20);
    gh_image_free(&image);
}
END_TEST

START_TEST(test_classes_have_their_colours)
{
    gh_image *image = grey(600, 300);
    gh_object o[] = {box("cat", 50, 100, 90, 90), box("dog", 250, 100, 90, 90), box("cat", 450, 100, 90, 90)};
    draw(image, o, 3);
    const uint8_t *row = image->pixels + (size_t)150 * 600 * 3;
    ck_assert_int_eq(memcmp(row + 50 * 3, row + 450 * 3, 3), 0);
    ck_assert_int_gt(gh_test_max_diff(row + 50 * 3, row + 250 * 3, 3), 30);
    gh_image_free(&image);
}
END_TEST

/* The manifest's colours come first, also where the boxes of two models are merged. */
START_TEST(test_models_have_their_colours)
{
    static char *labels[] = {"cat", "dog"};
    static uint8_t colours[][3] = {{250, 10, 20}, {30, 240, 50}};
    gh_manifest with = {.labels = labels, .nlabels = 2, .colours = colours}, without = {.nlabels = 0};
    gh_model coloured = {.manifest = &with}, *parts[] = {&coloured};
    gh_model plain = {.manifest = &without}, pipeline = {.manifest = &without, .parts = parts, .nparts = 1};
    gh_object o = box(labels[1], 100, 100, 120, 90);
    o.index = 1;
    gh_result one = {.model = &coloured}, first = {.model = &plain}, *both[] = {&first, &one};
    gh_result cases[] = {
        {.model = &coloured}, {.model = &pipeline}, {.model = &plain, .parts = both, .nparts = 2}};
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_image *image = grey(1200, 300);
        gh_err e = {0};
        cases[i].width = 1200;
        cases[i].height = 300;
        cases[i].objects = &o;
        cases[i].nobjects = 1;
        ck_assert_int_eq(gh_annotate_draw(image, &cases[i], &e), GH_OK);
        const uint8_t *p = image->pixels + ((size_t)150 * 1200 + 100) * 3;
        ck_assert_msg(gh_test_max_diff(p, colours[1], 3) == 0, "case %zu: %d, %d, %d", i, p[0], p[1], p[2]);
        gh_image_free(&image);
    }
}
END_TEST

START_TEST(test_bars_stand_beside_the_box)
{
    static char *const labels[] = {"anger",     "contempt", "disgust", "fear",
                                   "happiness", "neutral",  "sadness", "surprise"};
    static const double scores[] = {0, 0, 0, 0, 1, 0, 0, 0};
    const gh_fact fact = {"emotion", labels, 8, scores, 4};
    int with[2];
    for (int i = 0; i < 2; i++) {
        gh_image *image = grey(600, 400);
        gh_object o = box("face", 100, 100, 150, 200);
        o.facts = &fact;
        o.nfacts = i;
        draw(image, &o, 1);
        with[i] = 0;
        for (int y = 100; y < 300; y++)
            for (int x = 256; x < 600; x++)
                with[i] += changed(image, x, y) > 0;
        gh_image_free(&image);
    }
    ck_assert_int_eq(with[0], 0);
    ck_assert_int_gt(with[1], 4000);
}
END_TEST

/* A face within a person has its bars, and on the person; one beside a person has them elsewhere. */
START_TEST(test_bars_of_a_face_within_a_person)
{
    static char *const labels[] = {"happiness", "neutral"};
    static const double scores[] = {0.75, 0.25};
    const gh_fact fact = {"emotion", labels, 2, scores, 0};
    for (int i = 0; i < 2; i++) {
        gh_image *image = grey(600, 600);
        gh_object o[] = {box("person", i ? 245 : 0, 0, i ? 355 : 600, 600), box("face", 90, 100, 150, 200)};
        o[1].facts = &fact;
        o[1].nfacts = 1;
        draw(image, o, 2);
        int on_right = 0;
        for (int y = 105; y < 295; y++)
            for (int x = 252; x < 590; x++)
                on_right += changed(image, x, y) > 100;
        ck_assert_msg(i ? on_right == 0 : on_right > 1000, "%d: %d", i, on_right);
        gh_image_free(&image);
    }
}
END_TEST

/* Tiny pictures, boxes at all borders and crowds end within the memory of the picture (under a sanitizer,
 * that is what this test shows) and draw the boxes. */
START_TEST(test_any_size)
{
    static const int sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {12, 12}, {64, 64}, {3000, 40}};
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        int w = sizes[i][0], h = sizes[i][1];
        gh_image *image = grey(w, h);
        gh_object o[] = {box("face", 0, 0, w, h), box("a label as long as it may be", w - 1, h - 1, 1, 1)};
        draw(image, o, 2);
        ck_assert_int_gt(changed(image, 0, h / 2), 0);
        gh_image_free(&image);
    }
    gh_image *image = grey(800, 600);
    gh_object *crowd = gh_calloc(2000, sizeof *crowd);
    for (int i = 0; i < 2000; i++)
        crowd[i] = box("face", i * 37 % 790, i * 53 % 590, 10, 10);
    draw(image, crowd, 2000);
    ck_assert_int_gt(changed(image, 1999 * 37 % 790, 1999 * 53 % 590 + 5), 0);
    gh_free(crowd);
    gh_image_free(&image);
}
END_TEST

START_TEST(test_file_is_upright_and_whole)
{
    gh_image *image = grey(200, 100), *back = NULL;
    gh_buf jpeg = {0}, turned = {0}, out = {0};
    gh_err e = {0};
    ck_assert_int_eq(gh_jpeg_encode_rgb(&jpeg, image->pixels, 200, 100, 95, &e), GH_OK);
    gh_test_jpeg_turn(&turned, jpeg.data, jpeg.len, 6, true);
    gh_object o = box("cat", 20, 60, 60, 100);
    gh_result r = {.width = 100, .height = 200, .objects = &o, .nobjects = 1};
    ck_assert_msg(gh_annotate(&out, &r, turned.data, turned.len, NULL, GH_IMAGE_PNG, &e) == GH_OK, "%s",
                  e.text);
    ck_assert(r.decode_ms > 0 && r.encode_ms > 0);
    ck_assert_int_eq(gh_test_decode(&back, out.data, out.len, NULL, &e), GH_OK);
    ck_assert_int_eq(back->width, 100);
    ck_assert_int_eq(back->height, 200);
    ck_assert_int_gt(changed(back, 20, 110), 20);
    ck_assert_int_lt(changed(back, 50, 110), 9);
    out.len = 0;
    const gh_image_limits few = {.max_pixels = 100, .max_work = 1 << 30, .max_jpeg_scans = 9};
    ck_assert_int_eq(gh_annotate(&out, &r, turned.data, turned.len, &few, GH_IMAGE_JPEG, &e), GH_LIMIT);
    ck_assert_uint_eq(out.len, 0);
    gh_image_free(&image);
    gh_image_free(&back);
    gh_buf_free(&jpeg);
    gh_buf_free(&turned);
    gh_buf_free(&out);
}
END_TEST

Suite *gh_suite_annotate(void)
{
    Suite *s = suite_create("annotate");
    TCase *t = tcase_create("annotate");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_border_and_label);
    tcase_add_test(t, test_label_stays_inside);
    tcase_add_test(t, test_classes_have_their_colours);
    tcase_add_test(t, test_models_have_their_colours);
    tcase_add_test(t, test_bars_stand_beside_the_box);
    tcase_add_test(t, test_bars_of_a_face_within_a_person);
    tcase_add_test(t, test_any_size);
    tcase_add_test(t, test_file_is_upright_and_whole);
    suite_add_tcase(s, t);
    return s;
}
