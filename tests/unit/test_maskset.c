/* Sets of masks: folders, names of classes, and the PNGs that masks are. */
#include "unit/suites.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/data/maskset.h"
#include "unit/picture.h"
#include "unit/tiny.h"

#include <stdio.h>
#include <string.h>

static gh_maskset *set;
static uint8_t *pixels;
static int width, height, map[256];
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
    for (int i = 0; i < 256; i++)
        map[i] = i;
}

static void teardown(void)
{
    gh_maskset_free(&set);
    gh_free(pixels);
    pixels = NULL;
    tiny_remove();
}

static void folder(const char *name)
{
    ck_assert_int_eq(gh_dir_make(tiny_path(name), &e), GH_OK);
}

static void refused(gh_status want, const char *part)
{
    gh_status status = gh_maskset_open(&set, tiny_path("."), &e);
    ck_assert_msg(status == want, "%s: %s", gh_status_name(status), status ? e.text : "accepted");
    ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" does not hold \"%s\"", e.text, part);
    ck_assert_ptr_null(set);
}

/* Whether a path ends so. */
static bool ends(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

START_TEST(test_images_and_masks)
{
    folder("images/deep");
    folder("masks/deep");
    tiny_text("images/b.jpg", "");
    tiny_text("images/a.b.jpeg", "");
    tiny_text("images/deep/c.png", "");
    tiny_text("images/none.jpg", "");
    tiny_text("masks/b.png", "");
    tiny_text("masks/a.b.png", "");
    tiny_text("masks/deep/c.png", "");
    ck_assert_msg(gh_maskset_open(&set, tiny_path("."), &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(set->npictures, 3);
    ck_assert_uint_eq(set->unlabelled, 1);
    ck_assert(ends(set->pictures[0].path, "/images/a.b.jpeg") &&
              ends(set->pictures[0].mask, "/masks/a.b.png"));
    ck_assert(ends(set->pictures[1].mask, "/masks/b.png"));
    ck_assert(ends(set->pictures[2].mask, "/masks/deep/c.png"));
    ck_assert_uint_eq(set->per_split[GH_SPLIT_NONE], 3);
    ck_assert_uint_eq(set->nclasses, 0);
}
END_TEST

START_TEST(test_parts)
{
    folder("train/images");
    folder("train/masks");
    folder("val/images");
    folder("val/masks");
    folder("other/images");
    tiny_text("train/images/1.jpg", "");
    tiny_text("train/masks/1.png", "");
    tiny_text("train/images/2.jpg", "");
    tiny_text("train/masks/2.png", "");
    tiny_text("val/images/1.jpg", "");
    tiny_text("val/masks/1.png", "");
    tiny_text("classes.txt", "sky \r\ntree\n void\n\n");
    ck_assert_msg(gh_maskset_open(&set, tiny_path("."), &e) == GH_OK, "%s", e.text);
    ck_assert_uint_eq(set->npictures, 3);
    ck_assert_uint_eq(set->per_split[GH_SPLIT_TRAIN], 2);
    ck_assert_uint_eq(set->per_split[GH_SPLIT_VAL], 1);
    ck_assert_int_eq(set->pictures[2].split, GH_SPLIT_VAL);
    ck_assert_uint_eq(set->nclasses, 3);
    ck_assert_str_eq(set->classes[0], "sky");
    ck_assert_str_eq(set->classes[2], "void");
    ck_assert(gh_maskset_is_void("Void") && !gh_maskset_is_void("sky"));
}
END_TEST

START_TEST(test_what_is_refused)
{
    gh_buf many = {0};
    refused(GH_ARG, "has no folders images and masks");
    folder("images");
    folder("masks");
    refused(GH_ARG, "0 pictures in images");
    tiny_text("images/1.jpg", "");
    refused(GH_ARG, "1 pictures in images, and none with a PNG of its name in masks");
    tiny_text("classes.txt", "a\n\nb\n");
    refused(GH_FORMAT, "line 2 is empty");
    tiny_text("classes.txt", "\n \n");
    refused(GH_FORMAT, "it names no class");
    for (int i = 0; i < 256; i++)
        gh_buf_printf(&many, "c%d\n", i);
    tiny_file("classes.txt", many.data, many.len);
    refused(GH_LIMIT, "more than 255 classes");
    gh_buf_free(&many);
    ck_assert_int_eq(gh_maskset_open(&set, tiny_path("classes.txt"), &e), GH_NOTFOUND);
}
END_TEST

START_TEST(test_no_memory)
{
    gh_status status = GH_NOMEM;
    int n = 0;
    folder("images");
    folder("masks");
    tiny_text("classes.txt", "a\nb\n");
    tiny_text("images/1.jpg", "");
    tiny_text("masks/1.png", "");
    const char *dir = tiny_path(".");
    for (; status == GH_NOMEM; n++) {
        gh_mem_fail_after(n);
        status = gh_maskset_open(&set, dir, &e);
        gh_mem_fail_after(-1);
        ck_assert((status == GH_OK) == (set != NULL));
    }
    ck_assert_int_eq(status, GH_OK);
    ck_assert_int_gt(n, 8);
}
END_TEST

static void write_mask(int depth, int colour, bool interlaced, const uint16_t *samples)
{
    static const uint8_t palette[3 * 256];
    gh_buf b = {0};
    const gh_test_png png = {.width = 5,
                             .height = 3,
                             .depth = depth,
                             .colour = colour,
                             .interlaced = interlaced,
                             .samples = samples,
                             .palette = colour == 3 ? palette : NULL,
                             .palette_len = colour == 3 ? (size_t)3 << depth : 0};
    gh_test_png_write(&b, &png);
    tiny_file("m.png", b.data, b.len);
    gh_buf_free(&b);
}

/* Grey and indexed masks of 1, 2, 4 and 8 bits, interlaced or not, give their values as they are. */
START_TEST(test_values_are_kept)
{
    int depth = 1 << (_i & 3), colour = _i & 4 ? 3 : 0;
    bool interlaced = (_i & 8) != 0;
    uint16_t samples[15];
    for (int i = 0; i < 15; i++)
        samples[i] = (uint16_t)((i * 7 + 3) % (1 << depth));
    write_mask(depth, colour, interlaced, samples);
    ck_assert_msg(gh_mask_read(&pixels, &width, &height, tiny_path("m.png"), map, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(width, 5);
    ck_assert_int_eq(height, 3);
    for (int i = 0; i < 15; i++)
        ck_assert_int_eq(pixels[i], samples[i]);
}
END_TEST

START_TEST(test_values_are_mapped)
{
    static const uint16_t samples[15] = {0, 1, 2, 0, 1, 2, 255, 0, 0, 0, 0, 0, 0, 0, 1};
    for (int i = 0; i < 256; i++)
        map[i] = -1;
    map[0] = 4;
    map[1] = 0;
    map[2] = map[255] = GH_MASK_IGNORED;
    write_mask(8, 0, false, samples);
    ck_assert_int_eq(gh_mask_read(&pixels, &width, &height, tiny_path("m.png"), map, &e), GH_OK);
    ck_assert_mem_eq(pixels, ((const uint8_t[]){4, 0, 255, 4, 0, 255, 255, 4, 4, 4, 4, 4, 4, 4, 0}), 15);
    gh_free(pixels);
    pixels = NULL;
    map[1] = -1;
    ck_assert_int_eq(gh_mask_read(&pixels, &width, &height, tiny_path("m.png"), map, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "m.png: pixel 1,0 has the value 1, which is no class of the set"));
    ck_assert_ptr_null(pixels);
}
END_TEST

START_TEST(test_what_is_no_mask)
{
    static const uint16_t samples[15 * 4];
    static const uint8_t grey[3 * 64];
    gh_buf jpeg = {0};
    write_mask(8, 2, false, samples);
    ck_assert_int_eq(gh_mask_read(&pixels, &width, &height, tiny_path("m.png"), map, &e), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "the PNG has colours of 8 bits; a mask is an indexed or grey PNG"));
    write_mask(16, 0, false, samples);
    ck_assert_int_eq(gh_mask_read(&pixels, &width, &height, tiny_path("m.png"), map, &e), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "grey of 16 bits"));
    ck_assert_int_eq(gh_jpeg_encode_rgb(&jpeg, grey, 8, 8, 90, &e), GH_OK);
    tiny_file("m.jpg", jpeg.data, jpeg.len);
    gh_buf_free(&jpeg);
    ck_assert_int_eq(gh_mask_read(&pixels, &width, &height, tiny_path("m.jpg"), map, &e), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "it is a JPEG"));
    ck_assert_ptr_null(pixels);
}
END_TEST

/* A mask that ends before its last pixel is refused. */
START_TEST(test_cut_off)
{
    static const uint16_t samples[15] = {1, 2, 3};
    gh_buf b = {0};
    write_mask(4, 3, false, samples);
    ck_assert_int_eq(gh_file_read(&b, tiny_path("m.png"), 4096, &e), GH_OK);
    for (size_t len = 0; len + 16 < b.len; len++) {
        tiny_file("cut.png", b.data, len);
        ck_assert_int_ne(gh_mask_read(&pixels, &width, &height, tiny_path("cut.png"), map, &e), GH_OK);
        ck_assert_ptr_null(pixels);
    }
    gh_buf_free(&b);
}
END_TEST

Suite *gh_suite_maskset(void)
{
    Suite *s = suite_create("maskset");
    TCase *t = tcase_create("maskset");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_images_and_masks);
    tcase_add_test(t, test_parts);
    tcase_add_test(t, test_what_is_refused);
    tcase_add_test(t, test_no_memory);
    tcase_add_loop_test(t, test_values_are_kept, 0, 16);
    tcase_add_test(t, test_values_are_mapped);
    tcase_add_test(t, test_what_is_no_mask);
    tcase_add_test(t, test_cut_off);
    suite_add_tcase(s, t);
    return s;
}
