/* Shapes by their distance: a pixel takes as much of the colour as the shape covers of it, which is told from
 * how far its middle lies inside the edge. */
#include "image/draw.h"

#include "image/draw_parts.h"

#include <math.h>

/* Pixels first .. end - 1 of a row or column. */
typedef struct span {
    int first, end;
} span;

/* The pixels between two coordinates, within 0 .. size - 1; none for what is not a number. */
static span span_of(double low, double high, int size)
{
    span s = {0, 0};
    if (!(low < size && high > 0))
        return s;
    s.first = (int)floor(fmax(0, low));
    s.end = (int)ceil(fmin(size, high));
    return s;
}

static void blend(uint8_t *p, gh_colour c, double share)
{
    int a = (int)(share * c.a + 0.5); /* 0..255 */
    p[0] = (uint8_t)((p[0] * (255 - a) + c.r * a + 127) / 255);
    p[1] = (uint8_t)((p[1] * (255 - a) + c.g * a + 127) / 255);
    p[2] = (uint8_t)((p[2] * (255 - a) + c.b * a + 127) / 255);
}

static uint8_t *row_of(gh_image *image, int y)
{
    return image->pixels + (size_t)y * (size_t)image->width * 3;
}

/* Part of a pixel inside an edge that lies `inside` pixels away from its middle. */
static double covered(double inside)
{
    return fmin(1, fmax(0, inside + 0.5));
}

/* ---- rectangles ---- */

/* A rectangle with round corners; `thick` = of its border, 0 = filled. */
typedef struct slab {
    double x, y, half_w, half_h; /* middle, and half of its size */
    double radius, thick;
    gh_colour colour;
} slab;

/* How far the point lies inside the edge; negative outside. */
static double inside_slab(const slab *s, double x, double y)
{
    double dx = fabs(x - s->x) - (s->half_w - s->radius), dy = fabs(y - s->y) - (s->half_h - s->radius);
    if (dx > 0 && dy > 0)
        return s->radius - sqrt(dx * dx + dy * dy);
    return s->radius - fmax(dx, dy);
}

static void slab_pixels(gh_image *image, const slab *s, int y, int first, int end)
{
    uint8_t *row = row_of(image, y);
    for (int x = first; x < end; x++) {
        double in = inside_slab(s, x + 0.5, y + 0.5);
        double share = covered(in) - (s->thick > 0 ? covered(in - s->thick) : 0);
        if (share > 0)
            blend(row + 3 * (size_t)x, s->colour, share);
    }
}

/* Away from corners and from the upper and lower edge, only the two sides of a row need the distance. */
static void slab_row(gh_image *image, const slab *s, int y, span across)
{
    double edge = fmax(s->radius, s->thick) + 1.5, left = s->x - s->half_w, right = s->x + s->half_w;
    int first = across.end, end = across.end;
    if (fabs(y + 0.5 - s->y) < s->half_h - edge) {
        first = (int)fmin(across.end, fmax(across.first, ceil(left + edge)));
        end = (int)fmin(across.end, fmax(first, floor(right - edge)));
    }
    slab_pixels(image, s, y, across.first, first);
    if (s->thick <= 0)
        for (int x = first; x < end; x++)
            blend(row_of(image, y) + 3 * (size_t)x, s->colour, 1);
    slab_pixels(image, s, y, end, across.end);
}

static void draw_slab(gh_image *image, gh_rect box, double radius, double thick, gh_colour colour)
{
    double least = fmin(box.w, box.h) / 2;
    if (!(isfinite(box.x) && isfinite(box.y) && isfinite(box.w) && isfinite(box.h) && least > 0))
        return;
    slab s = {box.x + box.w / 2,
              box.y + box.h / 2,
              box.w / 2,
              box.h / 2,
              fmax(0, fmin(radius, least)),
              fmin(thick, least),
              colour};
    span across = span_of(box.x - 1, box.x + box.w + 1, image->width);
    span down = span_of(box.y - 1, box.y + box.h + 1, image->height);
    for (int y = down.first; y < down.end; y++)
        slab_row(image, &s, y, across);
}

void gh_draw_fill(gh_image *image, gh_rect box, double radius, gh_colour colour)
{
    draw_slab(image, box, radius, 0, colour);
}

void gh_draw_frame(gh_image *image, gh_rect box, double radius, double thick, gh_colour colour)
{
    if (thick > 0)
        draw_slab(image, box, radius, thick, colour);
}

/* ---- strokes ---- */

/* Pixels of a row at a time that strokes are gathered for, so that crossing strokes paint once. */
enum { CHUNK = 256 };

/* Where the stroke, widened by `reach`, lies in the row whose middle is y; false = nowhere. */
static bool reach_row(double *low, double *high, const gh_stroke *s, double y, double reach)
{
    double dy = (double)s->y1 - s->y0, t0 = 0, t1 = 1;
    if (y < fmin(s->y0, s->y1) - reach || y > fmax(s->y0, s->y1) + reach)
        return false;
    if (dy != 0) { /* the part of it that is near the row */
        double a = (y - reach - s->y0) / dy, b = (y + reach - s->y0) / dy;
        t0 = fmax(0, fmin(a, b));
        t1 = fmin(1, fmax(a, b));
    }
    double xa = s->x0 + t0 * ((double)s->x1 - s->x0), xb = s->x0 + t1 * ((double)s->x1 - s->x0);
    *low = fmin(xa, xb) - reach;
    *high = fmax(xa, xb) + reach;
    return true;
}

static double inside_stroke(const gh_stroke *s, double x, double y)
{
    double dx = (double)s->x1 - s->x0, dy = (double)s->y1 - s->y0, px = x - s->x0, py = y - s->y0;
    double square = dx * dx + dy * dy;
    double t = square > 0 ? fmin(1, fmax(0, (px * dx + py * dy) / square)) : 0;
    return s->radius - hypot(px - t * dx, py - t * dy);
}

/* Raises the shares of the pixels `first` .. first + CHUNK - 1 to what the stroke covers. */
static void gather(float *shares, span row, const gh_stroke *s, double y)
{
    double low, high, most = fmin(1, 2 * (double)s->radius);
    if (!reach_row(&low, &high, s, y, s->radius + 0.5))
        return;
    int first = (int)fmax(row.first, fmin(row.end, floor(low)));
    int end = (int)fmin(row.end, fmax(row.first, ceil(high)));
    for (int x = first; x < end; x++) {
        float share = (float)fmin(most, covered(inside_stroke(s, x + 0.5, y)));
        if (share > shares[x - row.first])
            shares[x - row.first] = share;
    }
}

static void strokes_row(gh_image *image, const gh_stroke *strokes, int n, int y, span across,
                        gh_colour colour)
{
    float shares[CHUNK];
    uint8_t *row = row_of(image, y);
    for (int first = across.first; first < across.end; first += CHUNK) {
        span part = {first, first + CHUNK < across.end ? first + CHUNK : across.end};
        for (int i = 0; i < CHUNK; i++)
            shares[i] = 0;
        for (int i = 0; i < n; i++)
            gather(shares, part, &strokes[i], y + 0.5);
        for (int x = part.first; x < part.end; x++)
            if (shares[x - first] > 0)
                blend(row + 3 * (size_t)x, colour, (double)shares[x - first]);
    }
}

void gh_draw_strokes(gh_image *image, const gh_stroke *strokes, int n, gh_colour colour)
{
    double x0 = INFINITY, y0 = INFINITY, x1 = -INFINITY, y1 = -INFINITY;
    for (int i = 0; i < n; i++) {
        const gh_stroke *s = &strokes[i];
        double reach = s->radius + 1;
        x0 = fmin(x0, fmin(s->x0, s->x1) - reach);
        x1 = fmax(x1, fmax(s->x0, s->x1) + reach);
        y0 = fmin(y0, fmin(s->y0, s->y1) - reach);
        y1 = fmax(y1, fmax(s->y0, s->y1) + reach);
    }
    span across = span_of(x0, x1, image->width), down = span_of(y0, y1, image->height);
    for (int y = down.first; y < down.end; y++)
        strokes_row(image, strokes, n, y, across, colour);
}

void gh_draw_line(gh_image *image, double x0, double y0, double x1, double y1, double thick, gh_colour colour)
{
    gh_stroke s = {(float)x0, (float)y0, (float)x1, (float)y1, (float)(thick / 2)};
    if (isfinite(s.x0) && isfinite(s.y0) && isfinite(s.x1) && isfinite(s.y1) && isfinite(s.radius) &&
        thick > 0)
        gh_draw_strokes(image, &s, 1, colour);
}

void gh_draw_disc(gh_image *image, double x, double y, double radius, gh_colour colour)
{
    gh_draw_line(image, x, y, x, y, 2 * radius, colour);
}

/* ---- colours ---- */

/* One channel of linear light as sRGB, 0..255 (IEC 61966-2-1). */
static uint8_t encode_light(double v)
{
    v = fmin(1, fmax(0, v));
    v = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (uint8_t)(v * 255 + 0.5);
}

/* Hues a golden angle apart in OKLCH (Ottosson 2020, whose matrices these are), in three lightnesses. */
gh_colour gh_colour_of(unsigned number)
{
    static const double lightness[] = {0.80, 0.72, 0.88};
    double l = lightness[number % 3], chroma = 0.16, hue = fmod(2.6 + number * 2.39996323, 6.28318531);
    double a = chroma * cos(hue), b = chroma * sin(hue);
    double p = pow(l + 0.3963377774 * a + 0.2158037573 * b, 3);
    double q = pow(l - 0.1055613458 * a - 0.0638541728 * b, 3);
    double r = pow(l - 0.0894841775 * a - 1.2914855480 * b, 3);
    return (gh_colour){encode_light(4.0767416621 * p - 3.3077115913 * q + 0.2309699292 * r),
                       encode_light(-1.2684380046 * p + 2.6097574011 * q - 0.3413193965 * r),
                       encode_light(-0.0041960863 * p - 0.7034186147 * q + 1.7076147010 * r), 255};
}
