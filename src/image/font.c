/* From the font's paths to strokes in pixels: curves become short lines, and coordinates are fitted to the
 * pixel grid, so that small text is sharp: the left and right edge of each glyph, the baseline and the tops
 * of small letters and capitals fall between two pixels. */
#include "image/font.h"

#include "base/status.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define PEN       9.5  /* width of the pen in units */
#define LEAST_PEN 1.15 /* and in pixels, at least */
#define SMALL     48.0 /* heights of small letters and capitals, in units */
#define CAPITAL   66.0
#define DOT       1.22 /* of the pen's radius */
#define SQUARED   0.59 /* length of a quarter's controls; 0.552 would be an ellipse */

/* How units become pixels. */
typedef struct grid {
    double k;              /* pixels a unit */
    double pen;            /* pixels */
    double small, capital; /* fitted heights, pixels */
} grid;

static grid grid_of(double size)
{
    grid g = {.k = size / 100};
    g.pen = fmax(LEAST_PEN, PEN * g.k);
    g.small = fmax(1, round(SMALL * g.k + g.pen) - g.pen);
    g.capital = fmax(g.small, round(CAPITAL * g.k + g.pen) - g.pen);
    return g;
}

/* Height over the middle of a stroke on the baseline, in pixels. */
static double fit_y(const grid *g, double y)
{
    if (y <= 0)
        return y * g->k;
    if (y <= SMALL)
        return y * g->small / SMALL;
    if (y <= CAPITAL)
        return g->small + (y - SMALL) * (g->capital - g->small) / (CAPITAL - SMALL);
    return g->capital + (y - CAPITAL) * g->k;
}

typedef struct point {
    double x, y;
} point;

/* A path being turned into strokes in units, y up; `glyph` NULL = only its extent is wanted. */
typedef struct pen {
    gh_glyph *glyph;
    int steps; /* lines a curve */
    point at, shift;
    double low, high; /* extent in x, in units */
} pen;

static void add_stroke(pen *p, point from, point to, float radius)
{
    p->low = fmin(p->low, fmin(from.x, to.x) + p->shift.x);
    p->high = fmax(p->high, fmax(from.x, to.x) + p->shift.x);
    p->at = to;
    if (!p->glyph)
        return;
    GH_ASSERT(p->glyph->count < GH_GLYPH_STROKES);
    p->glyph->strokes[p->glyph->count++] =
        (gh_stroke){(float)(from.x + p->shift.x), (float)(from.y + p->shift.y), (float)(to.x + p->shift.x),
                    (float)(to.y + p->shift.y), radius};
}

static void add_curve(pen *p, point a, point b, point end)
{
    point start = p->at;
    for (int i = 1; i <= p->steps; i++) {
        double t = (double)i / p->steps, s = 1 - t;
        double w0 = s * s * s, w1 = 3 * s * s * t, w2 = 3 * s * t * t, w3 = t * t * t;
        add_stroke(p, p->at,
                   (point){w0 * start.x + w1 * a.x + w2 * b.x + w3 * end.x,
                           w0 * start.y + w1 * a.y + w2 * b.y + w3 * end.y},
                   1);
    }
}

/* From p->at to `end`, setting out along x or along y and arriving along the other. */
static void add_quarter(pen *p, bool across, point end)
{
    point at = p->at;
    double dx = (end.x - at.x) * SQUARED, dy = (end.y - at.y) * SQUARED;
    if (across)
        add_curve(p, (point){at.x + dx, at.y}, (point){end.x, end.y - dy}, end);
    else
        add_curve(p, (point){at.x, at.y + dy}, (point){end.x - dx, end.y}, end);
}

static point read_point(const char **path)
{
    char *end;
    point p;
    p.x = (double)strtol(*path, &end, 10);
    p.y = (double)strtol(end + 1, &end, 10);
    *path = *end == ' ' ? end + 1 : end;
    return p;
}

static void add_path(pen *p, const char *path)
{
    while (*path) {
        char command = *path++;
        point a = read_point(&path);
        if (command == 'M') {
            p->at = a;
        } else if (command == 'L') {
            add_stroke(p, p->at, a, 1);
        } else if (command == 'D') {
            add_stroke(p, a, a, (float)DOT);
        } else if (command == 'C') {
            point b = read_point(&path);
            add_curve(p, a, b, read_point(&path));
        } else {
            add_quarter(p, command == 'H', a);
        }
    }
}

static const gh_outline *find_outline(uint32_t code)
{
    int low = 0, high = gh_font_noutlines;
    while (low < high) {
        int mid = (low + high) / 2;
        if (gh_font_outlines[mid].code < code)
            low = mid + 1;
        else
            high = mid;
    }
    return low < gh_font_noutlines && gh_font_outlines[low].code == code ? &gh_font_outlines[low] : NULL;
}

static const gh_accented *find_accented(uint32_t code)
{
    for (int i = 0; i < gh_font_naccented; i++)
        if (gh_font_accented[i].code == code)
            return &gh_font_accented[i];
    return NULL;
}

/* The mark stands over the middle of its letter; a small i loses its dot. */
static void add_mark(pen *p, const gh_accented *a)
{
    const double raise = CAPITAL - SMALL;
    bool capital = a->base >= 'A' && a->base <= 'Z', below = a->mark == ',' || a->mark == ';';
    p->shift = (point){p->low > p->high ? 0 : (p->low + p->high) / 2, capital && !below ? raise : 0};
    for (int i = 0; i < gh_font_nmarks; i++)
        if (gh_font_marks[i].code == (uint16_t)a->mark)
            add_path(p, gh_font_marks[i].path);
}

/* Strokes in units; gives the outline whose sides count. */
static const gh_outline *trace(pen *p, uint32_t code)
{
    static const gh_outline missing = {0, 8, 8, "M0,0 L0,66 L36,66 L36,0 L0,0"};
    const gh_accented *accented = find_accented(code);
    uint32_t base = !accented ? code : accented->base == 'i' ? 0x131 : (uint32_t)accented->base;
    const gh_outline *outline = find_outline(base);
    if (!outline)
        outline = &missing;
    add_path(p, outline->path);
    if (accented) {
        double low = p->low, high = p->high;
        add_mark(p, accented);
        if (accented->base != 'i') { /* an accented letter is as wide as the plain one */
            p->low = low;
            p->high = high;
        }
    }
    return outline;
}

/* Places of the glyph across, in pixels from its origin. */
typedef struct spread {
    double left, ink; /* where the ink begins, and its width; whole numbers */
    int advance;
} spread;

static spread spread_of(const pen *p, const gh_outline *o, const grid *g)
{
    spread s = {0, 0, 0};
    double beside = (o->left + o->right) * g->k;
    if (p->low > p->high) { /* a space */
        s.advance = (int)fmax(1, round(beside));
        return s;
    }
    s.ink = fmax(1, round((p->high - p->low) * g->k + g->pen));
    s.advance = (int)(s.ink + round(beside));
    s.left = fmin(fmax(0, round(o->left * g->k)), s.advance - s.ink);
    return s;
}

static double fit_x(const pen *p, const spread *s, const grid *g, double x)
{
    double middle = s->left + s->ink / 2, room = fmax(0, s->ink - g->pen);
    return p->high > p->low ? middle + ((x - p->low) / (p->high - p->low) - 0.5) * room
                            : middle + (x - p->low) * g->k;
}

static pen pen_of(gh_glyph *glyph, double size)
{
    return (pen){.glyph = glyph,
                 .steps = size < 16   ? 4
                          : size < 48 ? 7
                                      : 14,
                 .low = INFINITY,
                 .high = -INFINITY};
}

void gh_font_glyph(gh_glyph *out, uint32_t code, int x, int y, double size)
{
    grid g = grid_of(size);
    pen p = pen_of(out, size);
    out->count = 0;
    const gh_outline *outline = trace(&p, code);
    spread s = spread_of(&p, outline, &g);
    out->advance = s.advance;
    for (int i = 0; i < out->count; i++) {
        gh_stroke *k = &out->strokes[i];
        k->x0 = (float)(x + fit_x(&p, &s, &g, k->x0));
        k->x1 = (float)(x + fit_x(&p, &s, &g, k->x1));
        k->y0 = (float)(y - g.pen / 2 - fit_y(&g, k->y0));
        k->y1 = (float)(y - g.pen / 2 - fit_y(&g, k->y1));
        k->radius *= (float)(g.pen / 2);
    }
}

int gh_font_advance(uint32_t code, double size)
{
    grid g = grid_of(size);
    pen p = pen_of(NULL, size);
    const gh_outline *outline = trace(&p, code);
    return spread_of(&p, outline, &g).advance;
}
