/* A photo in every way that JPEG and PNG have to store it, over HTTP: JPEG's samplings and scans give its
 * label, PNG's colours and depths the very scores of the same pixels stored plainly. */
#include "e2e/harness.h"

#include "base/file.h"
#include "image/image.h"
#include "unit/picture.h"

#include <jpeglib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 120, HEIGHT = 80, STEP = 5 }; /* of the photo of 600 x 400 every fifth pixel */

static server s;
static reply r;
static gh_image *image; /* the photo */

static void up(void)
{
    const gh_buf *file = photo("coffee.png");
    gh_image_info info;
    ck_assert_int_eq(gh_image_probe(&info, file->data, file->len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, file->data, file->len, &info, 0, 0, NULL), GH_OK);
    server_start(&s, NULL);
}

static void down(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
    gh_image_free(&image);
}

static void done(void)
{
    reply_free(&r);
}

static const struct {
    int across, down, channels; /* how many times as fine the brightness is; 1 channel: grey */
    bool progressive;
    int restart; /* every so many rows of blocks */
} jpegs[] = {
    {1, 1, 3, false, 0}, {2, 1, 3, false, 0}, {1, 2, 3, false, 0}, {2, 2, 3, false, 0}, {4, 1, 3, false, 0},
    {4, 2, 3, false, 0}, {1, 1, 3, true, 0},  {2, 1, 3, true, 0},  {2, 2, 3, true, 3},  {4, 1, 3, true, 0},
    {2, 2, 3, false, 1}, {1, 1, 1, false, 0}, {1, 1, 1, true, 0},
};

static void make_jpeg(gh_buf *out, int i)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    static uint8_t grey[600];
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &len);
    c.image_width = (JDIMENSION)image->width;
    c.image_height = (JDIMENSION)image->height;
    c.input_components = jpegs[i].channels;
    c.in_color_space = jpegs[i].channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 90, TRUE);
    c.comp_info[0].h_samp_factor = jpegs[i].across;
    c.comp_info[0].v_samp_factor = jpegs[i].down;
    c.restart_in_rows = jpegs[i].restart;
    if (jpegs[i].progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->pixels + (size_t)y * (size_t)image->width * 3;
        for (int x = 0; x < image->width && jpegs[i].channels == 1; x++)
            grey[x] = (uint8_t)((row[3 * x] + 2 * row[3 * x + 1] + row[3 * x + 2]) / 4);
        row = jpegs[i].channels == 1 ? grey : row;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    gh_buf_add(out, bytes, len);
    jpeg_destroy_compress(&c);
    free(bytes);
}

START_TEST(test_every_kind_of_jpeg)
{
    gh_buf jpeg = {0};
    make_jpeg(&jpeg, _i);
    json_t *o = ask_json(&r, s.address, "/classify", jpeg.data, jpeg.len);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), 600);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "height")), 400);
    ck_assert_str_eq(first_label(o), "espresso");
    ck_assert_ptr_null(json_object_get(o, "warnings"));
    json_decref(o);
    gh_buf_free(&jpeg);
}
END_TEST

/* Colour types of PNG: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA; and bits of a sample. */
static const int pngs[][2] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {3, 1},
                              {3, 2}, {3, 4}, {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};

/* A sample of that many bits, and what it is of eight. */
static uint16_t sample(uint8_t *plain, int v, int depth)
{
    int most = (1 << depth) - 1, of_depth = depth == 16 ? v * 257 : v >> (8 - depth);
    *plain = (uint8_t)(depth == 16 ? of_depth >> 8 : of_depth * 255 / most);
    return (uint16_t)of_depth;
}

/* The photo in that kind, and its pixels as the standard says they look on white. */
static void make_png(gh_buf *out, uint8_t *plain, int colour, int depth, bool interlaced)
{
    static uint16_t samples[WIDTH * HEIGHT * 4];
    static uint8_t palette[256 * 3];
    int channels = gh_test_png_channels(colour);
    gh_test_png png = {WIDTH, HEIGHT, depth, colour, interlaced, samples, NULL, NULL, 0, 0};
    for (int i = 0; i < 256; i++)
        for (int c = 0; c < 3; c++)
            palette[3 * i + c] = (uint8_t)(i * (37 + 2 * c) + 50 * c);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const uint8_t *from =
            image->pixels +
            ((size_t)(i / WIDTH * STEP) * (size_t)image->width + (size_t)(i % WIDTH * STEP)) * 3;
        uint16_t *to = samples + i * channels;
        uint8_t ignored;
        bool clear = (colour & 4) && i % WIDTH < WIDTH / 4;
        for (int c = 0; c < 3; c++)
            to[colour & 2 && colour != 3 ? c : 0] =
                sample(plain + 3 * i + c, from[colour & 2 && colour != 3 ? c : 1], depth);
        if (colour == 3)
            memcpy(plain + 3 * i, palette + 3 * to[0], 3);
        if (colour & 4)
            to[channels - 1] = sample(&ignored, clear ? 0 : 255, depth);
        if (clear)
            memset(plain + 3 * i, 255, 3);
    }
    if (colour == 3) {
        png.palette = palette;
        png.palette_len = (size_t)3 << depth;
    }
    gh_test_png_write(out, &png);
}

/* The labels of the reply; the caller's. */
static json_t *labels_of(const gh_buf *file)
{
    json_t *o = ask_json(&r, s.address, "/classify?top=20", file->data, file->len);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), WIDTH);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "height")), HEIGHT);
    json_t *labels = json_incref(json_object_get(o, "labels"));
    json_decref(o);
    return labels;
}

START_TEST(test_every_kind_of_png)
{
    static uint8_t plain[WIDTH * HEIGHT * 3];
    gh_buf stored = {0}, plainly = {0};
    make_png(&stored, plain, pngs[_i / 2][0], pngs[_i / 2][1], _i % 2);
    ck_assert_int_eq(gh_png_encode_rgb(&plainly, plain, WIDTH, HEIGHT, NULL), GH_OK);
    json_t *got = labels_of(&stored), *want = labels_of(&plainly);
    ck_assert_uint_eq(json_array_size(want), 20);
    ck_assert_msg(json_equal(got, want), "colour %d, depth %d", pngs[_i / 2][0], pngs[_i / 2][1]);
    json_decref(got);
    json_decref(want);
    gh_buf_free(&stored);
    gh_buf_free(&plainly);
}
END_TEST

Suite *suite_formats(void)
{
    Suite *suite = suite_create("formats");
    TCase *t = tcase_create("formats");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_loop_test(t, test_every_kind_of_jpeg, 0, GH_COUNT(jpegs));
    tcase_add_loop_test(t, test_every_kind_of_png, 0, 2 * GH_COUNT(pngs));
    suite_add_tcase(suite, t);
    return suite;
}
