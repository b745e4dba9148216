/* The confusion matrix as SVG: a row a true class, a column a predicted one. Right answers and mistakes have
 * their own colour; the shade is the share of the row. */
#include "train/report/parts.h"

#include "base/mem.h"
#include "train/report/html.h"

#include <math.h>
#include <stdlib.h>

#define MOST_CLASSES 40 /* of the worst, where there are more */
#define MOST_PAIRS   6
#define LABEL_CUT    18
#define TITLE_CUT    60
#define CHARACTER    7.2 /* widest mean width of one, in pixels, at the size of the labels */

typedef struct matrix {
    const gh_facts *f;
    gh_buf *out;
    uint32_t shown[MOST_CLASSES]; /* classes, in order of rows */
    uint32_t n;
    bool others;                /* a last column for all other classes */
    uint32_t *place;            /* of each class among the shown; UINT32_MAX = not there */
    int cell, left, top, right; /* pixels */
} matrix;

static bool choose(matrix *x)
{
    const gh_facts *f = x->f;
    uint32_t all = f->r->set->nclasses;
    x->others = all > MOST_CLASSES;
    x->n = !x->others ? all : f->norder < MOST_CLASSES ? f->norder : MOST_CLASSES;
    x->place = gh_alloc((all + 1u) * sizeof *x->place);
    if (!x->place)
        return false;
    for (uint32_t c = 0; c < all; c++)
        x->place[c] = UINT32_MAX;
    for (uint32_t i = 0; i < x->n; i++) {
        x->shown[i] = x->others ? f->order[i] : i;
        x->place[x->shown[i]] = i;
    }
    return true;
}

static void measure(matrix *x)
{
    size_t longest = x->others ? 6 : 4;
    for (uint32_t i = 0; i < x->n; i++) {
        size_t n = gh_text_length(x->f->r->set->classes[x->shown[i]], LABEL_CUT);
        longest = n > longest ? n : longest;
    }
    x->cell = x->n <= 6 ? 56 : x->n <= 12 ? 44 : x->n <= 20 ? 34 : x->n <= 30 ? 26 : 21;
    x->left = (int)((double)longest * CHARACTER) + 14;
    x->top = (int)((double)longest * CHARACTER * .71) + 20; /* written upwards at 45 degrees */
    x->right = (int)((double)longest * CHARACTER * .71) + 4;
}

static void put_labels(const matrix *x)
{
    double half = x->cell / 2.0;
    for (uint32_t i = 0; i < x->n + x->others; i++) {
        const char *label = i < x->n ? x->f->r->set->classes[x->shown[i]] : "others";
        double at = i * x->cell + half;
        gh_buf_printf(x->out, "<text class=\"label\" transform=\"translate(%.1f %d) rotate(-45)\">",
                      x->left + at + 3, x->top - 8);
        gh_html_cut(x->out, label, LABEL_CUT);
        gh_buf_str(x->out, "</text>");
        if (i == x->n)
            continue;
        gh_buf_printf(x->out, "<text class=\"label end\" x=\"%d\" y=\"%.1f\">", x->left - 8, x->top + at + 4);
        gh_html_cut(x->out, label, LABEL_CUT);
        gh_buf_str(x->out, "</text>\n");
    }
}

static void put_grid(const matrix *x)
{
    uint32_t columns = x->n + x->others;
    gh_buf_printf(x->out, "<path class=\"line\" d=\"");
    for (uint32_t i = 0; i <= columns; i++)
        gh_buf_printf(x->out, "M%d.5 %d.5v%d", x->left + (int)i * x->cell, x->top, (int)x->n * x->cell);
    for (uint32_t i = 0; i <= x->n; i++)
        gh_buf_printf(x->out, "M%d.5 %d.5h%d", x->left, x->top + (int)i * x->cell, (int)columns * x->cell);
    gh_buf_str(x->out, "\"/>\n");
}

/* Small shares of mistakes have to be seen: their shade goes by the root. */
static void put_cell(const matrix *x, uint32_t row, uint32_t column, uint64_t n)
{
    uint64_t support = x->f->r->metrics->of[x->shown[row]].support;
    if (n == 0 || support == 0)
        return;
    double share = fmin(1, (double)n / (double)support);
    double shade = row == column ? .1 + .9 * share : .1 + .9 * sqrt(share);
    int px = x->left + (int)column * x->cell, py = x->top + (int)row * x->cell;
    gh_buf_printf(x->out,
                  "<g><rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                  "fill-opacity=\"%.2f\"/><text class=\"n%s%s\" x=\"%.1f\" y=\"%.1f\">",
                  row == column ? "right" : "wrong", px + 1, py + 1, x->cell - 1, x->cell - 1, shade,
                  shade > .85   ? " full"
                  : shade > .55 ? " half"
                                : "",
                  x->cell < 30 ? " small" : "", px + x->cell / 2.0 + .5,
                  py + x->cell / 2.0 + (x->cell < 30 ? 4 : 5));
    if (x->cell >= 40 && n < 10000)
        gh_text_count(x->out, n);
    else
        gh_text_short(x->out, n);
    gh_buf_str(x->out, "</text><title>");
    gh_html_cut(x->out, x->f->r->set->classes[x->shown[row]], TITLE_CUT);
    gh_buf_str(x->out, row == column ? " named right: " : " taken for ");
    if (row != column) {
        gh_html_cut(x->out, column < x->n ? x->f->r->set->classes[x->shown[column]] : "other classes",
                    TITLE_CUT);
        gh_buf_str(x->out, ": ");
    }
    gh_text_count(x->out, n);
    gh_buf_str(x->out, " of ");
    gh_text_count(x->out, support);
    gh_buf_str(x->out, "</title></g>\n");
}

static void put_row(const matrix *x, uint32_t row)
{
    const gh_facts *f = x->f;
    uint32_t c = x->shown[row];
    uint64_t others = 0;
    put_cell(x, row, row, f->r->metrics->of[c].right);
    for (size_t i = f->row[c]; i < f->row[c + 1]; i++) {
        uint32_t column = x->place[f->cells[i].predicted];
        if (column == UINT32_MAX)
            others += f->cells[i].n;
        else
            put_cell(x, row, column, f->cells[i].n);
    }
    if (others)
        put_cell(x, row, x->n, others);
}

static void put_direction(const matrix *x, uint32_t truth, uint32_t predicted, uint64_t n)
{
    const char **classes = x->f->r->set->classes;
    if (n == 0)
        return;
    gh_buf_str(x->out, "<tr><td>");
    gh_html_cut(x->out, classes[truth], LABEL_CUT);
    gh_buf_str(x->out, "</td><td>");
    gh_html_cut(x->out, classes[predicted], LABEL_CUT);
    gh_buf_str(x->out, "</td><td class=\"num\">");
    gh_text_count(x->out, n);
    gh_buf_str(x->out, "</td></tr>\n");
}

static void put_pair(const matrix *x, const gh_mixup *m)
{
    bool first = m->a_as_b >= m->b_as_a;
    put_direction(x, first ? m->a : m->b, first ? m->b : m->a, first ? m->a_as_b : m->b_as_a);
    put_direction(x, first ? m->b : m->a, first ? m->a : m->b, first ? m->b_as_a : m->a_as_b);
}

/* Beside the matrix, the pairs that stand out in it. */
static void put_mixups(const matrix *x)
{
    const gh_facts *f = x->f;
    size_t n = f->nmixups < MOST_PAIRS ? f->nmixups : MOST_PAIRS;
    if (n == 0)
        return;
    gh_buf_str(x->out, "<div class=\"mixups\"><h3>Mixed up most</h3><table><thead><tr><th scope=\"col\">True"
                       "</th><th scope=\"col\">Taken for</th><th scope=\"col\" class=\"num\">Times</th>"
                       "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++)
        put_pair(x, &f->mixups[i]);
    gh_buf_str(x->out, "</tbody></table></div>\n");
}

static void put_caption(const matrix *x)
{
    gh_buf_str(x->out,
               "<p class=\"note\">A row is a true class, a column what the head made of it. "
               "<span class=\"key right\"></span> right, <span class=\"key wrong\"></span> wrong; the "
               "stronger the colour, the larger its share of the row.");
    if (x->others) {
        gh_buf_str(x->out, " Of ");
        gh_text_things(x->out, x->f->r->set->nclasses, "class");
        gh_buf_printf(x->out,
                      " only the %u with the worst recall are drawn; \xE2\x80\x9Cothers\xE2\x80\x9D are "
                      "all the rest. report.json has the whole.",
                      x->n);
    }
    gh_buf_str(x->out, "</p>\n");
}

void gh_report_matrix(gh_buf *out, const gh_facts *f)
{
    matrix x = {.f = f, .out = out};
    if (!choose(&x)) {
        out->failed = true;
        return;
    }
    measure(&x);
    int width = x.left + (int)(x.n + x.others) * x.cell + x.right, height = x.top + (int)x.n * x.cell + 4;
    put_caption(&x);
    gh_buf_printf(out,
                  "<div class=\"beside\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                  "aria-label=\"Confusion matrix\">"
                  "<svg class=\"matrix\" role=\"img\" aria-label=\"Confusion matrix: %u true classes against "
                  "what was predicted\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
                  x.n, width, height, width, height);
    put_grid(&x);
    put_labels(&x);
    for (uint32_t i = 0; i < x.n; i++)
        put_row(&x, i);
    gh_buf_str(out, "</svg></div>\n");
    put_mixups(&x);
    gh_buf_str(out, "</div>\n");
    gh_free(x.place);
}
