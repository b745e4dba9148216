/* Scores of masks: numbers worked out by hand, and edges against a search of every pair. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "train/metrics/maskscore.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { WIDE = 400, HIGH = 300 }; /* diagonal 500: edges may be 3.75 pixels apart */

static gh_err e;
static gh_mask_part *parts;
static size_t nparts;
static uint8_t truth[WIDE * HIGH], found[WIDE * HIGH];

static void setup(void)
{
    memset(truth, 0, sizeof truth);
    memset(found, 0, sizeof found);
}

static void teardown(void)
{
    gh_free(parts);
    parts = NULL;
}

static void score(const uint8_t *t, const uint8_t *f, int width, int height)
{
    gh_free(parts);
    parts = NULL;
    ck_assert_int_eq(gh_mask_score(&parts, &nparts, t, f, width, height, &e), GH_OK);
}

static void fill(uint8_t *mask, int class, int x, int y, int w, int h)
{
    for (int row = y; row < y + h; row++)
        memset(mask + row * WIDE + x, class, (size_t)w);
}

static const uint8_t small_truth[12] = {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 255};
static const uint8_t small_found[12] = {0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1};

START_TEST(test_pixels)
{
    score(small_truth, small_found, 4, 3);
    ck_assert_uint_eq(nparts, 2);
    ck_assert_int_eq(parts[0].class, 0);
    ck_assert_int_eq(parts[0].truth, 6);
    ck_assert_int_eq(parts[0].found, 6);
    ck_assert_int_eq(parts[0].both, 5);
    ck_assert_int_eq(parts[1].class, 1);
    ck_assert_int_eq(parts[1].truth, 5);
    ck_assert_int_eq(parts[1].found, 5); /* the ignored pixel does not count */
    ck_assert_int_eq(parts[1].both, 4);
}
END_TEST

START_TEST(test_all_right)
{
    fill(truth, 7, 50, 60, 30, 20);
    score(truth, truth, WIDE, HIGH);
    ck_assert_uint_eq(nparts, 2);
    ck_assert_int_eq(parts[1].class, 7);
    ck_assert_int_eq(parts[1].both, 600);
    ck_assert_double_eq(parts[0].edge, 1);
    ck_assert_double_eq(parts[1].edge, 1);
}
END_TEST

/* Squares of 100 x 100 pixels, one moved to the right by 3 pixels (within the tolerance) or by 4. */
START_TEST(test_edges_of_a_moved_square)
{
    fill(truth, 1, 100, 100, 100, 100);
    fill(found, 1, 103, 100, 100, 100);
    score(truth, found, WIDE, HIGH);
    ck_assert_int_eq(parts[1].both, 9700);
    ck_assert_double_eq(parts[1].edge, 1);
    setup();
    fill(truth, 1, 100, 100, 100, 100);
    fill(found, 1, 104, 100, 100, 100);
    score(truth, found, WIDE, HIGH);
    /* The rim has 396 pixels. Near: 99 above, 99 below, and 3 + 3 of the side that lies within the other. */
    ck_assert_double_eq_tol(parts[1].edge, 204.0 / 396, 1e-12);
    /* Around it, 400 without the corners: all 100 above and below (a corner is sqrt(10) away), 3 + 3. */
    ck_assert_double_eq_tol(parts[0].edge, 206.0 / 400, 1e-12);
}
END_TEST

START_TEST(test_without_edges)
{
    score(truth, found, WIDE, HIGH); /* one class all over */
    ck_assert_uint_eq(nparts, 1);
    ck_assert_double_eq(parts[0].edge, 1);
    fill(found, 3, 0, 0, WIDE, HIGH);
    score(truth, found, WIDE, HIGH); /* neither class has an edge anywhere */
    ck_assert_uint_eq(nparts, 2);
    ck_assert_int_eq(parts[1].both, 0);
    fill(found, 0, 10, 10, 50, 50);
    score(truth, found, WIDE, HIGH); /* only one mask has edges */
    ck_assert_double_eq(parts[0].edge, 0);
    ck_assert_double_eq(parts[1].edge, 0);
}
END_TEST

/* What is ignored has no edge: the class goes on behind it. */
START_TEST(test_ignored_has_no_edge)
{
    fill(truth, 1, 0, 0, 200, HIGH);
    fill(truth, GH_MASK_IGNORED, 200, 0, 200, HIGH);
    fill(found, 1, 0, 0, 300, HIGH);
    score(truth, found, WIDE, HIGH);
    ck_assert_uint_eq(nparts, 1);
    ck_assert_int_eq(parts[0].truth, 200 * HIGH);
    ck_assert_int_eq(parts[0].both, 200 * HIGH);
    ck_assert_double_eq(parts[0].edge, 1);
}
END_TEST

static bool brute_edge(const uint8_t *mask, int w, int h, int class, int x, int y)
{
    if (mask[y * w + x] != class)
        return false;
    return (x > 0 && mask[y * w + x - 1] != class) || (x + 1 < w && mask[y * w + x + 1] != class) ||
           (y > 0 && mask[(y - 1) * w + x] != class) || (y + 1 < h && mask[(y + 1) * w + x] != class);
}

/* Share of the edges of `a` that have one of `b` within the tolerance. */
static double brute_share(const uint8_t *a, const uint8_t *b, int w, int h, int class)
{
    double reach = GH_EDGE_TOLERANCE * sqrt((double)w * w + (double)h * h);
    size_t edges = 0, near = 0;
    for (int i = 0; i < w * h; i++) {
        bool hit = false;
        if (!brute_edge(a, w, h, class, i % w, i / w))
            continue;
        for (int k = 0; k < w * h && !hit; k++)
            hit = brute_edge(b, w, h, class, k % w, k / w) && hypot(i % w - k % w, i / w - k / w) <= reach;
        edges++;
        near += hit;
    }
    return (double)near / (double)edges;
}

START_TEST(test_edges_as_a_search_of_every_pair)
{
    enum { W = 300, H = 170 }; /* a tolerance of 2.59 pixels */
    gh_rng rng;
    gh_rng_seed(&rng, 5);
    for (int i = 0; i < 40; i++) {
        int x = (int)(gh_rng_below(&rng, W - 20)), y = (int)(gh_rng_below(&rng, H - 20));
        int moved = (int)(gh_rng_below(&rng, 5)), class = 1 + i % 2;
        for (int k = 0; k < 225; k++) {
            truth[(y + k / 15) * W + x + k % 15] = (uint8_t) class;
            found[(y + k / 15) * W + x + k % 15 + moved] = (uint8_t) class;
        }
    }
    score(truth, found, W, H);
    ck_assert_uint_eq(nparts, 3);
    for (int c = 0; c < 3; c++) {
        double recall = brute_share(truth, found, W, H, c), precision = brute_share(found, truth, W, H, c);
        ck_assert_double_eq_tol(parts[c].edge, 2 * recall * precision / (recall + precision), 1e-12);
        ck_assert_double_lt(parts[c].edge, 1);
        ck_assert_double_gt(parts[c].edge, 0.2);
    }
}
END_TEST

START_TEST(test_over_pictures)
{
    /* class, labelled, found, both, edge */
    static const gh_mask_part a[] = {{0, 60, 50, 50, 0.5}, {1, 40, 50, 40, 1}};
    static const gh_mask_part b[] = {{0, 90, 100, 90, 0.25}, {1, 10, 0, 0, 0}};
    static const gh_mask_part c[] = {{0, 100, 80, 80, 0.75}, {2, 0, 20, 0, 0}};
    static const gh_mask_parts all[] = {{a, 2}, {b, 2}, {c, 2}};
    gh_mask_scores s = {0};
    ck_assert_int_eq(gh_mask_add_up(&s, all, 3, 4, &e), GH_OK);
    ck_assert_int_eq(s.counted, 300);
    ck_assert_int_eq(s.right, 260);
    ck_assert_uint_eq(s.occurring, 3);
    ck_assert_double_eq_tol(s.classes[0].iou, 220.0 / 260, 1e-12);
    ck_assert_double_eq_tol(s.classes[1].iou, 40.0 / 60, 1e-12);
    ck_assert_double_eq(s.classes[2].iou, 0);
    ck_assert_double_eq_tol(s.miou, (220.0 / 260 + 40.0 / 60) / 3, 1e-12);
    ck_assert_double_eq_tol(s.classes[0].mean_iou, (50.0 / 60 + 0.9 + 0.8) / 3, 1e-12);
    ck_assert_double_eq_tol(s.classes[0].median_iou, 50.0 / 60, 1e-12);
    ck_assert_double_eq_tol(s.classes[1].median_iou, (40.0 / 50 + 0) / 2, 1e-12);
    ck_assert_double_eq_tol(s.classes[0].edge, 0.5, 1e-12);
    ck_assert_double_eq_tol(s.classes[1].edge, 0.5, 1e-12);
    ck_assert_uint_eq(s.classes[2].labelled, 0);
    ck_assert_uint_eq(s.classes[3].pictures, 0);
    ck_assert_double_eq_tol(s.edge, 0.5, 1e-12); /* of the two that are labelled */
    gh_mask_scores_free(&s);
}
END_TEST

START_TEST(test_no_memory)
{
    static const gh_mask_parts none = {NULL, 0};
    gh_mask_scores s = {0};
    fill(truth, 1, 10, 10, 10, 10);
    for (int i = 0; i < 2; i++) {
        gh_mem_fail_after(i);
        ck_assert_int_eq(gh_mask_score(&parts, &nparts, truth, found, WIDE, HIGH, &e), GH_NOMEM);
        gh_mem_fail_after(i);
        ck_assert_int_eq(gh_mask_add_up(&s, &none, 1, 2, &e), GH_NOMEM);
        gh_mem_fail_after(-1);
        ck_assert_ptr_null(parts);
        ck_assert_ptr_null(s.classes);
    }
}
END_TEST

Suite *gh_suite_maskscore(void)
{
    Suite *s = suite_create("maskscore");
    TCase *t = tcase_create("maskscore");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_pixels);
    tcase_add_test(t, test_all_right);
    tcase_add_test(t, test_edges_of_a_moved_square);
    tcase_add_test(t, test_without_edges);
    tcase_add_test(t, test_ignored_has_no_edge);
    tcase_add_test(t, test_edges_as_a_search_of_every_pair);
    tcase_add_test(t, test_over_pictures);
    tcase_add_test(t, test_no_memory);
    suite_add_tcase(s, t);
    return s;
}
