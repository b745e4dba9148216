/* The bytes of masks over HTTP: as many bits a pixel as the classes need, a palette that shows each of them,
 * and run lengths that COCO's tools read. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/onnx.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 8 };

static char dir[64];
static server s;
static reply r;

static const int classes[] = {2, 3, 4, 5, 16, 17, 256};

/* A model of that many classes: red is class 0, green the last, and blue the last but one. */
static void write_model(int n)
{
    char path[160];
    gh_graph *g = NULL;
    gh_buf text = {0};
    gh_err e = {0};
    float *weights = NULL;
    snprintf(path, sizeof path, "%s/m%d", dir, n);
    ck_assert_int_eq(gh_dir_make(path, &e), GH_OK);
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (const int64_t[]){1, 3, SIDE, SIDE}));
    uint32_t w = gh_graph_const_f32(g, "w", gh_shape_of(4, (const int64_t[]){n, 3, 1, 1}), &weights);
    ck_assert_ptr_nonnull(weights);
    memset(weights, 0, (size_t)n * 3 * sizeof *weights);
    weights[0] = weights[(n - 1) * 3 + 1] = weights[(n - 2) * 3 + 2] = 1;
    gh_graph_output(g, gh_graph_op(g, "Conv", "mask", (const uint32_t[]){x, w}, 2));
    snprintf(path, sizeof path, "%s/m%d/model.onnx", dir, n);
    ck_assert_msg(gh_onnx_write(g, path, &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
    gh_buf_printf(
        &text,
        "{\"name\":\"m%d\",\"version\":\"1\",\"task\":\"segment\",\"input\":{\"width\":8,\"height\":8,"
        "\"mean\":0,\"scale\":0.00392156863,\"fit\":\"stretch\"},\"output\":{\"decoder\":\"mask\"},"
        "\"labels\":[",
        n);
    for (int i = 0; i < n; i++)
        gh_buf_printf(&text, "%s\"c%d\"", i ? "," : "", i);
    gh_buf_str(&text, "]}");
    snprintf(path, sizeof path, "%s/m%d/model.json", dir, n);
    ck_assert_int_eq(gh_file_write(path, text.data, text.len, &e), GH_OK);
    gh_buf_free(&text);
}

static void up(void)
{
    strcpy(dir, "/tmp/gharial-bits-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (size_t i = 0; i < GH_COUNT(classes); i++)
        write_model(classes[i]);
    link_model("person", dir);
    server_start(&s, ARGS("--models", dir));
}

static void down(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
    remove_folder(dir);
}

static void done(void)
{
    reply_free(&r);
}

/* The reply's PNG, of that size, as a class a pixel; the caller's. */
static uint8_t *index_of(int width, int height)
{
    gh_image_info info;
    uint8_t *found = NULL;
    gh_err e = {0};
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (const char *)r.body.data);
    ck_assert_int_eq(gh_image_probe(&info, r.body.data, r.body.len, NULL, &e), GH_OK);
    ck_assert(info.width == width && info.height == height);
    ck_assert_msg(gh_png_decode_index(&found, r.body.data, r.body.len, &info, &e) == GH_OK, "%s", e.text);
    return found;
}

/* 1, 2, 4 or 8 bits, the fewest that hold the last class; every class that is there has a colour of its own.
 */
START_TEST(test_bits_of_a_pixel)
{
    uint8_t pixels[SIDE * SIDE * 3] = {0};
    int n = classes[_i], bits = n <= 2 ? 1 : n <= 4 ? 2 : n <= 16 ? 4 : 8;
    const int of_colour[3] = {0, n - 1, n - 2};
    char target[48], last[16];
    gh_buf png = {0};
    gh_image_info info;
    gh_image *shown = NULL;
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[3 * i + i % 3] = 255;
    ck_assert_int_eq(gh_png_encode_rgb(&png, pixels, SIDE, SIDE, NULL), GH_OK);
    snprintf(target, sizeof target, "/segment?model=m%d", n);
    ask(&r, s.address, "POST", target, NULL, png.data, png.len);
    uint8_t *found = index_of(SIDE, SIDE);
    ck_assert_int_eq(r.body.data[24], bits);
    ck_assert_int_eq(r.body.data[25], 3); /* PNG: with a palette */
    ck_assert_int_eq(gh_image_probe(&info, r.body.data, r.body.len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&shown, r.body.data, r.body.len, &info, 0, 0, NULL), GH_OK);
    for (int i = 0; i < SIDE * SIDE; i++) {
        ck_assert_int_eq(found[i], of_colour[i % 3]);
        for (int k = 0; k < i; k++) /* alike where the class is */
            ck_assert_int_eq(memcmp(shown->pixels + 3 * i, shown->pixels + 3 * k, 3) == 0,
                             found[i] == found[k]);
    }
    snprintf(last, sizeof last, ",c%d", n - 1);
    const char *labels = reply_header(&r, "X-Labels");
    ck_assert_msg(strlen(labels) > strlen(last) && strcmp(labels + strlen(labels) - strlen(last), last) == 0,
                  "%s", labels);
    gh_free(found);
    gh_image_free(&shown);
    gh_buf_free(&png);
}
END_TEST

/* COCO's compressed counts: five bits a character from '0', lowest first, from the third on the difference to
 * the count before the last; runs down the columns, the first of them of zeros. */
static void fill_from_counts(uint8_t *mask, int width, int height, const char *text)
{
    long counts[3] = {0}, at = 0, all = (long)width * height;
    for (int n = 0; *text; n++) {
        long v = 0;
        for (int k = 0;; k++) {
            int c = *text++ - '0';
            ck_assert(c >= 0 && c < 64 && k < 6);
            v |= (long)(c & 31) << 5 * k;
            if (!(c & 32)) {
                v -= c & 16 ? 1L << 5 * (k + 1) : 0;
                break;
            }
        }
        v += n > 2 ? counts[1] : 0;
        counts[1] = counts[2];
        counts[2] = v;
        ck_assert_msg(v >= 0 && at + v <= all, "run %d of %ld pixels at %ld of %ld", n, v, at, all);
        for (long end = at + v; at < end; at++)
            mask[at % height * width + at / height] = n % 2;
    }
    ck_assert_int_eq(at, all);
}

static const struct {
    const char *name;
    int width, height;
} photos[] = {{"astronaut.png", 512, 512}, {"chelsea.png", 451, 300}};

/* The run lengths of a photo are the mask of the same photo. */
START_TEST(test_run_lengths)
{
    const gh_buf *picture = photo(photos[_i].name);
    int width = photos[_i].width, height = photos[_i].height;
    size_t all = (size_t)width * (size_t)height, pixels = 0;
    ask(&r, s.address, "POST", "/segment?output=index", NULL, picture->data, picture->len);
    uint8_t *want = index_of(width, height), *got = gh_calloc(all, 1);
    ck_assert_ptr_nonnull(got);
    json_t *o = ask_json(&r, s.address, "/segment?mask=rle", picture->data, picture->len);
    const json_t *area = json_array_get(json_object_get(o, "labels"), 0), *rle = json_object_get(area, "rle");
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(rle, "size"), 0)), height);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(rle, "size"), 1)), width);
    fill_from_counts(got, width, height, json_string_value(json_object_get(rle, "counts")));
    ck_assert_mem_eq(got, want, all);
    for (size_t i = 0; i < all; i++)
        pixels += got[i];
    ck_assert_uint_eq((size_t)json_integer_value(json_object_get(area, "pixels")), pixels);
    json_decref(o);
    gh_free(want);
    gh_free(got);
}
END_TEST

Suite *suite_masks(void)
{
    Suite *suite = suite_create("masks");
    TCase *t = tcase_create("masks");
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_loop_test(t, test_bits_of_a_pixel, 0, GH_COUNT(classes));
    tcase_add_loop_test(t, test_run_lengths, 0, GH_COUNT(photos));
    suite_add_tcase(suite, t);
    return suite;
}
