/* Protocol-buffer wire format, reader and writer. Bounded: every length is compared with the bytes that are
 * left before it is used; a varint has at most ten bytes and must fit 64 bits. */
#include "base/wire.h"

#include "base/status.h"

#include <string.h>

#define MAX_NUMBER ((UINT32_C(1) << 29) - 1) /* of a field, from the format's definition */

gh_wire gh_wire_open(const uint8_t *data, size_t len)
{
    return (gh_wire){.at = data, .end = len ? data + len : data};
}

static bool fail(gh_wire *wire)
{
    wire->bad = true;
    return false;
}

bool gh_wire_varint(gh_wire *wire, uint64_t *value)
{
    if (wire->bad || wire->at == wire->end)
        return false;
    uint64_t v = 0;
    for (int shift = 0; shift < 70 && wire->at != wire->end; shift += 7) {
        uint8_t byte = *wire->at++;
        if (shift == 63 && byte > 1)
            break; /* more than 64 bits */
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *value = v;
            return true;
        }
    }
    return fail(wire);
}

static uint64_t little_endian(const uint8_t *bytes, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v |= (uint64_t)bytes[i] << (8 * i);
    return v;
}

static bool fixed(gh_wire *wire, uint64_t *value, int n)
{
    if (wire->end - wire->at < n)
        return fail(wire);
    *value = little_endian(wire->at, n);
    wire->at += n;
    return true;
}

static bool span(gh_wire *wire, gh_wire_field *field)
{
    uint64_t len;
    if (!gh_wire_varint(wire, &len) || len > (uint64_t)(wire->end - wire->at))
        return fail(wire);
    field->data = wire->at;
    field->len = (size_t)len;
    wire->at += len;
    return true;
}

bool gh_wire_next(gh_wire *wire, gh_wire_field *field)
{
    uint64_t tag;
    if (!gh_wire_varint(wire, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > MAX_NUMBER)
        return fail(wire);
    *field = (gh_wire_field){.number = (uint32_t)(tag >> 3), .type = (gh_wire_type)(tag & 7)};
    switch (tag & 7) {
    case GH_WIRE_VARINT:
        return gh_wire_varint(wire, &field->value) || fail(wire);
    case GH_WIRE_I64:
        return fixed(wire, &field->value, 8);
    case GH_WIRE_LEN:
        return span(wire, field);
    case GH_WIRE_I32:
        return fixed(wire, &field->value, 4);
    default: /* groups (3, 4) and types that do not exist */
        return fail(wire);
    }
}

bool gh_wire_int64s(const gh_wire_field *field, int64_t *values, size_t *count, size_t max)
{
    size_t n = *count;
    uint64_t v = field->value;
    if (field->type == GH_WIRE_VARINT) {
        if (n >= max)
            return false;
        values[n++] = (int64_t)v;
    } else if (field->type == GH_WIRE_LEN) {
        gh_wire packed = gh_wire_open(field->data, field->len);
        while (gh_wire_varint(&packed, &v)) {
            if (n >= max)
                return false;
            values[n++] = (int64_t)v;
        }
        if (packed.bad)
            return false;
    } else {
        return false;
    }
    *count = n;
    return true;
}

static float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

bool gh_wire_floats(const gh_wire_field *field, float *values, size_t *count, size_t max)
{
    size_t room = max > *count ? max - *count : 0;
    if (field->type == GH_WIRE_I32) {
        if (room < 1)
            return false;
        values[(*count)++] = gh_wire_float(field);
        return true;
    }
    if (field->type != GH_WIRE_LEN || field->len % 4 != 0 || field->len / 4 > room)
        return false;
    for (size_t i = 0; i < field->len; i += 4)
        values[(*count)++] = as_float((uint32_t)little_endian(field->data + i, 4));
    return true;
}

float gh_wire_float(const gh_wire_field *field)
{
    return as_float((uint32_t)field->value);
}

static void put_raw_varint(gh_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; value > 0x7F; value >>= 7)
        bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    gh_buf_add(buf, bytes, n);
}

static void put_tag(gh_buf *buf, uint32_t number, gh_wire_type type)
{
    GH_ASSERT(number >= 1 && number <= MAX_NUMBER);
    put_raw_varint(buf, (uint64_t)number << 3 | (uint64_t)type);
}

void gh_wire_put_varint(gh_buf *buf, uint32_t number, uint64_t value)
{
    put_tag(buf, number, GH_WIRE_VARINT);
    put_raw_varint(buf, value);
}

void gh_wire_put_float(gh_buf *buf, uint32_t number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    put_tag(buf, number, GH_WIRE_I32);
    gh_buf_add(buf, bytes, sizeof bytes);
}

void gh_wire_put_header(gh_buf *buf, uint32_t number, uint64_t len)
{
    put_tag(buf, number, GH_WIRE_LEN);
    put_raw_varint(buf, len);
}

void gh_wire_put_bytes(gh_buf *buf, uint32_t number, const void *data, size_t len)
{
    gh_wire_put_header(buf, number, len);
    gh_buf_add(buf, data, len);
}

void gh_wire_put_string(gh_buf *buf, uint32_t number, const char *s)
{
    gh_wire_put_bytes(buf, number, s, strlen(s));
}
