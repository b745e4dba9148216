/* Text for pages. Labels and paths are whatever stands on someone's disk. */
#include "train/report/html.h"

#include <math.h>
#include <string.h>

#define REPLACEMENT 0xFFFDu
#define ELLIPSIS    "\xE2\x80\xA6"

/* The character at `s` (not at its end) and, as the result, what follows it. A byte that begins no valid
 * sequence (RFC 3629: no overlong form, no surrogate, nothing beyond U+10FFFF) counts as one character. */
static const char *next_character(uint32_t *code, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned more = p[0] < 0x80 ? 0 : p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : 1;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
    *code = REPLACEMENT;
    if ((p[0] >= 0x80 && p[0] < 0xC0) || p[0] > 0xF4)
        return s + 1;
    for (unsigned i = 1; i <= more; i++) {
        if ((p[i] & 0xC0) != 0x80) /* the terminator too */
            return s + 1;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return s + 1;
    *code = c;
    return s + more + 1;
}

/* What may stand on a page in place of `c`. */
static uint32_t harmless(uint32_t c)
{
    if (c == '\t' || c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029)
        return ' ';
    bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
    bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    bool none = (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
    return control || direction || none ? REPLACEMENT : c;
}

static void put_utf8(gh_buf *out, uint32_t c)
{
    unsigned char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        b[i] = (unsigned char)(0x80 | (c & 0x3F));
    b[0] = (unsigned char)(lead[n] | c);
    gh_buf_add(out, b, n);
}

static void put_escaped(gh_buf *out, uint32_t c)
{
    switch (c) {
    case '<':
        gh_buf_str(out, "&lt;");
        return;
    case '>':
        gh_buf_str(out, "&gt;");
        return;
    case '&':
        gh_buf_str(out, "&amp;");
        return;
    case '"':
        gh_buf_str(out, "&quot;");
        return;
    case '\'':
        gh_buf_str(out, "&#39;");
        return;
    default:
        put_utf8(out, c);
    }
}

size_t gh_text_length(const char *s, size_t most)
{
    size_t n = 0;
    for (uint32_t c; *s && n < most; n++)
        s = next_character(&c, s);
    return n;
}

static void put_cut(gh_buf *out, const char *s, size_t most, void (*put)(gh_buf *, uint32_t))
{
    bool cut = most < SIZE_MAX && gh_text_length(s, most + 1) > most;
    uint32_t c;
    for (size_t n = cut ? most - 1 : most; *s && n > 0; n--) {
        s = next_character(&c, s);
        put(out, harmless(c));
    }
    if (cut)
        gh_buf_str(out, ELLIPSIS);
}

void gh_html_text(gh_buf *out, const char *s)
{
    put_cut(out, s, SIZE_MAX, put_escaped);
}

void gh_html_cut(gh_buf *out, const char *s, size_t most)
{
    put_cut(out, s, most, put_escaped);
}

void gh_plain_cut(gh_buf *out, const char *s, size_t most)
{
    put_cut(out, s, most, put_utf8);
}

void gh_text_count(gh_buf *out, uint64_t n)
{
    uint64_t scale = 1;
    while (n / scale >= 1000)
        scale *= 1000;
    gh_buf_printf(out, "%u", (unsigned)(n / scale));
    for (scale /= 1000; scale > 0; scale /= 1000)
        gh_buf_printf(out, ",%03u", (unsigned)(n / scale % 1000));
}

void gh_text_things(gh_buf *out, uint64_t n, const char *thing)
{
    size_t len = strlen(thing);
    char last = len ? thing[len - 1] : 0;
    gh_text_count(out, n);
    gh_buf_printf(out, " %s%s", thing, n == 1 ? "" : last == 's' || last == 'x' ? "es" : "s");
}

static void put_share(gh_buf *out, double share, const char *space)
{
    if (!isfinite(share))
        gh_buf_str(out, "?");
    else if (share == 0 || share == 1)
        gh_buf_printf(out, "%.0f%s%%", 100 * share, space);
    else
        gh_buf_printf(out, "%.1f%s%%", 100 * share, space);
}

void gh_text_share(gh_buf *out, double share)
{
    put_share(out, share, " ");
}

void gh_html_share(gh_buf *out, double share)
{
    put_share(out, share, "&#160;");
}

void gh_text_short(gh_buf *out, uint64_t n)
{
    static const char units[] = {0, 'k', 'M', 'G', 'T', 'P', 'E'};
    double v = (double)n;
    size_t unit = 0;
    for (; v >= 999.5 && unit + 1 < sizeof units; unit++)
        v /= 1000;
    gh_buf_printf(out, unit && v < 9.95 ? "%.1f" : "%.0f", v);
    if (unit)
        gh_buf_add(out, &units[unit], 1);
}

void gh_text_seconds(gh_buf *out, double seconds)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9)
        gh_buf_str(out, "?");
    else if (seconds < 9.95)
        gh_buf_printf(out, "%.1f s", seconds);
    else if (seconds < 119.5)
        gh_buf_printf(out, "%.0f s", seconds);
    else
        gh_buf_printf(out, "%.0f min %02d s", floor(seconds / 60), (int)fmod(seconds, 60));
}

void gh_html_begin(gh_buf *b)
{
    gh_buf_str(b,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
               "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
               "<meta name=\"referrer\" content=\"no-referrer\"/>\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src "
               "&#39;unsafe-inline&#39;; img-src data:\"/>\n");
}
