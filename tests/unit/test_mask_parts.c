/* Regions of masks beside a flood fill; run lengths, decoded again. */
#include "unit/suites.h"

#include "base/rng.h"
#include "image/mask.h"

#include <check.h>
#include <string.h>

static gh_err e;
static gh_rng rng;

static void setup(void)
{
    e = (gh_err){0};
    gh_rng_seed(&rng, 3);
}

/* ---- regions ---- */

static int fill(uint8_t *seen, const uint8_t *map, int w, int h, int from, gh_region *g)
{
    int stack[4096], top = 0, x0 = w, y0 = h, x1 = 0, y1 = 0;
    stack[top++] = from;
    seen[from] = 1;
    g->pixels = 0;
    while (top) {
        int at = stack[--top], x = at % w, y = at / w;
        x0 = x < x0 ? x : x0;
        x1 = x > x1 ? x : x1;
        y0 = y < y0 ? y : y0;
        y1 = y > y1 ? y : y1;
        g->pixels++;
        for (int k = 0; k < 9; k++) {
            int nx = x + k % 3 - 1, ny = y + k / 3 - 1, next = ny * w + nx;
            if (nx < 0 || ny < 0 || nx >= w || ny >= h || seen[next] || map[next] != map[from])
                continue;
            seen[next] = 1;
            stack[top++] = next;
        }
    }
    g->x = x0;
    g->y = y0;
    g->w = x1 - x0 + 1;
    g->h = y1 - y0 + 1;
    return map[from];
}

/* Every region that a flood fill finds is in the list, the list is sorted, and nothing else is there. */
static void check_regions(const uint8_t *map, int w, int h, int classes)
{
    gh_regions *r = NULL;
    uint8_t seen[4096] = {0};
    size_t count[8] = {0};
    int64_t pixels[8] = {0};
    ck_assert_int_eq(gh_regions_new(&r, w, classes, 4096, &e), GH_OK);
    for (int y = 0; y < h; y++)
        gh_regions_row(r, map + y * w);
    for (int i = 0; i < w * h; i++) {
        gh_region g;
        if (seen[i])
            continue;
        int class = fill(seen, map, w, h, i, &g);
        const gh_region *list;
        int64_t total;
        size_t n = gh_regions_of(&list, &total, r, class);
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= memcmp(&list[k], &g, sizeof g) == 0;
        ck_assert_msg(found, "class %d: %d,%d %dx%d of %d pixels is missing", class, g.x, g.y, g.w, g.h,
                      (int)g.pixels);
        count[class]++;
        pixels[class] += g.pixels;
    }
    for (int c = 0; c < classes; c++) {
        const gh_region *list;
        int64_t total;
        ck_assert_uint_eq(gh_regions_of(&list, &total, r, c), count[c]);
        ck_assert_int_eq(total, pixels[c]);
        for (size_t k = 1; k < count[c]; k++)
            ck_assert_int_ge(list[k - 1].pixels, list[k].pixels);
    }
    gh_regions_free(&r);
}

START_TEST(test_regions)
{
    uint8_t map[4096];
    for (int round = 0; round < 200; round++) {
        int w = 1 + (int)gh_rng_below(&rng, 40), h = 1 + (int)gh_rng_below(&rng, 40);
        int classes = 2 + (int)gh_rng_below(&rng, 3), lumps = 1 + (int)gh_rng_below(&rng, 4);
        for (int i = 0; i < w * h; i++)
            map[i] = i % lumps ? map[i - 1] : (uint8_t)gh_rng_below(&rng, (uint64_t)classes);
        check_regions(map, w, h, classes);
    }
}
END_TEST

/* A spiral: one arm, whose ends meet late; a comb, whose teeth join at the last row. */
START_TEST(test_winding_regions)
{
    static const char *const maps[] = {"1111111"
                                       "1000001"
                                       "1011101"
                                       "1010101"
                                       "1010001"
                                       "1011111"
                                       "1000000",
                                       "1010101"
                                       "1010101"
                                       "1010101"
                                       "1010101"
                                       "1010101"
                                       "1010101"
                                       "1111111"};
    for (size_t i = 0; i < GH_COUNT(maps); i++) {
        uint8_t map[49];
        for (int k = 0; k < 49; k++)
            map[k] = (uint8_t)(maps[i][k] - '0');
        check_regions(map, 7, 7, 2);
    }
}
END_TEST

START_TEST(test_only_the_largest)
{
    static const uint8_t row[] = {1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1};
    gh_regions *r = NULL;
    const gh_region *list;
    int64_t pixels;
    ck_assert_int_eq(gh_regions_new(&r, 11, 2, 2, &e), GH_OK);
    gh_regions_row(r, row);
    ck_assert_uint_eq(gh_regions_of(&list, &pixels, r, 1), 2);
    ck_assert_int_eq(pixels, 8);
    ck_assert_int_eq(list[0].x, 5);
    ck_assert_int_eq(list[0].pixels, 3);
    ck_assert_int_eq(list[1].x, 2); /* of two as large the left one */
    gh_regions_free(&r);
}
END_TEST

/* ---- run lengths ---- */

/* Reads COCO's text as its own tools do, into a map column by column. */
static void decode_runs(uint8_t *map, int w, int h, const char *s)
{
    long counts[8192], all = 0;
    int n = 0, at = 0;
    while (*s) {
        long v = 0;
        int shift = 0, more = 1;
        while (more) {
            int c = *s++ - 48;
            v |= (long)(c & 31) << shift;
            more = c & 32;
            shift += 5;
            if (!more && (c & 16))
                v -= 1L << shift;
        }
        if (n > 2)
            v += counts[n - 2];
        ck_assert_int_ge(v, 0);
        counts[n++] = v;
        all += v;
    }
    ck_assert_int_eq(all, w * h);
    for (int i = 0; i < n; i++)
        for (long k = 0; k < counts[i] && at < w * h; k++, at++)
            map[at % h * w + at / h] = i % 2;
}

START_TEST(test_run_lengths)
{
    uint8_t map[4096], back[4096];
    for (int round = 0; round < 300; round++) {
        int w = 1 + (int)gh_rng_below(&rng, 60), h = 1 + (int)gh_rng_below(&rng, 60);
        int classes = 2 + (int)gh_rng_below(&rng, 3), lumps = 1 + (int)gh_rng_below(&rng, 50);
        gh_mask_runs *r = NULL;
        for (int i = 0; i < w * h; i++)
            map[i] = i % lumps ? map[i - 1] : (uint8_t)gh_rng_below(&rng, (uint64_t)classes);
        ck_assert_int_eq(gh_mask_runs_new(&r, w, h, &e), GH_OK);
        for (int y = 0; y < h; y++)
            gh_mask_runs_row(r, map + y * w);
        for (int c = 0; c < classes; c++) {
            gh_buf text = {0};
            gh_mask_runs_text(&text, r, c);
            gh_buf_add(&text, "", 1);
            ck_assert(!text.failed);
            decode_runs(back, w, h, (const char *)text.data);
            int wrong = 0;
            for (int i = 0; i < w * h; i++)
                wrong += back[i] != (map[i] == c);
            ck_assert_int_eq(wrong, 0);
            gh_buf_free(&text);
        }
        gh_mask_runs_free(&r);
    }
}
END_TEST

/* As pycocotools 2.0.11 writes it: encode(asfortranarray(map == 1)). */
START_TEST(test_known_run_lengths)
{
    static const struct {
        int w, h;
        const char *map, *counts;
    } known[] = {
        {4, 1, "0001", "31"},
        {4, 1, "1111", "04"},
        {4, 1, "0000", "4"},
        {4, 3, "011011110110", "11150K0"},
    };
    for (size_t i = 0; i < GH_COUNT(known); i++) {
        gh_mask_runs *r = NULL;
        gh_buf text = {0};
        ck_assert_int_eq(gh_mask_runs_new(&r, known[i].w, known[i].h, &e), GH_OK);
        for (int y = 0; y < known[i].h; y++) {
            uint8_t row[4];
            for (int x = 0; x < known[i].w; x++)
                row[x] = (uint8_t)(known[i].map[y * known[i].w + x] - '0');
            gh_mask_runs_row(r, row);
        }
        gh_mask_runs_text(&text, r, 1);
        gh_buf_add(&text, "", 1);
        ck_assert_str_eq((const char *)text.data, known[i].counts);
        gh_buf_free(&text);
        gh_mask_runs_free(&r);
    }
}
END_TEST

Suite *gh_suite_mask_parts(void)
{
    Suite *s = suite_create("mask_parts");
    TCase *t = tcase_create("parts");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_regions);
    tcase_add_test(t, test_winding_regions);
    tcase_add_test(t, test_only_the_largest);
    tcase_add_test(t, test_run_lengths);
    tcase_add_test(t, test_known_run_lengths);
    suite_add_tcase(s, t);
    return s;
}
