/* The Open Inference Protocol: requests from bytes, replies to bytes. */
#include "http/v2.h"
#include "unit/suites.h"

#include "base/mem.h"

#include <string.h>

static gh_v2_request q;
static gh_err e;

static void setup(void)
{
    q = (gh_v2_request){0};
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_v2_free(&q);
}

static gh_status read_text(const char *text)
{
    gh_v2_free(&q);
    e = (gh_err){0};
    return gh_v2_read(&q, (const uint8_t *)text, strlen(text), 0, 1000, &e);
}

#define ONE(type, shape, more)                                                                               \
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"" type "\",\"shape\":" shape more "}]}"

START_TEST(test_numbers)
{
    ck_assert_msg(
        read_text("{\"id\":\"7\",\"inputs\":["
                  "{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[[1,-2.5],[3,1e3]]},"
                  "{\"name\":\"i\",\"datatype\":\"INT64\",\"shape\":[1],\"data\":[-9007199254740993]},"
                  "{\"name\":\"u\",\"datatype\":\"UINT8\",\"shape\":[1,2],\"data\":[0,255]},"
                  "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,0]}]}") == GH_OK,
        "%s", e.text);
    ck_assert_uint_eq(q.ninputs, 4);
    ck_assert_str_eq(q.id, "7");
    const float *x = q.inputs[0].tensor.data;
    ck_assert(x[0] == 1 && x[1] == -2.5f && x[2] == 3 && x[3] == 1000);
    ck_assert_int_eq(*(const int64_t *)q.inputs[1].tensor.data, -9007199254740993);
    ck_assert_uint_eq(((const uint8_t *)q.inputs[2].tensor.data)[1], 255);
    ck_assert_uint_eq(((const uint8_t *)q.inputs[3].tensor.data)[0], 1);
    ck_assert(gh_v2_wants(&q, "anything") && !gh_v2_binary(&q, "anything"));
}
END_TEST

START_TEST(test_bytes)
{
    const char json[] =
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"parameters\":{"
        "\"binary_data_size\":8}},{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[1],"
        "\"parameters\":{\"binary_data_size\":1}}],\"parameters\":{\"binary_data_output\":true},"
        "\"outputs\":[{\"name\":\"y\"},{\"name\":\"z\",\"parameters\":{\"binary_data\":false}}]}";
    const char *const known[] = {"y", "w"};
    const float two[2] = {0.5f, -1};
    uint8_t body[sizeof json + 9];
    size_t n = strlen(json);
    memcpy(body, json, n);
    memcpy(body + n, two, 8);
    body[n + 8] = 200;
    ck_assert_msg(gh_v2_read(&q, body, n + 9, n, 1000, &e) == GH_OK, "%s", e.text);
    ck_assert_mem_eq(q.inputs[0].tensor.data, two, 8);
    ck_assert_uint_eq(*(const uint8_t *)q.inputs[1].tensor.data, 1);
    ck_assert(gh_v2_wants(&q, "y") && gh_v2_binary(&q, "y"));
    ck_assert(gh_v2_wants(&q, "z") && !gh_v2_binary(&q, "z"));
    ck_assert(!gh_v2_wants(&q, "w"));
    ck_assert_str_eq(gh_v2_unknown_output(&q, known, 2), "z");
    for (size_t cut = 1; cut <= 9; cut++) { /* bytes that are not there */
        gh_v2_free(&q);
        ck_assert_int_eq(gh_v2_read(&q, body, n + 9 - cut, n, 1000, &e), GH_ARG);
    }
    gh_v2_free(&q);
    ck_assert_int_eq(gh_v2_read(&q, body, n + 9, n + 10, 1000, &e), GH_ARG);
}
END_TEST

static const struct {
    const char *text;
    gh_status status;
    const char *says;
} bad[] = {
    {"", GH_ARG, "not JSON"},
    {"[]", GH_ARG, "must be a JSON object"},
    {"{}", GH_ARG, "\"inputs\" must be a list of 1 to 64"},
    {"{\"inputs\":[{}]}", GH_ARG, "no \"name\""},
    {ONE("BYTES", "[1]", ",\"data\":[\"a\"]"), GH_ARG, "datatype BYTES"},
    {ONE("FP32", "[0]", ",\"data\":[]"), GH_ARG, "sizes from 1"},
    {ONE("FP32", "[1,1,1,1,1,1,1,1,1]", ",\"data\":[1]"), GH_ARG, "at most 8 sizes"},
    {ONE("FP32", "[4611686018427387904,4]", ",\"data\":[1]"), GH_ARG, "at most 8 sizes"},
    {ONE("FP32", "[251]", ",\"data\":[1]"), GH_LIMIT, "251 elements"},
    {ONE("FP32", "[2]", ",\"data\":[1]"), GH_ARG, "fewer than the 2 elements"},
    {ONE("FP32", "[2]", ",\"data\":[1,2,3]"), GH_ARG, "more than the 2 elements"},
    {ONE("FP32", "[2]", ",\"data\":[1,null]"), GH_ARG, "element 1 of the input 'x' is no FP32"},
    {ONE("INT8", "[1]", ",\"data\":[128]"), GH_ARG, "element 0 of the input 'x' is no INT8"},
    {ONE("INT32", "[1]", ",\"data\":[1.5]"), GH_ARG, "no INT32"},
    {ONE("UINT64", "[1]", ",\"data\":[-1]"), GH_ARG, "no UINT64"},
    {ONE("FP32", "[1]", ""), GH_ARG, "no \"data\""},
    {ONE("FP32", "[1]", ",\"parameters\":{\"binary_data_size\":4}"), GH_ARG, "ends before the bytes"},
    {ONE("FP32", "[1]", ",\"parameters\":{\"binary_data_size\":-4}"), GH_ARG, "must be 4"},
    {ONE("FP32", "[1]", ",\"data\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), GH_LIMIT, "nest deeper"},
};

START_TEST(test_bad_requests)
{
    ck_assert_int_eq(read_text(bad[_i].text), bad[_i].status);
    ck_assert_msg(strstr(e.text, bad[_i].says) != NULL, "%s", e.text);
}
END_TEST

START_TEST(test_memory_runs_out)
{
    gh_status status = GH_NOMEM;
    for (int64_t fails = 0; status == GH_NOMEM; fails++) {
        gh_mem_fail_after(fails);
        status = read_text(ONE("FP32", "[2]", ",\"data\":[1,2]"));
        gh_mem_fail_after(-1);
    }
    ck_assert_int_eq(status, GH_OK);
}
END_TEST

START_TEST(test_writing)
{
    gh_buf out = {0};
    float f[3] = {0.1f, -0.0f, 1.5f};
    gh_v2_write(&out, "a\"b", &(gh_tensor){GH_F32, gh_shape_of(2, (int64_t[]){1, 3}), f}, false);
    uint64_t u[1] = {UINT64_MAX};
    gh_v2_write(&out, "u", &(gh_tensor){GH_U64, gh_shape_of(1, (int64_t[]){1}), u}, false);
    uint8_t b[2] = {1, 0};
    gh_v2_write(&out, "b", &(gh_tensor){GH_BOOL, gh_shape_of(1, (int64_t[]){2}), b}, false);
    gh_v2_write(&out, "b", &(gh_tensor){GH_BOOL, gh_shape_of(1, (int64_t[]){2}), b}, true);
    gh_buf_add(&out, "", 1);
    ck_assert_str_eq(
        (const char *)out.data,
        "{\"name\":\"a\\\"b\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[0.100000001,-0,1.5]}"
        "{\"name\":\"u\",\"datatype\":\"UINT64\",\"shape\":[1],\"data\":[18446744073709551615]}"
        "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[true,false]}"
        "{\"name\":\"b\",\"datatype\":\"BOOL\",\"shape\":[2],\"parameters\":{\"binary_data_size\":2}}");
    gh_buf_free(&out);
}
END_TEST

Suite *gh_suite_v2(void)
{
    Suite *s = suite_create("v2");
    TCase *t = tcase_create("v2");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_numbers);
    tcase_add_test(t, test_bytes);
    tcase_add_loop_test(t, test_bad_requests, 0, (int)GH_COUNT(bad));
    tcase_add_test(t, test_memory_runs_out);
    tcase_add_test(t, test_writing);
    suite_add_tcase(s, t);
    return s;
}
