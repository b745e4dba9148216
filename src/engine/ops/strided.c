/* Strided copies: rows that are contiguous on both sides are copied whole. */
#include "engine/ops/strided.h"

#include "base/mem.h"

#include <string.h>

void gh_strided_axis(gh_strided *s, int64_t dim, int64_t src, int64_t dst)
{
    GH_ASSERT(s->rank < GH_STRIDED_RANK);
    s->dims[s->rank] = dim;
    s->src[s->rank] = src;
    s->dst[s->rank++] = dst;
}

gh_strided gh_strided_of(const gh_shape *shape)
{
    gh_strided s = {.rank = shape->rank};
    int64_t step = 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        s.dims[d] = shape->dims[d];
        s.src[d] = s.dst[d] = step;
        step *= shape->dims[d];
    }
    return s;
}

#define COPY_ROW(type)                                                                                       \
    for (int64_t i = 0; i < n; i++)                                                                          \
    ((type *)dst)[i * to] = ((const type *)src)[i * from]

static void copy_row(char *dst, const char *src, size_t size, int64_t n, int64_t to, int64_t from)
{
    if (to == 1 && from == 1) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
    switch (size) {
    case 1:
        COPY_ROW(uint8_t);
        break;
    case 2:
        COPY_ROW(uint16_t);
        break;
    case 4:
        COPY_ROW(uint32_t);
        break;
    default:
        COPY_ROW(uint64_t);
    }
}

/* Drops axes of 1 and joins axes that are one row on both sides; false when there is nothing to copy. */
static bool simplify(gh_strided *out, const gh_strided *s)
{
    *out = (gh_strided){0};
    for (int d = 0; d < s->rank; d++) {
        int last = out->rank - 1;
        if (s->dims[d] == 0)
            return false;
        if (s->dims[d] == 1)
            continue;
        if (last >= 0 && out->src[last] == s->src[d] * s->dims[d] &&
            out->dst[last] == s->dst[d] * s->dims[d]) {
            out->dims[last] *= s->dims[d];
            out->src[last] = s->src[d];
            out->dst[last] = s->dst[d];
        } else {
            gh_strided_axis(out, s->dims[d], s->src[d], s->dst[d]);
        }
    }
    return true;
}

void gh_strided_copy(void *dst, const void *src, size_t size, const gh_strided *strided)
{
    gh_strided s;
    int64_t index[GH_STRIDED_RANK] = {0}, from = 0, to = 0, bytes = (int64_t)size;
    if (!simplify(&s, strided))
        return;
    int last = s.rank - 1;
    for (int d = 0; d >= 0;) {
        copy_row((char *)dst + to * bytes, (const char *)src + from * bytes, size,
                 last < 0 ? 1 : s.dims[last], last < 0 ? 1 : s.dst[last], last < 0 ? 1 : s.src[last]);
        for (d = last - 1; d >= 0; d--) {
            from += s.src[d];
            to += s.dst[d];
            if (++index[d] < s.dims[d])
                break;
            from -= s.src[d] * s.dims[d];
            to -= s.dst[d] * s.dims[d];
            index[d] = 0;
        }
    }
}
