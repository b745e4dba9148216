/* Pictures that are refused by what they are or say: foreign formats, kinds that are not read, lying headers,
 * limits. Each gets its status and a sentence that names what came. */
#include "unit/picture.h"
#include "unit/suites.h"

#include <stdlib.h>
#include <string.h>

#include "unit/golden_pictures.inc"

static void expect(gh_status status, const char *word, const uint8_t *data, size_t len,
                   const gh_image_limits *limits)
{
    gh_image *image;
    gh_err e;
    gh_status got = gh_test_decode(&image, data, len, limits, &e);
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
    suite_add_tcase(s, t);
    return s;
}
