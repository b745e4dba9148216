/* POST /localize?annotate=1: the returned file is decoded and compared, pixel by pixel, with the picture that
 * was sent: lines where the boxes are, nothing changed far from them. */
#include "e2e/harness.h"

#include "base/status.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DETECTOR "faces-detector"
#define TARGET   "/localize?model=" DETECTOR
#define PNG      "Accept: image/png\r\n"

typedef struct box {
    int x, y, w, h;
} box;

static char dir[64];
static server s;
static reply r;
static gh_image *before, *after; /* the upright picture sent, and what came back */

/* The detector, beside the classifiers of every server here. */
static void up(void)
{
    strcpy(dir, "/tmp/gharial-annotate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char to[128];
    snprintf(to, sizeof to, "%s/" DETECTOR, dir);
    open_detector(to);
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
    gh_image_free(&before);
    gh_image_free(&after);
}

static gh_image *decode(const void *data, size_t len, gh_image_format format)
{
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_msg(gh_image_probe(&info, data, len, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(info.format, format);
    ck_assert_msg(gh_image_decode(&image, data, len, &info, 0, 0, &e) == GH_OK, "%s", e.text);
    ck_assert(!image->truncated);
    return image;
}

static gh_image *decode_any(const gh_buf *file)
{
    gh_image_info info;
    gh_image *image = NULL;
    ck_assert_int_eq(gh_image_probe(&info, file->data, file->len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, file->data, file->len, &info, 0, 0, NULL), GH_OK);
    return image;
}

static void post(const char *target, const char *headers, const gh_buf *body)
{
    reply_free(&r);
    ask(&r, s.address, "POST", target, headers, body->data, body->len);
}

/* Boxes by JSON, then the PNG; gives how many boxes, at most 64. */
static size_t annotate(box boxes[64], const gh_buf *file)
{
    gh_image_free(&before);
    gh_image_free(&after);
    before = decode_any(file);
    post(TARGET, NULL, file);
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (const char *)r.body.data);
    json_t *o = reply_json(&r), *objects = json_object_get(o, "objects");
    size_t n = json_array_size(objects);
    for (size_t i = 0; i < n && i < 64; i++) {
        json_t *b = json_array_get(objects, i);
        ck_assert_int_eq(json_unpack(b, "{s:i, s:i, s:i, s:i}", "x", &boxes[i].x, "y", &boxes[i].y, "w",
                                     &boxes[i].w, "h", &boxes[i].h),
                         0);
    }
    json_decref(o);
    post(TARGET "&annotate=1", PNG, file);
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (const char *)r.body.data);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "image/png");
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "Server-Timing"), "encode;dur="));
    after = decode(r.body.data, r.body.len, GH_IMAGE_PNG);
    ck_assert_int_eq(after->width, before->width);
    ck_assert_int_eq(after->height, before->height);
    return n;
}

/* Sum of the three channels' differences. */
static int changed(int x, int y)
{
    size_t at = ((size_t)y * (size_t)before->width + (size_t)x) * 3;
    int sum = 0;
    for (size_t i = at; i < at + 3; i++)
        sum += abs(before->pixels[i] - after->pixels[i]);
    return sum;
}

/* Of the pixels at one side of the box, inside or outside by less than two, the share that changed. A box's
 * sides lie between pixels, so either row of the two there may be the line's. */
static double side_share(const box *b, bool across, int at)
{
    int length = across ? b->w : b->h, other = across ? before->height : before->width, hits = 0, all = 0;
    for (int i = length / 8; i < length - length / 8; i++) {
        int most = 0;
        for (int k = at - 1; k <= at; k++)
            if (k >= 0 && k < other) {
                int d = across ? changed(b->x + i, k) : changed(k, b->y + i);
                most = d > most ? d : most;
            }
        hits += most > 12;
        all++;
    }
    return all ? (double)hits / all : 1;
}

static void check_sides(const box *b)
{
    ck_assert_double_gt(side_share(b, true, b->y), 0.9);
    ck_assert_double_gt(side_share(b, true, b->y + b->h), 0.9);
    ck_assert_double_gt(side_share(b, false, b->x), 0.9);
    ck_assert_double_gt(side_share(b, false, b->x + b->w), 0.9);
}

START_TEST(test_lines_are_where_the_boxes_are)
{
    box b[64];
    ck_assert_uint_eq(annotate(b, photo("astronaut.png")), 1);
    check_sides(&b[0]);
    int inside = 0, outside = 0;
    for (int y = 0; y < before->height; y++)
        for (int x = 0; x < before->width; x++) {
            /* a PNG holds the pixels as they were: none changed far from the box, and its label */
            if (x < b->x - 4 || x > b->x + b->w + 4 || y < b->y - 30 || y > b->y + b->h + 30)
                outside += changed(x, y);
            if (x > b->x + 4 && x < b->x + b->w - 4 && y > b->y + b->h * 3 / 4 + 4 && y < b->y + b->h - 4)
                inside += changed(x, y);
        }
    ck_assert_int_eq(outside, 0);
    ck_assert_int_lt(inside, 2000); /* the corners of the mouth, at most */
}
END_TEST

START_TEST(test_every_orientation)
{
    box first, b[64];
    for (int orientation = 1; orientation <= 8; orientation++) {
        gh_buf jpeg = {0};
        photo_turned(&jpeg, "astronaut.png", orientation);
        ck_assert_uint_eq(annotate(b, &jpeg), 1);
        if (orientation == 1)
            first = b[0];
        check_sides(&b[0]);
        ck_assert_int_le(abs(b->x - first.x), 2);
        ck_assert_int_le(abs(b->y - first.y), 2);
        ck_assert_int_le(abs(b->w - first.w), 2);
        ck_assert_int_le(abs(b->h - first.h), 2);
        gh_buf_free(&jpeg);
        photo_turned(&jpeg, "rocket.jpg", orientation); /* it is not square */
        ck_assert_uint_eq(annotate(b, &jpeg), 0);
        ck_assert_int_eq(after->width, 640);
        ck_assert_int_eq(after->height, 427);
        gh_buf_free(&jpeg);
    }
}
END_TEST

START_TEST(test_nothing_found_nothing_drawn)
{
    box b[64];
    ck_assert_uint_eq(annotate(b, photo("rocket.jpg")), 0);
    ck_assert_int_eq(memcmp(before->pixels, after->pixels, (size_t)after->width * (size_t)after->height * 3),
                     0);
}
END_TEST

static void encode(gh_buf *out, const gh_image *image)
{
    gh_err e = {0};
    ck_assert_int_eq(gh_jpeg_encode_rgb(out, image->pixels, image->width, image->height, 90, &e), GH_OK);
}

START_TEST(test_tiny_pictures)
{
    static const int sizes[][2] = {{1, 1}, {16, 16}, {1, 40}, {300, 1}};
    box b[64];
    for (size_t i = 0; i < GH_COUNT(sizes); i++) {
        gh_image *image = NULL;
        gh_buf jpeg = {0};
        ck_assert_int_eq(gh_image_new(&image, sizes[i][0], sizes[i][1], NULL), GH_OK);
        memset(image->pixels, 90, (size_t)image->width * (size_t)image->height * 3);
        encode(&jpeg, image);
        annotate(b, &jpeg);
        gh_image_free(&image);
        gh_buf_free(&jpeg);
    }
}
END_TEST

/* The astronaut three times as large, somewhere in 12 megapixels. */
START_TEST(test_twelve_megapixels)
{
    enum { W = 4000, H = 3000, TIMES = 3, X = 1500, Y = 900 };
    box b[64];
    gh_image *small = decode_any(photo("astronaut.png")), *large = NULL;
    gh_buf jpeg = {0};
    ck_assert_int_eq(gh_image_new(&large, W, H, NULL), GH_OK);
    memset(large->pixels, 120, (size_t)W * H * 3);
    for (int y = 0; y < small->height * TIMES; y++)
        for (int x = 0; x < small->width * TIMES; x++)
            memcpy(large->pixels + ((size_t)(Y + y) * W + (size_t)(X + x)) * 3,
                   small->pixels + ((size_t)(y / TIMES) * (size_t)small->width + (size_t)(x / TIMES)) * 3, 3);
    encode(&jpeg, large);
    ck_assert_uint_eq(annotate(b, &jpeg), 1);
    ck_assert_int_le(abs(b->x + b->w / 2 - (X + 222 * TIMES)), 15 * TIMES);
    check_sides(&b[0]);
    post(TARGET "&annotate=1", NULL, &jpeg);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "image/jpeg");
    gh_image *lossy = decode(r.body.data, r.body.len, GH_IMAGE_JPEG);
    ck_assert_int_eq(lossy->width, W);
    ck_assert_int_eq(lossy->height, H);
    gh_image_free(&lossy);
    gh_image_free(&small);
    gh_image_free(&large);
    gh_buf_free(&jpeg);
}
END_TEST

START_TEST(test_accept_decides)
{
    static const char *const rows[][2] = {
        {NULL, "image/jpeg"},
        {"Accept: */*\r\n", "image/jpeg"},
        {"Accept: image/*\r\n", "image/jpeg"},
        {"Accept: image/png\r\n", "image/png"},
        {"Accept: image/jpeg;q=0.4, image/png;q=0.5\r\n", "image/png"},
        {"Accept: image/png;q=0.4, */*;q=0.5\r\n", "image/jpeg"},
        {"Accept: application/json\r\n", "application/json"},
        {"Accept: application/json;q=0.9, image/png;q=0.8\r\n", "application/json"},
        {"Accept: application/json, text/plain, */*\r\n", "image/jpeg"},
        {"Accept: text/html\r\n", "image/jpeg"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        post(TARGET "&annotate=1", rows[i][0], photo("astronaut.png"));
        ck_assert_int_eq(r.status, 200);
        ck_assert_msg(strcmp(reply_header(&r, "Content-Type"), rows[i][1]) == 0, "%s: %s", rows[i][0],
                      reply_header(&r, "Content-Type"));
    }
    post(TARGET "&annotate=0", PNG, photo("astronaut.png"));
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "application/json");
    ck_assert_ptr_null(strstr(reply_header(&r, "Server-Timing"), "encode"));
}
END_TEST

/* The JPEG in "annotated". */
static gh_image *picture_within(const json_t *o)
{
    gh_buf bytes = {0};
    const char *text = json_string_value(json_object_get(o, "annotated"));
    ck_assert_ptr_nonnull(text);
    from_base64(&bytes, text);
    gh_image *image = decode(bytes.data, bytes.len, GH_IMAGE_JPEG);
    gh_buf_free(&bytes);
    return image;
}

START_TEST(test_batch_has_its_pictures_within)
{
    gh_buf body = {0};
    static const int sizes[][2] = {{512, 512}, {0, 0}, {640, 427}};
    add_part(&body, "image", photo("astronaut.png")->data, photo("astronaut.png")->len);
    add_part(&body, "image", photo("astronaut.png")->data, 5000);
    add_part(&body, "image", photo("rocket.jpg")->data, photo("rocket.jpg")->len);
    add_part(&body, "annotate", "1", 1);
    end_parts(&body);
    post(TARGET, FORM PNG, &body);
    ck_assert_int_eq(r.status, 200);
    json_t *o = reply_json(&r), *results = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(results), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *one = json_array_get(results, i);
        if (sizes[i][0]) {
            gh_image *image = picture_within(one);
            ck_assert_int_eq(image->width, sizes[i][0]);
            ck_assert_int_eq(image->height, sizes[i][1]);
            ck_assert_double_gt(json_number_value(json_object_get(json_object_get(one, "time_ms"), "encode")),
                                0);
            gh_image_free(&image);
        } else {
            ck_assert_int_eq(json_integer_value(json_object_get(one, "status")), 422);
            ck_assert_ptr_null(json_object_get(one, "annotated"));
        }
    }
    json_decref(o);
    gh_buf_free(&body);
}
END_TEST

/* A lone picture in JSON is answered as one in a form is. */
START_TEST(test_json_request)
{
    gh_buf body = {0};
    gh_buf_str(&body, "{\"annotate\":true,\"image\":\"");
    add_base64(&body, photo("astronaut.png")->data, photo("astronaut.png")->len);
    gh_buf_str(&body, "\"}");
    post(TARGET, JSON, &body);
    ck_assert_int_eq(r.status, 200);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "image/jpeg");
    after = decode(r.body.data, r.body.len, GH_IMAGE_JPEG);
    ck_assert_int_eq(after->width, 512);
    post(TARGET, JSON "Accept: application/json\r\n", &body);
    json_t *o = reply_json(&r);
    ck_assert_uint_eq(json_array_size(json_object_get(o, "objects")), 1);
    gh_image_free(&after);
    after = picture_within(o);
    ck_assert_int_eq(after->width, 512);
    json_decref(o);
    gh_buf_free(&body);
}
END_TEST

START_TEST(test_refusals)
{
    const gh_buf *cat = photo("chelsea.png");
    const gh_buf broken = {.data = photo("astronaut.png")->data, .len = 5000};
    post(TARGET "&annotate=2", NULL, cat);
    check_problem(&r, 400, "\"annotate\" must be 0 or 1 (or false or true); got \"2\"");
    post("/classify?annotate=yes", NULL, cat);
    check_problem(&r, 400, "\"annotate\" must be 0 or 1");
    post("/classify?annotate=1", NULL, cat);
    check_problem(&r, 400, "\"annotate\" draws boxes on the picture, which only /localize finds");
    post("/segment?annotate=1", NULL, cat);
    check_problem(&r, 400, "the task here is segment");
    post("/classify?annotate=0", NULL, cat);
    ck_assert_int_eq(r.status, 200);
    post(TARGET "&annotate=1", PNG, &broken);
    check_problem(&r, 422, "PNG");
    post("/localize?annotate=1&model=nobody", PNG, cat);
    check_problem(&r, 404, "nobody");
}
END_TEST

Suite *suite_annotate(void)
{
    Suite *suite = suite_create("annotate");
    TCase *c = tcase_create("annotate");
    tcase_set_timeout(c, 120);
    tcase_add_unchecked_fixture(c, up, down);
    tcase_add_checked_fixture(c, NULL, done);
    tcase_add_test(c, test_lines_are_where_the_boxes_are);
    tcase_add_test(c, test_every_orientation);
    tcase_add_test(c, test_nothing_found_nothing_drawn);
    tcase_add_test(c, test_tiny_pictures);
    tcase_add_test(c, test_twelve_megapixels);
    tcase_add_test(c, test_accept_decides);
    tcase_add_test(c, test_batch_has_its_pictures_within);
    tcase_add_test(c, test_json_request);
    tcase_add_test(c, test_refusals);
    suite_add_tcase(suite, c);
    return suite;
}
