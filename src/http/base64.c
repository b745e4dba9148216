/* Base64 decoding for pictures in JSON: a table, four characters to three bytes, white space on a slower
 * way. The result is never longer than what has been read, so it may be written over the text. */
#include "http/base64.h"

#include <string.h>
#include <strings.h>

enum { SPACE = 64, PAD = 65, BAD = 66 };

static int value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    switch (c) {
    case '+':
    case '-':
        return 62;
    case '/':
    case '_':
        return 63;
    case '=':
        return PAD;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return SPACE;
    default:
        return BAD;
    }
}

/* Skips "data:image/png;base64,"; *at becomes the first character of the data. */
static gh_status skip_prefix(size_t *at, const char *text, size_t len, gh_err *e)
{
    if (len < 5 || strncasecmp(text, "data:", 5) != 0)
        return GH_OK;
    const char *comma = memchr(text, ',', len < 256 ? len : 256);
    if (!comma)
        return gh_fail(e, GH_ARG, "the data: URL has no comma; accepted is data:image/TYPE;base64,DATA");
    if (comma - text < 12 || strncasecmp(comma - 7, ";base64", 7) != 0)
        return gh_fail(e, GH_ARG, "the data: URL is not marked \";base64\"; only base64 is accepted");
    *at = (size_t)(comma - text) + 1;
    return GH_OK;
}

static gh_status bad_character(unsigned char c, size_t at, gh_err *e)
{
    if (c > 0x20 && c < 0x7f)
        return gh_fail(e, GH_ARG, "not base64: character %zu is '%c'", at + 1, c);
    return gh_fail(e, GH_ARG, "not base64: character %zu is the byte 0x%02x", at + 1, c);
}

/* After the first '=': only more padding and white space may follow. */
static gh_status check_padding(const char *text, size_t len, size_t at, unsigned have, gh_err *e)
{
    unsigned pads = 0;
    for (size_t i = at; i < len; i++) {
        int v = value_of((unsigned char)text[i]);
        if (v == PAD)
            pads++;
        else if (v != SPACE)
            return gh_fail(e, GH_ARG, "not base64: there is more after the padding, at character %zu", i + 1);
    }
    if (have < 2 || pads > 4 - have)
        return gh_fail(e, GH_ARG, "not base64: wrong padding at character %zu", at + 1);
    return GH_OK;
}

gh_status gh_base64_decode(size_t *out_len, uint8_t *dst, const char *text, size_t len, gh_err *e)
{
    size_t at = 0, n = 0;
    uint32_t bits = 0;
    unsigned have = 0; /* characters collected in `bits` */
    GH_TRY(skip_prefix(&at, text, len, e));
    for (; at < len; at++) {
        int v = value_of((unsigned char)text[at]);
        if (v == SPACE)
            continue;
        if (v == BAD)
            return bad_character((unsigned char)text[at], at, e);
        if (v == PAD) {
            GH_TRY(check_padding(text, len, at, have, e));
            break;
        }
        bits = bits << 6 | (uint32_t)v;
        if (++have == 4) {
            dst[n++] = (uint8_t)(bits >> 16);
            dst[n++] = (uint8_t)(bits >> 8);
            dst[n++] = (uint8_t)bits;
            have = 0;
            bits = 0;
        }
    }
    if (have == 1)
        return gh_fail(e, GH_ARG, "not base64: the text ends in the middle of a byte");
    if (have >= 2)
        dst[n++] = (uint8_t)(bits >> (have == 2 ? 4 : 10));
    if (have == 3)
        dst[n++] = (uint8_t)(bits >> 2);
    *out_len = n;
    return GH_OK;
}
