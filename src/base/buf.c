/* A growable byte buffer. It doubles, and keeps one spare byte beyond what it holds for the zero that
 * vsnprintf writes. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SMALLEST = 64 };

void gh_buf_free(gh_buf *buf)
{
    gh_free(buf->data);
    *buf = (gh_buf){.limit = buf->limit};
}

/* Room for `more` bytes and one spare; the limit is not looked at. */
static bool grow(gh_buf *buf, size_t more)
{
    size_t need;
    if (!gh_add_size(&need, buf->len, more) || !gh_add_size(&need, need, 1))
        return false;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap > SIZE_MAX / 2 ? need : buf->cap * 2;
    cap = cap < need ? need : cap;
    cap = cap < SMALLEST ? SMALLEST : cap;
    if (buf->limit && cap - 1 > buf->limit && need - 1 <= buf->limit)
        cap = buf->limit + 1;
    uint8_t *data = gh_realloc(buf->data, cap, 1);
    if (!data)
        return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

bool gh_buf_reserve(gh_buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (buf->limit && (buf->len > buf->limit || more > buf->limit - buf->len))
        buf->failed = true;
    else
        buf->failed = !grow(buf, more);
    return !buf->failed;
}

void gh_buf_add(gh_buf *buf, const void *data, size_t len)
{
    if (len == 0 || !gh_buf_reserve(buf, len))
        return;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

void gh_buf_str(gh_buf *buf, const char *s)
{
    gh_buf_add(buf, s, strlen(s));
}

void gh_buf_base64(gh_buf *buf, const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = data;
    size_t size;
    if (!gh_mul_size(&size, len / 3 + (len % 3 > 0), 4) || !gh_buf_reserve(buf, size)) {
        buf->failed = true;
        return;
    }
    uint8_t *to = buf->data + buf->len;
    for (size_t i = 0; i < len; i += 3, to += 4) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        for (size_t d = 0; d < 4; d++)
            to[d] = (uint8_t)(d <= n ? digits[v >> (18 - 6 * d) & 63] : '=');
    }
    buf->len = (size_t)(to - buf->data);
}

void gh_buf_printf(gh_buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = buf->cap - buf->len;
    int n = buf->failed ? 0 : vsnprintf(room ? (char *)buf->data + buf->len : NULL, room, fmt, args);
    if (n < 0)
        buf->failed = true;
    /* Reserving checks the limit too, also when the text already stands in the buffer. */
    if (n > 0 && gh_buf_reserve(buf, (size_t)n)) {
        if ((size_t)n >= room)
            vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}
