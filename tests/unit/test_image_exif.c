/* Orientation: all eight, from all three formats, at every scale, and EXIF that does not hold. */
#include "unit/picture.h"
#include "unit/suites.h"

#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include "unit/golden_pictures.inc"

/* Where the stored pixel (x, y) of a width * height picture is to be seen (Exif 2.3, tag 0x0112: row 0 and
 * column 0 are the visual top and left, top and right, bottom right, bottom left, left top, right top, right
 * bottom, left bottom). */
static void seen_at(int *u, int *v, int orientation, int x, int y, int width, int height)
{
    int right = width - 1 - x, below = height - 1 - y;
    const int places[9][2] = {[1] = {x, y}, [2] = {right, y}, [3] = {right, below}, [4] = {x, below},
                              [5] = {y, x}, [6] = {below, x}, [7] = {below, right}, [8] = {y, right}};
    *u = places[orientation][0];
    *v = places[orientation][1];
}

static gh_image *decode(const gh_buf *file, int orientation, int min_width, int min_height)
{
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_msg(gh_image_probe(&info, file->data, file->len, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(info.orientation, orientation);
    ck_assert_int_eq(info.width, orientation >= 5 ? info.coded_height : info.coded_width);
    ck_assert_msg(gh_image_decode(&image, file->data, file->len, &info, min_width, min_height, &e) == GH_OK,
                  "%s", e.text);
    ck_assert(image->full_width == info.width && image->full_height == info.height);
    return image;
}

static void check_turned(const gh_image *turned, const gh_image *stored, int orientation)
{
    int w = stored->width, h = stored->height;
    ck_assert_int_eq(turned->width, orientation >= 5 ? h : w);
    ck_assert_int_eq(turned->height, orientation >= 5 ? w : h);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int u, v;
            seen_at(&u, &v, orientation, x, y, w, h);
            ck_assert_msg(memcmp(turned->pixels + (v * turned->width + u) * 3,
                                 stored->pixels + (y * w + x) * 3, 3) == 0,
                          "orientation %d: stored %d,%d is not at %d,%d", orientation, x, y, u, v);
        }
}

START_TEST(test_jpeg_in_both_byte_orders)
{
    gh_buf plain = {0}, file = {0};
    gh_image *source = gh_test_picture(200, 131);
    ck_assert(gh_jpeg_encode_rgb(&plain, source->pixels, 200, 131, 90, NULL) == GH_OK);
    for (int big = 0; big < 2; big++)
        for (int small = 0; small < 2; small++) {
            bool swap = _i >= 5;
            file.len = 0;
            gh_test_jpeg_turn(&file, plain.data, plain.len, _i, big);
            /* 100 x 66 stored is half size; the smallest size is asked for as seen. */
            int min_width = small ? (swap ? 66 : 100) : 0, min_height = small ? (swap ? 100 : 66) : 0;
            gh_image *stored = decode(&plain, 1, small ? 100 : 0, small ? 66 : 0);
            gh_image *turned = decode(&file, _i, min_width, min_height);
            ck_assert_int_eq(stored->width, small ? 100 : 200);
            check_turned(turned, stored, _i);
            gh_image_free(&stored);
            gh_image_free(&turned);
        }
    gh_image_free(&source);
    gh_buf_free(&plain);
    gh_buf_free(&file);
}
END_TEST

/* The eXIf chunk may stand before or after the picture data. */
START_TEST(test_png)
{
    gh_image *source = gh_test_picture(70, 9);
    for (int after = 0; after < 2; after++) {
        gh_buf plain = {0}, tiff = {0}, file = {0};
        ck_assert(gh_png_encode_rgb(&plain, source->pixels, 70, 9, NULL) == GH_OK);
        gh_test_tiff(&tiff, _i, after);
        size_t at = after ? plain.len - 12 : 33;
        gh_buf_add(&file, plain.data, at);
        gh_test_png_chunk(&file, "eXIf", tiff.data, tiff.len);
        gh_buf_add(&file, plain.data + at, plain.len - at);
        gh_image *turned = decode(&file, _i, 0, 0);
        check_turned(turned, source, _i);
        gh_image_free(&turned);
        gh_buf_free(&plain);
        gh_buf_free(&tiff);
        gh_buf_free(&file);
    }
    gh_image_free(&source);
}
END_TEST

/* Pillow wrote orientation 6 into the same picture. */
START_TEST(test_webp)
{
    gh_buf plain = {.data = (uint8_t *)(uintptr_t)webp_lossless, .len = sizeof webp_lossless};
    gh_buf file = {.data = (uint8_t *)(uintptr_t)webp_turned, .len = sizeof webp_turned};
    gh_image *stored = decode(&plain, 1, 0, 0), *turned = decode(&file, 6, 0, 0);
    check_turned(turned, stored, 6);
    gh_image_free(&stored);
    gh_image_free(&turned);
}
END_TEST

static int orientation_of(const gh_buf *tiff)
{
    /* A copy of the exact length, so that the sanitizer sees a read beyond it. */
    uint8_t *copy = malloc(tiff->len > 0 ? tiff->len : 1);
    ck_assert_ptr_nonnull(copy);
    if (tiff->len > 0)
        memcpy(copy, tiff->data, tiff->len);
    int got = gh_exif_orientation(copy, tiff->len);
    free(copy);
    return got;
}

START_TEST(test_bad_exif_means_as_stored)
{
    gh_buf tiff = {0};
    gh_test_tiff(&tiff, 6, false);
    ck_assert_int_eq(orientation_of(&tiff), 6);
    size_t whole = tiff.len;
    for (tiff.len = 0; tiff.len < whole - 4;
         tiff.len++) /* the last 4 bytes are the next directory's offset */
        ck_assert_int_eq(orientation_of(&tiff), 1);
    static const struct {
        size_t at;
        const char *bytes;
        size_t len;
    } damages[] = {
        {0, "XX", 2},               /* no byte order */
        {2, "\x2b", 1},             /* not a TIFF */
        {4, "\xff\xff\xff\xff", 4}, /* directory far away */
        {4, "\x30\0\0\0", 4},       /* directory in the last bytes */
        {8, "\2\0", 2},             /* directory ends before the tag */
        {36, "\2\0", 2},            /* text */
        {38, "\2\0\0\0", 4},        /* two values */
        {42, "\0\0", 2},            /* orientation 0 */
        {42, "\x09\0", 2},          /* orientation 9 */
    };
    for (size_t i = 0; i < GH_COUNT(damages); i++) {
        tiff.len = 0;
        gh_test_tiff(&tiff, 6, false);
        memcpy(tiff.data + damages[i].at, damages[i].bytes, damages[i].len);
        ck_assert_msg(orientation_of(&tiff) == 1, "damage %zu is believed", i);
    }
    tiff.len = 0;
    gh_test_tiff(&tiff, 5, true);
    tiff.data[9] = 0xff; /* 255 entries: more than there are bytes for, but the tag comes before the end */
    ck_assert_int_eq(orientation_of(&tiff), 5);
    gh_buf_free(&tiff);
}
END_TEST

Suite *gh_suite_image_exif(void)
{
    Suite *s = suite_create("image_exif");
    TCase *t = tcase_create("image_exif");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_jpeg_in_both_byte_orders, 1, 9);
    tcase_add_loop_test(t, test_png, 1, 9);
    tcase_add_test(t, test_webp);
    tcase_add_test(t, test_bad_exif_means_as_stored);
    suite_add_tcase(s, t);
    return s;
}
