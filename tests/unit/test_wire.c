/* Protobuf wire format: known bytes, round trips, truncation at every byte, malformed input. */
#include "unit/suites.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/wire.h"

#include <math.h>
#include <string.h>

/* The examples of the format's own description: field 1 = 150; field 2 = "testing". */
START_TEST(test_known_bytes)
{
    gh_buf buf = {0};
    gh_wire_put_varint(&buf, 1, 150);
    gh_wire_put_string(&buf, 2, "testing");
    static const uint8_t want[] = {0x08, 0x96, 0x01, 0x12, 7, 't', 'e', 's', 't', 'i', 'n', 'g'};
    ck_assert_uint_eq(buf.len, sizeof want);
    ck_assert_int_eq(memcmp(buf.data, want, sizeof want), 0);
    gh_buf_free(&buf);
}
END_TEST

START_TEST(test_varints_round_trip)
{
    for (int bits = 0; bits <= 64; bits++)
        for (int off = -1; off <= 1; off++) {
            uint64_t v = (bits < 64 ? UINT64_C(1) << bits : 0) + (uint64_t)(int64_t)off, back = 0;
            gh_buf buf = {0};
            gh_wire_put_varint(&buf, 536870911, v);
            gh_wire wire = gh_wire_open(buf.data, buf.len);
            gh_wire_field field;
            ck_assert(gh_wire_next(&wire, &field));
            ck_assert_uint_eq(field.number, 536870911);
            ck_assert_int_eq(field.type, GH_WIRE_VARINT);
            ck_assert_uint_eq(field.value, v);
            ck_assert(!gh_wire_next(&wire, &field));
            ck_assert(!wire.bad);
            ck_assert(!gh_wire_varint(&wire, &back));
            ck_assert(!wire.bad);
            gh_buf_free(&buf);
        }
}
END_TEST

START_TEST(test_floats_round_trip)
{
    static const float values[] = {0, -0.0f, 1.5f, -3e38f, 1e-45f, INFINITY};
    gh_buf packed = {0}, buf = {0};
    for (size_t i = 0; i < GH_COUNT(values); i++) {
        gh_wire_put_float(&buf, 3, values[i]);
        gh_buf_add(&packed, &values[i], sizeof values[i]); /* little-endian machine */
    }
    gh_wire_put_bytes(&buf, 3, packed.data, packed.len);
    float got[2 * GH_COUNT(values)];
    size_t count = 0;
    gh_wire wire = gh_wire_open(buf.data, buf.len);
    for (gh_wire_field field; gh_wire_next(&wire, &field);) {
        if (field.type == GH_WIRE_I32) {
            float f = gh_wire_float(&field);
            ck_assert_int_eq(memcmp(&f, &values[count], 4), 0);
        }
        ck_assert(gh_wire_floats(&field, got, &count, GH_COUNT(got)));
    }
    ck_assert(!wire.bad);
    ck_assert_uint_eq(count, GH_COUNT(got));
    ck_assert_int_eq(memcmp(got, values, sizeof values), 0);
    ck_assert_int_eq(memcmp(got + GH_COUNT(values), values, sizeof values), 0);
    gh_buf_free(&packed);
    gh_buf_free(&buf);
}
END_TEST

static gh_wire_field only_field(const uint8_t *bytes, size_t len)
{
    gh_wire wire = gh_wire_open(bytes, len);
    gh_wire_field field;
    ck_assert(gh_wire_next(&wire, &field));
    ck_assert(wire.at == wire.end);
    return field;
}

START_TEST(test_int64s_take_both_forms)
{
    static const uint8_t one[] = {0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01};
    static const uint8_t packed[] = {0x0A, 4, 0x03, 0x8E, 0x02, 0x00};
    int64_t got[4];
    size_t count = 0;
    gh_wire_field a = only_field(one, sizeof one), b = only_field(packed, sizeof packed);
    ck_assert(gh_wire_int64s(&a, got, &count, 4));
    ck_assert(gh_wire_int64s(&b, got, &count, 4));
    ck_assert_uint_eq(count, 4);
    ck_assert_int_eq(got[0], -1);
    ck_assert_int_eq(got[1], 3);
    ck_assert_int_eq(got[2], 270);
    ck_assert_int_eq(got[3], 0);
    /* Over max: refused, and what was there before stays counted. */
    ck_assert(!gh_wire_int64s(&a, got, &count, 4));
    count = 2;
    ck_assert(!gh_wire_int64s(&b, got, &count, 4));
    ck_assert_uint_eq(count, 2);
    count = 5; /* more than max already: no wrap-around */
    ck_assert(!gh_wire_int64s(&a, got, &count, 4));
    ck_assert(!gh_wire_int64s(&b, got, &count, 4));
}
END_TEST

START_TEST(test_lists_refuse_what_does_not_fit)
{
    static const uint8_t cut[] = {0x0A, 2, 0x03, 0x8E}; /* ends inside a varint */
    static const uint8_t fixed[] = {0x0D, 1, 2, 3, 4};
    static const uint8_t five[] = {0x0A, 5, 1, 2, 3, 4, 5}; /* not a whole number of floats */
    static const uint8_t eight[] = {0x0A, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t varint[] = {0x08, 1};
    int64_t n[4];
    float f[4];
    size_t count = 0;
    gh_wire_field field = only_field(cut, sizeof cut);
    ck_assert(!gh_wire_int64s(&field, n, &count, 4));
    field = only_field(fixed, sizeof fixed);
    ck_assert(!gh_wire_int64s(&field, n, &count, 4));
    ck_assert(!gh_wire_floats(&field, f, &count, 0));
    field = only_field(five, sizeof five);
    ck_assert(!gh_wire_floats(&field, f, &count, 4));
    field = only_field(eight, sizeof eight);
    ck_assert(!gh_wire_floats(&field, f, &count, 1));
    field = only_field(varint, sizeof varint);
    ck_assert(!gh_wire_floats(&field, f, &count, 4));
    ck_assert_uint_eq(count, 0);
    count = 5;
    field = only_field(eight, sizeof eight);
    ck_assert(!gh_wire_floats(&field, f, &count, 4));
    field = only_field((const uint8_t[]){0x0A, 0}, 2);
    count = 0;
    ck_assert(gh_wire_int64s(&field, n, &count, 0));
    ck_assert(gh_wire_floats(&field, f, &count, 0));
    ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(test_malformed_is_bad)
{
    static const struct {
        const char *what, *bytes;
        size_t len;
    } cases[] = {
        {"field number 0", "\x00\x01", 2},
        {"field number 2^29", "\x80\x80\x80\x80\x10\x00", 6},
        {"group start", "\x0B\x0C", 2},
        {"group end", "\x0C", 1},
        {"wire type 6", "\x0E\x00", 2},
        {"wire type 7", "\x0F\x00", 2},
        {"length beyond the end",
         "\x0A\x05"
         "abcd",
         6},
        {"huge length",
         "\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"
         "abc",
         14},
        {"varint of eleven bytes", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12},
        {"varint over 64 bits", "\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 11},
        {"varint without end", "\x08\xFF", 2},
        {"tag without value", "\x08", 1},
        {"seven bytes of eight",
         "\x09"
         "abcdefg",
         8},
        {"three bytes of four",
         "\x0D"
         "abc",
         4},
        {"tag over 64 bits", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x00", 11},
    };
    for (size_t i = 0; i < GH_COUNT(cases); i++) {
        gh_wire wire = gh_wire_open((const uint8_t *)cases[i].bytes, cases[i].len);
        gh_wire_field field;
        ck_assert_msg(!gh_wire_next(&wire, &field), "%s", cases[i].what);
        ck_assert_msg(wire.bad, "%s", cases[i].what);
        ck_assert(!gh_wire_next(&wire, &field)); /* and stays so */
        uint64_t v;
        ck_assert(!gh_wire_varint(&wire, &v));
    }
    gh_wire nothing = gh_wire_open(NULL, 0);
    gh_wire_field field;
    ck_assert(!gh_wire_next(&nothing, &field));
    ck_assert(!nothing.bad);
}
END_TEST

/* One field of every kind, one of them a message in a message. */
static void write_sample(gh_buf *buf)
{
    gh_buf inner = {0}, outer = {0};
    gh_wire_put_varint(&inner, 1, 300);
    gh_wire_put_string(&inner, 2, "");
    gh_wire_put_bytes(&outer, 1, inner.data, inner.len);
    gh_wire_put_float(&outer, 2, 2.5f);
    gh_wire_put_varint(buf, 1, 7);
    gh_wire_put_bytes(buf, 2, outer.data, outer.len);
    gh_wire_put_float(buf, 3, -1);
    static const uint8_t fixed64[] = {0x21, 1, 2, 3, 4, 5, 6, 7, 8};
    gh_buf_add(buf, fixed64, sizeof fixed64);
    gh_wire_put_header(buf, 1000, 5);
    gh_buf_add(buf, "hello", 5);
    gh_buf_free(&inner);
    gh_buf_free(&outer);
}

static int count_fields(const uint8_t *data, size_t len, bool *bad)
{
    gh_wire wire = gh_wire_open(data, len);
    int n = 0;
    for (gh_wire_field field; gh_wire_next(&wire, &field); n++)
        ck_assert(field.type != GH_WIRE_LEN || (field.data >= data && field.data + field.len <= data + len));
    *bad = wire.bad;
    return n;
}

/* Each prefix in a block of exactly its size, so that a sanitizer sees any byte read beyond it. */
START_TEST(test_truncation_at_every_byte)
{
    gh_buf buf = {0};
    write_sample(&buf);
    ck_assert(!buf.failed);
    static const size_t ends[] = {0, 2, 16, 21, 30, 38}; /* of the fields */
    ck_assert_uint_eq(buf.len, ends[5]);
    for (size_t len = 0; len <= buf.len; len++) {
        uint8_t *copy = gh_alloc(len);
        ck_assert_ptr_nonnull(copy);
        if (len)
            memcpy(copy, buf.data, len);
        int whole = 0;
        while (whole < 5 && ends[whole + 1] <= len)
            whole++;
        bool bad;
        ck_assert_int_eq(count_fields(copy, len, &bad), whole);
        ck_assert_int_eq(bad, len != ends[whole]);
        gh_free(copy);
    }
    gh_buf_free(&buf);
}
END_TEST

/* Depth costs nothing: a nested message is a span of the same bytes. */
START_TEST(test_deep_nesting_is_flat)
{
    enum { DEPTH = 20000 };
    uint8_t *bytes = gh_alloc(DEPTH * 4);
    ck_assert_ptr_nonnull(bytes);
    size_t at = DEPTH * 4, len = 0; /* written from the innermost outwards */
    for (int i = 0; i < DEPTH; i++) {
        uint8_t head[11];
        size_t n = 0;
        head[n++] = 0x0A;
        size_t v = len;
        for (; v > 0x7F; v >>= 7)
            head[n++] = (uint8_t)(v | 0x80);
        head[n++] = (uint8_t)v;
        at -= n;
        memcpy(bytes + at, head, n);
        len += n;
    }
    uint64_t before = gh_mem_thread_allocs();
    gh_wire wire = gh_wire_open(bytes + at, len);
    int depth = 0;
    for (gh_wire_field field; gh_wire_next(&wire, &field); depth++)
        wire = gh_wire_open(field.data, field.len);
    ck_assert_int_eq(depth, DEPTH);
    ck_assert(!wire.bad);
    ck_assert_uint_eq(gh_mem_thread_allocs(), before);
    gh_free(bytes);
}
END_TEST

START_TEST(test_random_bytes_end)
{
    gh_rng rng;
    gh_rng_seed(&rng, 9);
    int bad = 0, good = 0;
    for (int i = 0; i < 20000; i++) {
        size_t len = gh_rng_below(&rng, 40);
        uint8_t *bytes = gh_alloc(len);
        ck_assert_ptr_nonnull(bytes);
        for (size_t j = 0; j < len; j++)
            bytes[j] = (uint8_t)gh_rng_below(&rng, gh_rng_below(&rng, 2) ? 256 : 24);
        bool is_bad;
        ck_assert_int_le(count_fields(bytes, len, &is_bad), (int)len / 2);
        bad += is_bad;
        good += !is_bad;
        gh_free(bytes);
    }
    ck_assert_int_gt(bad, 1000);
    ck_assert_int_gt(good, 100);
}
END_TEST

Suite *gh_suite_wire(void)
{
    Suite *s = suite_create("wire");
    TCase *t = tcase_create("wire");
    tcase_add_test(t, test_known_bytes);
    tcase_add_test(t, test_varints_round_trip);
    tcase_add_test(t, test_floats_round_trip);
    tcase_add_test(t, test_int64s_take_both_forms);
    tcase_add_test(t, test_lists_refuse_what_does_not_fit);
    tcase_add_test(t, test_malformed_is_bad);
    tcase_add_test(t, test_truncation_at_every_byte);
    tcase_add_test(t, test_deep_nesting_is_flat);
    tcase_add_test(t, test_random_bytes_end);
    suite_add_tcase(s, t);
    return s;
}
