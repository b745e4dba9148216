/* The TFLite reader: what an honest file says, and one sentence about files that are cut off or lie. */
#include "unit/suites.h"

#include "base/mem.h"
#include "import/tflite_model.h"
#include "unit/nets.h"
#include "unit/tflite_file.h"

#include <string.h>

/* A dense layer: weights int8 with a scale a row, bias float16 behind a DEQUANTIZE. */
static const int8_t weights[6] = {1, 2, 3, -4, -5, 127};
static const float scales[2] = {0.5f, 2.0f};
static const int64_t zeros[2] = {0, 1};
static const uint16_t halves[2] = {0x3c00, 0xc100}; /* 1, -2.5 */

static const tf_tensor tensors[] = {
    {.name = "x", .rank = 2, .dims = {1, 3}},
    {.name = "w",
     .type = GH_TFL_INT8,
     .rank = 2,
     .dims = {2, 3},
     .data = weights,
     .bytes = sizeof weights,
     .scale = scales,
     .zero = zeros,
     .nscale = 2,
     .axis = 0},
    {.name = "half", .type = GH_TFL_FLOAT16, .rank = 1, .dims = {2}, .data = halves, .bytes = sizeof halves},
    {.name = "bias", .rank = 1, .dims = {2}},
    {.name = "x", .rank = 2, .dims = {1, 2}},
};

static const tf_op ops[] = {
    {.code = GH_TFL_DEQUANTIZE, .nin = 1, .in = {2}, .nout = 1, .out = {3}},
    {.code = 9, .nin = 3, .in = {0, 1, 3}, .nout = 1, .out = {4}, .options = {{1, 1}}, .noptions = 1},
};

static const tf_file dense = {
    .tensors = tensors, .ntensors = 5, .ops = ops, .nops = 2, .in = {0}, .nin = 1, .out = {4}, .nout = 1};

/* Reads a copy that ends exactly where the bytes end, for the address sanitizer. */
static gh_status open_copy(const void *data, size_t len, gh_err *e)
{
    uint8_t *copy = gh_alloc(len);
    gh_tfl_model *m = NULL;
    ck_assert_ptr_nonnull(copy);
    if (len)
        memcpy(copy, data, len);
    gh_status status = gh_tfl_open(&m, copy, len, e);
    ck_assert((status == GH_OK) == (m != NULL));
    gh_tfl_free(&m);
    gh_free(copy);
    return status;
}

static void refused(const gh_buf *b, gh_status want, const char *part)
{
    gh_err e = {0};
    nt_refused(open_copy(b->data, b->len, &e), want, &e, part);
}

static void refused_file(const tf_file *f, gh_status want, const char *part)
{
    gh_buf b = {0};
    tf_write(&b, f, NULL);
    refused(&b, want, part);
    gh_buf_free(&b);
}

/* The file with one tensor, or one operator, exchanged. */
static void refused_tensor(size_t i, tf_tensor t, gh_status want, const char *part)
{
    tf_tensor all[GH_COUNT(tensors)];
    tf_file f = dense;
    memcpy(all, tensors, sizeof all);
    all[i] = t;
    f.tensors = all;
    refused_file(&f, want, part);
}

static void refused_op(size_t i, tf_op op, gh_status want, const char *part)
{
    tf_op all[GH_COUNT(ops)];
    tf_file f = dense;
    memcpy(all, ops, sizeof all);
    all[i] = op;
    f.ops = all;
    refused_file(&f, want, part);
}

/* With codes in the new field and in the old one alike. */
START_TEST(test_honest)
{
    gh_buf b = {0};
    gh_err e;
    gh_tfl_model *m = NULL;
    tf_file f = dense;
    float w[6], bias[2];
    f.old_code = _i == 1;
    tf_write(&b, &f, NULL);
    NT_OK(gh_tfl_open(&m, b.data, b.len, &e), e);
    ck_assert_uint_eq(m->ntensors, 5);
    ck_assert_uint_eq(m->nops, 1); /* the constant's DEQUANTIZE is gone */
    ck_assert_int_eq(m->ops[0].code, 9);
    ck_assert_int_eq(gh_fb_int(&m->ops[0].options, 0, 1, 0), 1);
    ck_assert_int_eq(gh_fb_int(&m->ops[0].options, 1, 1, 7), 7);
    ck_assert_str_eq(m->tensors[0].name, "x");
    ck_assert_str_eq(m->tensors[4].name, "x#4");
    NT_OK(gh_tfl_floats(w, &m->tensors[1], &e), e);
    NT_OK(gh_tfl_floats(bias, &m->tensors[3], &e), e);
    const float want[6] = {0.5f, 1, 1.5f, -10, -12, 252};
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(w[i], want[i]);
    ck_assert_float_eq(bias[0], 1);
    ck_assert_float_eq(bias[1], -2.5f);
    gh_tfl_free(&m);
    gh_buf_free(&b);
}
END_TEST

/* One constant of each type, by the formula (q - zero) * scale; scales along the last axis. */
START_TEST(test_types)
{
    static const float two[2] = {0.5f, 0.25f}, one = 0.5f;
    static const int64_t four = 4;
    static const uint8_t int4[2] = {0x2f, 0x87}; /* -1 2 7 -8 */
    static const uint8_t u8[4] = {0, 4, 200, 255};
    static const int16_t i16[4] = {-32768, 0, 1, 32767};
    static const int32_t i32[4] = {-2000000000, 0, 1, 7};
    static const int64_t i64[4] = {-5, 0, 1, 1LL << 40};
    static const struct {
        tf_tensor t;
        float want[4];
    } cases[] = {
        {{.type = GH_TFL_INT4, .data = int4, .bytes = 2, .scale = &one, .nscale = 1}, {-.5f, 1, 3.5f, -4}},
        {{.type = GH_TFL_UINT8, .data = u8, .bytes = 4, .scale = &one, .zero = &four, .nscale = 1},
         {-2, 0, 98, 125.5f}},
        {{.type = GH_TFL_UINT8, .data = u8, .bytes = 4, .scale = two, .nscale = 2, .axis = 1},
         {0, 1, 100, 63.75f}},
        {{.type = GH_TFL_INT16, .data = i16, .bytes = 8}, {-32768, 0, 1, 32767}},
        {{.type = GH_TFL_INT32, .data = i32, .bytes = 16, .scale = &one, .nscale = 1}, {-1e9f, 0, .5f, 3.5f}},
        {{.type = GH_TFL_INT64, .data = i64, .bytes = 32}, {-5, 0, 1, 0x1p40f}},
    };
    gh_buf b = {0};
    gh_err e;
    gh_tfl_model *m = NULL;
    float got[4];
    tf_tensor all[2] = {{.name = "x", .rank = 1, .dims = {1}}, cases[_i].t};
    all[1].rank = 2;
    all[1].dims[0] = all[1].dims[1] = 2;
    tf_file f = {.tensors = all, .ntensors = 2, .nin = 1, .out = {1}, .nout = 1};
    tf_write(&b, &f, NULL);
    NT_OK(gh_tfl_open(&m, b.data, b.len, &e), e);
    NT_OK(gh_tfl_floats(got, &m->tensors[1], &e), e);
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(got[i], cases[_i].want[i]);
    gh_tfl_free(&m);
    gh_buf_free(&b);
}
END_TEST

/* Cut at every length before the end of the last constant: one sentence. */
START_TEST(test_cut_off)
{
    gh_buf b = {0};
    tf_places p = {0};
    tf_write(&b, &dense, &p);
    ck_assert_uint_gt(p.end, 900);
    for (size_t len = 0; len < p.end; len++) {
        gh_err e = {0};
        ck_assert_msg(open_copy(b.data, len, &e) != GH_OK, "accepted at %zu of %zu bytes", len, b.len);
        ck_assert_uint_gt(strlen(e.text), 20);
    }
    gh_buf_free(&b);
}
END_TEST

/* Any 32 bits in the place of any other: an answer, no crash, and a sentence when it is no. */
START_TEST(test_lies)
{
    static const uint32_t values[] = {0, 1, 4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 0x10000};
    gh_buf b = {0};
    size_t no = 0;
    tf_write(&b, &dense, NULL);
    for (size_t at = 0; at + 4 <= b.len; at += 2)
        for (size_t v = 0; v < GH_COUNT(values); v++) {
            gh_err e = {0};
            uint8_t was[4];
            memcpy(was, b.data + at, 4);
            fb_put32(&b, at, values[v]);
            if (open_copy(b.data, b.len, &e) != GH_OK) {
                no++;
                ck_assert_uint_gt(strlen(e.text), 20);
            }
            memcpy(b.data + at, was, 4);
        }
    ck_assert_uint_gt(no, 500);
    gh_buf_free(&b);
}
END_TEST

/* Tables that are one another, or themselves, end: the schema, not the file, says how deep to look. */
START_TEST(test_cycles)
{
    gh_buf b = {0};
    gh_err e = {0};
    tf_places p;
    tf_write(&b, &dense, &p);
    for (size_t i = 0; i < 2; i++)
        fb_point(&b, p.ops + 4 + 4 * i, p.op[1]);
    refused(&b, GH_FORMAT, "reads tensor \"bias\", which nothing wrote before");
    for (size_t i = 0; i < 5; i++)
        fb_point(&b, p.tensors + 4 + 4 * i, p.tensor[4]);
    ck_assert_int_ne(open_copy(b.data, b.len, &e), GH_OK);
    gh_buf_free(&b);
}
END_TEST

START_TEST(test_bad_file)
{
    gh_buf b = {0};
    tf_file f = dense;
    gh_buf_str(&b, "PK not a model");
    refused(&b, GH_FORMAT, "does not carry the mark TFL3");
    gh_buf_free(&b);
    refused(&b, GH_FORMAT, "it is empty");
    f.version = 2;
    tf_write(&b, &f, NULL);
    refused(&b, GH_UNSUPPORTED, "schema version 2; gharial reads 3");
    gh_buf_free(&b);
    f = dense;
    f.nout = 0;
    tf_write(&b, &f, NULL);
    refused(&b, GH_FORMAT, "1 inputs and 0 outputs");
    gh_buf_free(&b);
    f = dense;
    f.out[0] = 9;
    tf_write(&b, &f, NULL);
    refused(&b, GH_FORMAT, "the list of outputs names tensor 9 of 5");
    gh_buf_free(&b);
    f = dense;
    f.in[0] = 1;
    tf_write(&b, &f, NULL);
    refused(&b, GH_FORMAT, "input \"w\" is a constant");
    gh_buf_free(&b);
}
END_TEST

START_TEST(test_bad_tensor)
{
    tf_tensor t = tensors[1];
    t.bytes = 5;
    refused_tensor(1, t, GH_FORMAT, "\"w\" has 5 bytes; its shape and type int8 need 6");
    t = tensors[1];
    t.axis = 1;
    refused_tensor(1, t, GH_FORMAT, "2 scales and 2 zero points along its dimension 1");
    t = tensors[1];
    t.sparse = &(tf_sparse){.norder = 0};
    refused_tensor(1, t, GH_FORMAT, "stored sparse, but its order of traversal does not fit");
    t = tensors[1];
    t.external = true;
    refused_tensor(1, t, GH_UNSUPPORTED, "outside of the FlatBuffer");
    t = tensors[0];
    t.variable = true;
    refused_tensor(0, t, GH_UNSUPPORTED, "variable that keeps a state");
    t = tensors[0];
    t.dims[1] = -3;
    refused_tensor(0, t, GH_FORMAT, "negative dimension");
    t.rank = 5;
    memcpy(t.dims, (int32_t[]){65536, 65536, 65536, 65536, 65536}, sizeof t.dims);
    refused_tensor(0, t, GH_LIMIT, "more elements");
}
END_TEST

START_TEST(test_bad_op)
{
    tf_op op = ops[1];
    op.in[1] = 17;
    refused_op(1, op, GH_FORMAT, "operator 1 names tensor 17 of 5");
    op = ops[1];
    op.in[2] = -2;
    refused_op(1, op, GH_FORMAT, "operator 1 names tensor -2 of 5");
    op = ops[1];
    op.out[0] = 1;
    refused_op(1, op, GH_FORMAT, "operator 1 (FULLY_CONNECTED) writes tensor \"w\"");
    op = ops[1];
    op.in[0] = 4;
    refused_op(1, op, GH_FORMAT, "reads tensor \"x#4\", which nothing wrote before");
}
END_TEST

/* Memory that ends at any allocation is a status, and nothing leaks. */
START_TEST(test_no_memory)
{
    gh_buf b = {0};
    gh_err e = {0};
    tf_write(&b, &dense, NULL);
    int64_t i = 0;
    for (;; i++) {
        gh_tfl_model *m = NULL;
        gh_mem_fail_after(i);
        gh_status status = gh_tfl_open(&m, b.data, b.len, &e);
        gh_mem_fail_after(-1);
        gh_tfl_free(&m);
        if (status == GH_OK)
            break;
        ck_assert_int_eq(status, GH_NOMEM);
    }
    ck_assert_int_gt(i, 4);
    gh_buf_free(&b);
}
END_TEST

Suite *gh_suite_tflite(void)
{
    Suite *s = suite_create("tflite");
    TCase *t = tcase_create("tflite");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_honest, 0, 2);
    tcase_add_loop_test(t, test_types, 0, 6);
    tcase_add_test(t, test_cut_off);
    tcase_add_test(t, test_lies);
    tcase_add_test(t, test_cycles);
    tcase_add_test(t, test_bad_file);
    tcase_add_test(t, test_bad_tensor);
    tcase_add_test(t, test_bad_op);
    tcase_add_test(t, test_no_memory);
    suite_add_tcase(s, t);
    return s;
}
