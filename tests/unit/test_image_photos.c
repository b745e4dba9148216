/* The six real photos that `make check` fetches (GHARIAL_PHOTOS says where; .build/photos by default): they
 * decode to what Pillow 11.3.0 sees, and a smaller JPEG keeps its colours. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "base/file.h"
#include "image/resize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Size, the mean of all RGB bytes, and a 2 x 2 bicubic miniature (top left and bottom right pixel), from
 * Pillow: Image.open(f).convert("RGB").resize((2, 2), Image.BICUBIC). */
static const struct {
    const char *name;
    int width, height;
    double mean;
    uint8_t top_left[3], bottom_right[3];
} photos[] = {
    {"astronaut.png", 512, 512, 114.599, {150, 121, 113}, {88, 66, 60}},
    {"chelsea.png", 451, 300, 115.305, {144, 105, 75}, {152, 117, 93}},
    {"coffee.png", 600, 400, 98.616, {172, 95, 56}, {135, 58, 30}},
    {"rocket.jpg", 640, 427, 65.277, {41, 58, 90}, {62, 66, 81}},
    {"motorcycle_left.png", 741, 500, 107.705, {123, 91, 83}, {121, 93, 83}},
    {"camera.png", 512, 512, 129.061, {116, 116, 116}, {145, 145, 145}},
};

static void read_photo(gh_buf *out, const char *name)
{
    char path[512];
    gh_err e = {0};
    const char *dir = getenv("GHARIAL_PHOTOS");
    snprintf(path, sizeof path, "%s/%s", dir != NULL ? dir : ".build/photos", name);
    gh_status status = gh_file_read(out, path, 16 << 20, &e);
    ck_assert_msg(status == GH_OK, "%s (make check fetches the photos)", e.text);
}

static gh_image *decode(const gh_buf *file, int min_width, int min_height)
{
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_msg(gh_image_probe(&info, file->data, file->len, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_image_decode(&image, file->data, file->len, &info, min_width, min_height, &e) == GH_OK,
                  "%s", e.text);
    return image;
}

static double mean_of(const gh_image *image)
{
    size_t bytes = (size_t)image->width * (size_t)image->height * 3;
    double sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += image->pixels[i];
    return sum / (double)bytes;
}

START_TEST(test_same_as_pillow)
{
    gh_buf file = {0};
    uint8_t small[2 * 2 * 3];
    read_photo(&file, photos[_i].name);
    gh_image *image = decode(&file, 0, 0);
    ck_assert_int_eq(image->width, photos[_i].width);
    ck_assert_int_eq(image->height, photos[_i].height);
    ck_assert_double_le(fabs(mean_of(image) - photos[_i].mean), 0.02);
    gh_rect all = {0, 0, image->width, image->height};
    ck_assert(gh_resize(small, 2, 2, image, all, GH_FILTER_BICUBIC, NULL) == GH_OK);
    ck_assert_int_le(gh_test_max_diff(small, photos[_i].top_left, 3), 1);
    ck_assert_int_le(gh_test_max_diff(small + 9, photos[_i].bottom_right, 3), 1);
    gh_image_free(&image);
    gh_buf_free(&file);
}
END_TEST

/* A quarter of the size by the DCT, then 64 x 64, is close to 64 x 64 from the whole. */
START_TEST(test_jpeg_scale_keeps_the_picture)
{
    gh_buf file = {0};
    uint8_t from_full[64 * 64 * 3], from_quarter[64 * 64 * 3];
    read_photo(&file, "rocket.jpg");
    gh_image *full = decode(&file, 0, 0), *quarter = decode(&file, 128, 100);
    ck_assert_int_eq(quarter->width, 160);
    ck_assert_int_eq(quarter->height, 107);
    ck_assert_int_eq(quarter->full_width, full->width);
    ck_assert(gh_resize(from_full, 64, 64, full, (gh_rect){0, 0, full->width, full->height},
                        GH_FILTER_BILINEAR, NULL) == GH_OK);
    ck_assert(gh_resize(from_quarter, 64, 64, quarter, (gh_rect){0, 0, quarter->width, quarter->height},
                        GH_FILTER_BILINEAR, NULL) == GH_OK);
    double sum = 0;
    for (size_t i = 0; i < sizeof from_full; i++)
        sum += abs(from_full[i] - from_quarter[i]);
    ck_assert_double_lt(sum / sizeof from_full, 1.5);
    gh_image_free(&full);
    gh_image_free(&quarter);
    gh_buf_free(&file);
}
END_TEST

/* The photo cut at every fiftieth of its length: a broken header is refused, a broken rest is passed over. */
START_TEST(test_cut_photo)
{
    gh_buf file = {0};
    read_photo(&file, photos[_i].name);
    bool jpeg = strstr(photos[_i].name, ".jpg") != NULL;
    for (size_t part = 1; part < 50; part++) {
        gh_image_info info;
        gh_image *image = NULL;
        gh_err e = {0};
        size_t len = file.len * part / 50;
        gh_status status = gh_image_probe(&info, file.data, len, NULL, &e);
        if (status == GH_OK)
            status = gh_image_decode(&image, file.data, len, &info, 0, 0, &e);
        ck_assert_msg(status == (jpeg ? GH_OK : GH_FORMAT), "part %zu: %s", part, e.text);
        ck_assert(!jpeg || image->truncated);
        gh_image_free(&image);
    }
    gh_buf_free(&file);
}
END_TEST

Suite *gh_suite_image_photos(void)
{
    Suite *s = suite_create("image_photos");
    TCase *t = tcase_create("image_photos");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_same_as_pillow, 0, (int)GH_COUNT(photos));
    tcase_add_loop_test(t, test_cut_photo, 0, (int)GH_COUNT(photos));
    tcase_add_test(t, test_jpeg_scale_keeps_the_picture);
    suite_add_tcase(s, t);
    return s;
}
