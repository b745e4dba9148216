/* Pictures that were good: cut short, changed, random, or met by a lack of memory. Nothing may crash, hang or
 * leak (the sanitizers watch when the tests are built with them), and what is refused has a sentence. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#include "unit/golden_pictures.inc"

/* Files of all kinds for the tests that damage them. */
static const struct {
    const uint8_t *data;
    size_t len;
    gh_image_format format;
} files[] = {
    {jpeg_420, sizeof jpeg_420, GH_IMAGE_JPEG},
    {jpeg_progressive, sizeof jpeg_progressive, GH_IMAGE_JPEG},
    {jpeg_restarts, sizeof jpeg_restarts, GH_IMAGE_JPEG},
    {jpeg_cmyk, sizeof jpeg_cmyk, GH_IMAGE_JPEG},
    {webp_lossy, sizeof webp_lossy, GH_IMAGE_WEBP},
    {webp_lossless, sizeof webp_lossless, GH_IMAGE_WEBP},
    {webp_lossy_alpha, sizeof webp_lossy_alpha, GH_IMAGE_WEBP},
    {webp_turned, sizeof webp_turned, GH_IMAGE_WEBP},
    {webp_animated, sizeof webp_animated, GH_IMAGE_WEBP},
};

static void check_cut(const uint8_t *data, size_t len, gh_image_format format, size_t at)
{
    gh_image *image;
    gh_err e;
    gh_status status = gh_test_decode(&image, data, at, NULL, &e);
    if (status == GH_OK && format == GH_IMAGE_JPEG)
        ck_assert_msg(image->truncated && image->warnings > 0, "cut at %zu of %zu is not noticed", at, len);
    else if (status != GH_OK)
        ck_assert_msg(status == GH_FORMAT || status == GH_UNSUPPORTED || (at == 0 && status == GH_ARG),
                      "cut at %zu of %zu: status %d: %s", at, len, (int)status, e.text);
    else /* what is missing held no pixels: the last chunk's padding, or metadata */
        ck_assert_msg(at + 256 > len, "cut at %zu of %zu decodes", at, len);
    gh_image_free(&image);
}

START_TEST(test_cut_at_every_byte)
{
    for (size_t at = 0; at < files[_i].len; at++)
        check_cut(files[_i].data, files[_i].len, files[_i].format, at);
}
END_TEST

START_TEST(test_cut_at_every_fiftieth)
{
    gh_image *source = gh_test_picture(320, 200);
    gh_buf png = {0}, jpeg = {0};
    ck_assert(gh_png_encode_rgb(&png, source->pixels, 320, 200, NULL) == GH_OK);
    ck_assert(gh_jpeg_encode_rgb(&jpeg, source->pixels, 320, 200, 90, NULL) == GH_OK);
    for (size_t i = 0; i < 50; i++) {
        gh_image *image;
        gh_err e;
        check_cut(jpeg.data, jpeg.len, GH_IMAGE_JPEG, jpeg.len * i / 50);
        gh_status status = gh_test_decode(&image, png.data, png.len * i / 50, NULL, &e);
        ck_assert_int_eq(status, i == 0 ? GH_ARG : GH_FORMAT);
    }
    gh_image_free(&source);
    gh_buf_free(&png);
    gh_buf_free(&jpeg);
}
END_TEST

/* With whole headers and no data a JPEG decodes to something; with half of it, to half the picture. */
START_TEST(test_truncated_jpeg_keeps_what_came)
{
    gh_image *source = gh_test_picture(160, 160), *image;
    gh_buf jpeg = {0};
    gh_err e;
    ck_assert(gh_jpeg_encode_rgb(&jpeg, source->pixels, 160, 160, 90, NULL) == GH_OK);
    ck_assert_int_eq(gh_test_decode(&image, jpeg.data, jpeg.len * 3 / 4, NULL, &e), GH_OK);
    ck_assert(image->truncated);
    size_t at = (20 * 160 + 150) * 3;
    ck_assert_int_le(abs(image->pixels[at] - source->pixels[at]), 40);
    gh_image_free(&image);
    for (size_t i = 300; i + 1 < jpeg.len; i++)
        if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xda) {
            ck_assert_int_eq(gh_test_decode(&image, jpeg.data, i, NULL, &e), GH_FORMAT);
            ck_assert_int_eq(gh_test_decode(&image, jpeg.data, i + 14, NULL, &e), GH_OK);
            ck_assert(image->truncated && image->width == 160);
            gh_image_free(&image);
            break;
        }
    gh_image_free(&source);
    gh_buf_free(&jpeg);
}
END_TEST

START_TEST(test_every_byte_changed)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0xff};
    /* A changed size may be anything; this keeps the test quick and is itself part of it. */
    gh_image_limits limits = {.max_pixels = 1 << 20, .max_work = 16 << 20, .max_jpeg_scans = 100};
    uint8_t copy[1024];
    ck_assert_uint_le(files[_i].len, sizeof copy);
    for (size_t at = 0; at < files[_i].len; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            gh_image *image;
            gh_err e;
            memcpy(copy, files[_i].data, files[_i].len);
            copy[at] ^= values[v] ? values[v] : copy[at];
            gh_status status = gh_test_decode(&image, copy, files[_i].len, &limits, &e);
            ck_assert_msg(status == GH_OK || status == GH_FORMAT || status == GH_UNSUPPORTED ||
                              status == GH_LIMIT,
                          "byte %zu ^ %d: status %d: %s", at, values[v], (int)status, e.text);
            gh_image_free(&image);
        }
}
END_TEST

START_TEST(test_random_bytes)
{
    static const struct {
        const char *bytes;
        size_t len;
    } starts[] = {{"", 0},
                  {"\xff\xd8\xff\xe0", 4},
                  {"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16},
                  {"RIFF\0\1\0\0WEBPVP8X", 16}};
    gh_image_limits limits = {.max_pixels = 1 << 20, .max_work = 16 << 20, .max_jpeg_scans = 100};
    uint8_t data[600];
    gh_rng rng;
    gh_rng_seed(&rng, 3);
    for (int round = 0; round < 3000; round++) {
        size_t len = 1 + gh_rng_below(&rng, sizeof data);
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)gh_rng_u64(&rng);
        memcpy(data, starts[round % 4].bytes, starts[round % 4].len);
        gh_image *image;
        gh_err e;
        ck_assert_int_ne(gh_test_decode(&image, data, len, &limits, &e), GH_OK);
    }
}
END_TEST

/* Wrong checksums and broken compression in a PNG. What decodes all the same (the length of the last chunk
 * was changed, after all pixels came) must be right. */
START_TEST(test_png_damage)
{
    gh_image *source = gh_test_picture(20, 10);
    gh_buf png = {0};
    ck_assert(gh_png_encode_rgb(&png, source->pixels, 20, 10, NULL) == GH_OK);
    for (size_t at = 8; at < png.len - 12; at++) {
        gh_image *image;
        gh_err e;
        png.data[at] ^= 0x10;
        gh_status status = gh_test_decode(&image, png.data, png.len, NULL, &e);
        bool right = status == GH_OK && at < 37 && memcmp(image->pixels, source->pixels, 20 * 10 * 3) == 0;
        gh_image_free(&image);
        ck_assert_msg(status == GH_FORMAT || status == GH_LIMIT || right, "byte %zu: status %d: %s", at,
                      (int)status, e.text);
        png.data[at] ^= 0x10;
    }
    gh_image_free(&source);
    gh_buf_free(&png);
}
END_TEST

/* What libjpeg passes over is counted. */
START_TEST(test_corrupt_jpeg_data_is_counted)
{
    gh_image *source = gh_test_picture(160, 160), *image;
    gh_buf jpeg = {0};
    gh_err e;
    ck_assert(gh_jpeg_encode_rgb(&jpeg, source->pixels, 160, 160, 90, NULL) == GH_OK);
    for (size_t i = jpeg.len / 2; i < jpeg.len / 2 + 40; i++)
        jpeg.data[i] = 0x55;
    memcpy(jpeg.data + jpeg.len / 2 + 40, "\xff\xd3", 2); /* a restart marker where none is due */
    ck_assert_int_eq(gh_test_decode(&image, jpeg.data, jpeg.len, NULL, &e), GH_OK);
    ck_assert_int_gt(image->warnings, 0);
    ck_assert(!image->truncated);
    gh_image_free(&image);
    gh_image_free(&source);
    gh_buf_free(&jpeg);
}
END_TEST

/* Decodes and encodes with the n-th allocation failing, for every n; only a lack of memory may come of it. */
static int decode_failing(const uint8_t *data, size_t len)
{
    gh_image_info info;
    gh_status status = GH_NOMEM;
    int n = 0;
    ck_assert(gh_image_probe(&info, data, len, NULL, NULL) == GH_OK);
    for (; n < 200 && status != GH_OK; n++) {
        gh_image *image = NULL;
        gh_err e = {0};
        gh_mem_fail_after(n);
        status = gh_image_decode(&image, data, len, &info, 0, 0, &e);
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || (status == GH_NOMEM && image == NULL), "%d: %s", n, e.text);
        gh_image_free(&image);
    }
    ck_assert_int_eq(status, GH_OK);
    return n;
}

START_TEST(test_each_allocation_may_fail)
{
    gh_image *source = gh_test_picture(40, 30);
    gh_buf png = {0}, jpeg = {0}, turned = {0};
    for (int kind = 0; kind < 2; kind++) {
        gh_buf *out = kind ? &jpeg : &png;
        gh_status status = GH_NOMEM;
        for (int n = 0; n < 200 && status != GH_OK; n++) {
            gh_buf_free(out);
            *out = (gh_buf){0};
            gh_err e = {0};
            gh_mem_fail_after(n);
            status = kind ? gh_jpeg_encode_rgb(out, source->pixels, 40, 30, 90, &e)
                          : gh_png_encode_rgb(out, source->pixels, 40, 30, &e);
            gh_mem_fail_after(-1);
            ck_assert_msg(status == GH_OK || (status == GH_NOMEM && out->len == 0), "%d: %s", n, e.text);
        }
        ck_assert_int_eq(status, GH_OK);
    }
    gh_test_jpeg_turn(&turned, jpeg.data, jpeg.len, 6, true);
    ck_assert_int_gt(decode_failing(png.data, png.len), 4);
    ck_assert_int_ge(decode_failing(jpeg.data, jpeg.len), 3);
    ck_assert_int_ge(decode_failing(turned.data, turned.len), 4);
    ck_assert_int_ge(decode_failing(webp_lossy_alpha, sizeof webp_lossy_alpha), 3);
    gh_image_free(&source);
    gh_buf_free(&png);
    gh_buf_free(&jpeg);
    gh_buf_free(&turned);
}
END_TEST

Suite *gh_suite_image_damage(void)
{
    Suite *s = suite_create("image_damage");
    TCase *t = tcase_create("image_damage");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_cut_at_every_byte, 0, (int)GH_COUNT(files));
    tcase_add_test(t, test_cut_at_every_fiftieth);
    tcase_add_test(t, test_truncated_jpeg_keeps_what_came);
    tcase_add_loop_test(t, test_every_byte_changed, 0, (int)GH_COUNT(files));
    tcase_add_test(t, test_random_bytes);
    tcase_add_test(t, test_png_damage);
    tcase_add_test(t, test_corrupt_jpeg_data_is_counted);
    tcase_add_test(t, test_each_allocation_may_fail);
    suite_add_tcase(s, t);
    return s;
}
