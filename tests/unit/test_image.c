/* Pictures that are as they should be: every kind of JPEG, PNG and WebP, scales, and the encoders. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "unit/golden_pictures.inc"

static gh_image_info probe(const uint8_t *data, size_t len)
{
    gh_image_info info;
    gh_err e = {0};
    ck_assert_msg(gh_image_probe(&info, data, len, NULL, &e) == GH_OK, "%s", e.text);
    return info;
}

static gh_image *decode_at(const uint8_t *data, size_t len, int min_width, int min_height)
{
    gh_image_info info = probe(data, len);
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_msg(gh_image_decode(&image, data, len, &info, min_width, min_height, &e) == GH_OK, "%s",
                  e.text);
    ck_assert_int_eq(image->full_width, info.width);
    ck_assert_int_eq(image->full_height, info.height);
    ck_assert(!image->truncated);
    ck_assert_int_eq(image->warnings, 0);
    return image;
}

#define GOLDEN(name, format, width, height, slack)                                                           \
    {                                                                                                        \
#name, format, width, height, slack, name, sizeof name, name##_rgb, sizeof name##_rgb                \
    }

/* Slack is for the lossy kinds, whose last bit is up to the library's version. */
static const struct {
    const char *name;
    gh_image_format format;
    int width, height, slack;
    const uint8_t *data;
    size_t len;
    const uint8_t *rgb;
    size_t rgb_len;
} goldens[] = {
    GOLDEN(jpeg_444, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_422, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_420, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_progressive, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_restarts, GH_IMAGE_JPEG, 20, 9, 1),
    GOLDEN(jpeg_stored_rgb, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_grey, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_cmyk, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(jpeg_ycck, GH_IMAGE_JPEG, 10, 9, 1),
    GOLDEN(webp_lossy, GH_IMAGE_WEBP, 10, 9, 1),
    GOLDEN(webp_lossless, GH_IMAGE_WEBP, 10, 9, 0),
    GOLDEN(webp_lossy_alpha, GH_IMAGE_WEBP, 10, 9, 1),
    GOLDEN(webp_lossless_alpha, GH_IMAGE_WEBP, 10, 9, 0),
};

START_TEST(test_same_as_pillow)
{
    gh_image_info info = probe(goldens[_i].data, goldens[_i].len);
    gh_image *image = decode_at(goldens[_i].data, goldens[_i].len, 0, 0);
    ck_assert_int_eq(info.format, goldens[_i].format);
    ck_assert_int_eq(info.orientation, 1);
    ck_assert_int_eq(image->width, goldens[_i].width);
    ck_assert_int_eq(image->height, goldens[_i].height);
    ck_assert_uint_eq(goldens[_i].rgb_len, (size_t)image->width * (size_t)image->height * 3);
    int diff = gh_test_max_diff(image->pixels, goldens[_i].rgb, goldens[_i].rgb_len);
    ck_assert_msg(diff <= goldens[_i].slack, "%s differs from Pillow by %d", goldens[_i].name, diff);
    gh_image_free(&image);
}
END_TEST

START_TEST(test_what_the_header_says)
{
    ck_assert(probe(jpeg_progressive, sizeof jpeg_progressive).progressive);
    ck_assert_int_gt(probe(jpeg_progressive, sizeof jpeg_progressive).scans, 5);
    ck_assert(!probe(jpeg_420, sizeof jpeg_420).progressive);
    ck_assert_int_eq(probe(jpeg_420, sizeof jpeg_420).scans, 1);
    ck_assert_int_eq(probe(jpeg_restarts, sizeof jpeg_restarts).scans, 1);
    ck_assert(probe(webp_lossy_alpha, sizeof webp_lossy_alpha).alpha);
    ck_assert(probe(webp_lossless_alpha, sizeof webp_lossless_alpha).alpha);
    ck_assert(!probe(webp_lossy, sizeof webp_lossy).alpha);
    ck_assert_uint_gt(probe(jpeg_420, sizeof jpeg_420).work_bytes, 10 * 9 * 3);
    ck_assert_str_eq(gh_image_format_name(GH_IMAGE_JPEG), "JPEG");
    ck_assert_str_eq(gh_image_format_name(GH_IMAGE_PNG), "PNG");
    ck_assert_str_eq(gh_image_format_name(GH_IMAGE_WEBP), "WebP");
}
END_TEST

/* Colour type and depth of every PNG there is. */
static const int png_kinds[][2] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {3, 1},
                                   {3, 2}, {3, 4}, {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};

typedef struct png_case {
    gh_test_png png;
    uint16_t samples[23 * 13 * 4];
    uint8_t palette[256 * 3], trns[256];
} png_case;

static void make_png(png_case *p, int colour, int depth, bool interlaced, bool trns)
{
    int channels = gh_test_png_channels(colour), range = 1 << depth;
    p->png =
        (gh_test_png){.width = 23, .height = 13, .depth = depth, .colour = colour, .interlaced = interlaced};
    for (int i = 0; i < 23 * 13 * channels; i++)
        p->samples[i] = (uint16_t)((i * 7919 + i / 23 * 104729) % range);
    p->png.samples = p->samples;
    for (int i = 0; i < 256; i++) {
        p->palette[i * 3] = (uint8_t)(i * 17);
        p->palette[i * 3 + 1] = (uint8_t)(255 - i);
        p->palette[i * 3 + 2] = (uint8_t)(i * i);
        p->trns[i] = (uint8_t)(i * 83 + 20);
    }
    if (colour == 3) {
        p->png.palette = p->palette;
        p->png.palette_len = (size_t)range * 3;
    }
    if (!trns)
        return;
    p->png.trns = p->trns;
    p->png.trns_len = colour == 3 ? (size_t)range : colour == 2 ? 6 : 2;
    if (colour != 3)
        for (int c = 0; c < channels; c++) { /* the colour of the tenth pixel becomes clear */
            p->trns[c * 2] = (uint8_t)(p->samples[9 * channels + c] >> 8);
            p->trns[c * 2 + 1] = (uint8_t)p->samples[9 * channels + c];
        }
}

/* To 8 bits: short depths span the range, 16 bits lose their low byte. */
static int to8(int v, int depth)
{
    return depth == 16 ? v >> 8 : v * 255 / ((1 << depth) - 1);
}

/* What the picture should be on white, by the PNG specification. */
static void expected_pixel(double rgb[3], const png_case *p, int at)
{
    int colour = p->png.colour, depth = p->png.depth, channels = gh_test_png_channels(colour);
    const uint16_t *s = p->samples + at * channels;
    double alpha = 1;
    for (int c = 0; c < 3; c++)
        rgb[c] = colour == 3 ? p->palette[s[0] * 3 + c] : to8(s[colour & 2 ? c : 0], depth);
    if (colour & 4)
        alpha = to8(s[channels - 1], depth) / 255.0;
    else if (p->png.trns != NULL && colour == 3)
        alpha = p->trns[s[0]] / 255.0;
    else if (p->png.trns != NULL)
        alpha = memcmp(s, p->samples + 9 * channels, sizeof *s * (size_t)channels) == 0 ? 0 : 1;
    for (int c = 0; c < 3; c++)
        rgb[c] = rgb[c] * alpha + 255 * (1 - alpha);
}

START_TEST(test_every_kind_of_png)
{
    int colour = png_kinds[_i / 4][0], depth = png_kinds[_i / 4][1];
    bool interlaced = _i & 1, trns = _i & 2;
    png_case *p = gh_calloc(1, sizeof *p);
    gh_buf file = {0};
    if (trns && (colour & 4))
        trns = false;
    make_png(p, colour, depth, interlaced, trns);
    gh_test_png_write(&file, &p->png);
    gh_image_info info = probe(file.data, file.len);
    ck_assert_int_eq(info.format, GH_IMAGE_PNG);
    ck_assert_int_eq(info.progressive, interlaced);
    ck_assert_int_eq(info.alpha, trns || (colour & 4));
    gh_image *image = decode_at(file.data, file.len, 0, 0);
    for (int i = 0; i < 23 * 13; i++) {
        double rgb[3];
        expected_pixel(rgb, p, i);
        for (int c = 0; c < 3; c++)
            ck_assert_msg(abs(image->pixels[i * 3 + c] - (int)(rgb[c] + 0.5)) <= 0,
                          "colour %d depth %d interlaced %d trns %d: pixel %d channel %d is %d, not %g",
                          colour, depth, interlaced, trns, i, c, image->pixels[i * 3 + c], rgb[c]);
    }
    gh_image_free(&image);
    gh_buf_free(&file);
    gh_free(p);
}
END_TEST

/* Metadata cannot spoil a picture: large text, a broken profile, a chunk with a wrong CRC. */
START_TEST(test_png_metadata_is_passed_over)
{
    gh_buf plain = {0}, file = {0};
    gh_image *source = gh_test_picture(12, 10);
    ck_assert(gh_png_encode_rgb(&plain, source->pixels, 12, 10, NULL) == GH_OK);
    uint8_t *text = gh_calloc(1, 3 << 20);
    memcpy(text, "XML:com.adobe.xmp", 17);
    gh_buf_add(&file, plain.data, 33);
    gh_test_png_chunk(&file, "iTXt", text, 3 << 20);
    gh_test_png_chunk(&file, "iCCP", "x\0\0not a profile", 16);
    gh_test_png_chunk(&file, "gAMA", "\0\0\0\0", 4);
    gh_test_png_chunk(&file, "sRGB", "\77", 1);
    file.data[file.len - 1] ^= 0xff;
    gh_buf_add(&file, plain.data + 33, plain.len - 33);
    gh_image *image = decode_at(file.data, file.len, 0, 0);
    ck_assert(memcmp(image->pixels, source->pixels, 12 * 10 * 3) == 0);
    gh_image_free(&image);
    gh_image_free(&source);
    gh_free(text);
    gh_buf_free(&plain);
    gh_buf_free(&file);
}
END_TEST

START_TEST(test_encoders_are_read_back)
{
    static const int sizes[][2] = {{1, 1}, {64, 48}, {1, 20000}, {20000, 1}, {333, 7}};
    int w = sizes[_i][0], h = sizes[_i][1];
    size_t bytes = (size_t)w * (size_t)h * 3;
    gh_image *source = gh_test_picture(w, h);
    gh_buf png = {0}, jpeg = {0};
    gh_err e = {0};
    ck_assert_msg(gh_png_encode_rgb(&png, source->pixels, w, h, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_jpeg_encode_rgb(&jpeg, source->pixels, w, h, 95, &e) == GH_OK, "%s", e.text);
    gh_image *a = decode_at(png.data, png.len, 0, 0), *b = decode_at(jpeg.data, jpeg.len, 0, 0);
    ck_assert(a->width == w && a->height == h && b->width == w && b->height == h);
    ck_assert(memcmp(a->pixels, source->pixels, bytes) == 0);
    double sum = 0;
    for (size_t i = 1; i < bytes; i += 3) /* green: luma carries most of it */
        sum += abs(b->pixels[i] - source->pixels[i]);
    ck_assert_double_lt(sum / ((double)bytes / 3), 12);
    gh_image_free(&a);
    gh_image_free(&b);
    gh_image_free(&source);
    gh_buf_free(&png);
    gh_buf_free(&jpeg);
}
END_TEST

START_TEST(test_encoders_append_and_refuse)
{
    uint8_t pixel[3] = {1, 2, 3};
    gh_buf out = {0};
    gh_buf_str(&out, "head");
    ck_assert(gh_png_encode_rgb(&out, pixel, 1, 1, NULL) == GH_OK);
    ck_assert(memcmp(out.data, "head\x89PNG", 8) == 0);
    size_t len = out.len;
    gh_err e = {0};
    ck_assert_int_eq(gh_png_encode_rgb(&out, pixel, 0, 1, &e), GH_ARG);
    ck_assert_int_eq(gh_jpeg_encode_rgb(&out, pixel, 1, 0, 90, &e), GH_ARG);
    ck_assert_int_eq(gh_jpeg_encode_rgb(&out, pixel, 70000, 1, 90, &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "65500"));
    ck_assert_int_eq(gh_jpeg_encode_rgb(&out, pixel, 1, 1, 0, &e), GH_ARG);
    ck_assert_uint_eq(out.len, len);
    gh_buf_free(&out);
}
END_TEST

/* The smallest scale that still covers: 1/8 of 640 x 480 is 80 x 60. */
START_TEST(test_jpeg_scales)
{
    static const struct {
        int min_width, min_height, width, height;
    } cases[] = {{0, 0, 640, 480},     {80, 60, 80, 60},     {81, 60, 160, 120},   {80, 61, 160, 120},
                 {1, 1, 80, 60},       {160, 120, 160, 120}, {224, 224, 320, 240}, {320, 241, 640, 480},
                 {9000, 10, 640, 480}, {0, 10, 640, 480}};
    gh_image *source = gh_test_picture(640, 480);
    gh_buf file = {0};
    ck_assert(gh_jpeg_encode_rgb(&file, source->pixels, 640, 480, 90, NULL) == GH_OK);
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_image *image = decode_at(file.data, file.len, cases[i].min_width, cases[i].min_height);
        ck_assert_int_eq(image->width, cases[i].width);
        ck_assert_int_eq(image->height, cases[i].height);
        ck_assert_int_eq(image->full_width, 640);
        /* Green grows with y: the middle row is half bright at every scale. */
        size_t middle = ((size_t)image->height / 2 * (size_t)image->width + (size_t)image->width * 3 / 4) * 3;
        ck_assert_int_le(abs(image->pixels[middle + 1] - 128), 6);
        gh_image_free(&image);
    }
    gh_image_free(&source);
    gh_buf_free(&file);
}
END_TEST

START_TEST(test_free_accepts_nothing)
{
    gh_image *none = NULL;
    gh_image_free(NULL);
    gh_image_free(&none);
    ck_assert_int_eq(gh_image_new(&none, 0, 5, NULL), GH_ARG);
    ck_assert_int_eq(gh_image_new(&none, 5, -1, NULL), GH_ARG);
    ck_assert_ptr_null(none);
}
END_TEST

Suite *gh_suite_image(void)
{
    Suite *s = suite_create("image");
    TCase *t = tcase_create("image");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_same_as_pillow, 0, (int)GH_COUNT(goldens));
    tcase_add_test(t, test_what_the_header_says);
    tcase_add_loop_test(t, test_every_kind_of_png, 0, 4 * (int)GH_COUNT(png_kinds));
    tcase_add_test(t, test_png_metadata_is_passed_over);
    tcase_add_loop_test(t, test_encoders_are_read_back, 0, 5);
    tcase_add_test(t, test_encoders_append_and_refuse);
    tcase_add_test(t, test_jpeg_scales);
    tcase_add_test(t, test_free_accepts_nothing);
    suite_add_tcase(s, t);
    return s;
}
