/* POST /segment on a real person: every output, the upright size whatever the file's orientation, JSON, run
 * lengths, batches, and what is refused. */
#include "e2e/harness.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/status.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MODEL "person"

static server s;
static reply r;
static char dir[64];

/* A folder with the model alone. */
static void up(void)
{
    strcpy(dir, "/tmp/gharial-segment-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    link_model(MODEL, dir);
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

static void post(const char *target, const char *headers, const gh_buf *body)
{
    ask(&r, s.address, "POST", target, headers, body->data, body->len);
}

/* The reply's picture; *depth and *colour receive what the PNG's header says. */
static gh_image *picture(int *depth, int *colour)
{
    gh_image_info info;
    gh_image *image = NULL;
    gh_err e = {0};
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (char *)r.body.data);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "image/png");
    ck_assert_msg(gh_image_probe(&info, r.body.data, r.body.len, NULL, &e) == GH_OK, "%s", e.text);
    ck_assert_msg(gh_image_decode(&image, r.body.data, r.body.len, &info, 0, 0, &e) == GH_OK, "%s", e.text);
    *depth = r.body.data[24];
    *colour = r.body.data[25];
    return image;
}

static const uint8_t *pixel(const gh_image *image, int x, int y)
{
    return image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
}

static json_t *answer(void)
{
    ck_assert_msg(r.status == 200, "%d: %s", r.status, (char *)r.body.data);
    ck_assert_str_eq(reply_header(&r, "Content-Type"), "application/json");
    return reply_json(&r);
}

/* In the photo of the astronaut her face is at 225,110 and the wall at 20,20 (512 x 512). Depth and colour
 * type are PNG's: 3 = palette, 0 = grey, 6 = RGBA, 2 = RGB. */
static const struct {
    const char *query;
    int depth, colour;
    uint8_t wall[3], face[3];
    bool photo; /* the face has the photo's own colours */
} outputs[] = {
    {"", 1, 3, {0, 0, 0}, {46, 204, 113}, false},
    {"?output=palette", 1, 3, {0, 0, 0}, {46, 204, 113}, false},
    {"?output=index", 8, 0, {0, 0, 0}, {1, 1, 1}, false},
    {"?output=soft", 8, 0, {0, 0, 0}, {255, 255, 255}, false},
    {"?output=cutout", 8, 6, {255, 255, 255}, {0}, true}, /* clear, laid on white */
};

START_TEST(test_outputs)
{
    char target[64];
    int depth, colour;
    snprintf(target, sizeof target, "/segment%s", outputs[_i].query);
    post(target, NULL, photo("astronaut.png"));
    gh_image *image = picture(&depth, &colour), *original = NULL;
    ck_assert_int_eq(image->width, 512);
    ck_assert_int_eq(image->height, 512);
    ck_assert_int_eq(depth, outputs[_i].depth);
    ck_assert_int_eq(colour, outputs[_i].colour);
    ck_assert_mem_eq(pixel(image, 20, 20), outputs[_i].wall, 3);
    if (outputs[_i].photo) {
        const gh_buf *file = photo("astronaut.png");
        gh_image_info info;
        gh_err e = {0};
        ck_assert_int_eq(gh_image_probe(&info, file->data, file->len, NULL, &e), GH_OK);
        ck_assert_int_eq(gh_image_decode(&original, file->data, file->len, &info, 0, 0, &e), GH_OK);
        ck_assert_mem_eq(pixel(image, 225, 110), pixel(original, 225, 110), 3);
    } else {
        ck_assert_mem_eq(pixel(image, 225, 110), outputs[_i].face, 3);
    }
    ck_assert_str_eq(reply_header(&r, "X-Model"), MODEL);
    ck_assert_str_eq(reply_header(&r, "X-Labels"), "background,person");
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "Server-Timing"), "encode;dur="));
    gh_image_free(&image);
    gh_image_free(&original);
}
END_TEST

START_TEST(test_overlay)
{
    int depth, colour;
    post("/segment?output=overlay", NULL, photo("astronaut.png"));
    gh_image *image = picture(&depth, &colour);
    ck_assert_int_eq(colour, 2);
    ck_assert_int_eq(depth, 8);
    const uint8_t *face = pixel(image, 225, 110); /* a photo's half and a green half */
    ck_assert_int_gt(face[1], face[0]);
    gh_image_free(&image);
}
END_TEST

/* Of a file stored turned, the mask is that of the upright picture; JPEG blocks lie elsewhere, so some pixels
 * of the border differ. */
START_TEST(test_orientations)
{
    int depth, colour, differ = 0;
    gh_buf file = {0}, plain = {0};
    char target[64];
    static const char *const kinds[] = {"index", "cutout"};
    for (size_t k = 0; k < GH_COUNT(kinds); k++) {
        snprintf(target, sizeof target, "/segment?output=%s", kinds[k]);
        plain.len = file.len = 0;
        photo_turned(&plain, "chelsea.png", 1);
        photo_turned(&file, "chelsea.png", _i + 1);
        post(target, NULL, &plain);
        gh_image *want = picture(&depth, &colour);
        post(target, NULL, &file);
        gh_image *got = picture(&depth, &colour);
        ck_assert_int_eq(got->width, 451);
        ck_assert_int_eq(got->height, 300);
        for (int i = 0; k == 0 && i < 451 * 300; i++)
            differ += got->pixels[i * 3] != want->pixels[i * 3];
        ck_assert_msg(differ < 451 * 300 / 20, "%d of %d pixels differ", differ, 451 * 300);
        gh_image_free(&want);
        gh_image_free(&got);
    }
    gh_buf_free(&file);
    gh_buf_free(&plain);
}
END_TEST

static const struct {
    const char *accept;
    bool json;
} accepts[] = {
    {"", false},
    {"Accept: */*\r\n", false},
    {"Accept: image/*\r\n", false},
    {"Accept: text/html,image/avif,*/*;q=0.8\r\n", false},
    {"Accept: image/png, application/json;q=0.5\r\n", false},
    {"Accept: text/html\r\n", false},
    {"Accept: application/json\r\n", true},
    {"Accept: application/json, text/plain, */*\r\n", true},
    {"Accept: image/png;q=0.5, application/json\r\n", true},
};

START_TEST(test_accept)
{
    post("/segment", accepts[_i].accept, photo("astronaut.png"));
    ck_assert_str_eq(reply_header(&r, "Content-Type"), accepts[_i].json ? "application/json" : "image/png");
}
END_TEST

START_TEST(test_json)
{
    gh_buf png = {0};
    post("/segment", NULL, photo("astronaut.png"));
    ck_assert_int_eq(r.status, 200);
    gh_buf_add(&png, r.body.data, r.body.len);
    post("/segment", "Accept: application/json\r\n", photo("astronaut.png"));
    json_t *o = answer(), *area = json_array_get(json_object_get(o, "labels"), 0);
    gh_buf same = {0};
    ck_assert_str_eq(json_string_value(json_object_get(o, "model")), MODEL);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "width")), 512);
    ck_assert_str_eq(json_string_value(json_object_get(area, "label")), "person");
    ck_assert_int_eq(json_integer_value(json_object_get(area, "index")), 1);
    json_int_t pixels = json_integer_value(json_object_get(area, "pixels"));
    json_t *first = json_array_get(json_object_get(area, "regions"), 0);
    ck_assert_int_gt(pixels, 512 * 512 / 3);
    ck_assert_int_ge(pixels, json_integer_value(json_object_get(first, "pixels")));
    ck_assert_int_gt(json_integer_value(json_object_get(first, "w")), 400);
    from_base64(&same, json_string_value(json_object_get(o, "mask")));
    ck_assert_uint_eq(same.len, png.len);
    ck_assert_mem_eq(same.data, png.data, png.len);
    json_decref(o);
    gh_buf_free(&png);
    gh_buf_free(&same);
}
END_TEST

START_TEST(test_run_lengths_and_limit)
{
    post("/segment?mask=rle&limit=1", NULL, photo("astronaut.png"));
    json_t *o = answer(), *area = json_array_get(json_object_get(o, "labels"), 0);
    json_t *rle = json_object_get(area, "rle");
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(rle, "size"), 0)), 512);
    ck_assert_uint_gt(strlen(json_string_value(json_object_get(rle, "counts"))), 100);
    ck_assert_ptr_null(json_object_get(o, "mask"));
    ck_assert_uint_eq(json_array_size(json_object_get(area, "regions")), 1);
    json_decref(o);
}
END_TEST

START_TEST(test_threshold)
{
    long pixels[2];
    for (int i = 0; i < 2; i++) {
        post(i ? "/segment?threshold=0.95" : "/segment?threshold=0.05", "Accept: application/json\r\n",
             photo("astronaut.png"));
        json_t *o = answer(), *area = json_array_get(json_object_get(o, "labels"), 0);
        pixels[i] = (long)json_integer_value(json_object_get(area, "pixels"));
        json_decref(o);
    }
    ck_assert_int_gt(pixels[0], pixels[1]);
}
END_TEST

/* Several pictures are answered in JSON whatever Accept says, each in its place. */
START_TEST(test_batch)
{
    gh_buf form = {0};
    const gh_buf *one = photo("astronaut.png"), *two = photo("chelsea.png");
    add_part(&form, "image", one->data, one->len);
    add_part(&form, "image", "GIF89a", 6);
    add_part(&form, "image", two->data, two->len);
    end_parts(&form);
    post("/segment?output=soft", FORM "Accept: image/png\r\n", &form);
    json_t *o = answer(), *results = json_object_get(o, "results");
    ck_assert_uint_eq(json_array_size(results), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(results, 0), "width")), 512);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(results, 1), "status")), 415);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(results, 2), "height")), 300);
    ck_assert(json_is_string(json_object_get(json_array_get(results, 2), "mask")));
    json_decref(o);
    gh_buf_free(&form);
}
END_TEST

START_TEST(test_json_form)
{
    gh_buf body = {0};
    const gh_buf *bytes = photo("astronaut.png");
    int depth, colour;
    gh_buf_str(&body, "{\"output\": \"index\", \"image\": \"");
    add_base64(&body, bytes->data, bytes->len);
    gh_buf_str(&body, "\"}");
    post("/segment", JSON, &body);
    gh_image *image = picture(&depth, &colour);
    ck_assert_int_eq(depth, 8);
    ck_assert_mem_eq(pixel(image, 225, 110), ((uint8_t[]){1, 1, 1}), 3);
    gh_image_free(&image);
    gh_buf_free(&body);
}
END_TEST

static const struct {
    const char *target, *says;
    int status;
} refused[] = {
    {"/segment?output=red", "\"output\" must be one of palette, index, soft, cutout, overlay; got \"red\"",
     400},
    {"/segment?mask=polygon", "\"mask\" must be one of png, rle; got \"polygon\"", 400},
    {"/segment?mask=rle&output=soft", "one of them", 400},
    {"/segment?threshold=2", "\"threshold\" must be a number from 0 to 1", 400},
    {"/segment?model=nobody", "nobody", 404},
    {"/classify?model=person", "is for the task segment, not classify", 400},
};

START_TEST(test_refused)
{
    post(refused[_i].target, NULL, photo("astronaut.png"));
    check_problem(&r, refused[_i].status, refused[_i].says);
}
END_TEST

/* A JPEG that ends early still has a mask; a header says so. */
START_TEST(test_truncated)
{
    gh_buf file = {0};
    int depth, colour;
    photo_turned(&file, "astronaut.png", 1);
    file.len /= 2;
    post("/segment", NULL, &file);
    gh_image *image = picture(&depth, &colour);
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "X-Warning"), "ends early"));
    ck_assert_ptr_nonnull(strstr(reply_header(&r, "Server-Timing"), "encode;dur="));
    gh_image_free(&image);
    gh_buf_free(&file);
}
END_TEST

/* What a request may take is known from the picture's header: 1300 x 1000 pixels are 4 MB, their cut-out 5
 * more. */
START_TEST(test_memory_limit)
{
    server small;
    gh_buf file = {0};
    gh_err e = {0};
    size_t bytes = (size_t)1300 * 1000 * 3;
    uint8_t *pixels = gh_calloc(bytes, 1);
    ck_assert_ptr_nonnull(pixels);
    ck_assert_int_eq(gh_jpeg_encode_rgb(&file, pixels, 1300, 1000, 80, &e), GH_OK);
    gh_free(pixels);
    server_start(&small, ARGS("--models", dir, "--max-work", "8M"));
    ask(&r, small.address, "POST", "/segment?output=cutout", NULL, file.data, file.len);
    check_problem(&r, 413, "1300 x 1000 pixels as cutout may take 9 MB of memory; at most 8 MB are accepted");
    reply_free(&r);
    ask(&r, small.address, "POST", "/segment?output=soft", NULL, file.data, file.len);
    ck_assert_int_eq(r.status, 200);
    ck_assert_int_eq(server_stop(&small), 0);
    gh_buf_free(&file);
}
END_TEST

/* 50 megapixels: the decoder scales the JPEG down, and rows of the mask are made one by one. Without either
 * the program would take 150 MB, or 50; it takes 25. */
START_TEST(test_large_picture)
{
    enum { WIDTH = 8660, HEIGHT = 5770 };
    gh_buf out = {0}, err = {0}, file = {0};
    gh_err e = {0};
    char in[128], to[128];
    struct rusage used;
    uint8_t *pixels = gh_alloc((size_t)WIDTH * HEIGHT * 3);
    ck_assert_ptr_nonnull(pixels);
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH * 3; x++)
            pixels[y * WIDTH * 3 + x] = (uint8_t)((x * y) >> 14);
    ck_assert_int_eq(gh_jpeg_encode_rgb(&file, pixels, WIDTH, HEIGHT, 75, &e), GH_OK);
    gh_free(pixels);
    snprintf(in, sizeof in, "%s/large.jpg", dir);
    snprintf(to, sizeof to, "%s/large", dir);
    ck_assert_msg(gh_file_write(in, file.data, file.len, &e) == GH_OK, "%s", e.text);
    ck_assert_int_eq(run_binary(&out, &err,
                                ARGS("predict", "--models", "models", "--task", "segment", "--output", "soft",
                                     "--threads", "1", "--out", to, in)),
                     0);
    ck_assert_int_eq(getrusage(RUSAGE_CHILDREN, &used), 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ck_assert_msg(used.ru_maxrss < 100 * 1024, "%ld kB beside a file of %zu", used.ru_maxrss, file.len);
#endif
    gh_buf_free(&out);
    gh_buf_free(&err);
    gh_buf_free(&file);
}
END_TEST

/* The same picture through the command line gives the same file. */
START_TEST(test_predict_writes_masks)
{
    gh_buf out = {0}, err = {0};
    char to[128], file[160], bytes[8192];
    snprintf(to, sizeof to, "%s/masks", dir);
    ck_assert_int_eq(run_binary(&out, &err,
                                ARGS("predict", "--models", "models", "--task", "segment", "--out", to,
                                     ".build/photos/astronaut.png")),
                     0);
    ck_assert_msg(strstr((char *)out.data, "astronaut.png: person 5") != NULL, "%s", (char *)out.data);
    snprintf(file, sizeof file, "%s/astronaut.png", to);
    FILE *f = fopen(file, "rb");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    post("/segment", NULL, photo("astronaut.png"));
    ck_assert_int_eq(r.status, 200);
    ck_assert_uint_eq(n, r.body.len);
    ck_assert_mem_eq(bytes, r.body.data, n);
    out.len = err.len = 0;
    ck_assert_int_eq(run_binary(&out, &err,
                                ARGS("predict", "--models", "models", "--task", "segment", "--json", "--mask",
                                     "rle", ".build/photos/astronaut.png")),
                     0);
    ck_assert_ptr_nonnull(strstr((char *)out.data, "\"counts\":"));
    gh_buf_free(&out);
    gh_buf_free(&err);
}
END_TEST

START_TEST(test_predict_usage)
{
    static const struct {
        const char *args[5], *says;
    } rows[] = {
        {{"--output", "red"}, "--output is \"red\""},
        {{"--mask", "polygon"}, "--mask is \"polygon\""},
        {{"--mask", "rle", "--output", "soft"}, "give one of them"},
        {{"--mask", "rle", "--out", "x"}, "give one of them"},
    };
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        gh_buf out = {0}, err = {0};
        const char *args[16] = {"predict", "--models", "models", "--task", "segment"};
        int n = 5;
        for (int k = 0; k < 4 && rows[i].args[k]; k++)
            args[n++] = rows[i].args[k];
        args[n] = ".build/photos/astronaut.png";
        ck_assert_int_eq(run_binary(&out, &err, args), 2);
        ck_assert_msg(strstr((char *)err.data, rows[i].says) != NULL, "%s", (char *)err.data);
        gh_buf_free(&out);
        gh_buf_free(&err);
    }
}
END_TEST

Suite *suite_segment(void)
{
    Suite *suite = suite_create("segment");
    TCase *c = tcase_create("segment");
    tcase_add_unchecked_fixture(c, up, down);
    tcase_add_checked_fixture(c, NULL, done);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, test_outputs, 0, GH_COUNT(outputs));
    tcase_add_test(c, test_overlay);
    tcase_add_loop_test(c, test_orientations, 0, 8);
    tcase_add_loop_test(c, test_accept, 0, GH_COUNT(accepts));
    tcase_add_test(c, test_json);
    tcase_add_test(c, test_run_lengths_and_limit);
    tcase_add_test(c, test_threshold);
    tcase_add_test(c, test_batch);
    tcase_add_test(c, test_json_form);
    tcase_add_loop_test(c, test_refused, 0, GH_COUNT(refused));
    tcase_add_test(c, test_truncated);
    tcase_add_test(c, test_predict_writes_masks);
    tcase_add_test(c, test_predict_usage);
    tcase_add_test(c, test_memory_limit);
    tcase_add_test(c, test_large_picture);
    suite_add_tcase(suite, c);
    return suite;
}
