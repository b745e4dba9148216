/* Checkpoints as torch writes them: the formats are described in src/import/torch_container.c. */
#include "unit/checkpoint.h"

#include "base/status.h"

#include <stdio.h>
#include <string.h>

static void put(gh_buf *b, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        gh_buf_add(b, &(uint8_t){i < 8 ? (uint8_t)(value >> (8 * i)) : 0}, 1);
}

void pk_op(gh_buf *b, uint8_t opcode)
{
    gh_buf_add(b, &opcode, 1);
}

void pk_string(gh_buf *b, const char *s)
{
    pk_op(b, 'X');
    put(b, strlen(s), 4);
    gh_buf_str(b, s);
}

void pk_int(gh_buf *b, int64_t i)
{
    unsigned width = i >= 0 && i < 256                  ? 1
                     : i >= 0 && i < 65536              ? 2
                     : i >= INT32_MIN && i <= INT32_MAX ? 4
                                                        : 8;
    static const uint8_t codes[] = {[1] = 'K', [2] = 'M', [4] = 'J', [8] = 0x8a};
    pk_op(b, codes[width]);
    if (width == 8)
        put(b, 8, 1);
    put(b, (uint64_t)i, width);
}

void pk_global(gh_buf *b, const char *module, const char *name)
{
    gh_buf_printf(b, "c%s\n%s\n", module, name);
}

void pk_numbers(gh_buf *b, const int64_t *numbers, size_t count)
{
    pk_op(b, '(');
    for (size_t i = 0; i < count; i++)
        pk_int(b, numbers[i]);
    pk_op(b, 't');
}

static size_t size_of(const ck_tensor *t)
{
    return t->size ? t->size : 4;
}

static const char *key_of(const ck_tensor *tensors, size_t i, char text[24])
{
    snprintf(text, 24, "%zu", i);
    return tensors[i].key ? tensors[i].key : text;
}

/* _rebuild_tensor_v2((storage), offset, shape, strides, False, OrderedDict()) */
static void put_tensor(gh_buf *b, const ck_tensor *tensors, size_t i, bool old)
{
    const ck_tensor *t = &tensors[i];
    char text[24];
    int64_t strides[10] = {0};
    for (size_t k = t->rank, step = 1; k-- > 0; step *= (size_t)t->dims[k])
        strides[k] = t->strided ? t->strides[k] : (int64_t)step;
    pk_global(b, "torch._utils", "_rebuild_tensor_v2");
    gh_buf_str(b, "((");
    pk_string(b, "storage");
    pk_global(b, "torch", t->storage ? t->storage : "FloatStorage");
    pk_string(b, key_of(tensors, i, text));
    pk_string(b, "cpu");
    pk_int(b, t->claims ? t->claims : (int64_t)(t->bytes / size_of(t)));
    if (old)
        pk_op(b, 'N');
    gh_buf_str(b, "tQ");
    pk_int(b, t->offset);
    pk_numbers(b, t->dims, t->rank);
    pk_numbers(b, strides, t->rank);
    pk_op(b, 0x89);
    pk_global(b, "collections", "OrderedDict");
    gh_buf_str(b, ")RtR");
}

void ck_state(gh_buf *b, const ck_tensor *tensors, size_t count, bool old)
{
    gh_buf_add(b, "\x80\x02", 2);
    pk_global(b, "collections", "OrderedDict");
    gh_buf_str(b, ")R(");
    for (size_t i = 0; i < count; i++) {
        pk_string(b, tensors[i].name);
        if (tensors[i].parameter) {
            pk_global(b, "torch._utils", "_rebuild_parameter");
            pk_op(b, '(');
        }
        put_tensor(b, tensors, i, old);
        if (tensors[i].parameter) {
            pk_op(b, 0x88);
            pk_global(b, "collections", "OrderedDict");
            gh_buf_str(b, ")RtR");
        }
    }
    gh_buf_str(b, "u}"); /* and, as torch does, an attribute: BUILD with {"_metadata": {}} */
    pk_string(b, "_metadata");
    gh_buf_str(b, "}sb.");
}

void ck_old_head(gh_buf *b)
{
    gh_buf_add(b, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    gh_buf_add(b, "\x80\x02M\xe9\x03.", 6);
    gh_buf_add(b, "\x80\x02}(", 4);
    pk_string(b, "protocol_version");
    pk_int(b, 1001);
    pk_string(b, "little_endian");
    pk_op(b, 0x88);
    gh_buf_str(b, "u.");
}

/* True when an earlier tensor has the same key, so that the storage is written already. */
static bool is_repeat(const ck_tensor *tensors, size_t i)
{
    char a[24], c[24];
    for (size_t k = 0; k < i; k++)
        if (strcmp(key_of(tensors, k, a), key_of(tensors, i, c)) == 0)
            return true;
    return false;
}

void ck_old(gh_buf *b, const ck_tensor *tensors, size_t count)
{
    char text[24];
    ck_old_head(b);
    ck_state(b, tensors, count, true);
    gh_buf_add(b, "\x80\x02](", 4);
    for (size_t i = 0; i < count; i++)
        if (!is_repeat(tensors, i))
            pk_string(b, key_of(tensors, i, text));
    gh_buf_str(b, "e.");
    for (size_t i = 0; i < count; i++)
        if (!is_repeat(tensors, i)) {
            put(b, tensors[i].bytes / size_of(&tensors[i]), 8);
            gh_buf_add(b, tensors[i].data, tensors[i].bytes);
        }
}

void ck_archive(gh_buf *b, const ck_file *files, size_t count, ck_zip_kind kind, uint16_t method,
                uint16_t flags)
{
    gh_buf directory = {0};
    uint32_t full = UINT32_MAX;
    size_t start = b->len;
    for (size_t i = 0; i < count; i++) {
        size_t at = b->len - start, len = strlen(files[i].name);
        size_t size = files[i].size;
        gh_buf_add(b, "PK\3\4\0\0", 6);
        put(b, flags, 2);
        put(b, method, 2);
        put(b, 0, 8); /* time, date, checksum */
        put(b, size, 4);
        put(b, size, 4);
        put(b, len, 2);
        put(b, 5, 2); /* an extra field, as torch pads with */
        gh_buf_str(b, files[i].name);
        gh_buf_add(b, "FB\1\0Z", 5);
        gh_buf_add(b, files[i].data, size);
        gh_buf_add(&directory, "PK\1\2\0\0\0\0", 8);
        put(&directory, flags, 2);
        put(&directory, method, 2);
        put(&directory, 0, 8);
        put(&directory, kind == CK_ZIP_64 ? full : size, 4);
        put(&directory, kind == CK_ZIP_64 ? full : size, 4);
        put(&directory, len, 2);
        put(&directory, kind == CK_ZIP_64 ? 28 : 0, 2);
        put(&directory, 0, 10); /* comment, disk, attributes */
        put(&directory, kind == CK_ZIP_64 ? full : at, 4);
        gh_buf_str(&directory, files[i].name);
        if (kind == CK_ZIP_64) {
            gh_buf_add(&directory, "\1\0\x18\0", 4);
            put(&directory, size, 8);
            put(&directory, size, 8);
            put(&directory, at, 8);
        }
    }
    size_t at = b->len - start;
    gh_buf_add(b, directory.data, directory.len);
    if (kind == CK_ZIP_64) {
        size_t end = b->len - start;
        gh_buf_add(b, "PK\6\6", 4);
        put(b, 44, 8);
        put(b, 0, 12); /* versions, disks */
        put(b, count, 8);
        put(b, count, 8);
        put(b, directory.len, 8);
        put(b, at, 8);
        gh_buf_add(b, "PK\6\7\0\0\0\0", 8);
        put(b, end, 8);
        put(b, 1, 4);
    }
    gh_buf_add(b, "PK\5\6\0\0\0\0", 8);
    put(b, kind == CK_ZIP_64 ? 0xffff : count, 2);
    put(b, kind == CK_ZIP_64 ? 0xffff : count, 2);
    put(b, kind == CK_ZIP_64 ? full : directory.len, 4);
    put(b, kind == CK_ZIP_64 ? full : at, 4);
    put(b, 0, 2);
    gh_buf_free(&directory);
}

void ck_zip(gh_buf *b, const ck_tensor *tensors, size_t count, ck_zip_kind kind)
{
    enum { MOST = 32 };
    ck_file files[MOST + 3];
    char names[MOST][40], text[24];
    size_t n = 0;
    gh_buf state = {0};
    GH_ASSERT(count <= MOST);
    ck_state(&state, tensors, count, false);
    files[n++] = (ck_file){"archive/data.pkl", state.data, state.len};
    files[n++] = (ck_file){"archive/byteorder", "little", 6};
    for (size_t i = 0; i < count; i++) {
        if (is_repeat(tensors, i))
            continue;
        snprintf(names[i], sizeof names[i], "archive/data/%.16s", key_of(tensors, i, text));
        files[n++] = (ck_file){names[i], tensors[i].data, tensors[i].bytes};
    }
    files[n++] = (ck_file){"archive/version", "3\n", 2};
    ck_archive(b, files, n, kind, 0, 0);
    gh_buf_free(&state);
}
