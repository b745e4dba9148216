/* The multipart/form-data parser: finds delimiters with memmem, reads each part's headers, and gives spans of
 * the body. Every step moves forward, so the work is linear in the body. */
#include "http/multipart.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_BOUNDARY = 70,      /* RFC 2046, section 5.1.1 */
    MAX_PART_HEADERS = 4096 /* bytes of one part's headers */
};

typedef struct span {
    const char *s;
    size_t len;
} span;

static bool same(span a, const char *text)
{
    return a.len == strlen(text) && strncasecmp(a.s, text, a.len) == 0;
}

static span trimmed(span a)
{
    while (a.len && (*a.s == ' ' || *a.s == '\t'))
        a.s++, a.len--;
    while (a.len && (a.s[a.len - 1] == ' ' || a.s[a.len - 1] == '\t'))
        a.len--;
    return a;
}

/* Takes the next ";name=value" of a header's parameters off `rest`; quotes are taken off, a backslash lets
 * the character after it not end the quoted text. False at the end. */
static bool next_parameter(span *rest, span *name, span *value)
{
    const char *semicolon = rest->len ? memchr(rest->s, ';', rest->len) : NULL;
    if (!semicolon)
        return false;
    const char *at = semicolon + 1, *end = rest->s + rest->len;
    const char *start = at;
    while (at < end && *at != '=' && *at != ';')
        at++;
    *name = trimmed((span){start, (size_t)(at - start)});
    *value = (span){at, 0};
    if (at < end && *at == '=') {
        at++;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if (at < end && *at == '"') {
            start = ++at;
            while (at < end && *at != '"')
                at += *at == '\\' && end - at > 1 ? 2 : 1;
            *value = (span){start, (size_t)(at - start)};
            at += at < end;
        } else {
            start = at;
            while (at < end && *at != ';')
                at++;
            *value = trimmed((span){start, (size_t)(at - start)});
        }
    }
    *rest = (span){at, (size_t)(end - at)};
    return true;
}

static gh_status find_boundary(span *out, const char *type, gh_err *e)
{
    span rest = {type, strlen(type)}, name, value;
    while (next_parameter(&rest, &name, &value)) {
        if (!same(name, "boundary"))
            continue;
        if (value.len == 0 || value.len > MAX_BOUNDARY)
            return gh_fail(e, GH_ARG, "the multipart boundary has %zu characters; 1 to %d are accepted",
                           value.len, MAX_BOUNDARY);
        *out = value;
        return GH_OK;
    }
    return gh_fail(e, GH_ARG,
                   "the Content-Type multipart/form-data names no boundary; let the client set this header");
}

/* Reads one header line of a part; only the name of Content-Disposition is of interest. */
static void read_header(gh_part *part, span line)
{
    const char *colon = memchr(line.s, ':', line.len);
    if (!colon || !same(trimmed((span){line.s, (size_t)(colon - line.s)}), "Content-Disposition"))
        return;
    span rest = {colon + 1, line.len - (size_t)(colon + 1 - line.s)}, name, value;
    while (next_parameter(&rest, &name, &value)) {
        if (same(name, "name")) {
            part->name = value.s;
            part->name_len = value.len;
        }
    }
}

/* Reads the headers that start at *at and leaves *at behind the empty line that ends them. */
static gh_status read_headers(gh_part *part, const char **at, const char *end, size_t number, gh_err *e)
{
    const char *start = *at;
    for (;;) {
        size_t left = (size_t)(end - *at);
        const char *eol = memmem(*at, left, "\r\n", 2);
        if (!eol || eol - start > MAX_PART_HEADERS)
            return gh_fail(e, GH_ARG, "the headers of part %zu of the multipart body do not end", number);
        span line = {*at, (size_t)(eol - *at)};
        *at = eol + 2;
        if (line.len == 0)
            return GH_OK;
        read_header(part, line);
    }
}

/* Behind a delimiter: 1 = a part follows, 0 = "--", the end, -1 = neither. */
static int after_delimiter(const char **at, const char *end)
{
    const char *p = *at;
    if (end - p >= 2 && p[0] == '-' && p[1] == '-')
        return 0;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
        return -1;
    *at = p + 2;
    return 1;
}

/* The first delimiter may stand at the very start, all others follow a line end. */
static const char *first_delimiter(const char *body, const char *end, const char *delimiter, size_t len)
{
    if ((size_t)(end - body) >= len - 2 && memcmp(body, delimiter + 2, len - 2) == 0)
        return body + len - 2;
    const char *found = memmem(body, (size_t)(end - body), delimiter, len);
    return found ? found + len : NULL;
}

static gh_status read_part(gh_parts *out, const char **at, const char *end, const char *delimiter, size_t len,
                           gh_err *e)
{
    if (out->count == GH_MAX_PARTS)
        return gh_fail(e, GH_LIMIT, "the multipart body has more than %d parts", GH_MAX_PARTS);
    gh_part *part = &out->items[out->count];
    *part = (gh_part){.name = ""};
    GH_TRY(read_headers(part, at, end, out->count + 1, e));
    /* The line end of the empty line may be that of the delimiter: a part without content. */
    const char *from = *at - 2;
    const char *found = memmem(from, (size_t)(end - from), delimiter, len);
    if (!found)
        return gh_fail(e, GH_ARG, "part %zu of the multipart body is not ended by its boundary",
                       out->count + 1);
    part->data = (const uint8_t *)*at;
    part->len = found > *at ? (size_t)(found - *at) : 0;
    *at = found + len;
    out->count++;
    return GH_OK;
}

gh_status gh_multipart_parse(gh_parts *out, const char *type, const uint8_t *body, size_t len, gh_err *e)
{
    span boundary = {"", 0};
    GH_TRY(find_boundary(&boundary, type, e));
    char delimiter[MAX_BOUNDARY + 4] = "\r\n--";
    memcpy(delimiter + 4, boundary.s, boundary.len);
    size_t dlen = boundary.len + 4;

    gh_parts parts = {.count = 0};
    const char *end = (const char *)body + len;
    const char *at = len ? first_delimiter((const char *)body, end, delimiter, dlen) : NULL;
    if (!at)
        return gh_fail(e, GH_ARG, "the multipart body does not contain the boundary that its header names");
    int more;
    while ((more = after_delimiter(&at, end)) > 0)
        GH_TRY(read_part(&parts, &at, end, delimiter, dlen, e));
    if (more < 0)
        return gh_fail(e, GH_ARG, "the multipart body is malformed behind boundary %zu", parts.count + 1);
    *out = parts;
    return GH_OK;
}
