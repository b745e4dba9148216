/* Curves of a run as SVG, in the style of the report. */
#include "train/learn/parts.h"

#include <math.h>

#define WIDTH  420
#define HEIGHT 260
#define LEFT   58.0
#define TOP    26.0
#define WIDE   350.0
#define HIGH   180.0

typedef struct frame {
    double x0, x1, y0, y1, step;
} frame;

/* 1, 2 or 5 times a power of ten, so that about four steps make `range`. */
static double step_of(double range)
{
    double power = pow(10, floor(log10(range / 4))), times = range / 4 / power;
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static double place_x(const gh_learn_chart *c, double x)
{
    return c->log_x ? log10(x) : x;
}

static frame frame_of(const gh_learn_chart *c)
{
    frame f = {place_x(c, c->x[0]), place_x(c, c->x[c->n - 1]), INFINITY, -INFINITY, 1};
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->y[i])) {
            f.y0 = fmin(f.y0, c->y[i]);
            f.y1 = fmax(f.y1, c->y[i]);
        }
    if (!(f.y0 <= f.y1))
        f.y0 = f.y1 = 0;
    if (f.y1 - f.y0 < 1e-9 * (1 + fabs(f.y1)))
        f.y1 = f.y0 + fmax(fabs(f.y0), 1e-3);
    f.step = step_of(f.y1 - f.y0);
    f.y0 = floor(f.y0 / f.step) * f.step;
    f.y1 = ceil(f.y1 / f.step) * f.step;
    f.x1 = f.x1 > f.x0 ? f.x1 : f.x0 + 1;
    return f;
}

static double at_x(const frame *f, double x)
{
    return LEFT + WIDE * (x - f->x0) / (f->x1 - f->x0);
}

static double at_y(const frame *f, double y)
{
    return TOP + HIGH * (f->y1 - y) / (f->y1 - f->y0);
}

static void put_axes(gh_buf *out, const gh_learn_chart *c, const frame *f)
{
    int lines = (int)lround((f->y1 - f->y0) / f->step);
    for (int i = 0; i <= lines && i < 20; i++) {
        double v = f->y0 + i * f->step, y = at_y(f, v);
        gh_buf_printf(out,
                      "<path class=\"line\" d=\"M%.1f %.1fh%.1f\"/><text class=\"tick end\" x=\"%.1f\" "
                      "y=\"%.1f\">%.4g</text>\n",
                      LEFT, y, WIDE, LEFT - 6, y + 4, fabs(v) < 1e-9 * f->step ? 0 : v);
    }
    double step = c->log_x ? 1 : fmax(step_of(f->x1 - f->x0), 1), first = ceil(f->x0 / step - 1e-9) * step;
    for (int i = 0; i < 20 && first + i * step <= f->x1 + 1e-9; i++) {
        double v = first + i * step;
        gh_buf_printf(out, "<text class=\"tick mid\" x=\"%.1f\" y=\"%.1f\">%.4g</text>\n", at_x(f, v),
                      TOP + HIGH + 18, c->log_x ? pow(10, v) : v);
    }
    gh_buf_printf(out, "<text class=\"tick end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", LEFT + WIDE,
                  TOP + HIGH + 38, c->x_name);
}

void gh_learn_put_chart(gh_buf *out, const gh_learn_chart *c)
{
    if (c->n == 0)
        return;
    frame f = frame_of(c);
    gh_buf_printf(out,
                  "<svg class=\"chart\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %d %d\">\n"
                  "<text class=\"tick\" x=\"4\" y=\"12\">%s</text>\n",
                  c->title, WIDTH, HEIGHT, c->y_name ? c->y_name : "");
    put_axes(out, c, &f);
    if (c->mark > 0)
        gh_buf_printf(out, "<path class=\"ideal\" d=\"M%.1f %.1fv%.1f\"/>\n", at_x(&f, place_x(c, c->mark)),
                      TOP, HIGH);
    gh_buf_str(out, "<path class=\"curve\" d=\"");
    bool begun = false;
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->y[i])) {
            gh_buf_printf(out, "%c%.1f %.1f", begun ? 'L' : 'M', at_x(&f, place_x(c, c->x[i])),
                          at_y(&f, c->y[i]));
            begun = true;
        }
    gh_buf_str(out, "\"/>\n");
    size_t last = c->n - 1;
    if (c->mark <= 0 && isfinite(c->y[last]))
        gh_buf_printf(out,
                      "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/><text class=\"value end\" "
                      "x=\"%.1f\" y=\"12\">%.4g</text>\n",
                      at_x(&f, place_x(c, c->x[last])), at_y(&f, c->y[last]), LEFT + WIDE, c->y[last]);
    gh_buf_str(out, "</svg>\n");
}
