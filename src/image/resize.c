/* Resampling. Antialiased filters follow the arithmetic of Pillow's resize (weights in double, then 22-bit
 * fixed point; 8-bit rounding after each of the two passes), so that results are the same to the bit. The
 * plain bilinear filter stands in resize_plain.c. */
#include "image/resize.h"

#include "base/mem.h"
#include "image/resize_parts.h"

#include <math.h>
#include <string.h>

/* 8 bits of sample and 2 of headroom for the negative lobes leave 22 bits of weight in an int32 sum. */
enum { WEIGHT_BITS = 32 - 8 - 2, CHANNELS = 3 };

/* Bounds on a kernel's width and on all weights of one pass (64 MB). Up to this width the rounding of the
 * weights cannot carry a sum out of 32 bits; no picture of a real camera comes near. */
enum { MAX_COUNT = 1 << 22, MAX_WEIGHTS = 1 << 24 };

enum { STRIP_BYTES = 8 << 20 };

/* Output sample i is the weighted sum of source samples first[i] .. first[i] + count[i] - 1. */
typedef struct taps {
    int *first, *count;
    int32_t *weight; /* size rows of `most` weights */
    int size, most;
} taps;

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

static uint8_t to_byte(int32_t sum)
{
    int32_t v = sum >> WEIGHT_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Two rows at a time: six independent sums keep the multiplier busy, and each weight is loaded once for both.
 */
static void across_pair(uint8_t *dst, size_t dst_stride, const uint8_t *src, size_t src_stride, const taps *t)
{
    for (int i = 0; i < t->size; i++, dst += CHANNELS) {
        const uint8_t *s = src + (size_t)t->first[i] * CHANNELS, *z = s + src_stride;
        const int32_t *w = t->weight + (size_t)i * (size_t)t->most, *end = w + t->count[i];
        int32_t half = 1 << (WEIGHT_BITS - 1);
        int32_t r0 = half, g0 = half, b0 = half, r1 = half, g1 = half, b1 = half;
        for (; w < end; w++, s += CHANNELS, z += CHANNELS) {
            int32_t k = *w;
            r0 += s[0] * k;
            g0 += s[1] * k;
            b0 += s[2] * k;
            r1 += z[0] * k;
            g1 += z[1] * k;
            b1 += z[2] * k;
        }
        uint8_t *d = dst + dst_stride;
        dst[0] = to_byte(r0);
        dst[1] = to_byte(g0);
        dst[2] = to_byte(b0);
        d[0] = to_byte(r1);
        d[1] = to_byte(g1);
        d[2] = to_byte(b1);
    }
}

static void across(uint8_t *dst, size_t dst_stride, const uint8_t *src, size_t src_stride, int rows,
                   const taps *t)
{
    int y = 0;
    for (; y + 2 <= rows; y += 2)
        across_pair(dst + (size_t)y * dst_stride, dst_stride, src + (size_t)y * src_stride, src_stride, t);
    if (y < rows) /* the last of an odd number, as a pair with itself */
        across_pair(dst + (size_t)y * dst_stride, 0, src + (size_t)y * src_stride, 0, t);
}

/* LANES columns at a time, so that the sums stay in registers and compilers see a loop of fixed length. */
enum { LANES = 16 };

static void down_lanes(uint8_t *dst, const uint8_t *src, size_t stride, const int32_t *w, int count)
{
    int32_t sum[LANES];
    for (int i = 0; i < LANES; i++)
        sum[i] = 1 << (WEIGHT_BITS - 1);
    for (int j = 0; j < count; j++, src += stride)
        for (int i = 0; i < LANES; i++)
            sum[i] += src[i] * w[j];
    for (int i = 0; i < LANES; i++)
        dst[i] = to_byte(sum[i]);
}

static void down(uint8_t *dst, const uint8_t *src, size_t stride, const int32_t *w, int count)
{
    size_t x = 0;
    for (; x + LANES <= stride; x += LANES)
        down_lanes(dst + x, src + x, stride, w, count);
    for (; x < stride; x++) {
        int32_t sum = 1 << (WEIGHT_BITS - 1);
        for (int j = 0; j < count; j++)
            sum += src[x + (size_t)j * stride] * w[j];
        dst[x] = to_byte(sum);
    }
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
    across(rows, strip, src->pixels + (size_t)top * stride, stride, bottom - top, &h);
    for (int y = 0; y < v->size; y++)
        down(dst + ((size_t)y * (size_t)all->size + (size_t)from) * CHANNELS,
             rows + (size_t)(v->first[y] - top) * strip, strip, v->weight + (size_t)y * (size_t)v->most,
             v->count[y]);
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
