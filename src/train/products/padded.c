/* Planes laid out for windows as shifts. */
#include "train/products/padded.h"

#include <string.h>

bool gh_padded_make(gh_padded *p, const gh_conv_shape *s, size_t step)
{
    int down = (s->kh - 1) * s->dh / s->sh, across = (s->kw - 1) * s->dw / s->sw;
    if (s->kh > GH_PADDED_TAPS || s->kw > GH_PADDED_TAPS || s->kh * s->kw > GH_PADDED_TAPS)
        return false;
    *p = (gh_padded){.s = *s,
                     .rows = s->oh + down,
                     .pitch = s->ow + across,
                     .places = s->sh * s->sw,
                     .taps = s->kh * s->kw};
    p->reach = (size_t)down * (size_t)p->pitch + (size_t)across;
    p->plane = ((size_t)p->rows * (size_t)p->pitch + (size_t)across + 15) / 16 * 16;
    for (int t = 0; t < p->taps; t++) {
        int y = t / s->kw * s->dh, x = t % s->kw * s->dw;
        p->place[t] = y % s->sh * s->sw + x % s->sw;
        p->shift[t] = (ptrdiff_t)(y / s->sh) * p->pitch + x / s->sw;
        p->offset[t] = (ptrdiff_t)((size_t)p->place[t] * p->plane * step) + p->shift[t];
    }
    return true;
}

/* Columns [*from, *to) of a row of a place that lie in the picture, the first at column `start`. */
static void inside(const gh_padded *p, int *from, int *to, int start)
{
    const gh_conv_shape *s = &p->s;
    int first = start < 0 ? (-start + s->sw - 1) / s->sw : 0;
    int last = start < s->iw ? (s->iw - start + s->sw - 1) / s->sw : 0;
    *to = last < p->pitch ? last : p->pitch;
    *from = first < *to ? first : *to;
}

static void input_row(const gh_padded *p, float *dst, const float *row, int x)
{
    int from, to, step = p->s.sw;
    inside(p, &from, &to, x);
    memset(dst, 0, (size_t)from * sizeof *dst);
    if (step == 1 && to > from)
        memcpy(dst + from, row + from + x, (size_t)(to - from) * sizeof *dst);
    for (int i = from; i < to && step > 1; i++)
        dst[i] = row[i * step + x];
    memset(dst + to, 0, (size_t)(p->pitch - to) * sizeof *dst);
}

void gh_padded_input(const gh_padded *p, float *dst, const float *src, size_t step)
{
    const gh_conv_shape *s = &p->s;
    for (int place = 0; place < p->places; place++, dst += step) {
        float *to = dst;
        for (int r = 0; r < p->rows; r++, to += p->pitch) {
            int y = r * s->sh + place / s->sw - s->pt;
            if (y >= 0 && y < s->ih)
                input_row(p, to, src + (size_t)y * (size_t)s->iw, place % s->sw - s->pl);
            else
                memset(to, 0, (size_t)p->pitch * sizeof *to);
        }
        memset(to, 0, (p->plane - (size_t)(to - dst)) * sizeof *to);
    }
}

void gh_padded_output(const gh_padded *p, float *dst, const float *src)
{
    size_t width = (size_t)p->s.ow, gap = (size_t)p->pitch - width;
    float *to = dst;
    for (int y = 0; y < p->s.oh; y++, to += p->pitch, src += width) {
        memcpy(to, src, width * sizeof *to);
        memset(to + width, 0, gap * sizeof *to);
    }
    memset(to, 0, (p->plane - (size_t)(to - dst)) * sizeof *to);
}

void gh_padded_take_output(const gh_padded *p, float *dst, const float *src)
{
    for (int y = 0; y < p->s.oh; y++)
        memcpy(dst + (size_t)y * (size_t)p->s.ow, src + (size_t)y * (size_t)p->pitch,
               (size_t)p->s.ow * sizeof *dst);
}

void gh_padded_take_input(const gh_padded *p, float *dst, const float *src, size_t step, float rest)
{
    const gh_conv_shape *s = &p->s;
    for (int y = 0; y < s->ih; y++, dst += s->iw) {
        int r = (y + s->pt) / s->sh, row = (y + s->pt) % s->sh * s->sw;
        if (r >= p->rows) {
            for (int x = 0; x < s->iw; x++)
                dst[x] = rest;
            continue;
        }
        for (int place = 0; place < s->sw; place++) {
            int from, to;
            const float *line = src + (size_t)(row + place) * step + (size_t)r * (size_t)p->pitch;
            inside(p, &from, &to, place - s->pl);
            for (int i = from; i < to; i++)
                dst[i * s->sw + place - s->pl] = line[i];
        }
        for (int x = p->pitch * s->sw - s->pl; x < s->iw; x++) /* behind the last window */
            dst[x] = rest;
    }
}
