/* Preprocessing: where the box lies, what comes out of it, and when a JPEG may be decoded small. */
#include "unit/suites.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "tasks/preproc.h"
#include "unit/picture.h"

#include <math.h>
#include <string.h>

static gh_manifest_input lite0(void)
{
    return (gh_manifest_input){.width = 224,
                               .height = 224,
                               .mean = {127, 127, 127},
                               .scale = {1 / 128.0f, 1 / 128.0f, 1 / 128.0f},
                               .fit = GH_FIT_CROP,
                               .crop = 0.875,
                               .filter = GH_FILTER_BICUBIC};
}

/* torchvision 0.15: Resize(256) makes the short side 256 and the long one int(256 * long / short);
 * CenterCrop(224) begins at round((side - 224) / 2), halves to even. Corners were computed with it by hand.
 */
static const struct {
    int width, height, resized_width, resized_height, left, top;
} crops[] = {
    {512, 512, 256, 256, 16, 16},
    {500, 375, 341, 256, 58, 16}, /* (341 - 224) / 2 = 58.5 -> 58 */
    {375, 500, 256, 341, 16, 58},
    {640, 427, 383, 256, 80, 16}, /* 79.5 -> 80 */
    {1, 1, 256, 256, 16, 16},
    {1, 20000, 256, 5120000, 16, 2559888},
    {20000, 1, 5120000, 256, 2559888, 16},
};

START_TEST(test_crop_box_is_torchvisions)
{
    gh_manifest_input in = lite0();
    int w = crops[_i].width, h = crops[_i].height;
    gh_placement p = gh_preproc_place(&in, w, h);
    double sx = (double)w / crops[_i].resized_width, sy = (double)h / crops[_i].resized_height;
    ck_assert_double_eq_tol(p.box.x, crops[_i].left * sx, 1e-9);
    ck_assert_double_eq_tol(p.box.y, crops[_i].top * sy, 1e-9);
    ck_assert_double_eq_tol(p.box.w, 224 * sx, 1e-9);
    ck_assert_double_eq_tol(p.box.h, 224 * sy, 1e-9);
    ck_assert_int_eq(p.x, 0);
    ck_assert_int_eq(p.width, 224);
}
END_TEST

/* Whatever the sizes, the box lies within the picture and is not empty. */
START_TEST(test_every_box_lies_within)
{
    static const int sides[] = {1, 2, 3, 7, 31, 223, 224, 225, 255, 256, 257, 1000, 4001, 65535};
    static const double shares[] = {1, 0.875, 0.5, 0.1};
    for (size_t i = 0; i < GH_COUNT(sides) * GH_COUNT(sides) * GH_COUNT(shares) * 3; i++) {
        gh_manifest_input in = lite0();
        size_t rest = i;
        int w = sides[rest % GH_COUNT(sides)], h = sides[(rest /= GH_COUNT(sides)) % GH_COUNT(sides)];
        in.crop = shares[(rest /= GH_COUNT(sides)) % GH_COUNT(shares)];
        in.fit = (gh_fit)(rest / GH_COUNT(shares));
        in.height = 160; /* not square */
        gh_placement p = gh_preproc_place(&in, w, h);
        ck_assert_msg(p.box.x >= 0 && p.box.y >= 0 && p.box.w > 0 && p.box.h > 0 && p.box.x + p.box.w <= w &&
                          p.box.y + p.box.h <= h,
                      "%d x %d, fit %d", w, h, (int)in.fit);
        ck_assert(p.width >= 1 && p.height >= 1 && p.x >= 0 && p.y >= 0);
        ck_assert(p.x + p.width <= in.width && p.y + p.height <= in.height);
        int mw, mh;
        gh_preproc_min_size(&mw, &mh, &in, w, h);
        ck_assert(mw >= 0 && mh >= 0 && mw <= w && mh <= h);
    }
}
END_TEST

START_TEST(test_minimal_size)
{
    gh_manifest_input in = lite0();
    int w, h;
    gh_preproc_min_size(&w, &h, &in, 4000, 3000);
    ck_assert_int_eq(h, 512); /* twice the 256 of the resized short side */
    ck_assert_int_eq(w, 682);
    gh_preproc_min_size(&w, &h, &in, 500, 375);
    ck_assert_int_eq(w, 0);
    ck_assert_int_eq(h, 0);
    in.filter = GH_FILTER_BILINEAR_PLAIN;
    gh_preproc_min_size(&w, &h, &in, 4000, 3000);
    ck_assert_int_eq(h, 512);
    in = lite0();
    in.fit = GH_FIT_STRETCH;
    gh_preproc_min_size(&w, &h, &in, 4000, 3000);
    ck_assert_int_eq(w, 448);
    ck_assert_int_eq(h, 448);
}
END_TEST

static float *run(const gh_image *image, const gh_manifest_input *in)
{
    size_t count = (size_t)in->width * (size_t)in->height * 3;
    gh_tensor t = {GH_F32, gh_shape_of(4, (int64_t[]){1, 3, in->height, in->width}),
                   gh_alloc_aligned(count * sizeof(float))};
    uint8_t *scratch = gh_alloc(count);
    gh_err e = {0};
    ck_assert(t.data && scratch);
    ck_assert_msg(gh_preproc_run(&t, image, in, scratch, &e) == GH_OK, "%s", e.text);
    gh_free(scratch);
    return t.data;
}

/* The box in one step against the whole picture resized and then cut: the same pixels. */
START_TEST(test_one_step_is_two_steps)
{
    static const int sizes[][2] = {{500, 375}, {333, 480}, {256, 256}, {300, 240}};
    gh_manifest_input in = lite0();
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        gh_image *image = gh_test_picture(sizes[i][0], sizes[i][1]);
        int w = image->width, h = image->height;
        int rw = w <= h ? 256 : 256 * w / h, rh = w <= h ? 256 * h / w : 256;
        uint8_t *whole = gh_alloc((size_t)rw * (size_t)rh * 3);
        gh_err e = {0};
        ck_assert_int_eq(gh_resize(whole, rw, rh, image, (gh_rect){0, 0, w, h}, GH_FILTER_BICUBIC, &e),
                         GH_OK);
        int left = (int)nearbyint((rw - 224) / 2.0), top = (int)nearbyint((rh - 224) / 2.0);
        float *got = run(image, &in);
        for (int p = 0; p < 224 * 224 * 3; p++) {
            int c = p / (224 * 224), y = p / 224 % 224, x = p % 224;
            int want = whole[((size_t)(top + y) * (size_t)rw + (size_t)(left + x)) * 3 + (size_t)c];
            float level = got[p] * 128 + 127;
            ck_assert_msg(fabsf(level - (float)want) <= 1, "%d x %d at %d %d: %g for %d", w, h, x, y, level,
                          want);
        }
        gh_free(got);
        gh_free(whole);
        gh_image_free(&image);
    }
}
END_TEST

static gh_image *solid(int width, int height, int r, int g, int b)
{
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_int_eq(gh_image_new(&image, width, height, &e), GH_OK);
    for (int i = 0; i < width * height; i++) {
        image->pixels[3 * i] = (uint8_t)r;
        image->pixels[3 * i + 1] = (uint8_t)g;
        image->pixels[3 * i + 2] = (uint8_t)b;
    }
    return image;
}

START_TEST(test_normalisation_and_order)
{
    gh_image *image = solid(30, 20, 10, 20, 30);
    gh_manifest_input in = {
        .width = 4, .height = 4, .mean = {1, 2, 3}, .scale = {1, 0.5f, 2}, .fit = GH_FIT_STRETCH, .crop = 1};
    float *got = run(image, &in);
    ck_assert_float_eq_tol(got[0], (10 - 1) * 1.0f, 1e-5f);
    ck_assert_float_eq_tol(got[16], (20 - 2) * 0.5f, 1e-5f);
    ck_assert_float_eq_tol(got[32], (30 - 3) * 2.0f, 1e-5f);
    gh_free(got);
    in.order = GH_ORDER_BGR; /* mean and scale stand in the network's order */
    got = run(image, &in);
    ck_assert_float_eq_tol(got[0], (30 - 1) * 1.0f, 1e-5f);
    ck_assert_float_eq_tol(got[32], (10 - 3) * 2.0f, 1e-5f);
    gh_free(got);
    gh_image_free(&image);
}
END_TEST

START_TEST(test_letterbox_is_centred_on_the_mean)
{
    gh_image *wide = solid(40, 10, 200, 100, 50), *tall = solid(10, 40, 200, 100, 50);
    gh_manifest_input in = {.width = 8,
                            .height = 8,
                            .mean = {10, 20, 30},
                            .scale = {1, 1, 1},
                            .fit = GH_FIT_LETTERBOX,
                            .crop = 1};
    float *a = run(wide, &in), *b = run(tall, &in); /* 8 x 2 at row 3, 2 x 8 at column 3 */
    for (int p = 0; p < 64; p++) {
        bool in_a = p / 8 == 3 || p / 8 == 4, in_b = p % 8 == 3 || p % 8 == 4;
        ck_assert_float_eq_tol(a[p], in_a ? 190 : 0, 1e-4f);
        ck_assert_float_eq_tol(b[p], in_b ? 190 : 0, 1e-4f);
        ck_assert_float_eq_tol(a[64 + p], in_a ? 80 : 0, 1e-4f);
        ck_assert_float_eq_tol(b[128 + p], in_b ? 20 : 0, 1e-4f);
    }
    in.order = GH_ORDER_BGR; /* the fill follows the network's order too */
    float *c = run(wide, &in);
    ck_assert_float_eq_tol(c[0], 0, 1e-4f);
    ck_assert_float_eq_tol(c[64 + 3 * 8], 80, 1e-4f);
    ck_assert_float_eq_tol(c[3 * 8], 40, 1e-4f);
    gh_free(a);
    gh_free(b);
    gh_free(c);
    gh_image_free(&wide);
    gh_image_free(&tall);
}
END_TEST

/* Without antialiasing the floats go straight to the network: as the rounded pixels, but not rounded, and
 * with the very mean around them. */
START_TEST(test_plain_filter_is_not_rounded)
{
    gh_manifest_input in = {.width = 40,
                            .height = 40,
                            .order = GH_ORDER_BGR,
                            .mean = {100.3f, 120, 140},
                            .scale = {0.5f, 0.25f, 2},
                            .fit = GH_FIT_LETTERBOX,
                            .filter = GH_FILTER_BILINEAR_PLAIN};
    gh_image *image = gh_test_picture(100, 50);
    gh_placement p = gh_preproc_place(&in, 100, 50);
    uint8_t *pixels = gh_alloc(40 * 40 * 3);
    gh_tensor rounded = {GH_F32, gh_shape_of(4, (int64_t[]){1, 3, 40, 40}),
                         gh_alloc_aligned(3 * 40 * 40 * 4)};
    ck_assert_int_eq(gh_preproc_pixels(pixels, image, &in, &p, NULL), GH_OK);
    gh_preproc_normalise(&rounded, pixels, &in);
    float *got = run(image, &in), *near = rounded.data;
    size_t fractions = 0;
    for (int at = 0; at < 3 * 40 * 40; at++) {
        int c = at / 1600, y = at / 40 % 40;
        float level = got[at] / in.scale[c] + in.mean[c];
        if (y < 10 || y >= 30)
            ck_assert(got[at] == 0);
        else
            ck_assert(fabsf(got[at] - near[at]) <= 0.503f * in.scale[c]);
        fractions += y >= 10 && y < 30 && fabsf(level - roundf(level)) > 0.1f;
    }
    ck_assert_uint_gt(fractions, 1000);
    gh_free(got);
    gh_free(near);
    gh_free(pixels);
    gh_image_free(&image);
}
END_TEST

/* A picture decoded at half its size gives the same box. */
START_TEST(test_box_follows_a_scaled_decode)
{
    gh_manifest_input in = lite0();
    gh_image *full = gh_test_picture(1600, 1200), *half = NULL;
    gh_err e = {0};
    ck_assert_int_eq(gh_image_new(&half, 800, 600, &e), GH_OK);
    ck_assert_int_eq(
        gh_resize(half->pixels, 800, 600, full, (gh_rect){0, 0, 1600, 1200}, GH_FILTER_BILINEAR, &e), GH_OK);
    half->full_width = 1600;
    half->full_height = 1200;
    float *a = run(full, &in), *b = run(half, &in);
    double sum = 0;
    for (int i = 0; i < 224 * 224 * 3; i++)
        sum += fabs(a[i] - b[i]) * 128;
    ck_assert_double_lt(sum / (224 * 224 * 3), 1.5); /* levels; a box that is off by a pixel gives far more */
    gh_free(a);
    gh_free(b);
    gh_image_free(&full);
    gh_image_free(&half);
}
END_TEST

/* The photo side by side in 4096 x 3072 pixels, as a camera's JPEG (4:2:0). */
static void make_twelve_megapixels(gh_buf *out)
{
    gh_buf file = {0};
    gh_image_info info;
    gh_image *photo = NULL, *all = NULL;
    gh_err e = {0};
    if (gh_file_read(&file, ".build/photos/astronaut.png", (size_t)1 << 24, &e) != GH_OK)
        ck_abort_msg("%s; `make photos` fetches it", e.text);
    ck_assert_int_eq(gh_image_probe(&info, file.data, file.len, NULL, &e), GH_OK);
    ck_assert_int_eq(gh_image_decode(&photo, file.data, file.len, &info, 0, 0, &e), GH_OK);
    ck_assert_int_eq(gh_image_new(&all, 8 * 512, 6 * 512, &e), GH_OK);
    for (size_t row = 0; row < (size_t)all->height * 8; row++)
        memcpy(all->pixels + row * 512 * 3, photo->pixels + row / 8 % 512 * 512 * 3, 512 * 3);
    ck_assert_int_eq(gh_jpeg_encode_rgb(out, all->pixels, all->width, all->height, 90, &e), GH_OK);
    gh_image_free(&photo);
    gh_image_free(&all);
    gh_buf_free(&file);
}

static uint64_t decode_and_resize(gh_tensor *dst, uint8_t *scratch, const gh_buf *jpeg,
                                  const gh_manifest_input *in, int min_width, int min_height)
{
    gh_image_info info;
    gh_image *image = NULL;
    uint64_t start = gh_now_ns();
    ck_assert_int_eq(gh_image_probe(&info, jpeg->data, jpeg->len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, jpeg->data, jpeg->len, &info, min_width, min_height, NULL),
                     GH_OK);
    ck_assert_int_eq(gh_preproc_run(dst, image, in, scratch, NULL), GH_OK);
    uint64_t took = gh_now_ns() - start;
    ck_assert_int_eq(image->width, min_width ? 2048 : 4096);
    gh_image_free(&image);
    return took;
}

/* For a model of any size, at most three quarters of the time that full size takes; bench-decode measures it
 * (0.55). The least of some rounds by turns, so that other work on the machine does not decide. */
START_TEST(test_large_photos_cost_less)
{
    gh_manifest_input in = {.width = 640,
                            .height = 480,
                            .stride = 32,
                            .scale = {1, 1, 1},
                            .fit = GH_FIT_STRETCH,
                            .filter = GH_FILTER_BILINEAR};
    gh_buf jpeg = {0};
    int min_width, min_height;
    uint64_t full = UINT64_MAX, scaled = UINT64_MAX;
    make_twelve_megapixels(&jpeg);
    gh_preproc_choose(&in, 4096, 3072, 0);
    ck_assert(in.width == 1280 && in.height == 960);
    gh_preproc_min_size(&min_width, &min_height, &in, 4096, 3072);
    gh_tensor t = {.type = GH_F32,
                   .shape = gh_shape_of(4, (int64_t[]){1, 3, in.height, in.width}),
                   .data = gh_alloc_aligned((size_t)in.width * (size_t)in.height * 3 * sizeof(float))};
    uint8_t *scratch = gh_alloc((size_t)in.width * (size_t)in.height * 3);
    for (int round = 0; round < 3; round++) {
        uint64_t a = decode_and_resize(&t, scratch, &jpeg, &in, 0, 0);
        uint64_t b = decode_and_resize(&t, scratch, &jpeg, &in, min_width, min_height);
        full = a < full ? a : full;
        scaled = b < scaled ? b : scaled;
    }
    ck_assert_msg((double)scaled <= 0.75 * (double)full, "%.1f ms of %.1f", (double)scaled / 1e6,
                  (double)full / 1e6);
    gh_free(t.data);
    gh_free(scratch);
    gh_buf_free(&jpeg);
}
END_TEST

Suite *gh_suite_preproc(void)
{
    Suite *s = suite_create("preproc");
    TCase *t = tcase_create("preproc");
    tcase_add_loop_test(t, test_crop_box_is_torchvisions, 0, (int)GH_COUNT(crops));
    tcase_add_test(t, test_every_box_lies_within);
    tcase_add_test(t, test_minimal_size);
    tcase_add_test(t, test_one_step_is_two_steps);
    tcase_add_test(t, test_normalisation_and_order);
    tcase_add_test(t, test_letterbox_is_centred_on_the_mean);
    tcase_add_test(t, test_plain_filter_is_not_rounded);
    tcase_add_test(t, test_box_follows_a_scaled_decode);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_large_photos_cost_less);
    suite_add_tcase(s, t);
    return s;
}
