/* Placing labels: each candidate has a cost, what it covers; the cheapest wins. */
#include "tasks/annotate_place.h"

#include <math.h>
#include <string.h>

/* Shares of its area that may lie on what is there. */
static const struct {
    double labels, objects;
} most_covered[] = {
    [GH_PLACE_LABEL] = {0.2, 1}, [GH_PLACE_CLEAR] = {0.04, 0.12}, [GH_PLACE_BARS] = {0.03, 0.03}};

static double shared(const gh_rect *a, double x, double y, double w, double h)
{
    double dx = fmin(a->x + a->w, x + w) - fmax(a->x, x), dy = fmin(a->y + a->h, y + h) - fmax(a->y, y);
    return dx > 0 && dy > 0 ? dx * dy : 0;
}

/* Area of other labels under the rectangle. */
static double covered_labels(const gh_places *p, const gh_rect *at)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += shared(at, p->taken[i].x, p->taken[i].y, p->taken[i].w, p->taken[i].h);
    return sum;
}

/* The person around a face, the table under a cup: what lies around an object may be written on. */
static bool encloses(const gh_object *outer, const gh_object *o)
{
    const gh_rect at = {o->x, o->y, o->w, o->h};
    double area = at.w * at.h;
    return shared(&at, outer->x, outer->y, outer->w, outer->h) >= 0.9 * area &&
           (double)outer->w * outer->h > 3 * area;
}

/* Area of the other objects under it. */
static double covered_objects(const gh_result *r, const gh_object *own, const gh_rect *at)
{
    double sum = 0;
    for (size_t i = 0; i < r->nobjects && i < GH_MOST_LABELS; i++) {
        const gh_object *o = &r->objects[i];
        if (o != own && !encloses(o, own))
            sum += shared(at, o->x, o->y, o->w, o->h);
    }
    return sum;
}

enum { CANDIDATES = 8 };

/* Over the box, under it, or inside its upper or lower edge. */
static void across(gh_rect out[CANDIDATES], const gh_object *o, double w, double h)
{
    const double x = o->x, y = o->y, right = x + o->w, low = y + o->h, middle = x + (o->w - w) / 2;
    const gh_rect places[CANDIDATES] = {{x, y - h, w, h},       {right - w, y - h, w, h}, {x, low, w, h},
                                        {right - w, low, w, h}, {middle, y - h, w, h},    {middle, low, w, h},
                                        {x, y, w, h},           {x, low - h, w, h}};
    memcpy(out, places, sizeof places);
}

/* Right or left of the box; else under or over it, with room for a label between. */
static void beside_box(gh_rect out[CANDIDATES], const gh_object *o, double w, double h)
{
    const double gap = w / 24, label = h / 3, right = o->x + o->w + gap, left = o->x - w - gap, y = o->y;
    const double low = y + o->h, middle = o->x + (o->w - w) / 2;
    const gh_rect places[CANDIDATES] = {{right, y, w, h},
                                        {left, y, w, h},
                                        {right, low - h, w, h},
                                        {left, low - h, w, h},
                                        {o->x, low + gap, w, h},
                                        {middle, low + label, w, h},
                                        {o->x, y - h - label, w, h},
                                        {middle, y - h - label, w, h}};
    memcpy(out, places, sizeof places);
}

bool gh_place(gh_rect *out, gh_places *p, const gh_result *r, const gh_object *o, double w, double h,
              gh_placing what)
{
    gh_rect places[CANDIDATES];
    double best = INFINITY, area = w * h;
    if (w > p->width || h > p->height || p->count == (int)GH_COUNT(p->taken))
        return false;
    (what == GH_PLACE_BARS ? beside_box : across)(places, o, w, h);
    for (int i = 0; i < CANDIDATES; i++) {
        gh_rect at = places[i];
        at.x = fmax(0, fmin(p->width - w, at.x));
        at.y = fmax(0, fmin(p->height - h, at.y));
        double own = shared(&at, o->x, o->y, o->w, o->h) / area;
        double labels = covered_labels(p, &at) / area, objects = covered_objects(r, o, &at) / area;
        double cost = 8 * labels + objects + own / 2 + 0.02 * i;
        objects = what == GH_PLACE_BARS ? objects + own : fmin(1, objects);
        bool fits = labels <= most_covered[what].labels && objects <= most_covered[what].objects;
        if (fits && cost < best) {
            best = cost;
            *out = at;
        }
    }
    if (best < INFINITY)
        p->taken[p->count++] = *out;
    return best < INFINITY;
}
