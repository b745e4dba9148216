/* The protobuf reader on any bytes: spans stay within the input, lists within their limit, and what was read
 * well can be written and read again. */
#include "base/status.h"
#include "base/wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEPTH = 16, MAX = 64 };

static void read_lists(const gh_wire_field *field)
{
    int64_t ints[MAX];
    float floats[MAX];
    size_t n = MAX / 2, m = MAX / 2;
    (void)gh_wire_int64s(field, ints, &n, MAX);
    (void)gh_wire_floats(field, floats, &m, MAX);
    GH_ASSERT(n <= MAX && m <= MAX);
}

/* Writes the field as it was read; false for the fixed64 that the writer has no function for. */
static bool write_back(gh_buf *buf, const gh_wire_field *field)
{
    if (field->type == GH_WIRE_VARINT)
        gh_wire_put_varint(buf, field->number, field->value);
    else if (field->type == GH_WIRE_LEN)
        gh_wire_put_bytes(buf, field->number, field->data, field->len);
    else if (field->type == GH_WIRE_I32)
        gh_wire_put_float(buf, field->number, gh_wire_float(field));
    else
        return false;
    return true;
}

static void compare(const gh_buf *buf, const gh_wire_field *want)
{
    gh_wire wire = gh_wire_open(buf->data, buf->len);
    gh_wire_field got;
    GH_ASSERT(gh_wire_next(&wire, &got) && wire.at == wire.end);
    GH_ASSERT(got.number == want->number && got.type == want->type && got.len == want->len);
    GH_ASSERT(got.len == 0 || memcmp(got.data, want->data, got.len) == 0);
    GH_ASSERT(got.type == GH_WIRE_LEN || got.value == want->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gh_wire wire = gh_wire_open(data, size);
    gh_wire_field field;
    for (int depth = 0; depth < DEPTH; depth++) {
        gh_wire last = {0};
        while (gh_wire_next(&wire, &field)) {
            read_lists(&field);
            gh_buf buf = {.limit = size + 16};
            if (write_back(&buf, &field))
                compare(&buf, &field);
            gh_buf_free(&buf);
            if (field.type == GH_WIRE_LEN) {
                GH_ASSERT(field.data >= data && field.len <= (size_t)(data + size - field.data));
                last = gh_wire_open(field.data, field.len);
            }
        }
        wire = last; /* the last span, as a message of its own */
    }
    return 0;
}
