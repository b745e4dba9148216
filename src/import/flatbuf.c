/* Following references of a FlatBuffer, each checked first. */
#include "import/flatbuf.h"

#include <string.h>

enum { REF = 4 }; /* bytes of an offset, and of a vector's length */

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

/* Sign-extended. */
static int64_t read_int(const uint8_t *p, unsigned width)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < width; i++)
        bits |= (uint64_t)p[i] << 8 * i;
    unsigned unused = 64 - 8 * width;
    return (int64_t)(bits << unused) >> unused;
}

static float read_float(const uint8_t *p)
{
    uint32_t bits = read_u32(p);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void lie(gh_fb *fb, size_t where, const char *wrong)
{
    if (fb->wrong)
        return;
    fb->wrong = wrong;
    fb->where = where;
}

/* Whether `len` bytes from `at` are in the file. */
static bool within(const gh_fb *fb, size_t at, size_t len)
{
    return at <= fb->size && len <= fb->size - at;
}

gh_status gh_fb_open(gh_fb *out, const uint8_t *data, size_t size, const char *tag, gh_err *e)
{
    if (size > GH_FB_MAX_BYTES)
        return gh_fail(e, GH_LIMIT, "the file has %zu MB; a FlatBuffer has up to %zu", size >> 20,
                       GH_FB_MAX_BYTES >> 20);
    if (size < 2 * REF || memcmp(data + REF, tag, REF) != 0)
        return gh_fail(e, GH_FORMAT, "the file does not carry the mark %s at byte 4%s", tag,
                       size ? "" : " (it is empty)");
    *out = (gh_fb){.data = data, .size = size};
    return GH_OK;
}

gh_status gh_fb_check(const gh_fb *fb, gh_err *e)
{
    return fb->wrong ? gh_fail(e, GH_FORMAT,
                               "the file is damaged or cut off: %s (byte %zu of its %zu) is not within it",
                               fb->wrong, fb->where, fb->size)
                     : GH_OK;
}

/* The table that begins at `at`. */
static gh_fb_table open_table(gh_fb *fb, size_t at)
{
    gh_fb_table none = {.fb = fb};
    if (fb->wrong)
        return none;
    if (!within(fb, at, REF)) {
        lie(fb, at, "a table");
        return none;
    }
    int64_t vtable = (int64_t)at - (int32_t)read_u32(fb->data + at); /* the difference may have any sign */
    if (vtable < 0 || !within(fb, (size_t)vtable, 4)) {
        lie(fb, at, "the layout of a table");
        return none;
    }
    size_t bytes = read_u16(fb->data + vtable), size = read_u16(fb->data + vtable + 2);
    if (bytes < 4 || bytes % 2 || !within(fb, (size_t)vtable, bytes)) {
        lie(fb, (size_t)vtable, "the layout of a table");
        return none;
    }
    if (size < REF || !within(fb, at, size)) {
        lie(fb, at, "a table");
        return none;
    }
    return (gh_fb_table){fb, at, (size_t)vtable, bytes / 2 - 2, size};
}

gh_fb_table gh_fb_root(gh_fb *fb)
{
    return open_table(fb, read_u32(fb->data));
}

/* Where the field's `len` bytes are, or 0 when it is absent. */
static size_t field_at(const gh_fb_table *t, unsigned field, size_t len)
{
    if (!t->at || field >= t->fields || t->fb->wrong)
        return 0;
    size_t offset = read_u16(t->fb->data + t->vtable + 4 + 2 * (size_t)field);
    if (!offset)
        return 0;
    if (offset < REF || offset > t->size || len > t->size - offset) {
        lie(t->fb, t->at, "a field of a table");
        return 0;
    }
    return t->at + offset;
}

bool gh_fb_has(const gh_fb_table *t, unsigned field)
{
    return field_at(t, field, 1) != 0;
}

int64_t gh_fb_int(const gh_fb_table *t, unsigned field, unsigned width, int64_t fallback)
{
    size_t at = field_at(t, field, width);
    return at ? read_int(t->fb->data + at, width) : fallback;
}

float gh_fb_float(const gh_fb_table *t, unsigned field, float fallback)
{
    size_t at = field_at(t, field, 4);
    return at ? read_float(t->fb->data + at) : fallback;
}

/* Where the reference that is stored at `at` (within the file) leads, or 0. */
static size_t follow(gh_fb *fb, size_t at)
{
    size_t step = read_u32(fb->data + at);
    if (step && step < fb->size - at)
        return at + step;
    lie(fb, at, "what a reference leads to");
    return 0;
}

gh_fb_table gh_fb_child(const gh_fb_table *t, unsigned field)
{
    size_t at = field_at(t, field, REF);
    size_t to = at ? follow(t->fb, at) : 0;
    return to ? open_table(t->fb, to) : (gh_fb_table){.fb = t->fb};
}

gh_fb_vector gh_fb_vec(const gh_fb_table *t, unsigned field, uint32_t width)
{
    gh_fb_vector none = {.fb = t->fb, .width = width};
    size_t at = field_at(t, field, REF);
    size_t to = at ? follow(t->fb, at) : 0;
    if (!to)
        return none;
    if (!within(t->fb, to, REF)) {
        lie(t->fb, to, "a vector");
        return none;
    }
    uint32_t count = read_u32(t->fb->data + to);
    if (count > (t->fb->size - to - REF) / width) {
        lie(t->fb, to, "a vector");
        return none;
    }
    return count ? (gh_fb_vector){t->fb, t->fb->data + to + REF, count, width} : none;
}

int64_t gh_fb_int_at(const gh_fb_vector *v, uint32_t i)
{
    GH_ASSERT(i < v->count);
    return read_int(v->data + (size_t)i * v->width, v->width);
}

float gh_fb_float_at(const gh_fb_vector *v, uint32_t i)
{
    GH_ASSERT(i < v->count && v->width == 4);
    return read_float(v->data + (size_t)i * 4);
}

gh_fb_table gh_fb_table_at(const gh_fb_vector *v, uint32_t i)
{
    GH_ASSERT(i < v->count && v->width == REF);
    if (v->fb->wrong)
        return (gh_fb_table){.fb = v->fb};
    size_t to = follow(v->fb, (size_t)(v->data - v->fb->data) + (size_t)i * REF);
    return to ? open_table(v->fb, to) : (gh_fb_table){.fb = v->fb};
}
