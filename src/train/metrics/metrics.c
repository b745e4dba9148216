/* Accuracy and what it is worth. Nothing here knows how the probabilities came about. */
#include "train/metrics/metrics.h"

#include "base/mem.h"

#include <math.h>

gh_interval gh_mean_interval(const size_t *right, const size_t *count, size_t n)
{
    double sum = 0, down = 0, up = 0, shares = 0;
    for (size_t i = 0; i < n; i++) {
        if (!count[i])
            continue;
        double p = (double)right[i] / (double)count[i];
        gh_interval w = gh_wilson(right[i], count[i]);
        sum += p;
        down += (p - w.low) * (p - w.low);
        up += (w.high - p) * (w.high - p);
        shares++;
    }
    if (shares <= 0)
        return (gh_interval){0, 1};
    return (gh_interval){fmax(0, (sum - sqrt(down)) / shares), fmin(1, (sum + sqrt(up)) / shares)};
}

gh_interval gh_wilson(size_t right, size_t count)
{
    const double z = 1.959963984540054; /* 97.5 % quantile of the normal distribution */
    if (count == 0)
        return (gh_interval){0, 1};
    double n = (double)count, p = (double)right / n;
    double centre = p + z * z / (2 * n), half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    double scale = 1 + z * z / n;
    return (gh_interval){fmax(0, (centre - half) / scale), fmin(1, (centre + half) / scale)};
}

static gh_share share_of(uint64_t right, uint64_t count)
{
    return (gh_share){right, count, count ? (double)right / (double)count : 0, gh_wilson(right, count)};
}

/* ---- metrics ---- */

/* Classes that beat class c; of equal ones the lower goes first, as in a sorted list of labels. */
static uint32_t rank_of(const float *p, uint32_t classes, uint32_t c)
{
    uint32_t rank = 0;
    for (uint32_t k = 0; k < classes; k++)
        rank += k != c && (p[k] > p[c] || (p[k] == p[c] && k < c));
    return rank;
}

static uint32_t best_of(const float *p, uint32_t classes)
{
    uint32_t best = 0;
    for (uint32_t c = 1; c < classes; c++)
        best = p[c] > p[best] ? c : best;
    return best;
}

/* Sums; finish() turns them into means. */
static void count_row(gh_metrics *m, const float *p, uint32_t label)
{
    uint32_t best = best_of(p, m->classes), rank = rank_of(p, m->classes, label);
    int bin = (int)(p[best] * GH_CALIBRATION_BINS);
    bin = bin < 0 ? 0 : bin >= GH_CALIBRATION_BINS ? GH_CALIBRATION_BINS - 1 : bin;
    m->top1.right += best == label;
    m->top5.right += rank < 5;
    m->nll -= log(fmax(p[label], 1e-30));
    m->bin[bin].n++;
    m->bin[bin].confidence += p[best];
    m->bin[bin].accuracy += best == label;
    m->of[label].support++;
    m->of[label].right += best == label;
    m->of[best].predicted++;
    if (m->confusion)
        m->confusion[(size_t)label * m->classes + best]++;
}

static void finish_class(gh_class_metrics *c)
{
    c->precision = c->predicted ? (double)c->right / (double)c->predicted : 0;
    c->recall = c->support ? (double)c->right / (double)c->support : 0;
    c->f1 = c->support + c->predicted ? 2.0 * (double)c->right / (double)(c->support + c->predicted) : 0;
}

static void finish(gh_metrics *m)
{
    double n = (double)m->n;
    uint32_t with = 0;
    m->top1 = share_of(m->top1.right, m->n);
    m->top5 = share_of(m->top5.right, m->n);
    m->nll = m->n ? m->nll / n : 0;
    for (int b = 0; b < GH_CALIBRATION_BINS; b++) {
        if (!m->bin[b].n)
            continue;
        m->ece += fabs(m->bin[b].accuracy - m->bin[b].confidence) / n;
        m->bin[b].accuracy /= (double)m->bin[b].n;
        m->bin[b].confidence /= (double)m->bin[b].n;
    }
    for (uint32_t c = 0; c < m->classes; c++) {
        finish_class(&m->of[c]);
        if (!m->of[c].support)
            continue; /* nothing is known of its recall */
        with++;
        m->macro_recall += m->of[c].recall;
        m->macro_f1 += m->of[c].f1;
    }
    m->macro_recall /= with ? with : 1;
    m->macro_f1 /= with ? with : 1;
}

gh_status gh_metrics_of(gh_metrics **out, const float *probabilities, const uint32_t *labels, size_t n,
                        uint32_t classes, gh_err *e)
{
    if (classes < 1)
        return gh_fail(e, GH_ARG, "metrics of no class");
    for (size_t i = 0; i < n; i++) {
        if (labels[i] >= classes)
            return gh_fail(e, GH_ARG, "row %zu has label %u, but there are %u classes", i, labels[i],
                           classes);
        for (uint32_t c = 0; c < classes; c++)
            if (!(probabilities[i * classes + c] >= 0 && probabilities[i * classes + c] <= 1.0001f))
                return gh_fail(e, GH_FORMAT, "row %zu gives class %u the probability %g", i, c,
                               probabilities[i * classes + c]);
    }
    gh_metrics *m = gh_calloc(1, sizeof *m);
    if (m) {
        m->of = gh_calloc(classes, sizeof *m->of);
        m->confusion =
            classes <= GH_MOST_CONFUSED ? gh_calloc(classes, classes * sizeof *m->confusion) : NULL;
    }
    if (!m || !m->of || (classes <= GH_MOST_CONFUSED && !m->confusion)) {
        gh_metrics_free(&m);
        return gh_fail(e, GH_NOMEM, "no memory for the scores of %u classes", classes);
    }
    m->classes = classes;
    m->n = n;
    for (size_t i = 0; i < n; i++)
        count_row(m, probabilities + i * classes, labels[i]);
    finish(m);
    *out = m;
    return GH_OK;
}

void gh_metrics_free(gh_metrics **m)
{
    if (!*m)
        return;
    gh_free((*m)->of);
    gh_free((*m)->confusion);
    gh_free(*m);
    *m = NULL;
}
