/* Protocol-buffer wire format (protobuf.dev/programming-guides/encoding), for ONNX and Caffe. The reader is
 * bounded and iterative: a nested message is a span of the same bytes, so nothing is copied and nothing
 * recurses. */
#ifndef GH_BASE_WIRE_H
#define GH_BASE_WIRE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum gh_wire_type {
    GH_WIRE_VARINT = 0,
    GH_WIRE_I64 = 1,
    GH_WIRE_LEN = 2,
    GH_WIRE_I32 = 5
} gh_wire_type;

typedef struct gh_wire {
    const uint8_t *at, *end;
    bool bad; /* malformed or truncated; gh_wire_next then gives false */
} gh_wire;

typedef struct gh_wire_field {
    uint32_t number;
    gh_wire_type type;
    uint64_t value;      /* VARINT, I64, I32: the raw bits */
    const uint8_t *data; /* LEN: borrowed from the reader's bytes */
    size_t len;
} gh_wire_field;

/* Reads `len` bytes, which are borrowed. */
gh_wire gh_wire_open(const uint8_t *data, size_t len);
/* The next field, or false at the end (bad = false) or on malformed bytes (bad = true). Groups are malformed.
 */
bool gh_wire_next(gh_wire *wire, gh_wire_field *field);
/* The next bare varint of a packed field. */
bool gh_wire_varint(gh_wire *wire, uint64_t *value);
/* Field readers that also take the packed and unpacked forms: appends each to values[0..*count) up to max;
 * false when over max or malformed. */
bool gh_wire_int64s(const gh_wire_field *field, int64_t *values, size_t *count, size_t max);
bool gh_wire_floats(const gh_wire_field *field, float *values, size_t *count, size_t max);
float gh_wire_float(const gh_wire_field *field);

/* The writer appends to a gh_buf (sticky failure). Nested messages: write the inner one into a buffer of its
 * own. */
void gh_wire_put_varint(gh_buf *buf, uint32_t number, uint64_t value);
void gh_wire_put_float(gh_buf *buf, uint32_t number, float value);
void gh_wire_put_bytes(gh_buf *buf, uint32_t number, const void *data, size_t len);
void gh_wire_put_string(gh_buf *buf, uint32_t number, const char *s);
/* Only the tag and length of a LEN field whose bytes the caller streams itself. */
void gh_wire_put_header(gh_buf *buf, uint32_t number, uint64_t len);

#endif
