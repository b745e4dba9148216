/* What the parameters of /localize do to the boxes of real photos, in every form that they come in; and what
 * every list of boxes keeps to: order, whole pixels, within the picture. */
#include "e2e/harness.h"

#include "base/status.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[64];
static server s;
static reply r;
static gh_buf body;

static void up(void)
{
    static const char *const models[] = {"faces", "faces-detector", "emotions", "objects"};
    strcpy(dir, "/tmp/gharial-boxes-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (size_t i = 0; i < GH_COUNT(models); i++)
        link_model(models[i], dir);
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
    gh_buf_free(&body);
}

/* The boxes of a photo; the caller's. */
static json_t *boxes_of(const char *query, const gh_buf *picture)
{
    char target[128];
    snprintf(target, sizeof target, "/localize?%s", query);
    json_t *o = ask_json(&r, s.address, target, picture->data, picture->len);
    json_t *list = json_incref(json_object_get(o, "objects"));
    ck_assert(json_is_array(list));
    json_decref(o);
    return list;
}

static size_t count_of(const char *query, const gh_buf *picture)
{
    json_t *list = boxes_of(query, picture);
    size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

static int member(const json_t *box, const char *key)
{
    return (int)json_integer_value(json_object_get(box, key));
}

static double score(const json_t *box)
{
    return json_number_value(json_object_get(box, "score"));
}

/* Whole pixels within the picture, at least one of them, and scores from 0 to 1. */
static void check_within(const json_t *list, int width, int height)
{
    static const char *const keys[] = {"x", "y", "w", "h"};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *box = json_array_get(list, i);
        for (size_t k = 0; k < GH_COUNT(keys); k++)
            ck_assert(json_is_integer(json_object_get(box, keys[k])));
        int x = member(box, "x"), y = member(box, "y"), w = member(box, "w"), h = member(box, "h");
        ck_assert_msg(x >= 0 && y >= 0 && w >= 1 && h >= 1 && x + w <= width && y + h <= height,
                      "%d,%d %dx%d leaves %dx%d", x, y, w, h, width, height);
        ck_assert(score(box) >= 0 && score(box) <= 1);
    }
}

/* The query's parameters as fields of JSON and as parts of a form give the same boxes. */
static void check_forms(const json_t *want, const char *model, const char *name, const char *value,
                        const gh_buf *picture)
{
    gh_buf json = {0}, form = {0};
    gh_buf_printf(&json, "{\"model\":\"%s\",\"%s\":%s,\"image\":\"", model, name, value);
    add_base64(&json, picture->data, picture->len);
    gh_buf_str(&json, "\"}");
    add_part(&form, "image", picture->data, picture->len);
    add_part(&form, "model", model, strlen(model));
    add_part(&form, name, value, strlen(value));
    end_parts(&form);
    for (int i = 0; i < 2; i++) {
        const gh_buf *sent = i ? &form : &json;
        ask(&r, s.address, "POST", "/localize", i ? FORM : JSON, sent->data, sent->len);
        ck_assert_msg(r.status == 200, "%s", (const char *)r.body.data);
        json_t *o = reply_json(&r);
        ck_assert_msg(json_equal(json_object_get(o, "objects"), want), "%s %s", name, i ? "form" : "JSON");
        json_decref(o);
    }
    gh_buf_free(&json);
    gh_buf_free(&form);
}

/* Of boxes that overlap more than `nms` the best stays: with 1 all do, with 0 one of a kind at most. */
START_TEST(test_nms)
{
    static const struct {
        const char *model, *photo;
        size_t all; /* at least, with nms=1 */
    } rows[] = {{"faces", "astronaut.png", 10}, {"objects", "motorcycle_left.png", 4}};
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        char query[64];
        size_t n[3];
        static const char *const overlaps[] = {"0", "0.7", "1"};
        for (size_t k = 0; k < GH_COUNT(overlaps); k++) {
            snprintf(query, sizeof query, "model=%s&nms=%s", rows[i].model, overlaps[k]);
            n[k] = count_of(query, photo(rows[i].photo));
        }
        ck_assert_uint_eq(n[0], 1);
        ck_assert_msg(n[0] <= n[1] && n[1] < n[2], "%zu, %zu, %zu", n[0], n[1], n[2]);
        ck_assert_uint_ge(n[2], rows[i].all);
        snprintf(query, sizeof query, "model=%s", rows[i].model);
        ck_assert_uint_eq(count_of(query, photo(rows[i].photo)), 1);
        snprintf(query, sizeof query, "model=%s&nms=1", rows[i].model);
        json_t *all = boxes_of(query, photo(rows[i].photo));
        check_forms(all, rows[i].model, "nms", "1", photo(rows[i].photo));
        json_decref(all);
    }
    ask(&r, s.address, "POST", "/localize?nms=1.5", NULL, photo("coffee.png")->data,
        photo("coffee.png")->len);
    check_problem(&r, 400, "\"nms\" must be a number from 0 to 1; got \"1.5\"");
}
END_TEST

/* The options of the command line do what the query does. */
START_TEST(test_options_of_predict)
{
    static const char *const rows[][5] = {
        {"objects", "motorcycle_left.png", "--nms", "1", "nms=1"},
        {"objects", "motorcycle_left.png", "--threshold", "0", "threshold=0"},
        {"objects", "motorcycle_left.png", "--threshold", "0.12", "threshold=0.12"},
        {"faces", "astronaut.png", "--max-side", "96", "max_side=96"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        gh_buf out = {0}, err = {0};
        char query[64], file[64];
        snprintf(query, sizeof query, "model=%s&%s", rows[i][0], rows[i][4]);
        snprintf(file, sizeof file, ".build/photos/%s", rows[i][1]);
        json_t *want = boxes_of(query, photo(rows[i][1]));
        int code = run_binary(
            &out, &err,
            ARGS("predict", "--models", dir, "--model", rows[i][0], rows[i][2], rows[i][3], "--json", file));
        ck_assert_msg(code == 0, "%s", (const char *)err.data);
        json_t *o = json_loads((const char *)out.data, 0, NULL);
        ck_assert_msg(json_equal(json_object_get(o, "objects"), want), "%s %s: %zu boxes, not %zu",
                      rows[i][2], rows[i][3], json_array_size(json_object_get(o, "objects")),
                      json_array_size(want));
        json_decref(o);
        json_decref(want);
        gh_buf_free(&out);
        gh_buf_free(&err);
    }
}
END_TEST

/* The photo so many times as large, pixel by pixel. */
static void enlarge(gh_buf *png, const gh_buf *file, int times)
{
    gh_image_info info;
    gh_image *one = NULL;
    ck_assert_int_eq(gh_image_probe(&info, file->data, file->len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&one, file->data, file->len, &info, 0, 0, NULL), GH_OK);
    int width = one->width * times, height = one->height * times;
    uint8_t *all = malloc((size_t)width * (size_t)height * 3);
    ck_assert_ptr_nonnull(all);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            memcpy(all + ((size_t)y * (size_t)width + (size_t)x) * 3,
                   one->pixels + ((size_t)(y / times) * (size_t)one->width + (size_t)(x / times)) * 3, 3);
    ck_assert_int_eq(gh_png_encode_rgb(png, all, width, height, NULL), GH_OK);
    free(all);
    gh_image_free(&one);
}

/* Seen small, her face is found worse and then not at all; where it is found, it stands at the same place of
 * the upright picture. Pictures over 1280 pixels are seen at that size unless the request says more. */
START_TEST(test_max_side)
{
    static const char *const sides[] = {"512", "128", "64", "32"};
    double before = 1;
    for (size_t i = 0; i < GH_COUNT(sides); i++) {
        char query[64];
        snprintf(query, sizeof query, "max_side=%s", sides[i]);
        json_t *list = boxes_of(query, photo("astronaut.png"));
        const json_t *face = json_array_get(list, 0);
        ck_assert_uint_eq(json_array_size(list), i < 3);
        if (i < 3) {
            ck_assert_double_lt(score(face), before);
            before = score(face);
            ck_assert_int_le(abs(member(face, "x") + member(face, "w") / 2 - 222), 15);
            ck_assert_int_le(abs(member(face, "y") + member(face, "h") / 2 - 115), 15);
            check_forms(list, "faces", "max_side", sides[i], photo("astronaut.png"));
        }
        json_decref(list);
    }
    enlarge(&body, photo("astronaut.png"), 3); /* 1536 x 1536 */
    json_t *plain = boxes_of("emotions=0", &body), *said = boxes_of("emotions=0&max_side=1280", &body),
           *more = boxes_of("emotions=0&max_side=1536", &body);
    ck_assert_uint_eq(json_array_size(plain), 1);
    ck_assert(json_equal(plain, said));
    ck_assert(!json_equal(plain, more));
    json_decref(plain);
    json_decref(said);
    json_decref(more);
}
END_TEST

/* Faces by their area, other things by their scores; `limit` keeps the first of them, `threshold` the best.
 */
START_TEST(test_order_limit_and_threshold)
{
    photo_crew(&body);
    json_t *faces = boxes_of("model=faces", &body), *one = boxes_of("model=faces&limit=1", &body);
    ck_assert_uint_eq(json_array_size(faces), 3);
    for (size_t i = 1; i < 3; i++) {
        const json_t *a = json_array_get(faces, i - 1), *b = json_array_get(faces, i);
        ck_assert_int_ge(member(a, "w") * member(a, "h"), member(b, "w") * member(b, "h"));
    }
    ck_assert_uint_eq(json_array_size(one), 1);
    ck_assert(json_equal(json_array_get(one, 0), json_array_get(faces, 0)));
    check_forms(one, "faces", "limit", "1", &body);
    json_decref(one);
    json_decref(faces);
    const gh_buf *picture = photo("motorcycle_left.png");
    json_t *all = boxes_of("model=objects&threshold=0.02", picture),
           *some = boxes_of("model=objects&threshold=0.12", picture);
    size_t over = 0;
    ck_assert_uint_ge(json_array_size(all), 20);
    check_within(all, 741, 500);
    for (size_t i = 0; i < json_array_size(all); i++) {
        double v = score(json_array_get(all, i));
        ck_assert(v >= 0.02 && (i == 0 || v <= score(json_array_get(all, i - 1))));
        over += v >= 0.12;
    }
    ck_assert_uint_ge(over, 2);
    ck_assert_uint_eq(json_array_size(some), over);
    check_forms(some, "objects", "threshold", "0.12", picture);
    json_decref(all);
    json_decref(some);
}
END_TEST

/* What the picture's edge cuts off is no part of the box. */
START_TEST(test_boxes_end_at_the_edge)
{
    enum { LEFT = 222, SIDE = 512 }; /* through the middle of her face */
    const gh_buf *file = photo("astronaut.png");
    gh_image_info info;
    gh_image *image = NULL;
    ck_assert_int_eq(gh_image_probe(&info, file->data, file->len, NULL, NULL), GH_OK);
    ck_assert_int_eq(gh_image_decode(&image, file->data, file->len, &info, 0, 0, NULL), GH_OK);
    for (size_t y = 0; y < SIDE; y++)
        memmove(image->pixels + y * (SIDE - LEFT) * 3, image->pixels + (y * SIDE + LEFT) * 3,
                (size_t)(SIDE - LEFT) * 3);
    ck_assert_int_eq(gh_png_encode_rgb(&body, image->pixels, SIDE - LEFT, SIDE, NULL), GH_OK);
    gh_image_free(&image);
    json_t *faces = boxes_of("threshold=0.1", &body),
           *objects = boxes_of("model=objects&threshold=0.02", &body);
    check_within(faces, SIDE - LEFT, SIDE);
    check_within(objects, SIDE - LEFT, SIDE);
    ck_assert_uint_ge(json_array_size(faces), 1);
    ck_assert_int_eq(member(json_array_get(faces, 0), "x"), 0);
    json_decref(faces);
    json_decref(objects);
}
END_TEST

/* The two defaults together: one list, her face with its emotions, and she herself. */
START_TEST(test_faces_and_objects)
{
    const gh_buf *picture = photo("astronaut.png");
    json_t *o = ask_json(&r, s.address, "/localize?model=faces,objects", picture->data, picture->len);
    const json_t *list = json_object_get(o, "objects"), *face = NULL, *person = NULL;
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), "faces,objects");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *label = json_string_value(json_object_get(one, "label"));
        face = strcmp(label, "face") == 0 ? one : face;
        person = strcmp(label, "person") == 0 ? one : person;
    }
    ck_assert(face && person);
    ck_assert_str_eq(json_string_value(json_object_get(face, "emotion")), "happiness");
    ck_assert_ptr_null(json_object_get(person, "emotion"));
    ck_assert_int_lt(member(person, "x"), member(face, "x"));
    ck_assert_int_gt(member(person, "h"), 2 * member(face, "h"));
    json_decref(o);
}
END_TEST

Suite *suite_boxes(void)
{
    Suite *suite = suite_create("boxes");
    TCase *t = tcase_create("boxes");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, up, down);
    tcase_add_checked_fixture(t, NULL, done);
    tcase_add_test(t, test_nms);
    tcase_add_test(t, test_options_of_predict);
    tcase_add_test(t, test_max_side);
    tcase_add_test(t, test_order_limit_and_threshold);
    tcase_add_test(t, test_boxes_end_at_the_edge);
    tcase_add_test(t, test_faces_and_objects);
    suite_add_tcase(suite, t);
    return suite;
}
