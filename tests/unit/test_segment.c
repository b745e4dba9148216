/* The task segment on tiny networks, a convolution of one pixel each: one channel that says how red a pixel
 * is, or one channel a colour. */
#include "unit/suites.h"

#include "base/mem.h"
#include "engine/onnx.h"
#include "tasks/preproc.h"
#include "tasks/segment.h"
#include "unit/tiny.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 16

static gh_model *m;
static gh_worker *w;
static gh_result *r;
static gh_buf picture;
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    tiny_setup();
    ck_assert_int_eq(gh_worker_new(&w, NULL, &e), GH_OK);
}

static void teardown(void)
{
    gh_result_free(&r);
    gh_worker_free(&w);
    if (m)
        gh_model_put(&m);
    gh_buf_free(&picture);
    tiny_remove();
}

/* weights[channels][3], on values 0..1. */
static void write_network(int channels, const float *weights, const float *bias, bool flat)
{
    gh_graph *g = NULL;
    tiny_text("s/nothing", ""); /* makes the folder */
    ck_assert_int_eq(gh_graph_new(&g, &e), GH_OK);
    uint32_t x = gh_graph_input(g, "x", GH_F32, gh_shape_of(4, (int64_t[]){1, 3, -1, -1}));
    uint32_t wv =
        gh_graph_const(g, "w", GH_F32, gh_shape_of(4, (int64_t[]){channels, 3, 1, 1}), weights, true);
    uint32_t bv = gh_graph_const(g, "b", GH_F32, gh_shape_of(1, (int64_t[]){channels}), bias, true);
    uint32_t y = gh_graph_op(g, "Conv", "mask", (uint32_t[]){x, wv, bv}, 3);
    gh_graph_output(g, flat ? gh_graph_op(g, "Flatten", "flat", &y, 1) : y);
    ck_assert_msg(gh_onnx_write(g, tiny_path("s/model.onnx"), &e) == GH_OK, "%s", e.text);
    gh_graph_free(&g);
}

static void write_manifest(const char *output, const char *input, const char *labels)
{
    char text[900];
    snprintf(text, sizeof text,
             "{\"name\": \"s\", \"version\": \"1\", \"task\": \"segment\", \"labels\": [%s],\n"
             " \"output\": %s, \"input\": {\"width\": 16, \"height\": 16,\n"
             " \"mean\": 0, \"scale\": 0.00392156863, %s}}",
             labels, output, input);
    tiny_text("s/model.json", text);
}

static gh_status open_model(void)
{
    return gh_model_open(&m, tiny_path("s"), true, &e);
}

#define MASK    "{\"decoder\": \"mask\"}"
#define STRETCH "\"fit\": \"stretch\""
/* Between two pixels of the picture, so that edges stay sharp at half its size. */
#define SHARP   STRETCH ", \"filter\": \"bilinear-plain\""
#define TWO     "\"background\", \"red\""
#define SOFTMAX "{\"decoder\": \"mask\", \"activation\": \"softmax\", \"background\": true}"

static void red_model(const char *output, const char *input, const char *labels)
{
    write_network(1, (float[]){1, 0, 0}, (float[]){0}, false);
    write_manifest(output, input, labels);
    ck_assert_msg(open_model() == GH_OK, "%s", e.text);
}

/* 12 for each of red, green, blue over what is dark. */
static void colour_model(const char *output)
{
    write_network(4, (float[]){0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0, 12}, (float[]){4, 0, 0, 0}, false);
    write_manifest(output, STRETCH, "\"dark\", \"red\", \"green\", \"blue\"");
    ck_assert_msg(open_model() == GH_OK, "%s", e.text);
}

/* Black, with a rectangle of one colour. */
static void draw(int width, int height, gh_region at, const uint8_t colour[3])
{
    uint8_t *pixels = calloc((size_t)width * (size_t)height, 3);
    ck_assert_ptr_nonnull(pixels);
    for (int y = at.y; y < at.y + at.h; y++)
        for (int x = at.x; x < at.x + at.w; x++)
            memcpy(pixels + ((size_t)y * (size_t)width + (size_t)x) * 3, colour, 3);
    picture.len = 0;
    ck_assert_int_eq(gh_png_encode_rgb(&picture, pixels, width, height, &e), GH_OK);
    free(pixels);
}

static const uint8_t red[3] = {255, 0, 0}, green[3] = {0, 255, 0}, blue[3] = {0, 0, 255};

static gh_status run(gh_run_options options)
{
    gh_result_free(&r);
    return gh_run(&r, w, m, picture.data, picture.len, NULL, &options, &e);
}

/* The area of one class is one rectangle. */
static void one_area(int index, const char *label, gh_region want)
{
    ck_assert_uint_eq(r->nareas, 1);
    const gh_area *a = &r->areas[0];
    ck_assert_int_eq(a->index, index);
    ck_assert_str_eq(a->label, label);
    ck_assert_uint_eq(a->nregions, 1);
    const gh_region *g = &a->regions[0];
    ck_assert_msg(g->x == want.x && g->y == want.y && g->w == want.w && g->h == want.h, "%d,%d %dx%d", g->x,
                  g->y, g->w, g->h);
    ck_assert_int_eq(a->pixels, (int64_t)want.w * want.h);
}

START_TEST(test_one_channel)
{
    red_model(MASK, SHARP, TWO);
    draw(32, 32, (gh_region){8, 4, 16, 12, 0}, red);
    ck_assert_msg(run((gh_run_options){.regions = true}) == GH_OK, "%s", e.text);
    ck_assert_int_eq(r->width, 32);
    one_area(1, "red", (gh_region){8, 4, 16, 12, 0});
    uint8_t index[32 * 32], soft[32 * 32];
    ck_assert_int_eq(gh_segment_index(index, r, &e), GH_OK);
    ck_assert_int_eq(gh_segment_soft(soft, r, &e), GH_OK);
    for (int i = 0; i < 32 * 32; i++) {
        int x = i % 32, y = i / 32;
        ck_assert_int_eq(index[i], x >= 8 && x < 24 && y >= 4 && y < 16);
        ck_assert_int_eq(index[i], soft[i] >= 128);
    }
    ck_assert_uint_gt(r->picture.len, 50);
}
END_TEST

/* The name of the one label is that of the foreground. */
START_TEST(test_one_label)
{
    red_model(MASK, STRETCH, "\"red\"");
    draw(16, 16, (gh_region){0, 0, 16, 4, 0}, red);
    ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
    one_area(1, "red", (gh_region){0, 0, 16, 4, 0});
    ck_assert_int_eq(gh_segment_classes(m->manifest), 2);
    ck_assert_str_eq(gh_segment_label(m->manifest, 0), "background");
}
END_TEST

START_TEST(test_threshold)
{
    const uint8_t dim[3] = {90, 0, 0}; /* .35 */
    red_model(MASK, STRETCH, TWO);
    draw(16, 16, (gh_region){0, 0, 8, 16, 0}, dim);
    ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
    ck_assert_uint_eq(r->nareas, 0);
    ck_assert_int_eq(run((gh_run_options){.regions = true, .threshold = 0.3}), GH_OK);
    one_area(1, "red", (gh_region){0, 0, 8, 16, 0});
}
END_TEST

START_TEST(test_a_channel_a_class)
{
    static const struct {
        const uint8_t *colour;
        int index;
        const char *label;
    } rows[] = {{red, 1, "red"}, {green, 2, "green"}, {blue, 3, "blue"}};
    colour_model(SOFTMAX);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        draw(32, 32, (gh_region){8, 4, 12, 20, 0}, rows[i].colour);
        ck_assert_int_eq(run((gh_run_options){.regions = true, .output = GH_MASK_NONE}), GH_OK);
        one_area(rows[i].index, rows[i].label, (gh_region){8, 4, 12, 20, 0});
        ck_assert_uint_eq(r->picture.len, 0);
    }
    float sum = 0;
    for (int c = 0; c < 4; c++)
        sum += r->mask->values[c * SIDE * SIDE];
    ck_assert_float_eq_tol(sum, 1, 1e-6f);
    ck_assert_float_eq_tol(r->mask->values[0], (float)(exp(4) / (exp(4) + 3)), 1e-5f);
}
END_TEST

/* Without a background the first class is one as any other: it is told, and there is no cut-out. */
START_TEST(test_no_background)
{
    colour_model(MASK);
    draw(32, 32, (gh_region){8, 4, 12, 20, 0}, red);
    ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
    ck_assert_uint_eq(r->nareas, 2);
    ck_assert_str_eq(r->areas[0].label, "dark");
    ck_assert_int_eq(r->areas[0].pixels, 32 * 32 - 12 * 20);
    ck_assert_int_eq(run((gh_run_options){.output = GH_MASK_CUTOUT}), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "knows no background"));
}
END_TEST

/* A picture of 64 x 32 lies in the middle rows of the network's input, or in the upper ones. */
START_TEST(test_fits)
{
    static const char *const fits[] = {"\"fit\": \"letterbox\"", "\"fit\": \"pad\""};
    for (size_t i = 0; i < GH_COUNT(fits); i++) {
        if (m)
            gh_model_put(&m);
        red_model(MASK, fits[i], TWO);
        draw(64, 32, (gh_region){0, 0, 64, 16, 0}, red);
        ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
        one_area(1, "red", (gh_region){0, 0, 64, 16, 0});
        draw(32, 64, (gh_region){16, 0, 16, 64, 0}, red);
        ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
        one_area(1, "red", (gh_region){16, 0, 16, 64, 0});
    }
}
END_TEST

/* A network of any size sees the picture at its own. */
START_TEST(test_stride)
{
    red_model(MASK, "\"stride\": 8, \"fit\": \"pad\"", TWO);
    draw(40, 20, (gh_region){5, 3, 7, 11, 0}, red);
    ck_assert_msg(run((gh_run_options){.regions = true}) == GH_OK, "%s", e.text);
    one_area(1, "red", (gh_region){5, 3, 7, 11, 0});
    ck_assert_int_eq(r->mask->width, 40);
    ck_assert_int_eq(r->mask->height, 24);
}
END_TEST

START_TEST(test_minmax)
{
    const uint8_t dim[3] = {51, 0, 0};
    red_model("{\"decoder\": \"mask\", \"activation\": \"minmax\"}", STRETCH, TWO);
    draw(16, 16, (gh_region){0, 0, 8, 16, 0}, dim);
    ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
    one_area(1, "red", (gh_region){0, 0, 8, 16, 0});
    ck_assert_float_eq(r->mask->values[0], 1);
    ck_assert_float_eq(r->mask->values[SIDE - 1], 0);
    draw(16, 16, (gh_region){0, 0, 16, 16, 0}, dim); /* all the same */
    ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
    ck_assert_uint_eq(r->nareas, 0);
}
END_TEST

START_TEST(test_sigmoid)
{
    write_network(1, (float[]){8, 0, 0}, (float[]){-4}, false);
    write_manifest("{\"decoder\": \"mask\", \"activation\": \"sigmoid\"}", STRETCH, TWO);
    ck_assert_msg(open_model() == GH_OK, "%s", e.text);
    draw(16, 16, (gh_region){0, 0, 8, 16, 0}, red);
    ck_assert_int_eq(run((gh_run_options){.regions = true}), GH_OK);
    ck_assert_float_eq_tol(r->mask->values[0], (float)(1 / (1 + exp(-4))), 1e-6f);
    ck_assert_float_eq_tol(r->mask->values[15], (float)(1 / (1 + exp(4))), 1e-6f);
}
END_TEST

/* "levels": "stretched": the largest level of the picture counts as 255, of whichever colour. */
START_TEST(test_stretched_levels)
{
    const uint8_t dim[3] = {30, 60, 0};
    red_model(MASK, STRETCH ", \"levels\": \"stretched\"", TWO);
    draw(16, 16, (gh_region){0, 0, 8, 16, 0}, dim);
    ck_assert_int_eq(run((gh_run_options){0}), GH_OK);
    ck_assert_float_eq_tol(r->mask->values[0], 0.5f, 1e-6f);
    draw(16, 16, (gh_region){0, 0, 1, 1, 0}, (const uint8_t[3]){0, 0, 0});
    ck_assert_int_eq(run((gh_run_options){0}), GH_OK); /* black divides by nothing */
    ck_assert_float_eq(r->mask->values[0], 0);
}
END_TEST

START_TEST(test_reply_is_the_contract)
{
    gh_buf text = {0};
    gh_image_info info;
    red_model(MASK, SHARP, TWO);
    draw(32, 32, (gh_region){8, 4, 16, 12, 0}, red);
    ck_assert_int_eq(run((gh_run_options){.regions = true, .as_json = true}), GH_OK);
    ck_assert_int_eq(gh_result_json(&text, r, 0, NULL, &e), GH_OK);
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    ck_assert_ptr_nonnull(o);
    json_t *area = json_array_get(json_object_get(o, "labels"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(area, "index")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(area, "label")), "red");
    ck_assert_int_eq(json_integer_value(json_object_get(area, "pixels")), 192);
    json_t *region = json_array_get(json_object_get(area, "regions"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(region, "x")), 8);
    ck_assert_int_eq(json_integer_value(json_object_get(region, "pixels")), 192);
    ck_assert_ptr_null(json_object_get(area, "rle"));
    gh_buf base64 = {0};
    gh_buf_base64(&base64, r->picture.data, r->picture.len);
    gh_buf_add(&base64, "", 1);
    ck_assert_str_eq(json_string_value(json_object_get(o, "mask")), (const char *)base64.data);
    ck_assert_int_eq(gh_image_probe(&info, r->picture.data, r->picture.len, NULL, &e), GH_OK);
    ck_assert_int_eq(info.width, 32);
    json_decref(o);
    gh_buf_free(&base64);
    gh_buf_free(&text);
}
END_TEST

START_TEST(test_run_lengths)
{
    gh_buf text = {0};
    red_model(MASK, STRETCH, TWO);
    draw(16, 16, (gh_region){0, 0, 1, 16, 0}, red);
    ck_assert_int_eq(run((gh_run_options){.regions = true, .rle = true, .output = GH_MASK_NONE}), GH_OK);
    ck_assert_int_eq(gh_result_json(&text, r, 0, "a.png", &e), GH_OK);
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    json_t *rle = json_object_get(json_array_get(json_object_get(o, "labels"), 0), "rle");
    ck_assert_str_eq(json_string_value(json_object_get(rle, "counts")), "0`0`7"); /* 0, 16, 240 */
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(rle, "size"), 0)), 16);
    ck_assert_ptr_null(json_object_get(o, "mask"));
    json_decref(o);
    gh_buf_free(&text);
}
END_TEST

/* Nothing found is an empty list. */
START_TEST(test_nothing)
{
    gh_buf text = {0};
    red_model(MASK, STRETCH, TWO);
    draw(16, 16, (gh_region){0, 0, 1, 16, 0}, blue);
    ck_assert_int_eq(run((gh_run_options){.regions = true, .rle = true, .output = GH_MASK_NONE}), GH_OK);
    ck_assert_int_eq(gh_result_json(&text, r, 0, NULL, &e), GH_OK);
    json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
    ck_assert(json_is_array(json_object_get(o, "labels")));
    ck_assert_uint_eq(json_array_size(json_object_get(o, "labels")), 0);
    json_decref(o);
    gh_buf_free(&text);
}
END_TEST

/* What an answer may take is known from the header: 1000 x 1000 pixels decode in 3 MB; a cut-out takes 4
 * more, in JSON 9.3 more; and the rest of a batch counts too. */
START_TEST(test_memory_is_estimated)
{
    static const struct {
        gh_run_options options;
        double megabytes;
    } rows[] = {{{.output = GH_MASK_INDEX}, 4.2},
                {{.output = GH_MASK_CUTOUT}, 7.2},
                {{.output = GH_MASK_OVERLAY}, 6.2},
                {{.output = GH_MASK_CUTOUT, .as_json = true}, 12.6},
                {{.output = GH_MASK_INDEX, .held_bytes = 5000000}, 8.2}};
    red_model(MASK, STRETCH, TWO);
    draw(1000, 1000, (gh_region){0, 0, 1, 1, 0}, red);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        gh_image_limits limits = gh_image_limits_default();
        gh_result_free(&r);
        limits.max_work = (uint64_t)(rows[i].megabytes * 1e6);
        ck_assert_msg(gh_run(&r, w, m, picture.data, picture.len, &limits, &rows[i].options, &e) == GH_OK,
                      "%zu: %s", i, e.text);
        gh_result_free(&r);
        limits.max_work = (uint64_t)(rows[i].megabytes * 1e6) - 400000;
        if (limits.max_work < 3200000) /* then decoding alone is refused */
            continue;
        gh_status status = gh_run(&r, w, m, picture.data, picture.len, &limits, &rows[i].options, &e);
        ck_assert_msg(i == 0 || status == GH_LIMIT, "%zu", i);
        ck_assert_msg(i == 0 || strstr(e.text, "MB are accepted"), "%s", e.text);
    }
}
END_TEST

static const struct {
    const char *output, *input, *labels, *says;
    bool flat;
    gh_status status;
} unfit[] = {
    {"\"softmax\"", STRETCH, TWO, "takes the decoder mask", false, GH_UNSUPPORTED},
    {MASK, "\"fit\": \"crop\"", TWO, "takes stretch, letterbox and pad", false, GH_UNSUPPORTED},
    {MASK, STRETCH, "\"a\", \"b\", \"c\"", "1 channels for 3 labels", false, GH_FORMAT},
    {MASK, STRETCH, TWO, "it has to be float32 of 1 x channels x height x width", true, GH_FORMAT},
    {SOFTMAX, STRETCH, TWO, "softmax takes two or more", false, GH_FORMAT},
    {"{\"decoder\": \"mask\", \"scores\": \"other\"}", STRETCH, TWO, "no output 'other'", false, GH_FORMAT},
};

START_TEST(test_unfit_models)
{
    write_network(1, (float[]){1, 0, 0}, (float[]){0}, unfit[_i].flat);
    write_manifest(unfit[_i].output, unfit[_i].input, unfit[_i].labels);
    ck_assert_int_eq(open_model(), unfit[_i].status);
    ck_assert_msg(strstr(e.text, unfit[_i].says) != NULL, "%s", e.text);
}
END_TEST

START_TEST(test_selftest)
{
    static const struct {
        double share;
        gh_status status;
    } rows[] = {{0.25, GH_OK}, {0.5, GH_INTERNAL}};
    write_network(1, (float[]){1, 0, 0}, (float[]){0}, false);
    draw(16, 16, (gh_region){0, 0, 4, 16, 0}, red);
    for (size_t i = 0; i < GH_COUNT(rows); i++) {
        char text[400];
        tiny_file("s/t.png", picture.data, picture.len);
        snprintf(text, sizeof text,
                 "{\"name\": \"s\", \"version\": \"1\", \"task\": \"segment\", \"labels\": [" TWO "],\n"
                 " \"output\": " MASK ", \"input\": {\"width\": 16, \"height\": 16, \"mean\": 0,\n"
                 " \"scale\": 0.00392156863, " STRETCH "},\n"
                 " \"selftest\": {\"input\": \"t.png\", \"index\": 1, \"score\": %g}}",
                 rows[i].share);
        tiny_text("s/model.json", text);
        ck_assert_int_eq(open_model(), rows[i].status);
        if (m)
            gh_model_put(&m);
    }
}
END_TEST

START_TEST(test_memory)
{
    bool done = false;
    int n = 0;
    red_model(MASK, STRETCH, TWO);
    draw(32, 32, (gh_region){4, 4, 9, 9, 0}, red);
    for (; !done && n < 300; n++) {
        gh_mem_fail_after(n);
        gh_status status = run((gh_run_options){.regions = true, .rle = true, .output = GH_MASK_OVERLAY});
        gh_mem_fail_after(-1);
        ck_assert_msg(status == GH_OK || status == GH_NOMEM, "%s", e.text);
        done = status == GH_OK;
    }
    ck_assert(done && n > 10);
}
END_TEST

Suite *gh_suite_segment(void)
{
    Suite *s = suite_create("segment");
    TCase *t = tcase_create("segment");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_one_channel);
    tcase_add_test(t, test_one_label);
    tcase_add_test(t, test_threshold);
    tcase_add_test(t, test_a_channel_a_class);
    tcase_add_test(t, test_no_background);
    tcase_add_test(t, test_fits);
    tcase_add_test(t, test_stride);
    tcase_add_test(t, test_minmax);
    tcase_add_test(t, test_sigmoid);
    tcase_add_test(t, test_stretched_levels);
    tcase_add_test(t, test_reply_is_the_contract);
    tcase_add_test(t, test_run_lengths);
    tcase_add_test(t, test_nothing);
    tcase_add_test(t, test_memory_is_estimated);
    tcase_add_loop_test(t, test_unfit_models, 0, GH_COUNT(unfit));
    tcase_add_test(t, test_selftest);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    return s;
}
