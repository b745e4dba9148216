/* Resampling: the same bytes as Pillow, boxes, the plain filter, edges, and failing memory. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "base/mem.h"
#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit/golden_resize.inc"

static gh_rect whole(const gh_image *image)
{
    return (gh_rect){0, 0, image->width, image->height};
}

static void check_golden(gh_filter filter, const char *what, const gh_image *src, gh_rect box, int width,
                         int height, const uint8_t *expected, size_t len)
{
    uint8_t got[512];
    gh_err e = {0};
    ck_assert_uint_eq(len, (size_t)width * (size_t)height * 3);
    ck_assert_msg(gh_resize(got, width, height, src, box, filter, &e) == GH_OK, "%s", e.text);
    int diff = gh_test_max_diff(got, expected, len);
    ck_assert_msg(diff == 0, "filter %d, %s: differs from Pillow by %d", (int)filter, what, diff);
}

START_TEST(test_same_as_pillow)
{
#define ROW(filter, name)                                                                                    \
    {                                                                                                        \
        filter, resize_##name##_down, resize_##name##_up, resize_##name##_box                                \
    }
    static const struct {
        gh_filter filter;
        const uint8_t *down, *up, *box;
    } rows[] = {ROW(GH_FILTER_BILINEAR, bilinear), ROW(GH_FILTER_BICUBIC, bicubic),
                ROW(GH_FILTER_LANCZOS, lanczos)};
    gh_image *large = gh_test_picture(40, 27), *small = gh_test_picture(4, 3);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        check_golden(rows[i].filter, "down", large, whole(large), 9, 6, rows[i].down,
                     sizeof resize_bicubic_down);
        check_golden(rows[i].filter, "up", small, whole(small), 11, 8, rows[i].up, sizeof resize_bicubic_up);
        check_golden(rows[i].filter, "box", large, (gh_rect){3.5, 2.25, 29.75, 18.25}, 7, 5, rows[i].box,
                     sizeof resize_bicubic_box);
    }
    gh_image_free(&large);
    gh_image_free(&small);
}
END_TEST

/* By the definition, in double: two taps a side, half-pixel centres, the box's edge repeated. */
static double plain_reference(const gh_image *src, gh_rect box, int width, int height, int x, int y, int c)
{
    double sx = fmin(fmax(box.x + (x + 0.5) * box.w / width - 0.5, box.x), box.x + box.w - 1);
    double sy = fmin(fmax(box.y + (y + 0.5) * box.h / height - 0.5, box.y), box.y + box.h - 1);
    int x0 = (int)sx, y0 = (int)sy;
    int x1 = x0 + 1 < box.x + box.w ? x0 + 1 : x0, y1 = y0 + 1 < box.y + box.h ? y0 + 1 : y0;
    double fx = sx - x0, fy = sy - y0;
#define AT(px, py) src->pixels[((py)*src->width + (px)) * 3 + c]
    double top = AT(x0, y0) * (1 - fx) + AT(x1, y0) * fx;
    double bottom = AT(x0, y1) * (1 - fx) + AT(x1, y1) * fx;
    return top * (1 - fy) + bottom * fy;
}

START_TEST(test_plain_filter)
{
    static const int sizes[][2] = {{9, 6}, {80, 54}, {1, 1}, {40, 27}, {3, 100}};
    gh_image *src = gh_test_picture(40, 27);
    gh_rect boxes[] = {whole(src), {5, 3, 20, 11}, {39, 26, 1, 1}};
    uint8_t *got = gh_alloc(80 * 100 * 3);
    for (size_t b = 0; b < GH_COUNT(boxes); b++)
        for (size_t i = 0; i < GH_COUNT(sizes); i++) {
            int w = sizes[i][0], h = sizes[i][1];
            ck_assert(gh_resize(got, w, h, src, boxes[b], GH_FILTER_BILINEAR_PLAIN, NULL) == GH_OK);
            for (int at = 0; at < w * h * 3; at++) {
                double want = plain_reference(src, boxes[b], w, h, at / 3 % w, at / 3 / w, at % 3);
                ck_assert_double_le(fabs(got[at] - want), 0.502);
            }
        }
    gh_free(got);
    gh_image_free(&src);
}
END_TEST

/* The same filter to floats: exact but for single precision, normalised, in planes with room beside them. */
START_TEST(test_planes_are_not_rounded)
{
    static const int sizes[][2] = {{9, 6}, {80, 54}, {1, 1}, {40, 27}, {3, 100}};
    enum { BESIDE = 5, MOST = (80 + BESIDE) * 100 };
    gh_image *src = gh_test_picture(40, 27);
    gh_rect boxes[] = {whole(src), {5, 3, 20, 11}, {39, 26, 1, 1}};
    float *got = gh_alloc(3 * MOST * sizeof *got);
    for (size_t i = 0; i < GH_COUNT(boxes) * GH_COUNT(sizes); i++) {
        gh_rect box = boxes[i / GH_COUNT(sizes)];
        int w = sizes[i % GH_COUNT(sizes)][0], h = sizes[i % GH_COUNT(sizes)][1];
        const gh_planes dst = {
            {got, got + MOST, got + 2 * MOST}, (size_t)w + BESIDE, {1, 2, 3}, {1, 0.5f, -2}};
        for (int at = 0; at < 3 * MOST; at++)
            got[at] = 777;
        ck_assert(gh_resize_planes(&dst, w, h, src, box, NULL) == GH_OK);
        for (int at = 0; at < (w + BESIDE) * h * 3; at++) {
            int c = at % 3, x = at / 3 % (w + BESIDE), y = at / 3 / (w + BESIDE);
            double v = (double)got[c * MOST + y * (w + BESIDE) + x];
            double want =
                x < w ? (plain_reference(src, box, w, h, x, y, c) - dst.mean[c]) * dst.scale[c] : 777;
            ck_assert_double_le(fabs(v - want), 1e-3);
        }
    }
    gh_free(got);
    gh_image_free(&src);
}
END_TEST

START_TEST(test_same_size_is_a_copy)
{
    gh_image *src = gh_test_picture(17, 5);
    uint8_t got[17 * 5 * 3];
    for (gh_filter f = GH_FILTER_BILINEAR; f <= GH_FILTER_LANCZOS; f++) {
        memset(got, 0, sizeof got);
        ck_assert(gh_resize(got, 17, 5, src, whole(src), f, NULL) == GH_OK);
        ck_assert(memcmp(got, src->pixels, sizeof got) == 0);
    }
    gh_image_free(&src);
}
END_TEST

/* One level everywhere stays that level: weights sum to one at every size, also at the edges. */
START_TEST(test_flat_stays_flat)
{
    static const int sizes[][2] = {{1, 1}, {1, 20000}, {20000, 1}, {7, 300}, {640, 3}};
    uint8_t *got = gh_alloc(20000 * 3);
    for (size_t s = 0; s < GH_COUNT(sizes); s++) {
        gh_image *src = NULL;
        ck_assert(gh_image_new(&src, sizes[s][0], sizes[s][1], NULL) == GH_OK);
        memset(src->pixels, 201, (size_t)src->width * (size_t)src->height * 3);
        for (size_t d = 0; d < GH_COUNT(sizes); d++)
            for (gh_filter f = GH_FILTER_BILINEAR; f <= GH_FILTER_LANCZOS; f++) {
                if (s == 1 && d == 2 && f != GH_FILTER_BILINEAR)
                    continue; /* 400 million pixels between the passes take a second a filter */
                size_t len = (size_t)sizes[d][0] * (size_t)sizes[d][1] * 3;
                memset(got, 0, len);
                ck_assert(gh_resize(got, sizes[d][0], sizes[d][1], src, whole(src), f, NULL) == GH_OK);
                size_t same = 0;
                while (same < len && got[same] == 201)
                    same++;
                ck_assert_msg(same == len, "filter %d, %d x %d to %d x %d: byte %zu is %d", (int)f,
                              src->width, src->height, sizes[d][0], sizes[d][1], same, got[same]);
            }
        gh_image_free(&src);
    }
    gh_free(got);
}
END_TEST

/* Between the passes 1000 rows of 3000 columns are more than one strip: rows that are all alike must come out
 * as the one row does. */
START_TEST(test_strips)
{
    gh_image *row = gh_test_picture(4, 1), *tall = gh_test_picture(4, 1000);
    uint8_t *one = gh_alloc(3000 * 3), *both = gh_alloc(2 * 3000 * 3);
    for (int y = 0; y < 1000; y++)
        memcpy(tall->pixels + y * 4 * 3, row->pixels, 4 * 3);
    ck_assert(gh_resize(one, 3000, 1, row, whole(row), GH_FILTER_BICUBIC, NULL) == GH_OK);
    ck_assert(gh_resize(both, 3000, 2, tall, whole(tall), GH_FILTER_BICUBIC, NULL) == GH_OK);
    ck_assert(memcmp(both, one, 3000 * 3) == 0);
    ck_assert(memcmp(both + 3000 * 3, one, 3000 * 3) == 0);
    gh_free(one);
    gh_free(both);
    gh_image_free(&row);
    gh_image_free(&tall);
}
END_TEST

START_TEST(test_overshoot_is_clamped)
{
    gh_image *src = gh_test_picture(4, 4);
    uint8_t got[16 * 16 * 3];
    for (int i = 0; i < 4 * 4 * 3; i++)
        src->pixels[i] = i / 3 % 4 < 2 ? 0 : 255;
    ck_assert(gh_resize(got, 16, 16, src, whole(src), GH_FILTER_LANCZOS, NULL) == GH_OK);
    for (int x = 0; x < 16; x++)
        ck_assert_int_eq(got[(5 * 16 + x) * 3], got[(9 * 16 + x) * 3]);
    ck_assert_int_eq(got[5 * 3], 0);
    ck_assert_int_eq(got[10 * 3], 255);
    gh_image_free(&src);
}
END_TEST

START_TEST(test_wrong_arguments)
{
    static const gh_rect boxes[] = {{-1, 0, 4, 4},  {0, -0.1, 4, 4}, {0, 0, 9, 4},   {0, 0, 4, 7},
                                    {7.5, 0, 1, 4}, {0, 0, 0, 4},    {0, 0, 4, -1},  {NAN, 0, 4, 4},
                                    {0, NAN, 4, 4}, {0, 0, NAN, 4},  {0, 0, 4, NAN}, {0, 0, INFINITY, 4}};
    gh_image *src = gh_test_picture(8, 6);
    uint8_t got[12] = {0};
    for (size_t i = 0; i < GH_COUNT(boxes); i++) {
        gh_err e = {0};
        ck_assert_int_eq(gh_resize(got, 2, 2, src, boxes[i], GH_FILTER_BICUBIC, &e), GH_ARG);
        ck_assert_ptr_nonnull(strstr(e.text, "8 x 6"));
    }
    ck_assert_int_eq(gh_resize(got, 0, 2, src, whole(src), GH_FILTER_BICUBIC, NULL), GH_ARG);
    ck_assert_int_eq(gh_resize(got, 2, -1, src, whole(src), GH_FILTER_BICUBIC, NULL), GH_ARG);
    ck_assert_int_eq(gh_resize(got, 2, 2, src, whole(src), (gh_filter)9, NULL), GH_ARG);
    ck_assert_int_eq(gh_resize_planes(&(gh_planes){.stride = 2}, 0, 2, src, whole(src), NULL), GH_ARG);
    ck_assert_int_eq(gh_resize_planes(&(gh_planes){.stride = 2}, 2, 2, src, boxes[0], NULL), GH_ARG);
    for (size_t i = 0; i < sizeof got; i++)
        ck_assert_int_eq(got[i], 0);
    gh_image_free(&src);
}
END_TEST

/* Weights for a side of millions would cost more memory than the picture. */
START_TEST(test_absurd_length_is_refused)
{
    gh_image *src = NULL;
    gh_err e = {0};
    uint8_t got[2 * 3];
    ck_assert(gh_image_new(&src, 9000000, 1, NULL) == GH_OK);
    memset(src->pixels, 7, 9000000 * 3);
    ck_assert_int_eq(gh_resize(got, 1, 1, src, whole(src), GH_FILTER_BICUBIC, &e), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "9000000"));
    gh_image_free(&src);
}
END_TEST

START_TEST(test_each_allocation_may_fail)
{
    gh_image *src = gh_test_picture(40, 27);
    uint8_t got[9 * 6 * 3];
    for (gh_filter f = GH_FILTER_BILINEAR; f <= GH_FILTER_LANCZOS; f++) {
        gh_status status = GH_NOMEM;
        int n = 0;
        for (; n < 20 && status != GH_OK; n++) {
            gh_err e = {0};
            gh_mem_fail_after(n);
            status = gh_resize(got, 9, 6, src, whole(src), f, &e);
            gh_mem_fail_after(-1);
            ck_assert(status == GH_OK || (status == GH_NOMEM && e.text[0] != 0));
        }
        ck_assert_int_eq(status, GH_OK);
        ck_assert_int_gt(n, 2);
    }
    gh_image_free(&src);
}
END_TEST

Suite *gh_suite_resize(void)
{
    Suite *s = suite_create("resize");
    TCase *t = tcase_create("resize");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_same_as_pillow);
    tcase_add_test(t, test_plain_filter);
    tcase_add_test(t, test_planes_are_not_rounded);
    tcase_add_test(t, test_same_size_is_a_copy);
    tcase_add_test(t, test_flat_stays_flat);
    tcase_add_test(t, test_strips);
    tcase_add_test(t, test_overshoot_is_clamped);
    tcase_add_test(t, test_wrong_arguments);
    tcase_add_test(t, test_absurd_length_is_refused);
    tcase_add_test(t, test_each_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}
