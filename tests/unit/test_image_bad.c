/* Pictures that are not as they should be: each gets its status and a sentence, and nothing else happens. The
 * sanitizers watch when the tests are built with them. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#include "unit/golden_pictures.inc"

/* Probes and decodes a copy of the exact length. On failure there must be a sentence and no picture. */
static gh_status try_decode(gh_image **out, const uint8_t *data, size_t len, const gh_image_limits *limits,
                            gh_err *e)
{
    gh_image_info info;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    if (len > 0)
        memcpy(copy, data, len);
    *out = NULL;
    *e = (gh_err){0};
    gh_status status = gh_image_probe(&info, copy, len, limits, e);
    if (status == GH_OK)
        status = gh_image_decode(out, copy, len, &info, 0, 0, e);
    ck_assert_int_eq(status == GH_OK, *out != NULL);
    if (status != GH_OK) {
        ck_assert_int_eq(status, e->status);
        ck_assert_uint_gt(strlen(e->text), 10);
    }
    free(copy);
    return status;
}

static void expect(gh_status status, const char *word, const uint8_t *data, size_t len,
                   const gh_image_limits *limits)
{
    gh_image *image;
    gh_err e;
    gh_status got = try_decode(&image, data, len, limits, &e);
    ck_assert_msg(got == status && (word == NULL || strstr(e.text, word) != NULL),
                  "expected status %d with \"%s\", got %d: %s", (int)status, word ? word : "", (int)got,
                  e.text);
    gh_image_free(&image);
}

#define EXPECT(status, word, bytes) expect(status, word, (const uint8_t *)(bytes), sizeof(bytes) - 1, NULL)

START_TEST(test_empty_and_foreign)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
    } foreign[] = {
#define FOREIGN(name, bytes) {name, bytes, sizeof(bytes) - 1}
        FOREIGN("GIF", "GIF89a\1\0\1\0\0\0\0;"),
        FOREIGN("BMP", "BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0"),
        FOREIGN("TIFF", "II*\0\x08\0\0\0"),
        FOREIGN("TIFF", "MM\0*\0\0\0\x08"),
        FOREIGN("HEIC", "\0\0\0\x18"
                        "ftypheic\0\0\0\0"),
        FOREIGN("AVIF", "\0\0\0\x1c"
                        "ftypavif\0\0\0\0"),
        FOREIGN("video", "\0\0\0\x1c"
                         "ftypisom\0\0\0\0"),
        FOREIGN("AVI", "RIFF\x10\0\0\0AVI LIST"),
        FOREIGN("SVG", "\xef\xbb\xbf <svg xmlns='http://www.w3.org/2000/svg'/>"),
        FOREIGN("SVG", "<?xml version='1.0'?>\n<!-- a drawing -->\n<svg/>"),
        FOREIGN("XML", "<?xml version='1.0'?><rss/>"),
        FOREIGN("HTML", "\n<!DOCTYPE HTML><html></html>"),
        FOREIGN("HTML", "<html>not found</html>"),
        FOREIGN("JSON", " {\"image\": \"\"}"),
        FOREIGN("JSON", "[1]"),
        FOREIGN("PDF", "%PDF-1.7\n"),
        FOREIGN("PNM", "P6\n1 1\n255\nabc"),
        FOREIGN("JPEG XL", "\xff\x0a\0\0"),
        FOREIGN("JPEG 2000", "\0\0\0\x0cjP  \r\n\x87\n"),
        FOREIGN("ZIP", "PK\3\4\0\0"),
        FOREIGN("data: URL", "data:image/png;base64,iVBORw0KGgo="),
        FOREIGN("68 65 6c 6c 6f", "hello"),
        FOREIGN("00", "\0"),
        FOREIGN("RIFF", "RIFF"),
    };
    expect(GH_ARG, "empty", (const uint8_t *)"", 0, NULL);
    for (size_t i = 0; i < GH_COUNT(foreign); i++) {
        const uint8_t *bytes = (const uint8_t *)foreign[i].bytes;
        bool hex = strcmp(foreign[i].name, "RIFF") == 0;
        expect(GH_UNSUPPORTED, hex ? "52 49 46 46" : foreign[i].name, bytes, foreign[i].len, NULL);
        expect(GH_UNSUPPORTED, "JPEG, PNG or WebP", bytes, foreign[i].len, NULL);
    }
}
END_TEST

/* Offset of the JPEG's frame header marker (its second byte). */
static size_t find_frame(const uint8_t *jpeg, size_t len)
{
    for (size_t at = 2; at + 4 < len; at += 2 + (size_t)(jpeg[at + 2] << 8 | jpeg[at + 3]))
        if (jpeg[at + 1] >= 0xc0 && jpeg[at + 1] <= 0xc2)
            return at + 1;
    ck_abort_msg("no frame header");
}

static void expect_patched(gh_status status, const char *word, size_t at, const char *bytes, size_t len)
{
    uint8_t copy[sizeof jpeg_420];
    memcpy(copy, jpeg_420, sizeof copy);
    memcpy(copy + at, bytes, len);
    expect(status, word, copy, sizeof copy, NULL);
}

START_TEST(test_jpeg_kinds_that_are_not_read)
{
    size_t frame = find_frame(jpeg_420, sizeof jpeg_420);
    static const struct {
        char marker;
        const char *name;
    } kinds[] = {{'\xc3', "lossless"},     {'\xc5', "hierarchical"}, {'\xc9', "arithmetic"},
                 {'\xca', "arithmetic"},   {'\xcb', "lossless"},     {'\xcd', "hierarchical"},
                 {'\xde', "hierarchical"}, {'\xf7', "JPEG-LS"},      {'\xc6', "hierarchical"},
                 {'\xcf', "hierarchical"}};
    for (size_t i = 0; i < GH_COUNT(kinds); i++)
        expect_patched(GH_UNSUPPORTED, kinds[i].name, frame, &kinds[i].marker, 1);
    expect_patched(GH_UNSUPPORTED, "12 bits", frame + 3, "\x0c", 1);
    expect_patched(GH_UNSUPPORTED, "2 colour", frame + 8, "\2", 1);
    expect_patched(GH_FORMAT, "sampling", frame + 10, "\x50", 1);
    expect_patched(GH_FORMAT, "sampling", frame + 10, "\x02", 1);
    expect_patched(GH_FORMAT, "too short", frame + 1, "\0\7", 2);
    expect_patched(GH_FORMAT, "10 x 0", frame + 4, "\0\0", 2);
    expect_patched(GH_FORMAT, "0 x 9", frame + 6, "\0\0", 2);
    expect_patched(GH_FORMAT, NULL, frame + 1, "\0\0", 2);
    EXPECT(GH_FORMAT, "ends", "\xff\xd8\xff");
    EXPECT(GH_FORMAT, "ends", "\xff\xd8");
    EXPECT(GH_FORMAT, "before any picture", "\xff\xd8\xff\xd9");
    EXPECT(GH_FORMAT, "before its frame", "\xff\xd8\xff\xda\0\4\1\1");
}
END_TEST

static void put_png_header(gh_buf *out, const char *ihdr)
{
    out->len = 0;
    gh_buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    gh_test_png_chunk(out, "IHDR", ihdr, 13);
    gh_test_png_chunk(out, "IDAT", "\x78\x9c\3\0\0\0\0\1", 8);
    gh_test_png_chunk(out, "IEND", NULL, 0);
}

START_TEST(test_png_headers)
{
    static const struct {
        gh_status status;
        const char *word, *ihdr;
    } cases[] = {
        {GH_FORMAT, "0 x 5", "\0\0\0\0\0\0\0\5\x08\2\0\0\0"},
        {GH_FORMAT, "5 x 0", "\0\0\0\5\0\0\0\0\x08\2\0\0\0"},
        {GH_FORMAT, "4294967295", "\xff\xff\xff\xff\0\0\0\5\x08\2\0\0\0"},
        {GH_FORMAT, "colour type 5", "\0\0\0\5\0\0\0\5\x08\5\0\0\0"},
        {GH_FORMAT, "3 bits", "\0\0\0\5\0\0\0\5\3\2\0\0\0"},
        {GH_FORMAT, "16 bits", "\0\0\0\5\0\0\0\5\x10\3\0\0\0"},
        {GH_FORMAT, "interlace", "\0\0\0\5\0\0\0\5\x08\2\0\0\2"},
        {GH_FORMAT, "compression", "\0\0\0\5\0\0\0\5\x08\2\1\0\0"},
        {GH_FORMAT, "ends before", "\0\0\0\5\0\0\0\5\x08\2\0\0\0"},
        {GH_FORMAT, NULL, "\0\0\0\5\0\0\0\5\x08\3\0\0\0"}, /* no palette */
        {GH_LIMIT, "50000 x 50000 = 2500000000 pixels; at most 50000000",
         "\0\0\xc3\x50\0\0\xc3\x50\x08\2\0\0\0"},
        {GH_LIMIT, "2147483647 x 2147483647", "\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\2\0\0\0"},
    };
    gh_buf file = {0};
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        put_png_header(&file, cases[i].ihdr);
        expect(cases[i].status, cases[i].word, file.data, file.len, NULL);
    }
    gh_buf_free(&file);
    EXPECT(GH_FORMAT, "signature is damaged", "\x89PNG\n\x1a\n\0\0\0\rIHDR");
    EXPECT(GH_FORMAT, "ends inside", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    EXPECT(GH_FORMAT, "ends inside", "\x89PNG");
    EXPECT(GH_UNSUPPORTED, "iPhone", "\x89PNG\r\n\x1a\n\0\0\0\4CgBI\x50\0\x20\2\x2b\xd5\xb3\x7f\0\0\0\rIHDR");
    EXPECT(GH_FORMAT, "header chunk", "\x89PNG\r\n\x1a\n\0\0\0\rIDAT\0\0\0\5\0\0\0\5\x08\2\0\0\0abcd");
}
END_TEST

START_TEST(test_webp_headers)
{
    expect(GH_UNSUPPORTED, "animated", webp_animated, sizeof webp_animated, NULL);
    EXPECT(GH_FORMAT, "ends inside", "RIFF\x1a\0\0\0WEBPVP8 ");
    EXPECT(GH_FORMAT, "ends inside", "RIFF\x1a\0\0\0WEBP");
    EXPECT(GH_FORMAT, "does not begin", "RIFF\x1a\0\0\0WEBPJUNK\4\0\0\0abcd");
    EXPECT(GH_FORMAT, "key frame", "RIFF\x1a\0\0\0WEBPVP8 \x0a\0\0\0\x31\0\0\x9d\1\x2a\5\0\5\0");
    EXPECT(GH_FORMAT, "0 x 5", "RIFF\x1a\0\0\0WEBPVP8 \x0a\0\0\0\x30\0\0\x9d\1\x2a\0\0\5\0");
    EXPECT(GH_FORMAT, "signature", "RIFF\x1a\0\0\0WEBPVP8L\x0a\0\0\0\x2e\0\0\0\0\0\0\0\0\0");
    EXPECT(GH_FORMAT, NULL, "RIFF\x1a\0\0\0WEBPVP8L\x0a\0\0\0\x2f\0\0\0\0\0\0\0\0\0");
    EXPECT(GH_LIMIT, "50000 x 50000 = 2500000000",
           "RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x4f\xc3\0\x4f\xc3\0");
    EXPECT(GH_LIMIT, "16383 x 16383", "RIFF\x1a\0\0\0WEBPVP8 \x0a\0\0\0\x30\0\0\x9d\1\x2a\xff\x3f\xff\x3f");
    /* The canvas says more than the picture in it has. */
    uint8_t copy[sizeof webp_turned];
    memcpy(copy, webp_turned, sizeof copy);
    copy[24]++;
    expect(GH_FORMAT, NULL, copy, sizeof copy, NULL);
}
END_TEST

START_TEST(test_limits)
{
    gh_image_limits limits = gh_image_limits_default();
    size_t frame = find_frame(jpeg_420, sizeof jpeg_420);
    expect_patched(GH_LIMIT, "50000 x 50000 = 2500000000 pixels; at most 50000000", frame + 4,
                   "\xc3\x50\xc3\x50", 4);
    limits.max_pixels = 89;
    expect(GH_LIMIT, "10 x 9 = 90 pixels; at most 89", jpeg_420, sizeof jpeg_420, &limits);
    limits.max_pixels = 90;
    expect(GH_OK, NULL, jpeg_420, sizeof jpeg_420, &limits);
    limits.max_jpeg_scans = 3;
    expect(GH_LIMIT, "4 scans; at most 3", jpeg_progressive, sizeof jpeg_progressive, &limits);
    expect(GH_OK, NULL, jpeg_420, sizeof jpeg_420, &limits);
    limits.max_work = 1000;
    expect(GH_LIMIT, "memory", jpeg_420, sizeof jpeg_420, &limits);
    expect(GH_LIMIT, "memory", webp_lossless, sizeof webp_lossless, &limits);
}
END_TEST

/* Coefficients of a progressive JPEG and the copy that a turn needs count. */
START_TEST(test_work_is_estimated)
{
    gh_image_limits limits = gh_image_limits_default();
    gh_image_info small, large, turned;
    gh_buf file = {0};
    uint8_t copy[sizeof jpeg_progressive];
    size_t frame = find_frame(jpeg_progressive, sizeof jpeg_progressive);
    memcpy(copy, jpeg_progressive, sizeof copy);
    memcpy(copy + frame + 4, "\x13\x88\x13\x88", 4); /* 5000 x 5000, 4:2:0 */
    ck_assert(gh_image_probe(&large, copy, sizeof copy, NULL, NULL) == GH_OK);
    ck_assert_uint_ge(large.work_bytes, 5000ull * 5000 * 6);
    copy[frame] = 0xc0; /* the same as baseline */
    ck_assert(gh_image_probe(&small, copy, sizeof copy, NULL, NULL) == GH_OK);
    ck_assert_uint_lt(small.work_bytes, 5000ull * 5000 * 4);
    gh_test_jpeg_turn(&file, copy, sizeof copy, 6, true);
    ck_assert(gh_image_probe(&turned, file.data, file.len, NULL, NULL) == GH_OK);
    ck_assert_uint_ge(turned.work_bytes, small.work_bytes + 5000ull * 5000 * 3);
    limits.max_work = 100 * 1000 * 1000;
    ck_assert_int_eq(gh_image_probe(&turned, file.data, file.len, &limits, NULL), GH_LIMIT);
    gh_buf_free(&file);
}
END_TEST

/* A thousand scans of nothing, and a file whose probe saw fewer scans than the library does. */
START_TEST(test_progressive_bomb)
{
    gh_buf file = {0};
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    gh_buf_add(&file, jpeg_progressive, sizeof jpeg_progressive - 2);
    for (int i = 0; i < 1000; i++)
        gh_buf_add(&file, "\xff\xda\0\x08\1\1\0\1\5\1\0", 11);
    gh_buf_add(&file, "\xff\xd9", 2);
    expect(GH_LIMIT, "101 scans; at most 100", file.data, file.len, NULL);
    ck_assert(gh_image_probe(&info, jpeg_progressive, sizeof jpeg_progressive, NULL, NULL) == GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, file.data, file.len, &info, 0, 0, &e), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "more than 100 scans"));
    ck_assert_ptr_null(image);
    gh_buf_free(&file);
}
END_TEST

/* The library itself keeps to the memory limit, should the estimate be too low. */
START_TEST(test_memory_limit_holds_in_the_library)
{
    uint8_t copy[sizeof jpeg_progressive];
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    memcpy(copy, jpeg_progressive, sizeof copy);
    memcpy(copy + find_frame(copy, sizeof copy) + 4, "\x04\0\x04\0", 4);
    ck_assert(gh_image_probe(&info, copy, sizeof copy, NULL, NULL) == GH_OK);
    info.limits.max_work = 1 << 20;
    ck_assert_int_eq(gh_image_decode(&image, copy, sizeof copy, &info, 0, 0, &e), GH_LIMIT);
    ck_assert_ptr_nonnull(strstr(e.text, "memory"));
    ck_assert_ptr_null(image);
}
END_TEST

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
    gh_status status = try_decode(&image, data, at, NULL, &e);
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
        gh_status status = try_decode(&image, png.data, png.len * i / 50, NULL, &e);
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
    ck_assert_int_eq(try_decode(&image, jpeg.data, jpeg.len * 3 / 4, NULL, &e), GH_OK);
    ck_assert(image->truncated);
    size_t at = (20 * 160 + 150) * 3;
    ck_assert_int_le(abs(image->pixels[at] - source->pixels[at]), 40);
    gh_image_free(&image);
    for (size_t i = 300; i + 1 < jpeg.len; i++)
        if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xda) {
            ck_assert_int_eq(try_decode(&image, jpeg.data, i, NULL, &e), GH_FORMAT);
            ck_assert_int_eq(try_decode(&image, jpeg.data, i + 14, NULL, &e), GH_OK);
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
            gh_status status = try_decode(&image, copy, files[_i].len, &limits, &e);
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
        ck_assert_int_ne(try_decode(&image, data, len, &limits, &e), GH_OK);
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
        gh_status status = try_decode(&image, png.data, png.len, NULL, &e);
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
    ck_assert_int_eq(try_decode(&image, jpeg.data, jpeg.len, NULL, &e), GH_OK);
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

Suite *gh_suite_image_bad(void)
{
    Suite *s = suite_create("image_bad");
    TCase *t = tcase_create("image_bad");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_empty_and_foreign);
    tcase_add_test(t, test_jpeg_kinds_that_are_not_read);
    tcase_add_test(t, test_png_headers);
    tcase_add_test(t, test_webp_headers);
    tcase_add_test(t, test_limits);
    tcase_add_test(t, test_work_is_estimated);
    tcase_add_test(t, test_progressive_bomb);
    tcase_add_test(t, test_memory_limit_holds_in_the_library);
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
