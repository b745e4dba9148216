/* Scaling a mask row by row. Along a row the values between two neighbouring columns of the grid change
 * linearly, so where both columns have the same best class every pixel between them has it too: only cells
 * that a border crosses are computed pixel by pixel, and the rest is filled. */
#include "image/mask.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Code of a column whose best value is under the threshold. */
enum { BELOW = GH_MAX_MASK_CLASSES };

/* Columns at a time, so that compilers see loops of fixed length. */
enum { LANES = 16 };

struct gh_mask_rows {
    const gh_mask *mask;
    int width, height;
    int first, last; /* columns of the grid in use */
    int stride;      /* columns of a line in `nodes`, a multiple of LANES */
    float *nodes;    /* owned: a line for each channel, between two lines of the grid */
    float *best;     /* a line: the best value */
    int *code;       /* a line: the class of the best value, or BELOW */
    int *start;      /* a line and one: the first pixel at or right of each column */
    float *mix;      /* a pixel: how far it lies from its column to the next, 0..1 */
};

void gh_mask_rows_free(gh_mask_rows **s)
{
    if (!*s)
        return;
    gh_free((*s)->nodes);
    gh_free((*s)->best);
    gh_free((*s)->code);
    gh_free((*s)->start);
    gh_free((*s)->mix);
    gh_free(*s);
    *s = NULL;
}

/* The first and the last cell that a span touches, of `cells`. */
static void span_cells(int *first, int *last, gh_mask_span span, int cells)
{
    *last = (int)fmin(cells, ceil(span.from + span.extent)) - 1;
    *first = (int)fmin(*last, floor(span.from));
}

/* Where pixel i of `size` lies between cells. */
static double place(int i, int size, gh_mask_span span, int first, int last)
{
    double at = span.from + (i + 0.5) * span.extent / size - 0.5;
    return fmin(fmax(at, first), last);
}

static void place_columns(gh_mask_rows *s)
{
    int next = s->first;
    for (int x = 0; x < s->width; x++) {
        double at = place(x, s->width, s->mask->across, s->first, s->last);
        int column = (int)at;
        while (next <= column)
            s->start[next++] = x;
        s->mix[x] = (float)(at - column);
    }
    while (next <= s->last + 1)
        s->start[next++] = s->width;
}

gh_status gh_mask_rows_new(gh_mask_rows **out, const gh_mask *m, int width, int height, gh_err *e)
{
    gh_mask_rows *s = gh_calloc(1, sizeof *s);
    if (!s)
        return gh_fail(e, GH_NOMEM, "memory ran out at a mask");
    s->mask = m;
    s->width = width;
    s->height = height;
    s->stride = (m->width + LANES) / LANES * LANES;
    span_cells(&s->first, &s->last, m->across, m->width);
    s->nodes = gh_calloc((size_t)s->stride * (size_t)m->channels, sizeof *s->nodes);
    s->best = gh_calloc((size_t)s->stride, sizeof *s->best);
    s->code = gh_calloc((size_t)s->stride, sizeof *s->code);
    s->start = gh_calloc((size_t)s->stride + 1, sizeof *s->start);
    s->mix = gh_calloc((size_t)width, sizeof *s->mix);
    if (!s->nodes || !s->best || !s->code || !s->start || !s->mix) {
        gh_mask_rows_free(&s);
        return gh_fail(e, GH_NOMEM, "memory ran out at a mask of %d x %d pixels", width, height);
    }
    place_columns(s);
    *out = s;
    return GH_OK;
}

/* One line between two lines of a plane. */
static void blend(float *dst, const float *upper, const float *lower, float mix, int n)
{
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            dst[i + j] = upper[i + j] + (lower[i + j] - upper[i + j]) * mix;
    for (; i < n; i++)
        dst[i] = upper[i] + (lower[i] - upper[i]) * mix;
}

static void fill_nodes(gh_mask_rows *s, int y)
{
    const gh_mask *m = s->mask;
    int first, last;
    span_cells(&first, &last, m->down, m->height);
    double at = place(y, s->height, m->down, first, last);
    int line = (int)at, next = line < last ? line + 1 : last;
    for (int c = 0; c < m->channels; c++) {
        const float *plane = m->values + (size_t)c * (size_t)m->width * (size_t)m->height;
        blend(s->nodes + (size_t)c * (size_t)s->stride, plane + (size_t)line * (size_t)m->width,
              plane + (size_t)next * (size_t)m->width, (float)(at - line), m->width);
    }
}

/* Best value and class of each column; `best` holds channel 0 and `code` is 0 before. */
static void take_channel(float *best, int *code, const float *v, int c, int stride)
{
    for (int i = 0; i < stride; i += LANES)
        for (int j = 0; j < LANES; j++) {
            bool more = v[i + j] > best[i + j];
            best[i + j] = more ? v[i + j] : best[i + j];
            code[i + j] = more ? c : code[i + j];
        }
}

static void code_nodes(gh_mask_rows *s)
{
    const gh_mask *m = s->mask;
    if (m->channels == 1) {
        for (int i = 0; i < s->stride; i++)
            s->code[i] = s->nodes[i] >= m->threshold;
        return;
    }
    memcpy(s->best, s->nodes, (size_t)s->stride * sizeof *s->best);
    memset(s->code, 0, (size_t)s->stride * sizeof *s->code);
    for (int c = 1; c < m->channels; c++)
        take_channel(s->best, s->code, s->nodes + (size_t)c * (size_t)s->stride, c, s->stride);
    for (int i = 0; m->background && i < s->stride; i++)
        s->code[i] = s->best[i] < m->threshold ? BELOW : s->code[i];
}

/* The class of one pixel right of column k; `best` receives its value. */
static int pixel_class(float *best, const gh_mask_rows *s, int k, float mix)
{
    const gh_mask *m = s->mask;
    int class = 0, next = k < s->last;
    for (int c = 0; c < m->channels; c++) {
        const float *v = s->nodes + (size_t)c * (size_t)s->stride + k;
        float value = v[0] + (v[next] - v[0]) * mix;
        if (c == 0 || value > *best) {
            *best = value;
            class = c;
        }
    }
    if (m->channels == 1)
        return *best >= m->threshold;
    return m->background && *best < m->threshold ? 0 : class;
}

void gh_mask_row_classes(uint8_t *row, gh_mask_rows *s, int y)
{
    fill_nodes(s, y);
    code_nodes(s);
    for (int k = s->first; k <= s->last;) {
        int end = k;
        while (end < s->last && s->code[end + 1] == s->code[k])
            end++;
        int class = s->code[k] == BELOW ? 0 : s->code[k], from = s->start[k];
        int to = s->start[end < s->last ? end : end + 1];
        memset(row + from, class, (size_t)(to - from));
        if (end < s->last) /* the border lies right of column `end` */
            for (int x = s->start[end]; x < s->start[end + 1]; x++) {
                float value;
                row[x] = (uint8_t)pixel_class(&value, s, end, s->mix[x]);
            }
        k = end + 1;
    }
}

/* 0..1 to 0..255; a NaN is 0. */
static uint8_t level(float v)
{
    return v > 0 ? v < 1 ? (uint8_t)(v * 255 + 0.5f) : 255 : 0;
}

/* Confidence from one line of 0..1. What lies between two columns of the same level has it too: most of a
 * mask is quite sure. */
static void soft_line(uint8_t *row, gh_mask_rows *s, const float *line)
{
    for (int i = s->first; i <= s->last; i++)
        s->code[i] = level(line[i]);
    for (int k = s->first; k <= s->last;) {
        int end = k;
        while (end < s->last && s->code[end + 1] == s->code[k])
            end++;
        int from = s->start[k], to = s->start[end < s->last ? end : end + 1];
        memset(row + from, s->code[k], (size_t)(to - from));
        for (int x = to; end < s->last && x < s->start[end + 1]; x++)
            row[x] = level(line[end] + (line[end + 1] - line[end]) * s->mix[x]);
        k = end + 1;
    }
}

static void soft_best(uint8_t *row, const gh_mask_rows *s)
{
    for (int k = s->first; k <= s->last; k++)
        for (int x = s->start[k]; x < s->start[k + 1]; x++) {
            float value = 0;
            (void)pixel_class(&value, s, k, s->mix[x]);
            row[x] = level(value);
        }
}

void gh_mask_row_soft(uint8_t *row, gh_mask_rows *s, int y)
{
    const gh_mask *m = s->mask;
    fill_nodes(s, y);
    if (m->channels > 1 && !m->background) {
        soft_best(row, s);
        return;
    }
    for (int i = 0; m->channels > 1 && i < s->stride; i++)
        s->nodes[i] = 1 - s->nodes[i];
    soft_line(row, s, s->nodes);
}
