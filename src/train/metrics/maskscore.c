/* Intersection over union and the F1 of edges. The distance to the other mask's edges is looked for along a
 * row, among the distances along columns: exact, and linear in the pixels as the tolerance is small. */
#include "train/metrics/maskscore.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES 256

typedef struct pair {
    const uint8_t *truth, *found;
    int width, height;
    double reach;         /* squared tolerance, pixels */
    int steps;            /* whole pixels within the tolerance */
    uint16_t *columns[2]; /* to the nearest edge in the same column, of the labelled and of the found mask */
} pair;

/* Whether pixel (x, y) of a mask is of the class beside one that is not. */
static bool is_edge(const pair *p, const uint8_t *mask, int class, int x, int y)
{
    static const int beside[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    size_t at = (size_t)y * (size_t)p->width + (size_t)x;
    if (mask[at] != class || p->truth[at] == GH_MASK_IGNORED)
        return false;
    for (int i = 0; i < 4; i++) {
        int nx = x + beside[i][0], ny = y + beside[i][1];
        if (nx < 0 || ny < 0 || nx >= p->width || ny >= p->height)
            continue;
        size_t next = (size_t)ny * (size_t)p->width + (size_t)nx;
        if (mask[next] != class && p->truth[next] != GH_MASK_IGNORED)
            return true;
    }
    return false;
}

/* Distances along columns, none larger than the tolerance needs. */
static void measure_columns(uint16_t *out, const pair *p, const uint8_t *mask, int class)
{
    size_t width = (size_t)p->width;
    const uint16_t far = (uint16_t)(p->steps + 1);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            size_t at = (size_t)y * width + (size_t)x;
            uint16_t above = y ? (uint16_t)(out[at - width] + 1) : far;
            out[at] = is_edge(p, mask, class, x, y) ? 0 : above < far ? above : far;
        }
    for (int y = p->height - 2; y >= 0; y--)
        for (size_t at = (size_t)y * width; at < (size_t)(y + 1) * width; at++)
            if (out[at] > out[at + width] + 1)
                out[at] = (uint16_t)(out[at + width] + 1);
}

/* Whether an edge lies within the tolerance of (x, y). */
static bool is_near(const pair *p, const uint16_t *columns, int x, int y)
{
    const uint16_t *row = columns + (size_t)y * (size_t)p->width;
    int from = x > p->steps ? x - p->steps : 0;
    int to = x < p->width - p->steps ? x + p->steps : p->width - 1;
    for (int i = from; i <= to; i++) {
        double dx = i - x, dy = row[i];
        if (row[i] <= p->steps && dx * dx + dy * dy <= p->reach)
            return true;
    }
    return false;
}

/* Edges of one mask, and how many of them are near the other's. */
static void match_edges(size_t *edges, size_t *near, const pair *p, int own)
{
    *edges = *near = 0;
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            if (p->columns[own][(size_t)y * (size_t)p->width + (size_t)x] == 0) {
                ++*edges;
                *near += is_near(p, p->columns[1 - own], x, y);
            }
}

static double edge_f1(const pair *p, int class)
{
    size_t edges[2], near[2];
    const uint8_t *const masks[2] = {p->truth, p->found};
    for (int i = 0; i < 2; i++)
        measure_columns(p->columns[i], p, masks[i], class);
    for (int i = 0; i < 2; i++)
        match_edges(&edges[i], &near[i], p, i);
    if (!edges[0] && !edges[1])
        return 1;
    if (!edges[0] || !edges[1] || near[0] + near[1] == 0)
        return 0;
    double recall = (double)near[0] / (double)edges[0], precision = (double)near[1] / (double)edges[1];
    return 2 * precision * recall / (precision + recall);
}

/* Pixels of every class; gives how many classes occur. */
static size_t count_pixels(gh_mask_part parts[CLASSES], const pair *p)
{
    size_t pixels = (size_t)p->width * (size_t)p->height, n = 0;
    for (size_t i = 0; i < pixels; i++) {
        int t = p->truth[i], f = p->found[i];
        if (t == GH_MASK_IGNORED)
            continue;
        parts[t].truth++;
        parts[f].found++;
        parts[t].both += t == f;
    }
    for (int c = 0; c < CLASSES; c++)
        n += parts[c].truth || parts[c].found;
    return n;
}

static gh_status score(gh_mask_part *out, const gh_mask_part parts[CLASSES], pair *p, gh_err *e)
{
    size_t pixels = (size_t)p->width * (size_t)p->height;
    uint16_t *columns = gh_calloc(2 * pixels, sizeof *columns);
    if (!columns)
        return gh_fail(e, GH_NOMEM, "memory ran out at the edges of a mask");
    p->columns[0] = columns;
    p->columns[1] = columns + pixels;
    for (int c = 0; c < CLASSES; c++)
        if (parts[c].truth || parts[c].found) {
            *out = parts[c];
            out->class = c;
            out++->edge = edge_f1(p, c);
        }
    gh_free(columns);
    return GH_OK;
}

gh_status gh_mask_score(gh_mask_part **out, size_t *count, const uint8_t *truth, const uint8_t *found,
                        int width, int height, gh_err *e)
{
    gh_mask_part parts[CLASSES] = {{0}};
    double reach = GH_EDGE_TOLERANCE * hypot(width, height);
    pair p = {truth, found, width, height, reach * reach, (int)reach, {NULL, NULL}};
    GH_ASSERT(width > 0 && height > 0);
    size_t n = count_pixels(parts, &p);
    gh_mask_part *list = gh_calloc(n + 1, sizeof *list);
    if (!list)
        return gh_fail(e, GH_NOMEM, "memory ran out at the classes of a mask");
    gh_status status = score(list, parts, &p, e);
    if (status == GH_OK) {
        *out = list;
        *count = n;
    } else {
        gh_free(list);
    }
    return status;
}

/* ---- over pictures ---- */

static double iou_of(int64_t truth, int64_t found, int64_t both)
{
    int64_t either = truth + found - both;
    return either ? (double)both / (double)either : 0;
}

static void add_parts(gh_mask_scores *s, const gh_mask_parts *picture)
{
    for (size_t i = 0; i < picture->count; i++) {
        const gh_mask_part *p = &picture->parts[i];
        gh_mask_class *c = &s->classes[p->class];
        c->truth += p->truth;
        c->found += p->found;
        c->both += p->both;
        c->pictures++;
        c->labelled += p->truth > 0;
        c->mean_iou += iou_of(p->truth, p->found, p->both);
        c->edge += p->truth > 0 ? p->edge : 0;
        s->counted += p->truth;
        s->right += p->both;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the pictures that have the class; `values` has room for as many. */
static double median_iou(double *values, const gh_mask_parts *pictures, size_t count, int class)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < pictures[i].count; k++) {
            const gh_mask_part *p = &pictures[i].parts[k];
            if (p->class == class)
                values[n++] = iou_of(p->truth, p->found, p->both);
        }
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, by_value);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static void average(gh_mask_scores *s)
{
    size_t labelled = 0;
    for (size_t i = 0; i < s->nclasses; i++) {
        gh_mask_class *c = &s->classes[i];
        if (c->pictures == 0)
            continue;
        c->iou = iou_of(c->truth, c->found, c->both);
        c->mean_iou /= (double)c->pictures;
        s->miou += c->iou;
        s->occurring++;
        if (c->labelled == 0)
            continue;
        c->edge /= (double)c->labelled;
        s->edge += c->edge;
        labelled++;
    }
    s->miou = s->occurring ? s->miou / (double)s->occurring : 0;
    s->edge = labelled ? s->edge / (double)labelled : 0;
}

gh_status gh_mask_add_up(gh_mask_scores *out, const gh_mask_parts *pictures, size_t count, size_t nclasses,
                         gh_err *e)
{
    gh_mask_scores s = {.classes = gh_calloc(nclasses + 1, sizeof *s.classes), .nclasses = nclasses};
    double *values = gh_calloc(count + 1, sizeof *values);
    if (!s.classes || !values) {
        gh_free(s.classes);
        gh_free(values);
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu pictures", count);
    }
    for (size_t i = 0; i < count; i++)
        add_parts(&s, &pictures[i]);
    average(&s);
    for (size_t c = 0; c < nclasses; c++)
        s.classes[c].median_iou = median_iou(values, pictures, count, (int)c);
    gh_free(values);
    *out = s;
    return GH_OK;
}

void gh_mask_scores_free(gh_mask_scores *s)
{
    gh_free(s->classes);
    *s = (gh_mask_scores){0};
}
