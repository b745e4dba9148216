/* What follows from a report: classes in order of need, who is taken for whom, which features count. */
#include "train/report/parts.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static gh_status no_memory(gh_err *e)
{
    return gh_fail(e, GH_NOMEM, "memory ran out at the report");
}

/* ---- classes ---- */

typedef struct ranked {
    double recall;
    uint64_t support;
    uint32_t class;
} ranked;

/* Worst recall first; of equals the one with more pictures, whose recall is the surer. */
static int worse_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->recall != y->recall)
        return x->recall < y->recall ? -1 : 1;
    if (x->support != y->support)
        return x->support > y->support ? -1 : 1;
    return x->class < y->class ? -1 : x->class > y->class;
}

static gh_status rank_classes(gh_facts *f, gh_err *e)
{
    const gh_metrics *m = f->r->metrics;
    ranked *all = gh_calloc(m->classes + 1u, sizeof *all);
    f->order = gh_calloc(m->classes + 1u, sizeof *f->order);
    f->pictures = gh_calloc(m->classes + 1u, sizeof *f->pictures);
    gh_status status = all && f->order && f->pictures ? GH_OK : no_memory(e);
    for (uint32_t c = 0; !status && c < m->classes; c++)
        if (m->of[c].support > 0)
            all[f->norder++] = (ranked){m->of[c].recall, m->of[c].support, c};
    if (!status)
        qsort(all, f->norder, sizeof *all, worse_first);
    for (uint32_t i = 0; !status && i < f->norder; i++)
        f->order[i] = all[i].class;
    gh_free(all);
    return status;
}

static void count_pictures(gh_facts *f)
{
    const gh_trainset *set = f->r->set;
    for (uint32_t i = 0; i < set->nexamples; i++)
        if (set->examples[i].split != GH_SPLIT_TEST)
            f->pictures[set->examples[i].label]++;
}

/* ---- confusion ---- */

static bool add_cell(gh_facts *f, size_t *cap, gh_cell cell)
{
    if (f->ncells == *cap) {
        size_t more = *cap ? 2 * *cap : 256;
        gh_cell *cells = gh_realloc(f->cells, more, sizeof *cells);
        if (!cells)
            return false;
        f->cells = cells;
        *cap = more;
    }
    f->cells[f->ncells++] = cell;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const gh_cell *x = a, *y = b;
    if (x->truth != y->truth)
        return x->truth < y->truth ? -1 : 1;
    return x->predicted < y->predicted ? -1 : x->predicted > y->predicted;
}

/* Adds up neighbours at the same place of a sorted list. */
static size_t merge_cells(gh_cell *cells, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && by_place(&cells[kept - 1], &cells[i]) == 0)
            cells[kept - 1].n += cells[i].n;
        else
            cells[kept++] = cells[i];
    }
    return kept;
}

/* From the matrix or, where there are too many classes for one, from the mistakes. */
static gh_status collect_cells(gh_facts *f, gh_err *e)
{
    const gh_report *r = f->r;
    const gh_metrics *m = r->metrics;
    size_t cap = 0, k = m->classes;
    bool ok = true;
    if (m->confusion) {
        for (size_t t = 0; t < k; t++)
            for (size_t p = 0; p < k && ok; p++)
                if (t != p && m->confusion[t * k + p])
                    ok = add_cell(f, &cap, (gh_cell){(uint32_t)t, (uint32_t)p, m->confusion[t * k + p]});
    } else {
        for (size_t i = 0; i < r->nmistakes && ok; i++) {
            uint32_t truth = r->set->examples[r->mistakes[i].example].label;
            ok = add_cell(f, &cap, (gh_cell){truth, r->mistakes[i].predicted, 1});
        }
        if (ok && f->ncells > 1)
            qsort(f->cells, f->ncells, sizeof *f->cells, by_place);
        f->ncells = merge_cells(f->cells, f->ncells);
    }
    f->row = ok ? gh_calloc(k + 1, sizeof *f->row) : NULL;
    if (!f->row)
        return no_memory(e);
    for (size_t i = 0; i < f->ncells; i++)
        f->row[f->cells[i].truth + 1]++;
    for (size_t c = 0; c < k; c++)
        f->row[c + 1] += f->row[c];
    return GH_OK;
}

const gh_cell *gh_facts_worst(const gh_facts *f, uint32_t c)
{
    const gh_cell *worst = NULL;
    for (size_t i = f->row[c]; i < f->row[c + 1]; i++)
        if (!worst || f->cells[i].n > worst->n)
            worst = &f->cells[i];
    return worst;
}

static uint64_t cell_at(const gh_facts *f, uint32_t truth, uint32_t predicted)
{
    const gh_cell key = {truth, predicted, 0};
    const gh_cell *c = f->ncells ? bsearch(&key, f->cells, f->ncells, sizeof *f->cells, by_place) : NULL;
    return c ? c->n : 0;
}

/* Keeps the pairs that are mixed up most; of equals the first. */
static void find_mixups(gh_facts *f)
{
    for (size_t i = 0; i < f->ncells; i++) {
        uint32_t t = f->cells[i].truth, p = f->cells[i].predicted;
        uint64_t back = cell_at(f, p, t);
        if (t > p && back)
            continue; /* counted at (p, t) */
        gh_mixup m = t < p ? (gh_mixup){t, p, f->cells[i].n, back} : (gh_mixup){p, t, 0, f->cells[i].n};
        uint64_t n = m.a_as_b + m.b_as_a;
        size_t at = f->nmixups < GH_REPORT_MIXUPS ? f->nmixups++ : GH_REPORT_MIXUPS;
        for (; at > 0 && f->mixups[at - 1].a_as_b + f->mixups[at - 1].b_as_a < n; at--)
            if (at < GH_REPORT_MIXUPS)
                f->mixups[at] = f->mixups[at - 1];
        if (at < GH_REPORT_MIXUPS)
            f->mixups[at] = m;
    }
}

/* ---- features ---- */

static void rank_features(gh_facts *f)
{
    const float *importances = f->r->importances;
    size_t width = importances ? f->r->width : 0;
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += isfinite(importances[i]) && importances[i] > 0 ? importances[i] : 0;
    for (size_t i = 0; i < width && sum > 0; i++) {
        double share = isfinite(importances[i]) ? importances[i] / sum : 0;
        if (share <= 0)
            continue;
        size_t at = f->nfeatures < GH_REPORT_FEATURES ? f->nfeatures++ : GH_REPORT_FEATURES;
        for (; at > 0 && f->features[at - 1].share < share; at--)
            if (at < GH_REPORT_FEATURES)
                f->features[at] = f->features[at - 1];
        if (at < GH_REPORT_FEATURES) {
            f->features[at].feature = (uint32_t)i;
            f->features[at].share = share;
        }
    }
}

/* ---- figures that several parts need ---- */

/* A bin of n pictures, each right with probability p, misses p by sqrt(p (1 - p) / n) * sqrt(2 / pi) on
 * average (mean absolute deviation of the normal distribution). */
double gh_calibration_noise(const gh_metrics *m)
{
    double sum = 0;
    for (int b = 0; b < GH_CALIBRATION_BINS && m->n > 0; b++) {
        double n = (double)m->bin[b].n, p = fmin(fmax(m->bin[b].confidence, 0), 1);
        if (n > 0)
            sum += n / (double)m->n * sqrt(2 / 3.141592653589793 * p * (1 - p) / n);
    }
    return sum;
}

double gh_curve_gain(const gh_report *r)
{
    size_t from = r->ncurve > 3 ? r->ncurve - 3 : 0;
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (size_t i = from; i < r->ncurve; i++) {
        double x = log2(r->curve[i].pictures > 0 ? r->curve[i].pictures : 1), y = r->curve[i].accuracy;
        n++;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    double spread = n * sxx - sx * sx;
    return n >= 2 && spread > 0 ? (n * sxy - sx * sy) / spread : (double)NAN;
}

/* ---- all of it ---- */

gh_status gh_facts_of(gh_facts *f, const gh_report *r, gh_err *e)
{
    GH_ASSERT(r->metrics->classes == r->set->nclasses);
    for (size_t i = 0; i < r->nmistakes; i++)
        GH_ASSERT(r->mistakes[i].example < r->set->nexamples && r->mistakes[i].predicted < r->set->nclasses);
    *f = (gh_facts){.r = r};
    gh_status status = rank_classes(f, e);
    if (!status)
        status = collect_cells(f, e);
    if (!status) {
        count_pictures(f);
        find_mixups(f);
        rank_features(f);
        status = gh_facts_details(f, e);
    }
    if (!status)
        status = gh_facts_advice(f, e);
    if (status)
        gh_facts_free(f);
    return status;
}

void gh_facts_free(gh_facts *f)
{
    gh_facts_details_free(f);
    gh_free(f->order);
    gh_free(f->pictures);
    gh_free(f->cells);
    gh_free(f->row);
    for (size_t i = 0; i < GH_COUNT(f->advice); i++)
        gh_buf_free(&f->advice[i].text);
    *f = (gh_facts){0};
}
