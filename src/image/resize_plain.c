/* The plain bilinear filter: two taps an axis with half-pixel centres, whatever the scale; rounded to bytes,
 * or not at all. */
#include "base/mem.h"
#include "image/resize_parts.h"

#include <math.h>

enum { CHANNELS = 3 };

/* One axis of the plain filter: output sample i lies between source samples lo and hi, at `mix` from lo. */
typedef struct between {
    int lo, hi;
    float mix;
} between;

/* Samples beyond the box are never looked at: the same as cutting the box out first. */
static between *make_between(int source, double from, double extent, int size)
{
    between *b = gh_calloc((size_t)size, sizeof *b);
    int first = (int)floor(from), last = (int)ceil(from + extent) - 1;
    last = last >= source ? source - 1 : last;
    first = first > last ? last : first;
    for (int i = 0; b != NULL && i < size; i++) {
        double at = from + (i + 0.5) * extent / size - 0.5;
        at = at < first ? first : at > last ? last : at;
        b[i].lo = (int)at;
        b[i].hi = b[i].lo < last ? b[i].lo + 1 : last;
        b[i].mix = (float)(at - b[i].lo);
    }
    return b;
}

/* The two source rows that an output row lies between, at `mix` from the upper one. */
typedef struct rows {
    const uint8_t *upper, *lower;
    float mix;
} rows;

static rows rows_of(const gh_image *src, const between *v)
{
    size_t stride = (size_t)src->width * CHANNELS;
    return (rows){src->pixels + (size_t)v->lo * stride, src->pixels + (size_t)v->hi * stride, v->mix};
}

static inline float sample(const rows *r, const between *h, int channel)
{
    size_t lo = (size_t)h->lo * CHANNELS + (size_t)channel, hi = (size_t)h->hi * CHANNELS + (size_t)channel;
    float u = r->upper[lo] + (float)(r->upper[hi] - r->upper[lo]) * h->mix;
    float l = r->lower[lo] + (float)(r->lower[hi] - r->lower[lo]) * h->mix;
    return u + (l - u) * r->mix;
}

/* Both axes; either may be NULL after a failure, and the caller frees both. */
static gh_status make_axes(between **h, between **v, int width, int height, const gh_image *src, gh_rect box,
                           gh_err *e)
{
    *h = make_between(src->width, box.x, box.w, width);
    *v = make_between(src->height, box.y, box.h, height);
    return *h && *v ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out resizing a picture");
}

gh_status gh_resize_plain(uint8_t *dst, int width, int height, const gh_image *src, gh_rect box, gh_err *e)
{
    between *h = NULL, *v = NULL;
    gh_status status = make_axes(&h, &v, width, height, src, box, e);
    for (int y = 0; status == GH_OK && y < height; y++) {
        rows r = rows_of(src, &v[y]);
        for (int x = 0; x < width; x++)
            for (int c = 0; c < CHANNELS; c++)
                *dst++ = (uint8_t)(sample(&r, &h[x], c) + 0.5f);
    }
    gh_free(h);
    gh_free(v);
    return status;
}

gh_status gh_resize_planes(const gh_planes *dst, int width, int height, const gh_image *src, gh_rect box,
                           gh_err *e)
{
    between *h = NULL, *v = NULL;
    GH_TRY(gh_resize_check(width, height, src, box, e));
    gh_status status = make_axes(&h, &v, width, height, src, box, e);
    for (int y = 0; status == GH_OK && y < height; y++) {
        rows r = rows_of(src, &v[y]);
        for (int c = 0; c < CHANNELS; c++) {
            float *to = dst->plane[c] + (size_t)y * dst->stride, mean = dst->mean[c], scale = dst->scale[c];
            for (int x = 0; x < width; x++)
                to[x] = (sample(&r, &h[x], c) - mean) * scale;
        }
    }
    gh_free(h);
    gh_free(v);
    return status;
}
