/* FlatBuffers (flatbuffers.dev/internals), read in place for TFLite. Every offset, vtable, length and string
 * is checked against the bytes when it is followed. The first that lies is kept: from then on every reader
 * gives defaults and empty vectors, and gh_fb_check says at the end what was wrong. Nothing recurses: a
 * caller follows as many references as its schema is deep, so a file cannot make a cycle. */
#ifndef GH_IMPORT_FLATBUF_H
#define GH_IMPORT_FLATBUF_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sizes are 32 bits and offsets are signed in places, so no FlatBuffer is larger. */
#define GH_FB_MAX_BYTES ((size_t)2 << 30)

typedef struct gh_fb {
    const uint8_t *data; /* borrowed, of any alignment */
    size_t size;
    const char *wrong; /* NULL, or what lies (static text) */
    size_t where;      /* byte of what lies */
} gh_fb;

/* at 0: absent; all its fields then have their defaults. */
typedef struct gh_fb_table {
    gh_fb *fb;
    size_t at, vtable; /* bytes from the start */
    size_t fields;     /* entries of the vtable */
    size_t size;       /* bytes of the table itself */
} gh_fb_table;

typedef struct gh_fb_vector {
    gh_fb *fb;
    const uint8_t *data; /* first element, or NULL when there are none */
    uint32_t count;
    uint32_t width; /* bytes of one element */
} gh_fb_vector;

/* `data` outlives the reader. `tag` is the file identifier of four letters. */
GH_MUST_CHECK gh_status gh_fb_open(gh_fb *out, const uint8_t *data, size_t size, const char *tag, gh_err *e);
/* GH_FORMAT when a reference was wrong so far. */
GH_MUST_CHECK gh_status gh_fb_check(const gh_fb *fb, gh_err *e);
gh_fb_table gh_fb_root(gh_fb *fb);

/* Fields count from 0 in the order of the schema. */
bool gh_fb_has(const gh_fb_table *t, unsigned field);
/* A whole number of 1, 2, 4 or 8 bytes, signed, or `fallback` when it is absent. */
int64_t gh_fb_int(const gh_fb_table *t, unsigned field, unsigned width, int64_t fallback);
float gh_fb_float(const gh_fb_table *t, unsigned field, float fallback);
gh_fb_table gh_fb_child(const gh_fb_table *t, unsigned field);
/* Elements of `width` bytes; a string is a vector of width 1 (its closing zero is not counted). */
gh_fb_vector gh_fb_vec(const gh_fb_table *t, unsigned field, uint32_t width);

/* Element i < count of a vector of 1, 2, 4 or 8 byte whole numbers, of floats, of tables (width 4). */
int64_t gh_fb_int_at(const gh_fb_vector *v, uint32_t i);
float gh_fb_float_at(const gh_fb_vector *v, uint32_t i);
gh_fb_table gh_fb_table_at(const gh_fb_vector *v, uint32_t i);

#endif
