/* YOLO's text: a line a box, "class x y w h", the class a number and the box its centre and size in shares of
 * the picture; or "class x1 y1 x2 y2 ...", a polygon, of which the frame is taken. The names of classes stand
 * in classes.txt, or in data.yaml, of which this reads the key `names` alone: a list in brackets, or a line a
 * name ("- cat" or "0: cat"). */
#include "train/data/boxset_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE   65536
#define MAX_POINTS 4096
/* How far a share may lie outside of 0..1: what rounding leaves. */
#define SLACK 0.01

typedef struct lines {
    const char *at, *end;
    size_t number;
    const char *line; /* the current one, without its end */
    size_t len;
} lines;

static bool next_line(lines *l)
{
    if (l->at >= l->end)
        return false;
    const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
    l->line = l->at;
    l->len = (size_t)((stop ? stop : l->end) - l->at);
    l->at = stop ? stop + 1 : l->end;
    if (l->len && l->line[l->len - 1] == '\r')
        l->len--;
    l->number++;
    return true;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Blanks at both ends go. */
static void trim(const char **text, size_t *len)
{
    while (*len && blank(**text)) {
        ++*text;
        --*len;
    }
    while (*len && blank((*text)[*len - 1]))
        --*len;
}

/* The next number of the line; false at its end, *ok = false at what is none. */
static bool next_number(double *out, const char **at, const char *end, bool *ok)
{
    char word[40];
    size_t n = 0;
    while (*at < end && blank(**at))
        ++*at;
    if (*at == end)
        return false;
    while (*at < end && !blank(**at) && n + 1 < sizeof word)
        word[n++] = *(*at)++;
    word[n] = '\0';
    char *stop = NULL;
    *out = strtod(word, &stop);
    *ok = stop == word + n && isfinite(*out);
    return *ok;
}

/* The frame of n / 2 points. */
static void frame_of(double box[4], const double *points, size_t n)
{
    double x0 = points[0], y0 = points[1], x1 = x0, y1 = y0;
    for (size_t i = 2; i + 1 < n; i += 2) {
        x0 = fmin(x0, points[i]);
        x1 = fmax(x1, points[i]);
        y0 = fmin(y0, points[i + 1]);
        y1 = fmax(y1, points[i + 1]);
    }
    box[0] = (x0 + x1) / 2;
    box[1] = (y0 + y1) / 2;
    box[2] = x1 - x0;
    box[3] = y1 - y0;
}

static gh_status read_line(gh_boxset_maker *m, const lines *l, const char *file, int width, int height,
                           gh_err *e)
{
    double v[1 + 2 * MAX_POINTS], box[4];
    const char *at = l->line, *end = l->line + l->len;
    size_t n = 0;
    bool ok = true, fits = true;
    while (n < GH_COUNT(v) && next_number(&v[n], &at, end, &ok))
        n++;
    if (!ok || at != end || n < 5 || (n > 5 && (n < 7 || n % 2 == 0)))
        return gh_fail(e, GH_FORMAT,
                       "%.200s line %zu: a box is five numbers, class x y w h (or a polygon, class x1 y1 x2 "
                       "y2 x3 y3 ...)",
                       file, l->number);
    if (!(v[0] >= 0 && v[0] < (double)m->ncategories && floor(v[0]) == v[0]))
        return gh_fail(e, GH_FORMAT, "%.200s line %zu: class %g; the classes are 0 to %zu", file, l->number,
                       v[0], m->ncategories - 1);
    if (n == 5)
        memcpy(box, v + 1, sizeof box);
    else
        frame_of(box, v + 1, n - 1);
    for (size_t i = 1; i < n; i++)
        fits = fits && v[i] >= -SLACK && v[i] <= 1 + SLACK;
    if (!fits || !(box[2] > 0 && box[3] > 0))
        return gh_fail(e, GH_FORMAT,
                       "%.200s line %zu: centre %g %g, size %g %g; these are shares of the picture, in 0..1, "
                       "and sizes over 0",
                       file, l->number, box[0], box[1], box[2], box[3]);
    const gh_ap_truth truth = {.category = (uint32_t)v[0],
                               .box = {(box[0] - box[2] / 2) * width, (box[1] - box[3] / 2) * height,
                                       box[2] * width, box[3] * height}};
    return gh_boxset_truth(m, &truth, e);
}

gh_status gh_yolo_parse(gh_boxset_maker *m, const char *file, const char *text, size_t len, int width,
                        int height, gh_err *e)
{
    lines l = {.at = text, .end = text + len};
    if (len > GH_MAX_BOXES_BYTES)
        return gh_fail(e, GH_LIMIT, "%.200s has %zu bytes; a picture's boxes take at most %zu", file, len,
                       GH_MAX_BOXES_BYTES);
    while (next_line(&l)) {
        size_t n = l.len;
        const char *line = l.line;
        trim(&line, &n);
        if (n)
            GH_TRY(read_line(m, &l, file, width, height, e));
    }
    return GH_OK;
}

/* ---- names ---- */

static gh_status add_name(gh_boxset_maker *m, const char *file, size_t number, const char *name, size_t len,
                          gh_err *e)
{
    uint32_t c;
    size_t before = m->ncategories;
    trim(&name, &len);
    if (len >= 2 && (*name == '"' || *name == '\'') && name[len - 1] == *name) {
        name++;
        len -= 2;
    }
    if (!len || len > GH_MAX_BOX_NAME || memchr(name, '\0', len))
        return gh_fail(e, GH_FORMAT, "%.200s line %zu: a class's name has 1 to %d bytes", file, number,
                       GH_MAX_BOX_NAME);
    GH_TRY(gh_boxset_category(&c, m, name, len, e));
    if (c != before)
        return gh_fail(e, GH_FORMAT, "%.200s line %zu: there are two classes '%.*s'", file, number, (int)len,
                       name);
    return GH_OK;
}

/* "[a, 'b']" from the opening bracket on; may run over lines. */
static gh_status bracket_list(gh_boxset_maker *m, const char *file, lines *l, const char *at, gh_err *e)
{
    const char *end = l->end, *name = ++at;
    char quote = 0;
    for (; at < end; at++) {
        if (quote || *at == '"' || *at == '\'') {
            quote = !quote ? *at : quote == *at ? 0 : quote;
            continue;
        }
        if (*at != ',' && *at != ']' && *at != '\n' && *at != '\r')
            continue;
        size_t len = (size_t)(at - name);
        trim(&name, &len);
        if (len || *at == ',')
            GH_TRY(add_name(m, file, l->number, name, len, e));
        name = at + 1;
        if (*at == ']') {
            l->at = end; /* what follows is not looked at */
            return GH_OK;
        }
        if (*at == '\n' || *at == '\r')
            for (; name < end && (blank(*name) || *name == ',' || *name == '\n' || *name == '\r'); name++)
                at = name;
    }
    return gh_fail(e, GH_FORMAT, "%.200s line %zu: the list of names has no closing bracket", file,
                   l->number);
}

/* "- cat" or "7: cat": where the name begins, or NULL. */
static const char *item_of(const char *line, size_t len, size_t expected)
{
    char *stop = NULL;
    char word[16];
    if (len >= 2 && line[0] == '-' && blank(line[1]))
        return line + 2;
    const char *colon = memchr(line, ':', len);
    size_t n = colon ? (size_t)(colon - line) : 0;
    if (!n || n >= sizeof word)
        return NULL;
    memcpy(word, line, n);
    word[n] = '\0';
    unsigned long i = strtoul(word, &stop, 10);
    return stop == word + n && i == expected ? colon + 1 : NULL;
}

/* The names behind "names:", which is the current line, whose rest is given. */
static gh_status yaml_list(gh_boxset_maker *m, const char *file, lines *l, const char *rest, size_t len,
                           gh_err *e)
{
    trim(&rest, &len);
    if (len && *rest == '[')
        return bracket_list(m, file, l, rest, e);
    while (next_line(l)) {
        const char *line = l->line, *end = line + l->len;
        size_t n = l->len;
        trim(&line, &n);
        if (!n || *line == '#')
            continue;
        const char *item = item_of(line, n, m->ncategories);
        if (!item)
            return l->len && !blank(l->line[0]) ? GH_OK
                                                : gh_fail(e, GH_FORMAT,
                                                          "%.200s line %zu: names are a list, \"- cat\" or "
                                                          "\"%zu: cat\" a line",
                                                          file, l->number, m->ncategories);
        const char *note = NULL;
        for (const char *p = item; p + 1 < end && !note; p++)
            note = blank(*p) && p[1] == '#' ? p : NULL;
        GH_TRY(add_name(m, file, l->number, item, (size_t)((note ? note : end) - item), e));
    }
    return GH_OK;
}

gh_status gh_yolo_names(gh_boxset_maker *m, const char *file, const char *text, size_t len, bool yaml,
                        gh_err *e)
{
    static const char key[] = "names:";
    lines l = {.at = text, .end = text + len};
    while (next_line(&l)) {
        const char *line = l.line;
        size_t n = l.len;
        trim(&line, &n);
        if (!n)
            continue;
        if (!yaml)
            GH_TRY(add_name(m, file, l.number, line, n, e));
        else if (l.len >= sizeof key - 1 && memcmp(l.line, key, sizeof key - 1) == 0) {
            GH_TRY(yaml_list(m, file, &l, l.line + sizeof key - 1, l.len - (sizeof key - 1), e));
            break;
        }
    }
    return m->ncategories
               ? GH_OK
               : gh_fail(e, GH_FORMAT, "%.200s names no classes%s", file,
                         yaml ? "; they stand behind \"names:\"" : "; it has one on each line, from 0 on");
}
