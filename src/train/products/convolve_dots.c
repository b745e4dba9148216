/* Gradients of a convolution's weights: each is the dot product of a plane of the output's gradient with a
 * shifted plane of the input. The planes are padded and those of several pictures stand one after the other,
 * so that rows are long; large 1x1 planes are read where they are. */
#include "train/products/convolve.h"
#include "train/products/padded.h"

#include <string.h>

enum {
    MOST_FLOATS = 2 << 20, /* of padded planes at a time, unless one picture needs more */
    LONG_PLANE = 1024,     /* planes from here on are rows of their own */
};

typedef struct job {
    const gh_convolve *c;
    gh_padded p;
    const float *x, *dy;
    float *dw, *px, *py;
    int first, pictures; /* of this pass */
    int rows;            /* output channels of a unit */
    bool direct;
} job;

static bool is_direct(const gh_conv_shape *s)
{
    return s->kh == 1 && s->kw == 1 && s->sh == 1 && s->sw == 1 && s->pt == 0 && s->pl == 0 &&
           s->oh == s->ih && s->ow == s->iw && s->oh * s->ow >= LONG_PLANE;
}

static size_t picture_floats(const gh_padded *p)
{
    return ((size_t)p->s.ic * (size_t)p->places + (size_t)p->s.oc) * p->plane;
}

static int pictures_of(const gh_padded *p)
{
    size_t n = MOST_FLOATS / picture_floats(p);
    return n < 1 ? 1 : n < (size_t)p->s.n ? (int)n : p->s.n;
}

size_t gh_convolve_dots_scratch(const gh_conv_shape *s)
{
    gh_padded p;
    if (is_direct(s) || !gh_padded_make(&p, s, 1))
        return 0;
    return picture_floats(&p) * (size_t)pictures_of(&p) + p.reach + 64;
}

/* Units are planes: of each picture all input channels, then all output channels. Places and pictures of a
 * channel are neighbours. */
static void fill_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    const gh_conv_shape *s = &j->p.s;
    size_t row = j->p.plane * (size_t)j->pictures;
    (void)thread;
    for (int u = begin; u < end; u++) {
        int image = u / (s->ic + s->oc), c = u % (s->ic + s->oc), o = c - s->ic;
        size_t at = (size_t)image * j->p.plane, from = (size_t)(j->first + image);
        if (o < 0)
            gh_padded_input(&j->p, j->px + (size_t)c * (size_t)j->p.places * row + at,
                            j->x + (from * (size_t)s->ic + (size_t)c) * (size_t)s->ih * (size_t)s->iw, row);
        else
            gh_padded_output(&j->p, j->py + (size_t)o * row + at,
                             j->dy + (from * (size_t)s->oc + (size_t)o) * (size_t)s->oh * (size_t)s->ow);
    }
}

/* Output channels [o, o + m) of one group. */
static void add_rows(const job *j, int o, int m)
{
    const gh_conv_shape *s = &j->p.s;
    int icg = s->ic / s->groups, group = o / (s->oc / s->groups);
    size_t row = j->p.plane * (size_t)j->pictures, plane = (size_t)s->oh * (size_t)s->ow;
    gh_dots_job d = {.a = j->py + (size_t)o * row,
                     .b = j->px + (size_t)group * (size_t)icg * (size_t)j->p.places * row,
                     .offset = j->p.offset,
                     .a_step = row,
                     .b_step = row * (size_t)j->p.places,
                     .dst_row = (size_t)icg * (size_t)j->p.taps,
                     .dst_column = (size_t)j->p.taps,
                     .m = m,
                     .n = icg,
                     .taps = j->p.taps,
                     .count = row};
    d.dst = j->dw + (size_t)o * d.dst_row;
    if (j->first == 0)
        memset(d.dst, 0, (size_t)m * d.dst_row * sizeof *d.dst);
    if (!j->direct) {
        j->c->k->dots(&d);
        return;
    }
    d.a_step = d.b_step = d.count = plane;
    for (int i = 0; i < s->n; i++) {
        d.a = j->dy + ((size_t)i * (size_t)s->oc + (size_t)o) * plane;
        d.b = j->x + ((size_t)i * (size_t)s->ic + (size_t)group * (size_t)icg) * plane;
        j->c->k->dots(&d);
    }
}

/* Units are `rows` output channels of a group; neighbours of one group are one product. */
static void row_units(void *arg, int begin, int end, int thread)
{
    const job *j = arg;
    int ocg = j->p.s.oc / j->p.s.groups, per = (ocg + j->rows - 1) / j->rows;
    (void)thread;
    while (begin < end) {
        int group = begin / per, last = (group + 1) * per < end ? (group + 1) * per : end;
        int from = begin % per * j->rows, to = (last - group * per) * j->rows;
        add_rows(j, group * ocg + from, (to < ocg ? to : ocg) - from);
        begin = last;
    }
}

void gh_convolve_dots(const gh_convolve *c, const float *x, const float *dy, float *dw)
{
    job j = {.c = c, .x = x, .dy = dy, .dw = dw, .rows = c->k->block >= 16 ? 4 : 3};
    const gh_conv_shape *s = &c->s;
    int units = s->groups * ((s->oc / s->groups + j.rows - 1) / j.rows);
    j.direct = is_direct(s);
    gh_padded_make(&j.p, s, 1);
    if (j.direct) {
        gh_pool_for(c->pool, units, row_units, &j);
        return;
    }
    int most = pictures_of(&j.p);
    for (; j.first < s->n; j.first += most) {
        j.pictures = s->n - j.first < most ? s->n - j.first : most;
        gh_padded_make(&j.p, s, (size_t)j.pictures);
        size_t row = j.p.plane * (size_t)j.pictures;
        j.py = c->scratch;
        j.px = j.py + (size_t)s->oc * row;
        memset(j.px + (size_t)s->ic * (size_t)j.p.places * row, 0, (j.p.reach + 64) * sizeof(float));
        gh_pool_for(c->pool, j.pictures * (s->ic + s->oc), fill_units, &j);
        gh_pool_for(c->pool, units, row_units, &j);
    }
}
