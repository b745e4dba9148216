/* Masks at the size of a picture, beside the same rule written out pixel by pixel in double precision, and
 * the PNGs that are made of them, read back. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "image/mask.h"

#include <check.h>
#include <math.h>
#include <string.h>

static gh_err e;
static gh_rng rng;

static void setup(void)
{
    e = (gh_err){0};
    gh_rng_seed(&rng, 3);
}

/* Values 0..1 that change slowly from cell to cell, as those of a network do; or at random. */
static gh_mask *make_mask(int channels, int width, int height, bool smooth)
{
    gh_mask *m = NULL;
    ck_assert_msg(gh_mask_new(&m, channels, width, height, &e) == GH_OK, "%s", e.text);
    for (int i = 0; i < channels * width * height; i++) {
        int x = i % width, y = i / width;
        m->values[i] = smooth ? 0.5f + 0.5f * sinf(0.9f * (float)x + 0.7f * (float)y) : gh_rng_float(&rng);
    }
    m->threshold = 0.5f;
    return m;
}

/* One channel at a pixel of a picture of this size. */
static double value_at(const gh_mask *m, int c, int x, int y, int width, int height)
{
    double at[2] = {m->across.from + (x + 0.5) * m->across.extent / width - 0.5,
                    m->down.from + (y + 0.5) * m->down.extent / height - 0.5};
    int first[2] = {(int)floor(m->across.from), (int)floor(m->down.from)};
    int last[2] = {(int)ceil(m->across.from + m->across.extent) - 1,
                   (int)ceil(m->down.from + m->down.extent) - 1};
    int low[2], high[2];
    double mix[2], sum = 0;
    for (int i = 0; i < 2; i++) {
        at[i] = fmin(fmax(at[i], first[i]), last[i]);
        low[i] = (int)floor(at[i]);
        high[i] = low[i] < last[i] ? low[i] + 1 : low[i];
        mix[i] = at[i] - low[i];
    }
    const float *plane = m->values + (size_t)c * (size_t)m->width * (size_t)m->height;
    for (int i = 0; i < 4; i++)
        sum += (double)plane[(i / 2 ? high[1] : low[1]) * m->width + (i % 2 ? high[0] : low[0])] *
               (i / 2 ? mix[1] : 1 - mix[1]) * (i % 2 ? mix[0] : 1 - mix[0]);
    return sum;
}

/* The class, and by how much it won. */
static int class_at(double *margin, const gh_mask *m, int x, int y, int width, int height)
{
    double best = value_at(m, 0, x, y, width, height), second = -1e9;
    int class = 0;
    *margin = fabs(best - (double)m->threshold);
    if (m->channels == 1)
        return best >= (double)m->threshold;
    for (int c = 1; c < m->channels; c++) {
        double v = value_at(m, c, x, y, width, height);
        second = fmax(second, fmin(v, best));
        class = v > best ? c : class;
        best = fmax(v, best);
    }
    *margin = best - second;
    if (!m->background)
        return class;
    *margin = fmin(*margin, fabs(best - (double)m->threshold));
    return best < (double)m->threshold ? 0 : class;
}

static void check_rows(const gh_mask *m, int width, int height)
{
    gh_mask_rows *rows = NULL;
    uint8_t *classes = gh_alloc((size_t)width), *soft = gh_alloc((size_t)width);
    double margin;
    ck_assert_msg(gh_mask_rows_new(&rows, m, width, height, &e) == GH_OK, "%s", e.text);
    for (int y = 0; y < height; y++) {
        gh_mask_row_classes(classes, rows, y);
        gh_mask_row_soft(soft, rows, y);
        for (int x = 0; x < width; x++) {
            int class = class_at(&margin, m, x, y, width, height);
            ck_assert_msg(classes[x] == class || margin < 1e-5, "%d channels, %d x %d: %d,%d is %d, not %d",
                          m->channels, width, height, x, y, classes[x], class);
            double v = value_at(m, 0, x, y, width, height);
            for (int c = 1; c < m->channels && !m->background; c++)
                v = fmax(v, value_at(m, c, x, y, width, height));
            v = m->channels > 1 && m->background ? 1 - v : v;
            ck_assert_msg(fabs(soft[x] - 255 * v) <= 0.5001, "%d,%d is %d, not %g", x, y, soft[x], 255 * v);
        }
    }
    gh_mask_rows_free(&rows);
    gh_free(classes);
    gh_free(soft);
}

static const int sizes[][2] = {{17, 9}, {1, 1}, {64, 48}, {5, 31}, {33, 4}, {3, 100}};

START_TEST(test_one_channel)
{
    for (int i = 0; i < 2 * (int)GH_COUNT(sizes); i++) {
        gh_mask *m = make_mask(1, 16, 12, i % 2);
        check_rows(m, sizes[i / 2][0], sizes[i / 2][1]);
        gh_mask_free(&m);
    }
}
END_TEST

START_TEST(test_channels)
{
    static const int channels[] = {2, 3, 21};
    for (int i = 0; i < 6; i++)
        for (size_t s = 0; s < GH_COUNT(sizes); s++) {
            gh_mask *m = make_mask(channels[i / 2], 11, 7, false);
            m->background = i % 2;
            m->threshold = 0.7f;
            check_rows(m, sizes[s][0], sizes[s][1]);
            gh_mask_free(&m);
        }
}
END_TEST

/* The picture lies in a part of the grid; cells beside it do not shine in. */
START_TEST(test_letterbox)
{
    static const gh_mask_span spans[] = {{0, 16}, {4, 8}, {2.5, 11}, {0, 3.25}, {15.5, 0.5}};
    for (size_t i = 0; i < GH_COUNT(spans); i++) {
        gh_mask *m = make_mask(1, 16, 16, false);
        m->across = spans[i];
        m->down = spans[(i + 1) % GH_COUNT(spans)];
        check_rows(m, 23, 40);
        gh_mask_free(&m);
    }
}
END_TEST

START_TEST(test_odd_values)
{
    gh_mask *m = make_mask(1, 4, 1, false);
    gh_mask_rows *rows = NULL;
    uint8_t row[4];
    memcpy(m->values, (float[]){NAN, -3, 7, 2}, 4 * sizeof(float));
    ck_assert_int_eq(gh_mask_rows_new(&rows, m, 4, 1, &e), GH_OK);
    gh_mask_row_classes(row, rows, 0);
    ck_assert_mem_eq(row, ((uint8_t[]){0, 0, 1, 1}), 4);
    gh_mask_row_soft(row, rows, 0);
    ck_assert_int_eq(row[1], 0);
    ck_assert_int_eq(row[2], 255);
    gh_mask_rows_free(&rows);
    gh_mask_free(&m);
}
END_TEST

/* ---- pictures ---- */

static void read_png(gh_image **out, const gh_buf *png)
{
    gh_image_info info;
    ck_assert_msg(gh_image_probe(&info, png->data, png->len, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_image_decode(out, png->data, png->len, &info, 0, 0, &e) == GH_OK, "%s", e.text);
}

/* A palette of n colours takes the fewest bits that hold it; every pixel comes back in its colour. */
START_TEST(test_palettes)
{
    static const int colours[] = {1, 2, 3, 4, 5, 16, 17, 256}, depth[] = {1, 1, 2, 2, 4, 4, 8, 8};
    uint8_t palette[256][3], map[33 * 5];
    for (int i = 0; i < 256 * 3; i++)
        palette[i / 3][i % 3] = (uint8_t)gh_rng_below(&rng, 256);
    for (size_t k = 0; k < GH_COUNT(colours); k++)
        for (int w = 1; w <= 33; w++) {
            const gh_png_layout layout = {w, 5, GH_PNG_PALETTE, (const uint8_t(*)[3])palette, colours[k]};
            gh_buf png = {0};
            gh_png_writer *p = NULL;
            gh_image *image = NULL;
            ck_assert_int_eq(gh_png_open(&p, &png, &layout, &e), GH_OK);
            for (int i = 0; i < w * 5; i++)
                map[i] = (uint8_t)gh_rng_below(&rng, (uint64_t)colours[k]);
            for (int y = 0; y < 5; y++)
                ck_assert_int_eq(gh_png_row(p, map + y * w, &e), GH_OK);
            ck_assert_int_eq(gh_png_end(p, &e), GH_OK);
            gh_png_close(&p);
            ck_assert_int_eq(png.data[24], depth[k]);
            read_png(&image, &png);
            for (int i = 0; i < w * 5; i++)
                ck_assert_mem_eq(image->pixels + i * 3, palette[map[i]], 3);
            gh_image_free(&image);
            gh_buf_free(&png);
        }
}
END_TEST

START_TEST(test_a_png_without_its_end_leaves_nothing)
{
    const gh_png_layout layout = {4, 4, GH_PNG_GREY, NULL, 0};
    gh_buf png = {0};
    gh_png_writer *p = NULL;
    gh_buf_str(&png, "before");
    ck_assert_int_eq(gh_png_open(&p, &png, &layout, &e), GH_OK);
    ck_assert_int_eq(gh_png_row(p, (const uint8_t *)"abcd", &e), GH_OK);
    gh_png_close(&p);
    ck_assert_uint_eq(png.len, 6);
    gh_buf_free(&png);
}
END_TEST

static gh_image *grey_picture(int width, int height, uint8_t level)
{
    gh_image *image = NULL;
    ck_assert_int_eq(gh_image_new(&image, width, height, &e), GH_OK);
    memset(image->pixels, level, (size_t)width * (size_t)height * 3);
    return image;
}

/* The picture of every output by a rule of its own: left half background, right half foreground. */
START_TEST(test_outputs)
{
    static const uint8_t palette[2][3] = {{0, 0, 0}, {200, 100, 0}};
    static const uint8_t left[GH_MASK_OUTPUTS][3] = {{0}, {0}, {0}, {255, 255, 255}, {80, 80, 80}};
    static const uint8_t right[GH_MASK_OUTPUTS][3] = {
        {200, 100, 0}, {1, 1, 1}, {255, 255, 255}, {80, 80, 80}, {140, 90, 40}};
    gh_image *photo = grey_picture(40, 10, 80);
    gh_mask *m = make_mask(1, 8, 2, false);
    for (int i = 0; i < 16; i++)
        m->values[i] = i % 8 >= 4;
    for (int o = 0; o < GH_MASK_OUTPUTS; o++) {
        gh_mask_output output = (gh_mask_output)o;
        gh_mask_job job = {output, 40,   10, palette, gh_mask_shows_picture(output) ? photo : NULL,
                           NULL,   NULL, 0};
        gh_buf png = {0};
        gh_image *image = NULL;
        ck_assert_msg(gh_mask_run(&png, m, &job, &e) == GH_OK, "%s", e.text);
        read_png(&image, &png);
        for (int y = 0; y < 10; y++) {
            ck_assert_mem_eq(image->pixels + (y * 40 + 3) * 3, left[o], 3);
            ck_assert_mem_eq(image->pixels + (y * 40 + 36) * 3, right[o], 3);
        }
        ck_assert_int_eq(gh_mask_depth(output), o == GH_MASK_CUTOUT ? 4 : o == GH_MASK_OVERLAY ? 3 : 1);
        gh_image_free(&image);
        gh_buf_free(&png);
    }
    gh_mask_free(&m);
    gh_image_free(&photo);
}
END_TEST

/* White on black through a soft edge: where the mask says half, the colour of the cut-out is white, because
 * what shines through from the background is taken out. */
START_TEST(test_cutout_colours)
{
    enum { SIDE = 64 };
    gh_image *photo = grey_picture(SIDE, SIDE, 0);
    gh_mask *m = make_mask(1, SIDE, SIDE, false);
    gh_mask_clean *c = NULL;
    uint8_t alpha[SIDE], rgba[SIDE * 4];
    for (int i = 0; i < SIDE * SIDE; i++) {
        m->values[i] = fminf(fmaxf(((float)(i % SIDE) - 29.5f) / 3, 0), 1);
        memset(photo->pixels + (size_t)i * 3, (int)lroundf(m->values[i] * 255), 3);
    }
    ck_assert_int_eq(gh_mask_clean_new(&c, photo, m, &e), GH_OK);
    for (int x = 0; x < SIDE; x++)
        alpha[x] = photo->pixels[x * 3];
    gh_mask_clean_row(rgba, c, 0, photo->pixels, alpha);
    for (int x = 0; x < SIDE; x++) {
        ck_assert_int_eq(rgba[x * 4 + 3], alpha[x]);
        if (alpha[x] == 0)
            ck_assert_int_eq(rgba[x * 4], 0);
        else if (alpha[x] > 30) /* else there is nothing to see */
            ck_assert_msg(rgba[x * 4] > 225, "alpha %d: %d", alpha[x], rgba[x * 4]);
    }
    gh_mask_clean_free(&c);
    gh_mask_free(&m);
    gh_image_free(&photo);
}
END_TEST

START_TEST(test_deadline)
{
    static const uint8_t palette[2][3] = {{0}};
    gh_mask *m = make_mask(1, 8, 2, false);
    const gh_mask_job job = {.output = GH_MASK_PALETTE,
                             .width = 10,
                             .height = 1000,
                             .palette = palette,
                             .deadline_ns = gh_now_ns()};
    gh_buf png = {0};
    ck_assert_int_eq(gh_mask_run(&png, m, &job, &e), GH_TIMEOUT);
    ck_assert_uint_eq(png.len, 0);
    gh_buf_free(&png);
    gh_mask_free(&m);
}
END_TEST

START_TEST(test_memory)
{
    static const uint8_t palette[2][3] = {{0}};
    gh_image *photo = grey_picture(20, 12, 80);
    gh_mask *m = make_mask(1, 8, 6, true);
    bool done = false;
    int n = 0;
    for (; !done && n < 200; n++) {
        gh_regions *regions = NULL;
        gh_mask_runs *runs = NULL;
        gh_buf png = {0}, text = {0};
        gh_mem_fail_after(n);
        gh_status status = gh_regions_new(&regions, 20, 2, 10, &e);
        if (status == GH_OK)
            status = gh_mask_runs_new(&runs, 20, 12, &e);
        const gh_mask_job job = {GH_MASK_CUTOUT, 20, 12, palette, photo, regions, runs, 0};
        if (status == GH_OK)
            status = gh_mask_run(&png, m, &job, &e);
        if (status == GH_OK)
            gh_mask_runs_text(&text, runs, 1);
        done = status == GH_OK && !text.failed;
        gh_mem_fail_after(-1);
        ck_assert(status == GH_OK || status == GH_NOMEM);
        ck_assert(status == GH_OK || png.len == 0);
        gh_regions_free(&regions);
        gh_mask_runs_free(&runs);
        gh_buf_free(&png);
        gh_buf_free(&text);
    }
    ck_assert(done && n > 10);
    gh_mask_free(&m);
    gh_image_free(&photo);
}
END_TEST

Suite *gh_suite_mask(void)
{
    Suite *s = suite_create("mask");
    TCase *t = tcase_create("mask");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_one_channel);
    tcase_add_test(t, test_channels);
    tcase_add_test(t, test_letterbox);
    tcase_add_test(t, test_odd_values);
    tcase_add_test(t, test_palettes);
    tcase_add_test(t, test_a_png_without_its_end_leaves_nothing);
    tcase_add_test(t, test_outputs);
    tcase_add_test(t, test_cutout_colours);
    tcase_add_test(t, test_deadline);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    return s;
}
