/* Writing FlatBuffers front to back: a table comes before what it refers to, since references lead forward.
 */
#include "unit/tflite_file.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static void pad_to(gh_buf *b, size_t alignment)
{
    while (b->len % alignment)
        gh_buf_add(b, "", 1);
}

void fb_put32(gh_buf *b, size_t place, uint32_t value)
{
    ck_assert_uint_le(place + 4, b->len);
    memcpy(b->data + place, &value, 4);
}

static size_t width_of(const fb_field *f)
{
    return f->width < 0 ? 4 : (size_t)f->width;
}

/* Offset of each field in its table, aligned to its width; gives the table's size. */
static size_t place_fields(uint16_t *offsets, const fb_field *fields, size_t count)
{
    size_t at = 4;
    for (size_t i = 0; i < count; i++) {
        size_t width = width_of(&fields[i]);
        if (!width)
            continue;
        at = (at + width - 1) / width * width;
        offsets[i] = (uint16_t)at;
        at += width;
    }
    return at;
}

size_t fb_table(gh_buf *b, const fb_field *fields, size_t count, size_t *places)
{
    uint16_t offsets[16] = {0}, head[2];
    size_t size = place_fields(offsets, fields, count);
    head[0] = (uint16_t)(4 + 2 * count);
    head[1] = (uint16_t)size;
    pad_to(b, 8);
    size_t vtable = b->len;
    gh_buf_add(b, head, sizeof head);
    gh_buf_add(b, offsets, 2 * count);
    pad_to(b, 8);
    size_t at = b->len;
    uint8_t bytes[128] = {0};
    int32_t back = (int32_t)(at - vtable);
    memcpy(bytes, &back, 4);
    for (size_t i = 0; i < count; i++) {
        int64_t whole = (int64_t)fields[i].value;
        float real = (float)fields[i].value;
        if (fields[i].width != FB_REF && fields[i].width)
            memcpy(bytes + offsets[i], fields[i].width == FB_FLOAT ? (void *)&real : (void *)&whole,
                   width_of(&fields[i]));
        if (places)
            places[i] = fields[i].width ? at + offsets[i] : 0;
    }
    gh_buf_add(b, bytes, size);
    ck_assert(!b->failed);
    return at;
}

void fb_point(gh_buf *b, size_t place, size_t target)
{
    fb_put32(b, place, (uint32_t)(target - place));
}

size_t fb_vector(gh_buf *b, const void *data, size_t count, size_t width)
{
    uint32_t length = (uint32_t)count;
    while ((b->len + 4) % 16) /* elements aligned as TFLite wants its weights */
        gh_buf_add(b, "", 1);
    size_t at = b->len;
    gh_buf_add(b, &length, 4);
    gh_buf_add(b, data, count * width);
    return at;
}

size_t fb_string(gh_buf *b, const char *s)
{
    size_t at = fb_vector(b, s, strlen(s), 1);
    gh_buf_add(b, "", 1);
    return at;
}

/* A vector of references; element i stands at the result + 4 + 4 * i. */
static size_t references(gh_buf *b, size_t count)
{
    static const uint8_t none[4 * 64];
    ck_assert_uint_le(count, 64);
    return fb_vector(b, none, count, 4);
}

static void put_quantization(gh_buf *b, const tf_tensor *t, size_t place)
{
    size_t p[7];
    fb_field fields[7] = {{0}, {0}, {FB_REF, 0}, {FB_REF, 0}, {0}, {0}, {4, t->axis}};
    if (!t->zero)
        fields[3].width = 0;
    fb_point(b, place, fb_table(b, fields, 7, p));
    fb_point(b, p[2], fb_vector(b, t->scale, t->nscale, 4));
    if (t->zero)
        fb_point(b, p[3], fb_vector(b, t->zero, t->nscale, 8));
}

/* A table with one vector, of that type's width. */
static size_t put_list(gh_buf *b, int type, const int32_t *numbers, size_t count)
{
    size_t p[1], width = type == 1 ? 4 : type == 2 ? 2 : 1;
    uint8_t bytes[4 * 8] = {0};
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * width, &numbers[i], width);
    size_t at = fb_table(b, &(fb_field){FB_REF, 0}, 1, p);
    fb_point(b, p[0], fb_vector(b, bytes, count, width));
    return at;
}

static size_t put_level(gh_buf *b, const tf_level *l)
{
    size_t p[6];
    int lists = l->type ? FB_REF : 0, types = l->type ? 1 : 0;
    const fb_field fields[6] = {{1, l->format}, {4, l->size},     {types, l->type},
                                {lists, 0},     {types, l->type}, {lists, 0}};
    size_t at = fb_table(b, fields, 6, p);
    if (l->type) {
        fb_point(b, p[3], put_list(b, l->type, l->from, l->nfrom));
        fb_point(b, p[5], put_list(b, l->type, l->at, l->nat));
    }
    return at;
}

static size_t put_sparse(gh_buf *b, const tf_sparse *s)
{
    size_t p[3];
    const fb_field fields[3] = {{FB_REF, 0}, {FB_REF, 0}, {FB_REF, 0}};
    size_t at = fb_table(b, fields, 3, p);
    fb_point(b, p[0], fb_vector(b, s->order, s->norder, 4));
    fb_point(b, p[1], fb_vector(b, s->map, s->nmap, 4));
    size_t levels = references(b, s->nlevels);
    fb_point(b, p[2], levels);
    for (size_t i = 0; i < s->nlevels; i++)
        fb_point(b, levels + 4 + 4 * i, put_level(b, &s->levels[i]));
    return at;
}

static size_t put_tensor(gh_buf *b, const tf_tensor *t, size_t number)
{
    char name[24];
    size_t p[7];
    snprintf(name, sizeof name, "t%zu", number);
    /* buffer 0 is empty, that of a constant has the tensor's number + 1 */
    fb_field fields[7] = {{FB_REF, 0},
                          {1, t->type},
                          {4, t->data ? (double)number + 1 : 0},
                          {FB_REF, 0},
                          {t->scale ? FB_REF : 0, 0},
                          {1, t->variable},
                          {t->sparse ? FB_REF : 0, 0}};
    size_t at = fb_table(b, fields, 7, p);
    fb_point(b, p[0], fb_vector(b, t->dims, t->rank, 4));
    fb_point(b, p[3], fb_string(b, t->name ? t->name : name));
    if (t->scale)
        put_quantization(b, t, p[4]);
    if (t->sparse)
        fb_point(b, p[6], put_sparse(b, t->sparse));
    return at;
}

static size_t put_op(gh_buf *b, const tf_op *op, size_t number)
{
    size_t p[6], o[9];
    fb_field fields[6] = {{4, (double)number},
                          {FB_REF, 0},
                          {FB_REF, 0},
                          {op->kind ? 1 : 0, op->kind},
                          {op->noptions || op->nints ? FB_REF : 0, 0},
                          {op->custom_options ? FB_REF : 0, 0}};
    size_t at = fb_table(b, fields, 6, p);
    fb_point(b, p[1], fb_vector(b, op->in, op->nin, 4));
    fb_point(b, p[2], fb_vector(b, op->out, op->nout, 4));
    if (op->nints) {
        fb_point(b, p[4], fb_table(b, &(fb_field){FB_REF, 0}, 1, o));
        fb_point(b, o[0], fb_vector(b, op->ints, op->nints, 4));
    } else if (op->noptions) {
        fb_point(b, p[4], fb_table(b, op->options, op->noptions, NULL));
    }
    if (op->custom_options)
        fb_point(b, p[5], fb_vector(b, op->custom_options, op->custom_bytes, 1));
    return at;
}

/* Each operator has a kind of its own. */
static size_t put_code(gh_buf *b, const tf_op *op, bool old)
{
    size_t p[4];
    fb_field fields[4] = {
        {1, op->code < 127 ? op->code : 127}, {op->custom ? FB_REF : 0, 0}, {4, 1}, {old ? 0 : 4, op->code}};
    size_t at = fb_table(b, fields, 4, p);
    if (op->custom)
        fb_point(b, p[1], fb_string(b, op->custom));
    return at;
}

static size_t put_buffer(gh_buf *b, const tf_tensor *t)
{
    size_t p[3];
    fb_field fields[3] = {{t && t->data && !t->external ? FB_REF : 0, 0},
                          {t && t->external ? 8 : 0, 4096},
                          {t && t->external ? 8 : 0, 16}};
    size_t at = fb_table(b, fields, 3, p);
    if (fields[0].width)
        fb_point(b, p[0], fb_vector(b, t->data, t->bytes, 1));
    return at;
}

static void put_graph(gh_buf *b, const tf_file *f, tf_places *places)
{
    size_t p[4];
    const fb_field fields[4] = {{FB_REF, 0}, {FB_REF, 0}, {FB_REF, 0}, {FB_REF, 0}};
    places->graph = fb_table(b, fields, 4, p);
    fb_point(b, p[1], fb_vector(b, f->in, f->nin, 4));
    fb_point(b, p[2], fb_vector(b, f->out, f->nout, 4));
    places->tensors = references(b, f->ntensors);
    fb_point(b, p[0], places->tensors);
    for (size_t i = 0; i < f->ntensors; i++) {
        places->tensor[i] = put_tensor(b, &f->tensors[i], i);
        fb_point(b, places->tensors + 4 + 4 * i, places->tensor[i]);
    }
    places->ops = references(b, f->nops);
    fb_point(b, p[3], places->ops);
    for (size_t i = 0; i < f->nops; i++) {
        places->op[i] = put_op(b, &f->ops[i], i);
        fb_point(b, places->ops + 4 + 4 * i, places->op[i]);
    }
}

void tf_write(gh_buf *b, const tf_file *f, tf_places *places)
{
    tf_places unused = {0};
    size_t p[5];
    const fb_field fields[5] = {{4, f->version ? f->version : 3}, {FB_REF, 0}, {FB_REF, 0}, {0}, {FB_REF, 0}};
    places = places ? places : &unused;
    gh_buf_add(b, "\0\0\0\0TFL3", 8);
    fb_put32(b, 0, (uint32_t)fb_table(b, fields, 5, p));
    places->codes = references(b, f->nops);
    fb_point(b, p[1], places->codes);
    for (size_t i = 0; i < f->nops; i++)
        fb_point(b, places->codes + 4 + 4 * i, put_code(b, &f->ops[i], f->old_code));
    size_t graphs = references(b, 1);
    fb_point(b, p[2], graphs);
    put_graph(b, f, places);
    fb_point(b, graphs + 4, places->graph);
    places->buffers = references(b, f->ntensors + 1);
    fb_point(b, p[4], places->buffers);
    for (size_t i = 0; i <= f->ntensors; i++) {
        fb_point(b, places->buffers + 4 + 4 * i, put_buffer(b, i ? &f->tensors[i - 1] : NULL));
        places->end = i && f->tensors[i - 1].data ? b->len : places->end;
    }
    ck_assert(!b->failed);
}
