/* Masks by shapes: polygons, run lengths, and COCO's file of both. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "image/mask.h"
#include "train/data/maskset.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>

enum { W = 23, H = 17 };

static gh_arena *arena;
static gh_maskset *set;
static uint8_t pixels[W * H];
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    memset(pixels, 0, sizeof pixels);
    arena = gh_arena_new((size_t)1 << 28);
    ck_assert_ptr_nonnull(arena);
    tiny_setup();
}

static void teardown(void)
{
    gh_maskset_free(&set);
    gh_arena_free(&arena);
    tiny_remove();
}

static int drawn(const float *points, uint32_t n)
{
    const gh_mask_shape s = {.value = 1, .points = points, .npoints = n};
    int count = 0;
    memset(pixels, 0, sizeof pixels);
    ck_assert_int_eq(gh_mask_shape_draw(pixels, W, H, &s, &e), GH_OK);
    for (int i = 0; i < W * H; i++)
        count += pixels[i];
    return count;
}

START_TEST(test_polygons)
{
    const float square[] = {2, 3, 7, 3, 7, 9, 2, 9};
    const float half[] = {0, 0, 10, 0, 0, 10};
    const float outside[] = {-50, -50, 500, -50, 500, 500, -50, 500};
    const float ring[] = {1, 1, 11, 1, 11, 11, 1, 11, 1, 1, 4, 4, 4, 8, 8, 8, 8, 4, 4, 4};
    ck_assert_int_eq(drawn(square, 4), 30);
    ck_assert(pixels[3 * W + 2] && pixels[8 * W + 6] && !pixels[9 * W + 2] && !pixels[3 * W + 7]);
    ck_assert_int_eq(drawn(half, 3), 45); /* middles with x + y < 10 */
    ck_assert_int_eq(drawn(outside, 4), W * H);
    ck_assert_int_eq(drawn(ring, 10), 100 - 16); /* even-odd: a hole */
}
END_TEST

/* What the encoder of the replies writes comes back. */
START_TEST(test_run_lengths_come_back)
{
    gh_rng rng;
    for (uint64_t seed = 0; seed < 50; seed++) {
        uint8_t mask[W * H];
        gh_mask_runs *runs = NULL;
        gh_buf text = {0};
        gh_mask_shape s = {.value = 1};
        gh_rng_seed(&rng, seed);
        for (int i = 0; i < W * H; i++)
            mask[i] = gh_rng_below(&rng, 10) > seed / 6 ? i && mask[i - 1] : (uint8_t)gh_rng_below(&rng, 2);
        ck_assert_int_eq(gh_mask_runs_new(&runs, W, H, &e), GH_OK);
        for (int y = 0; y < H; y++)
            gh_mask_runs_row(runs, mask + y * W);
        gh_mask_runs_text(&text, runs, 1);
        ck_assert_msg(gh_mask_runs_read(&s, arena, (const char *)text.data, text.len, W, H, &e) == GH_OK,
                      "%s", e.text);
        memset(pixels, 0, sizeof pixels);
        ck_assert_int_eq(gh_mask_shape_draw(pixels, W, H, &s, &e), GH_OK);
        ck_assert_mem_eq(pixels, mask, sizeof mask);
        ck_assert_int_ne(gh_mask_runs_read(&s, arena, (const char *)text.data, text.len, W, H + 1, &e),
                         GH_OK);
        for (size_t i = 0; i + 1 < text.len; i++) /* broken off: an error, or too few pixels */
            ck_assert_int_eq(gh_mask_runs_read(&s, arena, (const char *)text.data, i, W, H, &e), GH_FORMAT);
        gh_buf_free(&text);
        gh_mask_runs_free(&runs);
    }
}
END_TEST

#define HEAD                                                                                                 \
    "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\", \"width\": 8, \"height\": 4}],"                     \
    "\"categories\": [{\"id\": 9, \"name\": \"cup\"}, {\"id\": 3, \"name\": \"cat\"}], \"annotations\": ["
#define TRUTH(category, crowd)                                                                               \
    "{\"id\": 1, \"image_id\": 1, \"bbox\": [0, 0, 1, 1], \"category_id\": " category ", "                   \
                                                                                      "\"iscrowd\": " crowd

START_TEST(test_coco)
{
    uint8_t *mask = NULL;
    int width, height, map[256];
    static const uint8_t want[4 * 8] = {2, 2, 1, 1, 0, 0, 0, 255, 2, 2, 1, 1, 0, 0, 0, 255,
                                        1, 1, 1, 1, 0, 0, 0, 255, 1, 1, 1, 1, 0, 0, 0, 255};
    /* the small shape is told first, and drawn last */
    tiny_text(
        "annotations.json", HEAD TRUTH("9", "0") ", \"segmentation\": [[0, 0, 2, 0, 2, 2, 0, 2]]}," TRUTH(
                                "3", "0") ", \"segmentation\": {\"size\": [4, 8], \"counts\": [0, 16, "
                                          "16]}}," TRUTH("3", "1") ", \"segmentation\": {\"size\": [4, 8], "
                                                                   "\"counts\": [28, 4]}}]}");
    ck_assert_msg(gh_maskset_open(&set, tiny_path("."), &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(set->npictures, 1);
    ck_assert_uint_eq(set->nclasses, 3);
    ck_assert_str_eq(set->classes[0], "background");
    ck_assert_str_eq(set->classes[1], "cat");
    ck_assert_str_eq(set->classes[2], "cup");
    for (int i = 0; i < 256; i++)
        map[i] = i;
    ck_assert_msg(gh_maskset_mask(&mask, &width, &height, &set->pictures[0], map, &e) == GH_OK, "%s", e.text);
    ck_assert(width == 8 && height == 4);
    ck_assert_mem_eq(mask, want, sizeof want);
    gh_free(mask);
}
END_TEST

static void refused(const char *text, const char *part)
{
    tiny_text("annotations.json", text);
    ck_assert_int_eq(gh_maskset_open(&set, tiny_path("."), &e), GH_FORMAT);
    ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" does not hold \"%s\"", e.text, part);
    ck_assert_ptr_null(set);
}

START_TEST(test_bad_coco_is_told)
{
    refused(HEAD TRUTH("9", "0") "}]}", "boxes alone teach no masks");
    refused(HEAD TRUTH("9", "0") ", \"segmentation\": [[0, 0, 2, 0]]}]}", "three points or more");
    refused(HEAD TRUTH("9", "0") ", \"segmentation\": [[0, 0, 2, 0, 1, \"x\"]]}]}", "annotations[0]");
    refused(HEAD TRUTH("9", "0") ", \"segmentation\": {\"counts\": [3, 4]}}]}", "add up to 7 pixels");
    refused(HEAD TRUTH("9", "0") ", \"segmentation\": {\"counts\": [-1, 33]}}]}", "run 0");
    refused(HEAD TRUTH("9", "0") ", \"segmentation\": {\"counts\": \"~~\"}}]}", "run lengths");
}
END_TEST

Suite *gh_suite_maskshape(void)
{
    Suite *suite = suite_create("maskshape");
    TCase *c = tcase_create("maskshape");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_polygons);
    tcase_add_test(c, test_run_lengths_come_back);
    tcase_add_test(c, test_coco);
    tcase_add_test(c, test_bad_coco_is_told);
    suite_add_tcase(suite, c);
    return suite;
}
