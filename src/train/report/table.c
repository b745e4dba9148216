/* Tables of the page: one row a class, worst recall first, and one row a head that was tried. */
#include "train/report/parts.h"

#include "train/report/html.h"

#include <math.h>
#include <string.h>

#define MOST_ROWS 200
#define TALL      25 /* rows beyond which the table scrolls */
#define LABEL_CUT 60

static double percent(double share)
{
    return share > 0 ? fmin(100, 100 * share) : 0; /* NaN is 0 */
}

/* ---- classes ---- */

static void put_share_cell(gh_buf *out, double share)
{
    gh_buf_str(out, "<td class=\"num\">");
    gh_html_share(out, share);
    gh_buf_str(out, "</td>");
}

/* A bar as long as the recall; the thin line is its 95 % interval. */
static void put_recall(gh_buf *out, const gh_class_metrics *m)
{
    gh_interval i = gh_wilson(m->right, m->support);
    gh_buf_printf(out,
                  "<td class=\"meter\"><span class=\"track\"><i style=\"width:%.1f%%\"></i>"
                  "<b style=\"left:%.1f%%;width:%.1f%%\"></b></span></td>",
                  percent(m->recall), percent(i.low), percent(i.high - i.low));
    put_share_cell(out, m->recall);
}

static void put_class(gh_buf *out, const gh_facts *f, uint32_t c, bool pictures)
{
    const gh_class_metrics *m = &f->r->metrics->of[c];
    const gh_cell *worst = gh_facts_worst(f, c);
    gh_buf_str(out, "<tr><th scope=\"row\">");
    gh_html_cut(out, f->r->set->classes[c], LABEL_CUT);
    gh_buf_str(out, "</th>");
    put_recall(out, m);
    gh_buf_str(out, "<td class=\"num\">");
    gh_text_count(out, m->right);
    gh_buf_str(out, "<span class=\"of\"> of ");
    gh_text_count(out, m->support);
    gh_buf_str(out, "</span></td>");
    put_share_cell(out, m->precision);
    put_share_cell(out, m->f1);
    if (pictures) {
        gh_buf_str(out, "<td class=\"num\">");
        gh_text_count(out, f->pictures[c]);
        gh_buf_str(out, "</td>");
    }
    gh_buf_str(out, "<td>");
    if (worst) {
        gh_html_cut(out, f->r->set->classes[worst->predicted], LABEL_CUT);
        gh_buf_str(out, " <span class=\"of\">");
        gh_text_count(out, worst->n);
        gh_buf_str(out, "\xC3\x97</span>");
    }
    gh_buf_str(out, "</td></tr>\n");
}

/* Classes that the table leaves out, in one sentence each kind. */
static void put_left_out(gh_buf *out, const gh_facts *f, uint32_t drawn)
{
    uint32_t untested = f->r->set->nclasses - f->norder;
    if (drawn < f->norder) {
        gh_buf_str(out, "<p class=\"note\">The ");
        gh_text_count(out, f->norder - drawn);
        gh_buf_str(out, " classes with better recall are left out; report.json has them all.</p>\n");
    }
    if (untested) {
        gh_buf_str(out, "<p class=\"note\">");
        gh_text_things(out, untested, "class");
        gh_buf_str(out, " had no picture to be tested with.</p>\n");
    }
}

void gh_report_table(gh_buf *out, const gh_facts *f)
{
    uint32_t rows = f->norder < MOST_ROWS ? f->norder : MOST_ROWS;
    bool pictures = f->r->folds == 0; /* else as many as were tested */
    gh_buf_printf(out,
                  "<div class=\"scroll%s\" tabindex=\"0\" role=\"region\" aria-label=\"Classes\"><table "
                  "class=\"classes\"><thead><tr><th scope=\"col\">Class</th><th scope=\"col\" colspan=\"2\">"
                  "Recall</th><th scope=\"col\" class=\"num\">Right</th><th scope=\"col\" "
                  "class=\"num\">Precision</th><th scope=\"col\" class=\"num\">F1</th>",
                  rows > TALL ? " tall" : "");
    if (pictures)
        gh_buf_str(out, "<th scope=\"col\" class=\"num\">Pictures</th>");
    gh_buf_str(out, "<th scope=\"col\">Most often taken for</th></tr></thead>\n<tbody>\n");
    for (uint32_t i = 0; i < rows; i++)
        put_class(out, f, f->order[i], pictures);
    gh_buf_str(out, "</tbody></table></div>\n");
    put_left_out(out, f, rows);
}

/* ---- heads ---- */

typedef struct span {
    double low, high;
} span;

/* The accuracy as a dot on its interval; all rows share one scale. */
static void put_dot(gh_buf *out, const gh_share *s, span scale)
{
    double wide = scale.high > scale.low ? scale.high - scale.low : 1;
    double low = 4 + 112 * percent((s->interval.low - scale.low) / wide) / 100;
    double high = 4 + 112 * percent((s->interval.high - scale.low) / wide) / 100;
    double at = 4 + 112 * percent((s->value - scale.low) / wide) / 100;
    gh_buf_printf(out,
                  "<td class=\"interval\"><svg viewBox=\"0 0 120 16\" width=\"120\" height=\"16\" "
                  "aria-hidden=\"true\"><path class=\"whisker\" d=\"M%.1f 8H%.1f\"/><circle class=\"dot\" "
                  "cx=\"%.1f\" cy=\"8\" r=\"4.5\"/></svg></td>",
                  low, high, at);
}

static void put_candidate(gh_buf *out, const gh_candidate *c, const char *taken, span scale)
{
    bool chosen = taken && strcmp(c->head, taken) == 0;
    gh_buf_printf(out, "<tr%s><th scope=\"row\">", chosen ? " class=\"chosen\"" : "");
    gh_html_cut(out, c->head, LABEL_CUT);
    gh_buf_str(out, chosen ? " <span class=\"badge\">taken</span></th>" : "</th>");
    put_dot(out, &c->accuracy, scale);
    gh_buf_str(out, "<td class=\"num\">");
    gh_html_share(out, c->accuracy.value);
    gh_buf_str(out, "</td><td class=\"num of\">");
    gh_html_share(out, c->accuracy.interval.low);
    gh_buf_str(out, " to ");
    gh_html_share(out, c->accuracy.interval.high);
    gh_buf_str(out, "</td>");
    put_share_cell(out, c->macro_recall);
    if (isfinite(c->nll))
        gh_buf_printf(out, "<td class=\"num\">%.3f</td><td class=\"num\">", c->nll);
    else
        gh_buf_str(out, "<td class=\"num\">?</td><td class=\"num\">");
    gh_text_seconds(out, c->seconds);
    gh_buf_str(out, "</td></tr>\n");
}

/* The i-th best by accuracy; of equals the first. */
static const gh_candidate *ranked(const gh_report *r, size_t i)
{
    for (size_t c = 0; c < r->ncandidates; c++) {
        size_t better = 0;
        for (size_t o = 0; o < r->ncandidates; o++) {
            double a = r->candidates[o].accuracy.value, b = r->candidates[c].accuracy.value;
            better += a > b || (a == b && o < c);
        }
        if (better == i)
            return &r->candidates[c];
    }
    return &r->candidates[i]; /* only where an accuracy is no number */
}

void gh_report_candidates(gh_buf *out, const gh_facts *f)
{
    const gh_report *r = f->r;
    span scale = {1, 0};
    for (size_t i = 0; i < r->ncandidates; i++) {
        scale.low = fmin(scale.low, r->candidates[i].accuracy.interval.low);
        scale.high = fmax(scale.high, r->candidates[i].accuracy.interval.high);
    }
    gh_buf_str(
        out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Heads\"><table><thead><tr>"
             "<th scope=\"col\">Head</th><th scope=\"col\" colspan=\"2\">Accuracy</th><th scope=\"col\" "
             "class=\"num\">95&#160;% interval</th><th scope=\"col\" class=\"num\">Mean over classes</th><th "
             "scope=\"col\" class=\"num\">Log loss</th><th scope=\"col\" class=\"num\">Time</th></tr>"
             "</thead>\n<tbody>\n");
    for (size_t i = 0; i < r->ncandidates; i++)
        put_candidate(out, ranked(r, i), r->head, scale);
    gh_buf_str(out, "</tbody></table></div>\n");
}
