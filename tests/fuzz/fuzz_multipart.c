/* Multipart bodies. The first line of the input is the Content-Type, the rest the body. Parts must lie within
 * the body, in order, and a body put together from them must read the same. */
#include "http/multipart.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const gh_parts *parts, const uint8_t *body, size_t len)
{
    const uint8_t *from = body;
    GH_ASSERT(parts->count <= GH_MAX_PARTS);
    for (size_t i = 0; i < parts->count; i++) {
        const gh_part *p = &parts->items[i];
        GH_ASSERT(p->data >= from && p->len <= (size_t)(body + len - p->data));
        from = p->data + p->len;
    }
}

/* Writes the parts without their headers between other boundaries, unless one of them holds such a line. */
static void rewrite(const gh_parts *parts)
{
    static const char delimiter[] = "\r\n--Qz7-fuzz-boundary";
    gh_buf body = {0};
    gh_parts again;
    gh_buf_str(&body, delimiter + 2);
    for (size_t i = 0; i < parts->count; i++) {
        gh_buf_str(&body, "\r\n\r\n");
        gh_buf_add(&body, parts->items[i].data, parts->items[i].len);
        gh_buf_str(&body, delimiter);
        if (memmem(parts->items[i].data, parts->items[i].len, delimiter + 2, sizeof delimiter - 3)) {
            gh_buf_free(&body);
            return;
        }
    }
    gh_buf_str(&body, "--");
    gh_status status = gh_multipart_parse(&again, "multipart/form-data; boundary=Qz7-fuzz-boundary",
                                          body.data, body.len, NULL);
    GH_ASSERT(status == GH_OK && again.count == parts->count);
    for (size_t i = 0; i < again.count; i++)
        GH_ASSERT(again.items[i].len == parts->items[i].len &&
                  memcmp(again.items[i].data, parts->items[i].data, again.items[i].len) == 0);
    gh_buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    gh_parts parts;
    gh_err e = {0};
    if (!line)
        return 0;
    char *type = strndup((const char *)data, (size_t)(line - data));
    const uint8_t *body = line + 1;
    size_t len = size - (size_t)(body - data);
    if (type && gh_multipart_parse(&parts, type, body, len, &e) == GH_OK) {
        check(&parts, body, len);
        rewrite(&parts);
    }
    free(type);
    return 0;
}
