/* The Open Inference Protocol against the real binary: tensors in, tensors out, with numbers and with bytes.
 */
#include "e2e/harness.h"

#include <stdio.h>
#include <string.h>

enum { SIDE = 224, INPUTS = 3 * SIDE * SIDE, CLASSES = 1000 };
#define INFER "/v2/models/" REAL "/infer"

static server s;
static reply r;
static float input[INPUTS];

static void setup(void)
{
    server_start(&s, ARGS("--workers", "2"));
    for (int i = 0; i < INPUTS; i++)
        input[i] = (float)(i % 255 - 127) / 128;
}

static void teardown(void)
{
    ck_assert_int_eq(server_stop(&s), 0);
    reply_free(&r);
}

START_TEST(test_metadata)
{
    ask(&r, s.address, "GET", "/v2", NULL, NULL, 0);
    json_t *o = reply_json(&r);
    ck_assert_str_eq(json_string_value(json_object_get(o, "name")), "gharial");
    json_decref(o);
    ck_assert_int_eq(get_status(s.address, "/v2/health/live"), 200);
    ck_assert_int_eq(get_status(s.address, "/v2/health/ready"), 200);
    ck_assert_int_eq(get_status(s.address, "/v2/models/" REAL "/ready"), 200);
    ask(&r, s.address, "GET", "/v2/models/" REAL, NULL, NULL, 0);
    ck_assert_int_eq(r.status, 200);
    o = reply_json(&r);
    json_t *in = json_array_get(json_object_get(o, "inputs"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(in, "datatype")), "FP32");
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(in, "shape"), 2)), SIDE);
    json_decref(o);
    ask(&r, s.address, "GET", "/v2/models/none", NULL, NULL, 0);
    check_problem(&r, 404, "none");
}
END_TEST

/* Asks with the tensor as bytes; `outputs` goes into the request. */
static void infer_bytes(int batch, const char *outputs)
{
    gh_buf b = {0};
    char head[64];
    size_t bytes = (size_t)batch * sizeof input;
    gh_buf_printf(
        &b,
        "{\"id\":\"q\",\"inputs\":[{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[%d,3,%d,%d],"
        "\"parameters\":{\"binary_data_size\":%zu}}]%s}",
        batch, SIDE, SIDE, bytes, outputs);
    snprintf(head, sizeof head, "Inference-Header-Content-Length: %zu\r\n", b.len);
    for (int i = 0; i < batch; i++)
        gh_buf_add(&b, input, sizeof input);
    ask(&r, s.address, "POST", INFER, head, b.data, b.len);
    gh_buf_free(&b);
}

/* Both forms, in both directions, and a batch, give the same logits. */
START_TEST(test_infer)
{
    gh_buf b = {0};
    static float logits[CLASSES];
    infer_bytes(1, "");
    ck_assert_msg(r.status == 200, "%s", (const char *)r.body.data);
    json_t *o = reply_json(&r);
    ck_assert_str_eq(json_string_value(json_object_get(o, "id")), "q");
    json_t *data = json_object_get(json_array_get(json_object_get(o, "outputs"), 0), "data");
    ck_assert_uint_eq(json_array_size(data), CLASSES);
    for (size_t i = 0; i < CLASSES; i++)
        logits[i] = (float)json_number_value(json_array_get(data, i));
    json_decref(o);

    infer_bytes(2, ",\"outputs\":[{\"name\":\"logits\"}],\"parameters\":{\"binary_data_output\":true}");
    ck_assert_int_eq(r.status, 200);
    int json_len = 0;
    ck_assert_int_eq(sscanf(reply_header(&r, "Inference-Header-Content-Length"), "%d", &json_len), 1);
    ck_assert_uint_eq(r.body.len, (size_t)json_len + 2 * sizeof logits);
    for (size_t k = 0; k < 2; k++) {
        float got[CLASSES];
        memcpy(got, r.body.data + json_len + k * sizeof got, sizeof got);
        for (int i = 0; i < CLASSES; i++)
            ck_assert_float_eq_tol(got[i], logits[i], 1e-4f);
    }

    gh_buf_printf(&b,
                  "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[1,3,%d,%d],\"data\":[",
                  SIDE, SIDE);
    for (int i = 0; i < INPUTS; i++)
        gh_buf_printf(&b, "%s%.9g", i ? "," : "", (double)input[i]);
    gh_buf_str(&b, "]}],\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"binary_data\":true}}]}");
    ask(&r, s.address, "POST", INFER, JSON, b.data, b.len);
    ck_assert_int_eq(r.status, 200);
    float got[CLASSES];
    memcpy(got, r.body.data + r.body.len - sizeof got, sizeof got);
    ck_assert_mem_eq(got, logits, sizeof got);
    gh_buf_free(&b);
}
END_TEST

static void infer_text(const char *text)
{
    ask(&r, s.address, "POST", INFER, JSON, text, strlen(text));
}

START_TEST(test_bad_requests)
{
    infer_text("not json");
    check_problem(&r, 400, "not JSON");
    infer_text("{\"inputs\":[{\"name\":\"picture\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1]}]}");
    check_problem(&r, 400, "the input 'image' of the model " REAL " is missing");
    infer_text("{\"inputs\":[{\"name\":\"image\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1]}]}");
    check_problem(&r, 400, "the model takes float32 ?x3x224x224");
    infer_bytes(1, ",\"outputs\":[{\"name\":\"labels\"}]");
    check_problem(&r, 400, "has no output 'labels'");
    ask(&r, s.address, "POST", INFER, "Inference-Header-Content-Length: 9x\r\n", "{}", 2);
    check_problem(&r, 400, "Inference-Header-Content-Length");
    ask(&r, s.address, "POST", "/v2/models/none/infer", JSON, "{}", 2);
    check_problem(&r, 404, "none");
    ask(&r, s.address, "GET", INFER, NULL, NULL, 0);
    check_problem(&r, 405, "POST");
}
END_TEST

Suite *suite_v2(void)
{
    Suite *suite = suite_create("v2");
    TCase *t = tcase_create("v2");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_metadata);
    tcase_add_test(t, test_infer);
    tcase_add_test(t, test_bad_requests);
    suite_add_tcase(suite, t);
    return suite;
}
