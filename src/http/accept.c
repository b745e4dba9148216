/* Reading Accept: a list of ranges, each with parameters, of which q alone counts here. */
#include "http/accept.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* How exactly a range names a type. */
enum { NOT_AT_ALL = -1, ANYTHING, FAMILY, EXACTLY };

typedef struct wish {
    int exactness, q; /* q: 0..1000 */
} wish;

/* The end of the piece that begins at `at`: the next of the two characters that is not within quotes. */
static const char *piece_end(const char *at, char stop, char other)
{
    for (char quote = 0; *at; at++) {
        if (*at == '\\' && quote && at[1])
            at++;
        else if (*at == '"')
            quote = quote ? 0 : '"';
        else if (!quote && (*at == stop || *at == other))
            break;
    }
    return at;
}

/* Cuts blanks off both ends. */
static size_t trim(const char **at, const char *end)
{
    while (*at < end && isspace((unsigned char)**at))
        ++*at;
    while (end > *at && isspace((unsigned char)end[-1]))
        end--;
    return (size_t)(end - *at);
}

static int exactness_of(const char *range, size_t len, const char *type)
{
    size_t family = strcspn(type, "/") + 1; /* with the slash */
    if (len == strlen(type) && strncasecmp(range, type, len) == 0)
        return EXACTLY;
    if (len == family + 1 && strncasecmp(range, type, family) == 0 && range[family] == '*')
        return FAMILY;
    /* A lone star is not in the standard; some old clients send it. */
    return (len == 3 && memcmp(range, "*/*", 3) == 0) || (len == 1 && *range == '*') ? ANYTHING : NOT_AT_ALL;
}

/* "0.85" as 850: 0 or 1, and digits after a point, of which three count; -1: no such number. */
static int read_q(const char *text, size_t len)
{
    int q = 0, unit = 1000;
    if (len == 0 || (text[0] != '0' && text[0] != '1') || (len > 1 && text[1] != '.'))
        return -1;
    for (size_t i = 2; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        unit /= 10;
        q += (text[i] - '0') * unit;
    }
    return text[0] == '1' ? 1000 : q;
}

/* One range with its parameters, at .. end. */
static wish read_range(const char *at, const char *end, const char *type)
{
    const char *stop = piece_end(at, ';', ',');
    wish w = {NOT_AT_ALL, 1000};
    size_t range_len = trim(&at, stop);
    int exactness = exactness_of(at, range_len, type);
    while (stop < end) {
        const char *name = stop + 1;
        stop = piece_end(name, ';', ',');
        size_t len = trim(&name, stop);
        if (len < 2 || (*name != 'q' && *name != 'Q') || name[1] != '=')
            continue;
        w.q = read_q(name + 2, len - 2);
        if (w.q < 0)
            return w;
    }
    w.exactness = exactness;
    return w;
}

static wish find_wish(const char *accept, const char *type)
{
    wish best = {NOT_AT_ALL, 0};
    if (!accept || !accept[strspn(accept, " \t")])
        return (wish){ANYTHING, 1000};
    for (const char *at = accept; *at;) {
        const char *end = piece_end(at, ',', ',');
        wish w = read_range(at, end, type);
        if (w.exactness > best.exactness)
            best = w;
        at = *end ? end + 1 : end;
    }
    return best;
}

int gh_accept_weight(const char *accept, const char *type)
{
    return find_wish(accept, type).q;
}

size_t gh_accept_choose(const char *accept, const char *const *types, size_t n)
{
    size_t best = n;
    wish most = {NOT_AT_ALL, 0};
    for (size_t i = 0; i < n; i++) {
        wish w = find_wish(accept, types[i]);
        if (w.q > most.q || (w.q > 0 && w.q == most.q && w.exactness > most.exactness)) {
            most = w;
            best = i;
        }
    }
    return best;
}
