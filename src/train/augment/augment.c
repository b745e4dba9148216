/* Drawing one change of place for picture, mask and boxes, and calling what changes the pixels. */
#include "train/augment/augment.h"

#include "train/augment/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is wanted ---- */

/* `usual` is the strength of a name without a value. Zoom and crop as usual for street scenes and photos (a
 * mild form of Szegedy et al. 2015), colours after Howard 2013. */
static const struct {
    const char *name;
    size_t offset;
    float usual, most;
    bool by_default;
} rows[] = {
    {"flip", offsetof(gh_augment, flip), 0.5f, 1, true},
    {"scale", offsetof(gh_augment, scale), 0.5f, 7, true},
    {"ratio", offsetof(gh_augment, ratio), 0.15f, 3, false},
    {"crop", offsetof(gh_augment, crop), 1, 1, true},
    {"rotate", offsetof(gh_augment, rotate), 10, 180, false},
    {"colour", offsetof(gh_augment, colour), 0.3f, 1, true},
    {"blur", offsetof(gh_augment, blur), 0.2f, 1, false},
    {"cutout", offsetof(gh_augment, cutout), 0.3f, 1, false},
    {"grey", offsetof(gh_augment, grey), 0.2f, 1, false},
    {"small", offsetof(gh_augment, small), 0.2f, 1, false},
};

static float *strength(gh_augment *a, size_t row)
{
    return (float *)((char *)a + rows[row].offset);
}

static gh_status unknown(const char *word, size_t len, gh_err *e)
{
    char list[160];
    size_t at = 0;
    for (size_t i = 0; i < GH_COUNT(rows) && at < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s, ", rows[i].name);
    return gh_fail(e, GH_ARG, "augmentation \"%.*s\" is not known; %sdefault and none are", (int)len, word,
                   list);
}

/* One word, "rotate" or "rotate=5". */
static gh_status read_word(gh_augment *a, const char *word, size_t len, gh_err *e)
{
    const char *equals = memchr(word, '=', len);
    size_t name = equals ? (size_t)(equals - word) : len, i;
    char *end = NULL;
    if (len == 4 && strncmp(word, "none", 4) == 0)
        *a = (gh_augment){.window = a->window};
    else if (len == 7 && strncmp(word, "default", 7) == 0)
        for (i = 0; i < GH_COUNT(rows); i++)
            *strength(a, i) = rows[i].by_default ? rows[i].usual : 0;
    else {
        for (i = 0; i < GH_COUNT(rows); i++)
            if (strlen(rows[i].name) == name && strncmp(rows[i].name, word, name) == 0)
                break;
        if (i == GH_COUNT(rows))
            return unknown(word, len, e);
        double v = equals ? strtod(equals + 1, &end) : (double)rows[i].usual;
        if (equals && (end == equals + 1 || end != word + len || !(v >= 0 && v <= (double)rows[i].most)))
            return gh_fail(e, GH_ARG, "augmentation \"%.*s\": %s takes a number from 0 to %g", (int)len, word,
                           rows[i].name, (double)rows[i].most);
        *strength(a, i) = (float)v;
    }
    return GH_OK;
}

gh_status gh_augment_read(gh_augment *out, const char *text, gh_err *e)
{
    gh_augment a = {0};
    while (*text) {
        size_t len = strcspn(text, ",");
        GH_TRY(read_word(&a, text, len, e));
        text += len + (text[len] == ',');
    }
    *out = a;
    return GH_OK;
}

char *gh_augment_text(const gh_augment *a, char text[200])
{
    gh_augment copy = *a;
    size_t at = 0;
    snprintf(text, 200, "none");
    for (size_t i = 0; i < GH_COUNT(rows) && at < 200; i++)
        if (*strength(&copy, i) > 0)
            at += (size_t)snprintf(text + at, 200 - at, "%s%s=%.3g", at ? "," : "", rows[i].name,
                                   (double)*strength(&copy, i));
    return text;
}

/* ---- one change of place ---- */

static double either_way(gh_rng *rng)
{
    return 2 * (double)gh_rng_float(rng) - 1;
}

static bool happens(float share, gh_rng *rng)
{
    return share > 0 && gh_rng_float(rng) < share;
}

typedef struct place {
    bool flip;
    double zoom, ratio, angle; /* radians */
    double dx, dy;             /* -1..1 of the way that there is */
} place;

static place draw_place(const gh_augment *a, gh_rng *rng)
{
    place p = {.zoom = 1, .ratio = 1};
    p.flip = happens(a->flip, rng);
    if (a->scale > 0)
        p.zoom = exp(log1p((double)a->scale) * either_way(rng));
    if (a->ratio > 0)
        p.ratio = exp(0.5 * log1p((double)a->ratio) * either_way(rng));
    if (a->rotate > 0)
        p.angle = (double)a->rotate * either_way(rng) * M_PI / 180;
    double far = a->window.width > 0 ? 1 : (double)a->crop; /* a window may be anywhere */
    if (far > 0) {
        p.dx = far * either_way(rng);
        p.dy = far * either_way(rng);
    }
    return p;
}

static bool stays(const gh_augment *a)
{
    return a->window.width <= 0 && a->scale <= 0 && a->ratio <= 0 && a->rotate <= 0 && a->crop <= 0;
}

/* How far the middle of a window of `seen` pixels may go either way over `all` of them: to the edge; or,
 * where the window is as large or larger, by a tenth of what there is, or until the picture meets its other
 * edge. */
static double way(double seen, double all)
{
    double slack = fabs(all - seen) / 2;
    return fmax(slack, 0.1 * all);
}

/* From the result to the full picture: the plain placement, then zoom and turn about the middle of what it
 * shows, in the picture's own pixels so that squares stay squares. */
static gh_affine affine_of(const place *p, const gh_placement *plain, gh_size window)
{
    double sx = plain->box.w / plain->width, sy = plain->box.h / plain->height;
    double mx = plain->box.x + plain->box.w / 2, my = plain->box.y + plain->box.h / 2;
    double zx = p->zoom * p->ratio, zy = p->zoom / p->ratio;
    double c = cos(p->angle), s = sin(p->angle), mirror = p->flip ? -1 : 1;
    /* of the result, from its middle as the plain placement has it */
    bool part = window.width > 0;
    double du = -(part ? window.width / 2.0 : plain->x + plain->width / 2.0);
    double dv = -(part ? window.height / 2.0 : plain->y + plain->height / 2.0);
    double ox = mx + p->dx * way((part ? window.width : plain->width) * sx / zx, plain->box.w);
    double oy = my + p->dy * way((part ? window.height : plain->height) * sy / zy, plain->box.h);
    double a = mirror * c * sx / zx, b = -s * sy / zy, d = mirror * s * sx / zx, g = c * sy / zy;
    return (gh_affine){{a, b, a * du + b * dv + ox, d, g, d * du + g * dv + oy}};
}

static void fill_colour(uint8_t fill[3], const gh_manifest_input *in)
{
    for (int c = 0; c < 3; c++)
        fill[in->order == GH_ORDER_BGR ? 2 - c : c] = (uint8_t)fminf(255, fmaxf(0, roundf(in->mean[c])));
}

static void mirror_pixels(uint8_t *pixels, int width, int height)
{
    for (int y = 0; y < height; y++) {
        uint8_t *row = pixels + (size_t)y * (size_t)width * 3;
        for (int l = 0, r = width - 1; l < r; l++, r--)
            for (int c = 0; c < 3; c++) {
                uint8_t t = row[l * 3 + c];
                row[l * 3 + c] = row[r * 3 + c];
                row[r * 3 + c] = t;
            }
    }
}

static gh_size size_of(const gh_manifest_input *in, const gh_augment *a)
{
    return a->window.width > 0 ? a->window : (gh_size){in->width, in->height};
}

static gh_status move(const gh_augment_to *to, const gh_augment_from *from, const gh_manifest_input *in,
                      const gh_augment *a, gh_rng *rng, gh_err *e)
{
    const gh_image *image = from->image;
    gh_size size = size_of(in, a);
    int width = size.width, height = size.height;
    gh_placement plain = gh_preproc_place(in, image->full_width, image->full_height);
    place p = draw_place(a, rng);
    gh_affine t = affine_of(&p, &plain, a->window);
    uint8_t fill[3];
    fill_colour(fill, in);
    if (stays(a)) {
        GH_TRY(gh_preproc_pixels(to->pixels, image, in, &plain, e));
        if (p.flip)
            mirror_pixels(to->pixels, width, height);
    } else {
        gh_warp_pixels(to->pixels, width, height, image, &t, fill);
    }
    if (to->mask && from->mask)
        gh_warp_mask(to->mask, width, height, from->mask, image->full_width, image->full_height, &t);
    for (size_t i = 0; i < from->nboxes; i++)
        gh_warp_box(&to->boxes[i], &from->boxes[i], width, height, &t);
    return GH_OK;
}

gh_status gh_augment_make(const gh_augment_to *to, const gh_augment_from *from, const gh_manifest_input *in,
                          const gh_augment *a, gh_rng *rng, gh_err *e)
{
    gh_size size = size_of(in, a);
    size_t count = (size_t)size.width * (size_t)size.height;
    uint8_t fill[3];
    fill_colour(fill, in);
    GH_TRY(move(to, from, in, a, rng, e));
    if (a->colour > 0)
        gh_augment_colour(to->pixels, count, a->colour, rng);
    if (happens(a->grey, rng))
        gh_augment_grey(to->pixels, count);
    if (happens(a->small, rng))
        GH_TRY(gh_augment_small(to->pixels, size.width, size.height, rng, e));
    if (happens(a->blur, rng))
        GH_TRY(gh_augment_blur(to->pixels, size.width, size.height, rng, e));
    if (happens(a->cutout, rng))
        gh_augment_cutout(to, from->nboxes, size.width, size.height, fill, rng);
    return GH_OK;
}
