/* Drawing: what is inside a shape, at its edge and outside; clipping, however far; text and its width. */
#include "unit/suites.h"

#include "image/draw.h"
#include "image/font.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 64, CANARY = 4096 };

static const gh_colour red = {255, 0, 0, 255}, black = {0, 0, 0, 255};
static uint8_t memory[CANARY + SIDE * SIDE * 3 + CANARY];
static gh_image picture = {.width = SIDE, .height = SIDE, .pixels = memory + CANARY};

static void white(void)
{
    memset(memory, 0xff, sizeof memory);
    memset(memory, 0x5a, CANARY);
    memset(memory + sizeof memory - CANARY, 0x5a, CANARY);
}

static void check_canary(void)
{
    for (size_t i = 0; i < CANARY; i++) {
        ck_assert_uint_eq(memory[i], 0x5a);
        ck_assert_uint_eq(memory[sizeof memory - 1 - i], 0x5a);
    }
}

static int green(int x, int y)
{
    return picture.pixels[(y * SIDE + x) * 3 + 1];
}

/* Pixels that are not white, weighted by how much colour they took. */
static double ink(void)
{
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        sum += (255 - picture.pixels[i * 3 + 1]) / 255.0;
    return sum;
}

START_TEST(test_fill_and_frame)
{
    white();
    gh_draw_fill(&picture, (gh_rect){10, 10, 20, 12}, 0, red);
    ck_assert_int_eq(green(10, 10), 0);
    ck_assert_int_eq(green(29, 21), 0);
    ck_assert_int_eq(green(9, 10), 255);
    ck_assert_int_eq(green(30, 21), 255);
    ck_assert_int_eq(green(10, 22), 255);
    white();
    gh_draw_frame(&picture, (gh_rect){10, 10, 30, 20}, 0, 3, red);
    ck_assert_int_eq(green(10, 20), 0);
    ck_assert_int_eq(green(12, 20), 0);
    ck_assert_int_eq(green(13, 20), 255);
    ck_assert_int_eq(green(36, 20), 255);
    ck_assert_int_eq(green(37, 20), 0);
    ck_assert_int_eq(green(25, 27), 0);
    ck_assert_int_eq(green(25, 26), 255);
    ck_assert_int_eq(green(25, 30), 255);
    check_canary();
}
END_TEST

START_TEST(test_edges_are_soft_and_areas_right)
{
    white();
    gh_draw_fill(&picture, (gh_rect){10.5, 10, 20, 10}, 0, black);
    ck_assert_int_gt(green(10, 15), 120);
    ck_assert_int_lt(green(10, 15), 135);
    ck_assert_double_eq_tol(ink(), 200, 2);
    white();
    gh_draw_disc(&picture, 32, 32, 15, black);
    ck_assert_double_eq_tol(ink(), 3.14159265 * 15 * 15, 6);
    white();
    gh_draw_fill(&picture, (gh_rect){10, 10, 40, 30}, 8, black);
    ck_assert_double_eq_tol(ink(), 40 * 30 - (4 - 3.14159265) * 64, 6);
    ck_assert_int_eq(green(10, 10), 255);
    white();
    gh_draw_line(&picture, 10, 10, 50, 40, 4, black);
    ck_assert_double_eq_tol(ink(), 50 * 4 + 3.14159265 * 4, 6);
}
END_TEST

START_TEST(test_translucent_is_laid_once)
{
    white();
    gh_draw_fill(&picture, (gh_rect){0, 0, SIDE, SIDE}, 0, (gh_colour){0, 0, 0, 128});
    ck_assert_int_eq(green(5, 5), 127);
    white();
    gh_draw_text(&picture, 4, 50, "xH", 60, (gh_colour){0, 0, 0, 128});
    int darkest = 255;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            darkest = green(x, y) < darkest ? green(x, y) : darkest;
    ck_assert_int_eq(darkest, 127);
}
END_TEST

START_TEST(test_clipped_however_far)
{
    static const double far[] = {-1e300, -3e9, -2147483649.0, -70, -3, 30, 62, 2147483648.0, 1e12, 1e300};
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    white();
    for (size_t i = 0; i < GH_COUNT(far); i++)
        for (size_t k = 0; k < GH_COUNT(far); k++) {
            gh_draw_fill(&picture, (gh_rect){far[i], far[k], 20, 1e15}, 5, red);
            gh_draw_frame(&picture, (gh_rect){far[k], far[i], 1e15, 20}, 5, 3, red);
            gh_draw_line(&picture, far[i], far[k], far[k], far[i], 5, red);
            gh_draw_disc(&picture, far[i], far[k], 9, red);
            gh_draw_text(&picture, far[i], far[k], "Wg@", 40, red);
        }
    for (size_t i = 0; i < GH_COUNT(odd); i++) {
        gh_draw_fill(&picture, (gh_rect){odd[i], 0, 20, 20}, 5, red);
        gh_draw_frame(&picture, (gh_rect){0, 0, odd[i], 20}, odd[i], odd[i], red);
        gh_draw_line(&picture, 1, odd[i], 5, 5, 5, red);
        gh_draw_text(&picture, odd[i], 5, "Wg@", 40, red);
        gh_draw_text(&picture, 5, 5, "Wg", odd[i], red);
    }
    check_canary();
    white();
    gh_draw_fill(&picture, (gh_rect){SIDE, 0, 20, 20}, 0, red);
    gh_draw_fill(&picture, (gh_rect){5, 5, 0, 20}, 0, red);
    gh_draw_fill(&picture, (gh_rect){5, 5, -4, 20}, 0, red);
    gh_draw_frame(&picture, (gh_rect){5, 5, 20, 20}, 0, 0, red);
    ck_assert_double_eq_tol(ink(), 0, 1e-9);
}
END_TEST

START_TEST(test_text_has_its_width)
{
    static const double sizes[] = {8, 10, 13, 20, 33};
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        double a = gh_text_width("n", sizes[i]), two = gh_text_width("nm", sizes[i]);
        ck_assert_double_eq_tol(two, a + gh_text_width("m", sizes[i]), 1e-9);
        ck_assert_double_gt(a, 0);
        ck_assert_double_lt(gh_text_width("i", sizes[i]), gh_text_width("W", sizes[i]));
        white();
        gh_draw_text(&picture, 8, 45, "m", sizes[i], black);
        int end = 8 + (int)gh_text_width("m", sizes[i]);
        ck_assert_double_gt(ink(), 4);
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                if (x < 8 || x >= end || y >= 45)
                    ck_assert_msg(green(x, y) > 200, "size %g: ink at %d,%d of %d..%d", sizes[i], x, y, 8,
                                  end);
    }
    ck_assert_double_eq_tol(gh_text_width("", 20), 0, 1e-9);
}
END_TEST

/* Every glyph differs from the box of an unknown character, and from every other one but its like. */
START_TEST(test_every_letter_is_there)
{
    static uint8_t seen[95][SIDE * SIDE];
    white();
    gh_draw_text(&picture, 2, 50, "\xe6\xbc\xa2", 40, black);
    double box = ink();
    ck_assert_double_gt(box, 50);
    white();
    gh_draw_text(&picture, 2, 50, "\xff", 40, black);
    ck_assert_double_eq_tol(ink(), box, 1e-9);
    for (int c = 0; c < 95; c++) {
        const char text[] = {(char)(' ' + c), 0};
        white();
        gh_draw_text(&picture, 2, 50, text, 40, black);
        for (int i = 0; i < SIDE * SIDE; i++)
            seen[c][i] = picture.pixels[i * 3];
        ck_assert((c == 0) == (ink() < 1));
        ck_assert_msg(fabs(ink() - box) > 1e-9, "%s is the unknown box", text);
        for (int k = 0; k < c; k++)
            ck_assert_msg(memcmp(seen[c], seen[k], sizeof seen[c]) != 0, "%s is drawn as %c", text, ' ' + k);
    }
}
END_TEST

/* Tables in order, paths within the room for strokes at the size with the most of them. */
START_TEST(test_font_tables)
{
    gh_glyph glyph;
    for (int i = 0; i < gh_font_noutlines; i++) {
        ck_assert(i == 0 || gh_font_outlines[i].code > gh_font_outlines[i - 1].code);
        gh_font_glyph(&glyph, gh_font_outlines[i].code, 0, 0, 500);
        ck_assert_int_le(glyph.count, GH_GLYPH_STROKES);
        ck_assert_int_eq(glyph.advance, gh_font_advance(gh_font_outlines[i].code, 500));
    }
    for (int i = 0; i < gh_font_naccented; i++) {
        gh_font_glyph(&glyph, gh_font_accented[i].code, 0, 0, 500);
        int with = glyph.count;
        gh_font_glyph(&glyph, gh_font_accented[i].base == 'i' ? 0x131 : (uint32_t)gh_font_accented[i].base, 0,
                      0, 500);
        ck_assert_int_gt(with, glyph.count);
    }
}
END_TEST

START_TEST(test_colours_differ)
{
    for (unsigned i = 0; i < 24; i++)
        for (unsigned k = 0; k < i; k++) {
            gh_colour a = gh_colour_of(i), b = gh_colour_of(k);
            ck_assert_int_gt(abs(a.r - b.r) + abs(a.g - b.g) + abs(a.b - b.b), 12);
        }
}
END_TEST

Suite *gh_suite_draw(void)
{
    Suite *s = suite_create("draw");
    TCase *t = tcase_create("draw");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_fill_and_frame);
    tcase_add_test(t, test_edges_are_soft_and_areas_right);
    tcase_add_test(t, test_translucent_is_laid_once);
    tcase_add_test(t, test_clipped_however_far);
    tcase_add_test(t, test_text_has_its_width);
    tcase_add_test(t, test_every_letter_is_there);
    tcase_add_test(t, test_font_tables);
    tcase_add_test(t, test_colours_differ);
    suite_add_tcase(s, t);
    return s;
}
