/* Resampling. Antialiased filters follow the arithmetic of Pillow's resize (weights in double, then 22-bit
 * fixed point; 8-bit rounding after each of the two passes), so that results are the same to the bit. The
 * plain bilinear filter stands in resize_plain.c. */
#include "image/resize.h"

#include "base/mem.h"
#include "image/resize_parts.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { WEIGHT_BITS = GH_RESAMPLE_BITS, CHANNELS = 3 };

/* Bounds on a kernel's width and on all weights of one pass (64 MB). Up to this width the rounding of the
 * weights cannot carry a sum out of 32 bits; no picture of a real camera comes near. */
enum { MAX_COUNT = 1 << 22, MAX_WEIGHTS = 1 << 24 };

enum { STRIP_BYTES = 8 << 20 };

typedef gh_resample_taps taps;

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys' cubic convolution with a = -0.5 (IEEE Trans. ASSP 29, 1981). */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x)
{
    x *= M_PI;
    return x == 0 ? 1 : sin(x) / x;
}

static double lanczos3(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct kernel {
    double (*weight)(double x);
    double support; /* half its width, in source samples at scale 1 */
} kernels[] = {
    [GH_FILTER_BILINEAR] = {triangle, 1},
    [GH_FILTER_BICUBIC] = {cubic, 2},
    [GH_FILTER_LANCZOS] = {lanczos3, 3},
};

static void taps_free(taps *t)
{
    gh_free(t->first);
    gh_free(t->count);
    gh_free(t->weight);
}

static gh_status taps_new(taps *t, int size, double support, int source, gh_err *e)
{
    double most = ceil(support) * 2 + 1;
    t->size = size;
    t->most = most < source ? (int)most : source;
    if (t->most > MAX_COUNT || (int64_t)t->most * size > MAX_WEIGHTS)
        return gh_fail(e, GH_LIMIT, "a picture with a side of %d pixels is too long to resize to %d", source,
                       size);
    t->first = gh_calloc((size_t)size, sizeof *t->first);
    t->count = gh_calloc((size_t)size, sizeof *t->count);
    t->weight = gh_calloc((size_t)size * (size_t)t->most, sizeof *t->weight);
    if (t->first == NULL || t->count == NULL || t->weight == NULL)
        return gh_fail(e, GH_NOMEM, "memory ran out resizing a picture");
    return GH_OK;
}

/* The weights of output sample i, scaled to sum to one. */
static void fill_taps(taps *t, int i, const struct kernel *k, double centre, double scale, int source)
{
    double support = k->support * scale, narrow = 1 / scale, sum = 0;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    first = first < 0 ? 0 : first >= source ? source - 1 : first;
    end = end > source ? source : end <= first ? first + 1 : end;
    end = end - first > t->most ? first + t->most : end;
    for (int x = first; x < end; x++)
        sum += k->weight((x - centre + 0.5) * narrow);
    int32_t *w = t->weight + (size_t)i * (size_t)t->most;
    for (int x = first; x < end; x++) {
        double v = k->weight((x - centre + 0.5) * narrow);
        v = (sum != 0 ? v / sum : v) * (1 << WEIGHT_BITS);
        w[x - first] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
    t->first[i] = first;
    t->count[i] = end - first;
}

/* Weights for [from, to) of `source` samples resampled to `size`. Shrinking widens the kernel. The box is in
 * single precision, as Pillow keeps it. */
static gh_status make_taps(taps *t, const struct kernel *k, int source, float from, float to, int size,
                           gh_err *e)
{
    double step = (double)(to - from) / size, scale = step < 1 ? 1 : step;
    GH_TRY(taps_new(t, size, k->support * scale, source, e));
    for (int i = 0; i < size; i++)
        fill_taps(t, i, k, from + (i + 0.5) * step, scale, source);
    return GH_OK;
}

/* A strip of output columns [from, from + n): the rows that the second pass needs, resampled across, then
 * each output row from them. `rows` has room for these. */
static void resample_strip(uint8_t *dst, uint8_t *rows, const gh_image *src, const taps *all, int from, int n,
                           const taps *v)
{
    taps h = {all->first + from, all->count + from, all->weight + (size_t)from * (size_t)all->most, n,
              all->most};
    size_t stride = (size_t)src->width * CHANNELS, strip = (size_t)n * CHANNELS;
    int top = v->first[0], bottom = v->first[v->size - 1] + v->count[v->size - 1];
    const gh_kernels *k = gh_kernels_get();
    k->resample_across(rows, strip, src->pixels + (size_t)top * stride, stride, src->width, bottom - top, &h);
    for (int y = 0; y < v->size; y++)
        k->resample_down(dst + ((size_t)y * (size_t)all->size + (size_t)from) * CHANNELS,
                         rows + (size_t)(v->first[y] - top) * strip, strip, strip,
                         v->weight + (size_t)y * (size_t)v->most, v->count[y]);
}

/* Strips bound the memory between the passes: going across first would need 1.2 GB to turn 1 x 20,000 pixels
 * into 20,000 x 1. */
static gh_status resample(uint8_t *dst, const gh_image *src, const taps *h, const taps *v, gh_err *e)
{
    size_t column = (size_t)(v->first[v->size - 1] + v->count[v->size - 1] - v->first[0]) * CHANNELS;
    size_t fit = STRIP_BYTES / column;
    int columns = fit < 1 ? 1 : fit < (size_t)h->size ? (int)fit : h->size;
    uint8_t *rows = gh_alloc(column * (size_t)columns);
    if (rows == NULL)
        return gh_fail(e, GH_NOMEM, "memory ran out resizing a picture");
    for (int x = 0; x < h->size; x += columns)
        resample_strip(dst, rows, src, h, x, h->size - x < columns ? h->size - x : columns, v);
    gh_free(rows);
    return GH_OK;
}

static gh_status resize_smooth(uint8_t *dst, int width, int height, const gh_image *src, gh_rect box,
                               const struct kernel *k, gh_err *e)
{
    taps h = {0}, v = {0};
    gh_status status = make_taps(&h, k, src->width, (float)box.x, (float)(box.x + box.w), width, e);
    if (status == GH_OK)
        status = make_taps(&v, k, src->height, (float)box.y, (float)(box.y + box.h), height, e);
    if (status == GH_OK)
        status = resample(dst, src, &h, &v, e);
    taps_free(&h);
    taps_free(&v);
    return status;
}

static bool is_whole(const gh_image *src, gh_rect box)
{
    return box.x == 0 && box.y == 0 && box.w == src->width && box.h == src->height;
}

gh_status gh_resize_check(int width, int height, const gh_image *src, gh_rect box, gh_err *e)
{
    /* Written so that a NaN fails too. */
    bool inside = box.x >= 0 && box.y >= 0 && box.w > 0 && box.h > 0 && box.x + box.w <= src->width &&
                  box.y + box.h <= src->height;
    if (width < 1 || height < 1)
        return gh_fail(e, GH_ARG, "a picture cannot be resized to %d x %d pixels", width, height);
    if (!inside)
        return gh_fail(e, GH_ARG, "the box (x %g, y %g, %g x %g) is not within the picture of %d x %d pixels",
                       box.x, box.y, box.w, box.h, src->width, src->height);
    return GH_OK;
}

gh_status gh_resize(uint8_t *dst, int width, int height, const gh_image *src, gh_rect box, gh_filter filter,
                    gh_err *e)
{
    GH_TRY(gh_resize_check(width, height, src, box, e));
    if (width == src->width && height == src->height && is_whole(src, box)) {
        memcpy(dst, src->pixels, (size_t)width * (size_t)height * CHANNELS);
        return GH_OK;
    }
    switch (filter) {
    case GH_FILTER_BILINEAR_PLAIN:
        return gh_resize_plain(dst, width, height, src, box, e);
    case GH_FILTER_BILINEAR:
    case GH_FILTER_BICUBIC:
    case GH_FILTER_LANCZOS:
        return resize_smooth(dst, width, height, src, box, &kernels[filter], e);
    }
    return gh_fail(e, GH_ARG, "there is no filter %d", (int)filter);
}
