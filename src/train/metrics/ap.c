/* Average precision. Boxes of a picture and class are matched greedily, the best score first, each to the
 * labelled box that it overlaps most and that is still free; one that counts goes before one that is ignored.
 */
#include "train/metrics/ap.h"

#include "base/mem.h"

#include <stdlib.h>

#define RECALLS 101

enum { WRONG, RIGHT, IGNORED, BEYOND }; /* verdicts */

/* A found box on its way: `order` is its place among those of its picture and class. */
typedef struct found {
    const gh_ap_found *box;
    uint32_t order;
    uint8_t verdicts[GH_AP_OVERLAPS];
} found;

typedef struct measure {
    const gh_ap_truth **truths; /* by class, picture, those that count first */
    found *found;               /* by class, picture, score */
    size_t ntruths, nfound;
    uint16_t *taken; /* of the truths of one group: a bit for each overlap */
    double *recall, *precision;
    const gh_ap_options *options;
} measure;

double gh_ap_overlap(int i)
{
    return i == 0 ? 0.3 : 0.45 + 0.05 * i;
}

int gh_ap_alarms(int i)
{
    static const int alarms[GH_AP_ALARMS] = {0, 10, 50};
    return alarms[i];
}

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static bool ignored(const gh_ap_truth *t)
{
    return t->ignored || t->crowd;
}

static int by_group(uint32_t category_a, uint32_t picture_a, uint32_t category_b, uint32_t picture_b)
{
    return category_a != category_b ? compare(category_a, category_b) : compare(picture_a, picture_b);
}

static int truth_order(const void *left, const void *right)
{
    const gh_ap_truth *a = *(const gh_ap_truth *const *)left, *b = *(const gh_ap_truth *const *)right;
    int order = by_group(a->category, a->picture, b->category, b->picture);
    if (!order)
        order = (int)ignored(a) - (int)ignored(b);
    return order ? order : compare((uintptr_t)a, (uintptr_t)b);
}

static int by_score(const found *a, const found *b)
{
    return a->box->score == b->box->score ? 0 : a->box->score > b->box->score ? -1 : 1;
}

static int found_order(const void *left, const void *right)
{
    const found *a = left, *b = right;
    int order = by_group(a->box->category, a->box->picture, b->box->category, b->box->picture);
    if (!order)
        order = by_score(a, b);
    return order ? order : compare((uintptr_t)a->box, (uintptr_t)b->box);
}

/* Of one class, or of all: equal scores stand in the order of pictures. */
static int score_order(const void *left, const void *right)
{
    const found *a = left, *b = right;
    int order = by_score(a, b);
    if (!order)
        order = compare(a->box->picture, b->box->picture);
    if (!order)
        order = compare(a->order, b->order);
    return order ? order : compare((uintptr_t)a->box, (uintptr_t)b->box);
}

/* ---- matching ---- */

static double overlap_of(const gh_ap_rect *f, const gh_ap_truth *t)
{
    const gh_ap_rect *r = &t->box;
    double x0 = f->x > r->x ? f->x : r->x, x1 = f->x + f->w < r->x + r->w ? f->x + f->w : r->x + r->w;
    double y0 = f->y > r->y ? f->y : r->y, y1 = f->y + f->h < r->y + r->h ? f->y + f->h : r->y + r->h;
    if (!(x1 > x0 && y1 > y0))
        return 0;
    double both = (x1 - x0) * (y1 - y0), all = t->crowd ? f->w * f->h : f->w * f->h + r->w * r->h - both;
    return both / all;
}

/* What one found box is at each overlap, among the n truths of its picture and class. */
static void judge(found *f, const gh_ap_truth *const *truths, uint16_t *taken, size_t n)
{
    double best[GH_AP_OVERLAPS];
    size_t match[GH_AP_OVERLAPS];
    for (int i = 0; i < GH_AP_OVERLAPS; i++) {
        best[i] = gh_ap_overlap(i) - 1e-10; /* an overlap that is just reached counts, rounded or not */
        match[i] = n;
    }
    for (size_t t = 0; t < n; t++) {
        double overlap = overlap_of(&f->box->box, truths[t]);
        for (int i = 0; i < GH_AP_OVERLAPS && overlap > 0; i++) {
            bool free = !(taken[t] >> i & 1) || truths[t]->crowd;
            bool settled = match[i] < n && !ignored(truths[match[i]]) && ignored(truths[t]);
            if (!free || settled || overlap < best[i])
                continue;
            best[i] = overlap;
            match[i] = t;
        }
    }
    for (int i = 0; i < GH_AP_OVERLAPS; i++) {
        f->verdicts[i] = match[i] == n ? WRONG : ignored(truths[match[i]]) ? IGNORED : RIGHT;
        if (match[i] < n)
            taken[match[i]] |= (uint16_t)(1u << i);
    }
}

/* Goes through found boxes and truths side by side, a picture and class at a time. */
static void match_all(measure *m)
{
    size_t t = 0;
    for (size_t f = 0, next; f < m->nfound; f = next) {
        const gh_ap_found *first = m->found[f].box;
        while (t < m->ntruths &&
               by_group(m->truths[t]->category, m->truths[t]->picture, first->category, first->picture) < 0)
            t++;
        size_t n = 0;
        while (t + n < m->ntruths && by_group(m->truths[t + n]->category, m->truths[t + n]->picture,
                                              first->category, first->picture) == 0)
            m->taken[n++] = 0;
        for (next = f; next < m->nfound && by_group(m->found[next].box->category, m->found[next].box->picture,
                                                    first->category, first->picture) == 0;
             next++) {
            found *one = &m->found[next];
            one->order = (uint32_t)(next - f);
            if (next - f < m->options->limit)
                judge(one, m->truths + t, m->taken, n);
            else
                for (int i = 0; i < GH_AP_OVERLAPS; i++)
                    one->verdicts[i] = BEYOND;
        }
        t += n;
    }
}

/* ---- curves ---- */

/* The mean of the best precision from each of 101 recalls on. */
static double average_precision(const double *recall, double *precision, size_t n)
{
    double sum = 0;
    size_t at = 0;
    for (size_t i = n; i-- > 1;)
        if (precision[i - 1] < precision[i])
            precision[i - 1] = precision[i];
    for (int k = 0; k < RECALLS; k++) {
        while (at < n && recall[at] < k * 0.01)
            at++;
        sum += at < n ? precision[at] : 0;
    }
    return sum / RECALLS;
}

/* n found boxes, the best score first, against `truths` labelled ones at overlap i. */
static void draw_curve(gh_ap_at *out, measure *m, const found *f, size_t n, size_t truths, int i)
{
    size_t right = 0, wrong = 0, points = 0;
    *out = (gh_ap_at){0};
    for (size_t k = 0; k < n; k++) {
        uint8_t verdict = f[k].verdicts[i];
        if (verdict != RIGHT && verdict != WRONG)
            continue;
        right += verdict == RIGHT;
        wrong += verdict == WRONG;
        if (f[k].box->score >= m->options->cut) {
            out->right = right;
            out->wrong = wrong;
        }
        double recall = truths ? (double)right / (double)truths : 0;
        for (int a = 0; a < GH_AP_ALARMS; a++)
            if (wrong <= (size_t)gh_ap_alarms(a))
                out->recall[a] = recall;
        m->recall[points] = recall;
        m->precision[points++] = (double)right / (double)(right + wrong);
    }
    out->ap = truths ? average_precision(m->recall, m->precision, points) : 0;
}

static void draw_class(gh_ap_class *out, measure *m, found *f, size_t n)
{
    double sum = 0;
    if (n > 1)
        qsort(f, n, sizeof *f, score_order);
    for (size_t k = 0; k < n; k++)
        out->found += f[k].verdicts[0] != BEYOND;
    for (int i = 0; i < GH_AP_OVERLAPS; i++) {
        draw_curve(&out->at[i], m, f, n, out->truths, i);
        sum += i >= GH_AP_50 ? out->at[i].ap : 0;
    }
    out->ap = sum / (GH_AP_OVERLAPS - GH_AP_50);
}

/* Means over the classes that have labelled boxes, in the place of what the pooled curves gave. */
static void average_classes(gh_ap_class *all, const gh_ap_class *classes, size_t n)
{
    double sum = 0, at[GH_AP_OVERLAPS] = {0};
    size_t counted = 0;
    for (size_t c = 0; c < n; c++) {
        if (!classes[c].truths)
            continue;
        counted++;
        sum += classes[c].ap;
        for (int i = 0; i < GH_AP_OVERLAPS; i++)
            at[i] += classes[c].at[i].ap;
    }
    all->ap = counted ? sum / (double)counted : 0;
    for (int i = 0; i < GH_AP_OVERLAPS; i++)
        all->at[i].ap = counted ? at[i] / (double)counted : 0;
}

static gh_status reserve(measure *m, gh_err *e)
{
    m->truths = gh_calloc(m->ntruths + 1, sizeof *m->truths);
    m->taken = gh_calloc(m->ntruths + 1, sizeof *m->taken);
    m->found = gh_calloc(m->nfound + 1, sizeof *m->found);
    m->recall = gh_calloc(m->nfound + 1, sizeof *m->recall);
    m->precision = gh_calloc(m->nfound + 1, sizeof *m->precision);
    if (!m->truths || !m->taken || !m->found || !m->recall || !m->precision)
        return gh_fail(e, GH_NOMEM, "memory ran out at %zu boxes", m->nfound);
    return GH_OK;
}

gh_status gh_ap_measure(gh_ap_class *classes, const gh_ap_truth *truths, size_t ntruths,
                        const gh_ap_found *boxes, size_t nfound, const gh_ap_options *options, gh_err *e)
{
    measure m = {.ntruths = ntruths, .nfound = nfound, .options = options};
    size_t n = options->categories;
    gh_status status = reserve(&m, e);
    if (status == GH_OK) {
        for (size_t c = 0; c <= n; c++)
            classes[c] = (gh_ap_class){0};
        for (size_t i = 0; i < ntruths; i++) {
            m.truths[i] = &truths[i];
            classes[truths[i].category].truths += !ignored(&truths[i]);
            classes[n].truths += !ignored(&truths[i]);
        }
        for (size_t i = 0; i < nfound; i++)
            m.found[i].box = &boxes[i];
        qsort(m.truths, ntruths, sizeof *m.truths, truth_order);
        qsort(m.found, nfound, sizeof *m.found, found_order);
        match_all(&m);
        for (size_t f = 0, next; f < nfound; f = next) {
            uint32_t category = m.found[f].box->category;
            for (next = f; next < nfound && m.found[next].box->category == category;)
                next++;
            draw_class(&classes[category], &m, m.found + f, next - f);
        }
        draw_class(&classes[n], &m, m.found, nfound);
        average_classes(&classes[n], classes, n);
    }
    gh_free(m.truths);
    gh_free(m.taken);
    gh_free(m.found);
    gh_free(m.recall);
    gh_free(m.precision);
    return status;
}
