/* Drawing shapes into a mask. */
#include "train/metrics/maskshape.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_place(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Where the outline crosses the middle of row y, sorted; gives how many. */
static size_t crossings(double *at, const gh_mask_shape *s, double y)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->npoints; i++) {
        const float *a = s->points + 2 * (size_t)i, *b = s->points + 2 * (size_t)((i + 1) % s->npoints);
        if ((a[1] <= (float)y) == (b[1] <= (float)y))
            continue;
        double t = (y - (double)a[1]) / ((double)b[1] - (double)a[1]);
        at[n++] = (double)a[0] + t * ((double)b[0] - (double)a[0]);
    }
    if (n > 1)
        qsort(at, n, sizeof *at, by_place);
    return n;
}

static void fill(uint8_t *row, int width, double from, double to, uint8_t value)
{
    double first = fmax(0, ceil(from - 0.5)), end = fmin(width, ceil(to - 0.5));
    if (end > first)
        memset(row + (size_t)first, value, (size_t)(end - first));
}

static gh_status draw_polygon(uint8_t *pixels, int width, int height, const gh_mask_shape *s, gh_err *e)
{
    double least = INFINITY, most = -INFINITY, *at = gh_calloc(s->npoints + 1u, sizeof *at);
    if (!at)
        return gh_fail(e, GH_NOMEM, "memory ran out at a polygon of %u points", s->npoints);
    for (uint32_t i = 0; i < s->npoints; i++) {
        least = fmin(least, (double)s->points[2 * (size_t)i + 1]);
        most = fmax(most, (double)s->points[2 * (size_t)i + 1]);
    }
    int first = (int)fmax(0, floor(least - 1)), last = (int)fmin(height - 1, ceil(most));
    for (int y = first; y <= last; y++) {
        size_t n = crossings(at, s, y + 0.5);
        for (size_t i = 0; i + 1 < n; i += 2)
            fill(pixels + (size_t)y * (size_t)width, width, at[i], at[i + 1], s->value);
    }
    gh_free(at);
    return GH_OK;
}

static void draw_runs(uint8_t *pixels, int width, int height, const gh_mask_shape *s)
{
    size_t at = 0;
    for (uint32_t i = 0; i < s->nruns; i++)
        for (size_t end = at + s->runs[i]; at < end; at++)
            if (i % 2)
                pixels[at % (size_t)height * (size_t)width + at / (size_t)height] = s->value;
}

gh_status gh_mask_shape_draw(uint8_t *pixels, int width, int height, const gh_mask_shape *s, gh_err *e)
{
    if (s->npoints)
        return draw_polygon(pixels, width, height, s, e);
    draw_runs(pixels, width, height, s);
    return GH_OK;
}

gh_status gh_mask_runs_check(gh_mask_shape *s, int width, int height, gh_err *e)
{
    uint64_t sum = 0, inside = 0, all = (uint64_t)width * (uint64_t)height;
    for (uint32_t i = 0; i < s->nruns; i++) {
        sum += s->runs[i];
        inside += i % 2 ? s->runs[i] : 0;
    }
    if (sum != all)
        return gh_fail(e, GH_FORMAT, "run lengths add up to %llu pixels; the picture has %d x %d",
                       (unsigned long long)sum, width, height);
    s->area = (double)inside;
    return GH_OK;
}

/* Numbers in base 32, low digits first, 48 added to each; bit 5 says that more digits follow, bit 4 of the
 * last one is the sign. From the fourth on a number is the difference to the last but one. */
gh_status gh_mask_runs_read(gh_mask_shape *out, gh_arena *arena, const char *text, size_t len, int width,
                            int height, gh_err *e)
{
    uint32_t *runs = gh_arena_array(arena, len + 1, sizeof *runs), n = 0;
    gh_mask_shape s = *out;
    if (!runs)
        return gh_fail(e, GH_NOMEM, "memory ran out at run lengths");
    for (size_t at = 0; at < len;) {
        int64_t value = 0;
        int shift = 0, digit = 0;
        do {
            digit = at < len ? text[at++] - 48 : -1;
            if (digit < 0 || digit > 63 || shift > 30)
                return gh_fail(e, GH_FORMAT, "run lengths break off or hold a character of none at %zu", at);
            value |= (int64_t)(digit & 31) << shift;
            shift += 5;
        } while (digit & 32);
        if (digit & 16)
            value -= (int64_t)1 << shift;
        if (n > 2)
            value += runs[n - 2];
        if (value < 0 || value > GH_MAX_SHAPE_PIXELS)
            return gh_fail(e, GH_FORMAT, "run %u of run lengths is %lld", n, (long long)value);
        runs[n++] = (uint32_t)value;
    }
    s.runs = runs;
    s.nruns = n;
    s.npoints = 0;
    GH_TRY(gh_mask_runs_check(&s, width, height, e));
    *out = s;
    return GH_OK;
}
