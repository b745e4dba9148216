/* PyTorch checkpoints: both containers, strides, types, and files that lie. */
#include "unit/checkpoint.h"
#include "unit/suites.h"

#include "base/mem.h"
#include "import/torch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gh_buf bytes;
static gh_torch *t;
static gh_err e;

static void setup(void)
{
    bytes = (gh_buf){0};
    t = NULL;
    e = (gh_err){0};
}

static void teardown(void)
{
    gh_buf_free(&bytes);
    gh_torch_free(&t);
}

typedef enum form { OLD, ZIP, ZIP64, FORMS } form;

static void write_form(form f, const ck_tensor *tensors, size_t count)
{
    bytes.len = 0;
    if (f == OLD)
        ck_old(&bytes, tensors, count);
    else
        ck_zip(&bytes, tensors, count, f == ZIP ? CK_ZIP_PLAIN : CK_ZIP_64);
    ck_assert(!bytes.failed);
}

static gh_status read_all(void)
{
    gh_torch_free(&t);
    return gh_torch_open_bytes(&t, bytes.data, bytes.len, &e);
}

/* Reads a block of exactly the size, copies every tensor that is not huge, so that a sanitizer sees any byte
 * read beyond it. */
static gh_status read_prefix(size_t len)
{
    uint8_t *copy = gh_alloc(len);
    ck_assert_ptr_nonnull(copy);
    if (len)
        memcpy(copy, bytes.data, len);
    gh_status status = gh_torch_open_bytes(&t, copy, len, &e);
    for (size_t i = 0; t && i < gh_torch_count(t); i++) {
        const gh_torch_tensor *now = gh_torch_at(t, i);
        float *floats = now->count < 10000 ? gh_calloc(now->count, sizeof *floats) : NULL;
        if (floats)
            gh_torch_copy_f32(floats, now);
        gh_free(floats);
    }
    gh_torch_free(&t);
    gh_free(copy);
    return status;
}

/* By name, or NULL. */
static const gh_torch_tensor *find(const char *name)
{
    gh_weights w;
    ck_assert_int_eq(gh_torch_weights(&w, t, &e), GH_OK);
    const gh_weight *found = gh_weights_find(&w, name);
    const gh_torch_tensor *tensor = found ? found->at : NULL;
    gh_weights_close(&w);
    return tensor;
}

static void assert_floats(const char *name, const float *want, size_t count)
{
    float got[64];
    const gh_torch_tensor *now = find(name);
    ck_assert_ptr_nonnull(now);
    ck_assert_uint_eq(now->count, count);
    ck_assert_uint_le(count, 64);
    gh_torch_copy_f32(got, now);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])), "%s[%zu] is %g, not %g", name,
                      i, got[i], want[i]);
}

static const float six[6] = {1, 2, 3, 4, 5, 6};

START_TEST(test_tensors)
{
    const ck_tensor tensors[] = {
        {.name = "plain", .rank = 2, .dims = {2, 3}, .data = six, .bytes = sizeof six},
        {.name = "turned",
         .rank = 2,
         .dims = {3, 2},
         .strided = true,
         .strides = {1, 3},
         .data = six,
         .bytes = sizeof six},
        {.name = "tail", .rank = 1, .dims = {2}, .offset = 4, .data = six, .bytes = sizeof six},
        {.name = "spread",
         .rank = 3,
         .dims = {2, 2, 2},
         .strided = true,
         .strides = {0, 5, 0},
         .data = six,
         .bytes = sizeof six},
        {.name = "scalar", .data = six, .bytes = 4, .parameter = true},
        {.name = "empty", .rank = 2, .dims = {0, 3}, .data = six, .bytes = 0},
    };
    for (form f = OLD; f < FORMS; f++) {
        write_form(f, tensors, GH_COUNT(tensors));
        ck_assert_msg(read_all() == GH_OK, "%d: %s", f, e.text);
        ck_assert_uint_eq(gh_torch_count(t), GH_COUNT(tensors));
        ck_assert_str_eq(gh_torch_at(t, 0)->name, "empty");
        ck_assert_ptr_null(find("pla"));
        assert_floats("plain", six, 6);
        assert_floats("turned", (float[]){1, 4, 2, 5, 3, 6}, 6);
        assert_floats("tail", (float[]){5, 6}, 2);
        assert_floats("spread", (float[]){1, 1, 6, 6, 1, 1, 6, 6}, 8);
        assert_floats("scalar", six, 1);
        assert_floats("empty", NULL, 0);
        ck_assert_int_eq(find("scalar")->shape.rank, 0);
    }
}
END_TEST

/* A convolution weight as TensorFlow lays it out (height, width, in, out), seen as out, in, height, width:
 * the published EfficientNet-Lite checkpoints are full of these. */
START_TEST(test_permuted_weights)
{
    float hwio[2 * 2 * 3 * 2], want[24];
    for (int i = 0; i < 24; i++)
        hwio[i] = (float)i;
    for (int o = 0; o < 2; o++)
        for (int i = 0; i < 3; i++)
            for (int y = 0; y < 2; y++)
                for (int x = 0; x < 2; x++)
                    want[((o * 3 + i) * 2 + y) * 2 + x] = hwio[((y * 2 + x) * 3 + i) * 2 + o];
    const ck_tensor w = {.name = "w",
                         .rank = 4,
                         .dims = {2, 3, 2, 2},
                         .strided = true,
                         .strides = {1, 2, 12, 6},
                         .data = hwio,
                         .bytes = sizeof hwio};
    write_form(OLD, &w, 1);
    ck_assert_msg(read_all() == GH_OK, "%s", e.text);
    assert_floats("w", want, 24);
}
END_TEST

START_TEST(test_types)
{
    const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00}, brains[] = {0x3f80, 0xc0a0, 0x7fc0};
    const double doubles[] = {0.1, -2};
    const int64_t longs[] = {-7, 1 << 24};
    const int32_t ints[] = {-5};
    const int16_t shorts[] = {-300};
    const int8_t chars[] = {-4};
    const uint8_t byte[] = {200}, boolean[] = {1, 0};
#define T(n, class, array)                                                                                   \
    {                                                                                                        \
        .name = n, .rank = 1, .dims = {GH_COUNT(array)}, .storage = class, .data = array,                    \
        .bytes = sizeof array, .size = sizeof *array                                                         \
    }
    const ck_tensor tensors[] = {
        T("f16", "HalfStorage", halves),    T("bf16", "BFloat16Storage", brains),
        T("f64", "DoubleStorage", doubles), T("i64", "LongStorage", longs),
        T("i32", "IntStorage", ints),       T("i16", "ShortStorage", shorts),
        T("i8", "CharStorage", chars),      T("u8", "ByteStorage", byte),
        T("bool", "BoolStorage", boolean),
    };
#undef T
    for (form f = OLD; f < FORMS; f++) {
        write_form(f, tensors, GH_COUNT(tensors));
        ck_assert_msg(read_all() == GH_OK, "%d: %s", f, e.text);
        assert_floats("f16", (float[]){1, -2, 0x1p-24f, 65504, -INFINITY}, 5);
        assert_floats("bf16", (float[]){1, -5, NAN}, 3);
        assert_floats("f64", (float[]){0.1f, -2}, 2);
        assert_floats("i64", (float[]){-7, 1 << 24}, 2);
        assert_floats("i32", (float[]){-5}, 1);
        assert_floats("i16", (float[]){-300}, 1);
        assert_floats("i8", (float[]){-4}, 1);
        assert_floats("u8", (float[]){200}, 1);
        assert_floats("bool", (float[]){1, 0}, 2);
        ck_assert_str_eq(gh_torch_type_name(find("bf16")->type), "bfloat16");
    }
}
END_TEST

START_TEST(test_shared_storage)
{
    const ck_tensor tensors[] = {
        {.name = "a", .rank = 1, .dims = {3}, .key = "s", .data = six, .bytes = sizeof six},
        {.name = "b", .rank = 1, .dims = {3}, .offset = 3, .key = "s", .data = six, .bytes = sizeof six},
    };
    for (form f = OLD; f < FORMS; f++) {
        write_form(f, tensors, 2);
        ck_assert_msg(read_all() == GH_OK, "%d: %s", f, e.text);
        assert_floats("a", six, 3);
        assert_floats("b", six + 3, 3);
    }
}
END_TEST

/* {"epoch": 3, "state_dict": {...}}, as training scripts save it. */
START_TEST(test_state_dictionary_inside)
{
    const ck_tensor w = {.name = "w", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six};
    gh_buf inner = {0}, outer = {0};
    ck_state(&inner, &w, 1, false);
    gh_buf_add(&outer, "\x80\2}(", 4);
    pk_string(&outer, "epoch");
    pk_int(&outer, 3);
    pk_string(&outer, "state_dict");
    gh_buf_add(&outer, inner.data + 2, inner.len - 3);
    gh_buf_str(&outer, "u.");
    const ck_file files[] = {{"x/data.pkl", outer.data, outer.len}, {"x/data/0", six, sizeof six}};
    ck_archive(&bytes, files, 2, CK_ZIP_PLAIN, 0, 0);
    ck_assert_msg(read_all() == GH_OK, "%s", e.text);
    ck_assert_uint_eq(gh_torch_count(t), 1);
    assert_floats("w", six, 6);
    gh_buf_free(&inner);
    gh_buf_free(&outer);
}
END_TEST

START_TEST(test_truncated_anywhere)
{
    const ck_tensor tensors[] = {
        {.name = "a", .rank = 2, .dims = {2, 3}, .data = six, .bytes = sizeof six},
        {.name = "b", .rank = 1, .dims = {2}, .data = six, .bytes = 8},
    };
    for (form f = OLD; f < FORMS; f++) {
        write_form(f, tensors, 2);
        ck_assert_int_eq(read_prefix(bytes.len), GH_OK);
        for (size_t len = 0; len < bytes.len; len++)
            ck_assert_msg(read_prefix(len) == GH_FORMAT, "form %d at %zu: %d %s", f, len, e.status, e.text);
    }
}
END_TEST

/* Any byte anywhere: an answer, never a crash. */
START_TEST(test_every_byte_changed)
{
    static const uint8_t values[] = {0, 1, 2, '(', '.', 0x7f, 0x80, 0xff};
    const ck_tensor a = {.name = "a",
                         .rank = 1,
                         .dims = {2},
                         .strided = true,
                         .strides = {3},
                         .data = six,
                         .bytes = sizeof six};
    for (form f = OLD; f < FORMS; f++) {
        write_form(f, &a, 1);
        for (size_t i = 0; i < bytes.len; i++) {
            uint8_t was = bytes.data[i];
            for (size_t v = 0; v < sizeof values; v++) {
                bytes.data[i] = values[v];
                gh_status status = read_prefix(bytes.len);
                ck_assert(status == GH_OK || status == GH_FORMAT || status == GH_UNSUPPORTED ||
                          status == GH_LIMIT);
            }
            bytes.data[i] = was;
        }
    }
}
END_TEST

/* Views that reach outside their storage, whatever arithmetic they hide it in. */
START_TEST(test_lying_views)
{
    static const ck_tensor rows[] = {
        {.name = "shape", .rank = 1, .dims = {7}},
        {.name = "offset", .rank = 1, .dims = {1}, .offset = 6},
        {.name = "both", .rank = 1, .dims = {4}, .offset = 3},
        {.name = "stride", .rank = 1, .dims = {2}, .strided = true, .strides = {6}},
        {.name = "negative stride", .rank = 1, .dims = {2}, .strided = true, .strides = {-1}},
        {.name = "negative shape", .rank = 2, .dims = {-1, -6}, .strided = true, .strides = {1, 1}},
        {.name = "negative offset", .rank = 1, .dims = {1}, .offset = -1},
        {.name = "huge offset", .rank = 1, .dims = {2}, .offset = INT64_MAX},
        {.name = "huge shape", .rank = 2, .dims = {INT64_MAX, 3}, .strided = true},
        {.name = "wraps", .rank = 3, .dims = {1LL << 32, 1LL << 31, 2}, .strided = true},
        {.name = "huge stride", .rank = 1, .dims = {3}, .strided = true, .strides = {INT64_MAX}},
        {.name = "sum", .rank = 2, .dims = {2, 2}, .strided = true, .strides = {INT64_MAX, 1}},
        {.name = "expanded", .rank = 2, .dims = {1LL << 20, 1LL << 20}, .strided = true},
        {.name = "rank", .rank = 9, .dims = {1, 1, 1, 1, 1, 1, 1, 1, 1}},
    };
    for (form f = OLD; f <= ZIP; f++)
        for (size_t i = 0; i < GH_COUNT(rows); i++) {
            ck_tensor now = rows[i];
            now.data = six;
            now.bytes = sizeof six;
            write_form(f, &now, 1);
            gh_status status = read_prefix(bytes.len);
            ck_assert_msg(status == GH_FORMAT || status == GH_LIMIT, "%s: %d", now.name, status);
            ck_assert_msg(strstr(e.text, now.name), "%s is not named: %s", now.name, e.text);
        }
}
END_TEST

/* Storages that claim more, or other, than what is there. */
START_TEST(test_lying_storages)
{
    static const int64_t claims[] = {7, 5, -1, INT64_MAX, INT64_MAX / 4, 1LL << 40, INT64_MIN};
    for (form f = OLD; f <= ZIP; f++)
        for (size_t i = 0; i < GH_COUNT(claims); i++) {
            const ck_tensor a = {
                .name = "a", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six, .claims = claims[i]};
            write_form(f, &a, 1);
            gh_status status = read_prefix(bytes.len);
            ck_assert_msg(status == GH_FORMAT || status == GH_LIMIT, "%d, claim %zu: %d", f, i, status);
        }
    const ck_tensor twice[] = {
        {.name = "a", .rank = 1, .dims = {6}, .key = "s", .data = six, .bytes = sizeof six},
        {.name = "b",
         .rank = 1,
         .dims = {6},
         .key = "s",
         .storage = "IntStorage",
         .data = six,
         .bytes = sizeof six},
    };
    write_form(OLD, twice, 2);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "described twice"));
}
END_TEST

START_TEST(test_names)
{
    ck_tensor two[] = {{.name = "same", .data = six, .bytes = 4}, {.name = "same", .data = six, .bytes = 4}};
    write_form(ZIP, two, 2);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "\"same\" twice"));
    two[1].name = "";
    write_form(ZIP, two, 2);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    char longer[600];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    two[1].name = longer;
    write_form(ZIP, two, 2);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
}
END_TEST

/* A container around any pickle. */
static gh_status read_pickle(const char *pickle, size_t len, uint16_t method, uint16_t flags)
{
    const ck_file files[] = {{"x/data.pkl", pickle, len}, {"x/data/0", six, sizeof six}};
    bytes.len = 0;
    ck_archive(&bytes, files, 2, CK_ZIP_PLAIN, method, flags);
    return read_prefix(bytes.len);
}

START_TEST(test_what_is_not_read)
{
    static const char evil[] = "\x80\2cos\nsystem\n(X\4\0\0\0exittR.";
    ck_assert_int_eq(read_pickle(evil, sizeof evil - 1, 0, 0), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "os.system"));
    bytes.len = 0;
    ck_old_head(&bytes);
    gh_buf_add(&bytes, evil, sizeof evil - 1);
    ck_assert_int_eq(read_prefix(bytes.len), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "os.system"));

    ck_assert_int_eq(read_pickle("}.", 2, 0, 0), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "no tensors"));
    ck_assert_int_eq(read_pickle("].", 2, 0, 0), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "a list"));
    ck_assert_int_eq(read_pickle("}.", 2, 8, 0), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "compressed"));
    ck_assert_int_eq(read_pickle("}.", 2, 0, 1), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "encrypted"));

    static const char *const others[] = {"",      "\x89PNG\r\n\x1a\n", "\x80\2K\1.", "\x80\2]q\1.", "PK\5\6",
                                         "PK\3\4"};
    for (size_t i = 0; i < GH_COUNT(others); i++) {
        bytes.len = 0;
        gh_buf_str(&bytes, others[i]);
        ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    }
}
END_TEST

START_TEST(test_archives)
{
    const ck_file same[] = {{"a", "1", 1}, {"a", "2", 1}};
    ck_archive(&bytes, same, 2, CK_ZIP_PLAIN, 0, 0);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "same name"));
    bytes.len = 0;
    ck_archive(&bytes, same, 1, CK_ZIP_PLAIN, 0, 0);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "no data.pkl"));
    const ck_tensor a = {.name = "a", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six};
    gh_buf state = {0};
    ck_state(&state, &a, 1, false);
    const ck_file big[] = {
        {"x/data.pkl", state.data, state.len}, {"x/byteorder", "big", 3}, {"x/data/0", six, 24}};
    bytes.len = 0;
    ck_archive(&bytes, big, 3, CK_ZIP_PLAIN, 0, 0);
    ck_assert_int_eq(read_prefix(bytes.len), GH_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "big-endian"));
    bytes.len = 0;
    ck_archive(&bytes, big, 1, CK_ZIP_PLAIN, 0, 0);
    ck_assert_int_eq(read_prefix(bytes.len), GH_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "no data for storage \"0\""));
    gh_buf_free(&state);
}
END_TEST

START_TEST(test_memory_runs_out)
{
    const ck_tensor a = {.name = "a", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six};
    for (form f = OLD; f <= ZIP; f++) {
        write_form(f, &a, 1);
        gh_status status = GH_NOMEM;
        int fails = 0;
        for (; status == GH_NOMEM; fails++) {
            gh_mem_fail_after(fails);
            status = read_all();
            gh_mem_fail_after(-1);
            ck_assert(status == GH_OK || (status == GH_NOMEM && !t && e.status == GH_NOMEM));
        }
        ck_assert_int_eq(status, GH_OK);
        ck_assert_int_ge(fails, 8);
    }
}
END_TEST

START_TEST(test_files)
{
    char path[] = "/tmp/gharial-test-XXXXXX";
    const ck_tensor a = {.name = "a", .rank = 1, .dims = {6}, .data = six, .bytes = sizeof six};
    write_form(OLD, &a, 1);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes.data, bytes.len), (ssize_t)bytes.len);
    ck_assert_msg(gh_torch_open(&t, path, &e) == GH_OK, "%s", e.text);
    assert_floats("a", six, 6);
    gh_torch_free(&t);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes.len - 1), 0);
    ck_assert_int_eq(gh_torch_open(&t, path, &e), GH_FORMAT);
    ck_assert_ptr_eq(strstr(e.text, path), e.text);
    ck_assert_int_eq(gh_torch_open(&t, "/nonexistent/x", &e), GH_NOTFOUND);
    close(fd);
    unlink(path);
}
END_TEST

Suite *gh_suite_torch(void)
{
    Suite *s = suite_create("torch");
    TCase *c = tcase_create("torch");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 30);
    tcase_add_test(c, test_tensors);
    tcase_add_test(c, test_permuted_weights);
    tcase_add_test(c, test_types);
    tcase_add_test(c, test_shared_storage);
    tcase_add_test(c, test_state_dictionary_inside);
    tcase_add_test(c, test_truncated_anywhere);
    tcase_add_test(c, test_every_byte_changed);
    tcase_add_test(c, test_lying_views);
    tcase_add_test(c, test_lying_storages);
    tcase_add_test(c, test_names);
    tcase_add_test(c, test_what_is_not_read);
    tcase_add_test(c, test_archives);
    tcase_add_test(c, test_memory_runs_out);
    tcase_add_test(c, test_files);
    suite_add_tcase(s, c);
    return s;
}
