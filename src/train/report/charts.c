/* Charts as SVG: reliability, learning curve, most-used features. Sizes are in units of the viewBox; the page
 * scales them. */
#include "train/report/parts.h"

#include "train/report/html.h"

#include <math.h>

#define WIDTH 420

/* Where a chart's values lie: [x0, x1] x [y0, y1] onto the box, y upwards. */
typedef struct frame {
    gh_buf *out;
    double x0, x1, y0, y1;
    double left, top, width, height;
} frame;

static double clamp01(double v)
{
    return v > 0 ? fmin(v, 1) : 0; /* NaN is 0 */
}

static double at_x(const frame *f, double x)
{
    return f->left + f->width * clamp01((x - f->x0) / (f->x1 - f->x0));
}

static double at_y(const frame *f, double y)
{
    return f->top + f->height * (1 - clamp01((y - f->y0) / (f->y1 - f->y0)));
}

static void open_svg(gh_buf *out, int height, const char *what)
{
    gh_buf_printf(out, "<svg class=\"chart\" role=\"img\" aria-label=\"%s\" viewBox=\"0 0 %d %d\">\n", what,
                  WIDTH, height);
}

/* Horizontal lines with their shares at the left. */
static void put_y_axis(const frame *f, double step)
{
    double first = ceil(f->y0 / step - 1e-9);
    for (int i = 0; i < 50 && (first + i) * step <= f->y1 + 1e-9; i++) {
        double v = (first + i) * step, y = at_y(f, v);
        gh_buf_printf(f->out,
                      "<path class=\"line\" d=\"M%.1f %.1fh%.1f\"/><text class=\"tick end\" x=\"%.1f\" "
                      "y=\"%.1f\">%.0f%s</text>\n",
                      f->left, y, f->width, f->left - 6, y + 4, 100 * v,
                      (first + i + 1) * step > f->y1 + 1e-9 ? " %" : "");
    }
}

static void put_text(const frame *f, const char *class, double x, double y, const char *text)
{
    gh_buf_printf(f->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, text);
}

/* ---- reliability ---- */

static void put_bin(const frame *f, uint64_t n, double confidence, double accuracy, uint64_t most)
{
    gh_interval i = gh_wilson((size_t)(accuracy * (double)n + .5), n);
    double x = at_x(f, confidence);
    gh_buf_printf(f->out,
                  "<g><path class=\"whisker\" d=\"M%.1f %.1fV%.1f\"/><circle class=\"dot\" cx=\"%.1f\" "
                  "cy=\"%.1f\" r=\"%.1f\"/><title>",
                  x, at_y(f, i.low), at_y(f, i.high), x, at_y(f, accuracy),
                  3 + 4 * sqrt((double)n / (double)most));
    gh_text_things(f->out, n, "picture");
    gh_buf_str(f->out, ": mean score ");
    gh_html_share(f->out, confidence);
    gh_buf_str(f->out, ", right ");
    gh_html_share(f->out, accuracy);
    gh_buf_str(f->out, "</title></g>\n");
}

/* How many pictures each bin has, below the diagram and on its axis. */
static void put_bin_counts(const frame *f, const gh_metrics *m, uint64_t most)
{
    double wide = f->width / GH_CALIBRATION_BINS, base = f->top + f->height;
    for (int b = 0; b < GH_CALIBRATION_BINS; b++) {
        double h = f->height * (double)m->bin[b].n / (double)most, x = f->left + b * wide;
        if (m->bin[b].n == 0)
            continue;
        gh_buf_printf(f->out,
                      "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>"
                      "<text class=\"n tiny\" x=\"%.1f\" y=\"%.1f\">",
                      x + 1, base - fmax(h, 1), wide - 2, fmax(h, 1), x + wide / 2, base - h - 4);
        gh_text_short(f->out, m->bin[b].n);
        gh_buf_str(f->out, "</text>\n");
    }
    gh_buf_printf(f->out, "<path class=\"axis\" d=\"M%.1f %.1fh%.1f\"/>\n", f->left, base, f->width);
    for (int i = 0; i <= 5; i++)
        gh_buf_printf(f->out, "<text class=\"tick mid\" x=\"%.1f\" y=\"%.1f\">%d%s</text>\n",
                      f->left + f->width * i / 5, base + 16, 20 * i, i == 5 ? " %" : "");
}

void gh_report_reliability(gh_buf *out, const gh_facts *facts)
{
    const gh_metrics *m = facts->r->metrics;
    frame f = {out, 0, 1, 0, 1, 44, 24, 350, 250}, counts = {out, 0, 1, 0, 1, 44, 304, 350, 52};
    uint64_t most = 1;
    for (int b = 0; b < GH_CALIBRATION_BINS; b++)
        most = m->bin[b].n > most ? m->bin[b].n : most;
    open_svg(out, 396, "Reliability diagram: share of right answers against the score");
    put_text(&f, "tick", 4, 12, "right answers");
    put_y_axis(&f, .2);
    gh_buf_printf(out, "<path class=\"ideal\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", at_x(&f, 0), at_y(&f, 0),
                  at_x(&f, 1), at_y(&f, 1));
    put_text(&f, "soft", at_x(&f, .04), at_y(&f, .92), "scores too modest");
    put_text(&f, "soft end", at_x(&f, .98), at_y(&f, .05), "scores too sure");
    for (int b = 0; b < GH_CALIBRATION_BINS; b++)
        if (m->bin[b].n)
            put_bin(&f, m->bin[b].n, m->bin[b].confidence, m->bin[b].accuracy, most);
    put_bin_counts(&counts, m, most);
    put_text(&f, "tick end", 394, 390, "score of the answer");
    gh_buf_str(out, "</svg>\n");
}

/* ---- learning curve ---- */

/* Shares from `low` to `high` rounded outwards to whole steps. */
static double fit_axis(frame *f, double low, double high)
{
    double step = high - low > .5 ? .2 : high - low > .2 ? .1 : high - low > .08 ? .05 : .02;
    f->y0 = fmax(0, floor(low / step) * step);
    f->y1 = fmin(1, ceil(high / step) * step);
    f->y1 = f->y1 <= f->y0 ? f->y0 + step : f->y1;
    return step;
}

static double curve_x(const gh_curve_point *p)
{
    return log2(p->pictures > 0 ? p->pictures : 1);
}

static void put_band(const frame *f, const gh_curve_point *p, size_t n)
{
    gh_buf_str(f->out, "<path class=\"band\" d=\"");
    for (size_t i = 0; i < n; i++)
        gh_buf_printf(f->out, "%c%.1f %.1f", i ? 'L' : 'M', at_x(f, curve_x(&p[i])), at_y(f, p[i].high));
    for (size_t i = n; i-- > 0;)
        gh_buf_printf(f->out, "L%.1f %.1f", at_x(f, curve_x(&p[i])), at_y(f, p[i].low));
    gh_buf_str(f->out, "Z\"/>\n<path class=\"curve\" d=\"");
    for (size_t i = 0; i < n; i++)
        gh_buf_printf(f->out, "%c%.1f %.1f", i ? 'L' : 'M', at_x(f, curve_x(&p[i])), at_y(f, p[i].accuracy));
    gh_buf_str(f->out, "\"/>\n");
}

/* A dot a point; its figures where they do not run into those before. */
static void put_points(const frame *f, const gh_curve_point *p, size_t n)
{
    double free_from = 0;
    for (size_t i = 0; i < n; i++) {
        double x = at_x(f, curve_x(&p[i])), y = at_y(f, p[i].accuracy);
        bool last = i + 1 == n;
        gh_buf_printf(f->out, "<g><circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/><title>", x, y);
        gh_text_things(f->out, p[i].pictures, "picture");
        gh_buf_str(f->out, ": ");
        gh_html_share(f->out, p[i].accuracy);
        gh_buf_str(f->out, "</title></g>\n");
        bool fits = x >= free_from && (last || at_x(f, curve_x(&p[n - 1])) - x > 44);
        if (!fits)
            continue;
        free_from = x + 44;
        gh_buf_printf(f->out, "<text class=\"tick mid\" x=\"%.1f\" y=\"%.1f\">", x, f->top + f->height + 18);
        gh_text_count(f->out, p[i].pictures);
        gh_buf_printf(f->out, "</text><text class=\"value mid\" x=\"%.1f\" y=\"%.1f\">%.1f</text>\n", x,
                      y - 10, 100 * p[i].accuracy);
    }
}

void gh_report_curve(gh_buf *out, const gh_facts *facts)
{
    const gh_curve_point *p = facts->r->curve;
    size_t n = facts->r->ncurve;
    double low = 1, high = 0;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, p[i].low);
        high = fmax(high, p[i].high);
    }
    frame f = {out, curve_x(&p[0]), curve_x(&p[n - 1]), 0, 1, 64, 24, 310, 306};
    double step = fit_axis(&f, clamp01(low), clamp01(high));
    f.x1 = f.x1 <= f.x0 ? f.x0 + 1 : f.x1;
    open_svg(out, 378, "Learning curve: accuracy against the number of training pictures");
    frame axis = f; /* lines run a little beyond the points */
    axis.left = 44;
    axis.width = 350;
    put_text(&f, "tick", 4, 12, "right answers");
    put_y_axis(&axis, step);
    put_band(&f, p, n);
    put_points(&f, p, n);
    put_text(&f, "tick end", 394, 370, "training pictures, logarithmic scale");
    gh_buf_str(out, "</svg>\n");
}

/* ---- features ---- */

void gh_report_features(gh_buf *out, const gh_facts *facts)
{
    const int row = 22, left = 100, room = WIDTH - 100 - 60;
    open_svg(out, (int)facts->nfeatures * row + 4, "Most used features");
    for (size_t i = 0; i < facts->nfeatures; i++) {
        double wide = room * facts->features[i].share / facts->features[0].share;
        int y = (int)i * row;
        gh_buf_printf(
            out,
            "<text class=\"label end\" x=\"%d\" y=\"%d\">feature %u</text><rect class=\"bar\" x=\"%d\" "
            "y=\"%d\" width=\"%.1f\" height=\"%d\"/><text class=\"tick\" x=\"%.1f\" y=\"%d\">",
            left - 8, y + 15, facts->features[i].feature, left, y + 3, fmax(wide, 1), row - 6,
            left + wide + 6, y + 15);
        gh_buf_printf(out, "%.2f %%</text>\n", 100 * facts->features[i].share);
    }
    gh_buf_str(out, "</svg>\n");
}
