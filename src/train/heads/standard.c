/* Mean and standard deviation of the features, in two passes and in double precision. */
#include "train/heads/standard.h"

#include "base/mem.h"
#include "train/heads/head_parts.h"

#include <math.h>

enum { MOST_PIECES = 16 };

typedef struct moments {
    const gh_rows *rows;
    const double *mean; /* NULL in the first pass */
    double *sums;       /* pieces x width */
    int pieces;
} moments;

static void sum_pieces(void *arg, int begin, int end, int thread)
{
    const moments *m = arg;
    size_t d = m->rows->width;
    (void)thread;
    for (int p = begin; p < end; p++) {
        double *sum = m->sums + (size_t)p * d;
        size_t to = gh_piece_start(m->rows->n, m->pieces, p + 1);
        for (size_t j = 0; j < d; j++)
            sum[j] = 0;
        for (size_t i = gh_piece_start(m->rows->n, m->pieces, p); i < to; i++) {
            const float *x = m->rows->x + i * d;
            double w = gh_rows_weight(m->rows, i);
            for (size_t j = 0; j < d; j++) {
                double v = m->mean ? x[j] - m->mean[j] : x[j];
                sum[j] += m->mean ? w * v * v : w * v;
            }
        }
    }
}

/* Sums of all pieces, in their order, over the total weight. */
static void combine(double *out, const moments *m, double total)
{
    size_t d = m->rows->width;
    for (size_t j = 0; j < d; j++) {
        double sum = 0;
        for (int p = 0; p < m->pieces; p++)
            sum += m->sums[(size_t)p * d + j];
        out[j] = sum / total;
    }
}

static double total_weight(const gh_rows *rows)
{
    double total = 0;
    for (size_t i = 0; i < rows->n; i++)
        total += gh_rows_weight(rows, i);
    return total;
}

gh_status gh_standard_of(gh_standard *out, const gh_rows *rows, gh_pool *pool, gh_err *e)
{
    size_t d = rows->width;
    moments m = {.rows = rows, .pieces = gh_pieces(rows->n, MOST_PIECES)};
    double *mean = gh_calloc(d, 2 * sizeof *mean), *variance = mean + d, total = total_weight(rows);
    gh_standard s = {d, gh_calloc(d, sizeof *s.mean), gh_calloc(d, sizeof *s.inverse)};
    gh_status status = GH_OK;
    m.sums = gh_calloc((size_t)m.pieces * d, sizeof *m.sums);
    if (!mean || !m.sums || !s.mean || !s.inverse) {
        gh_standard_free(&s);
        status = gh_fail(e, GH_NOMEM, "no memory for the statistics of %zu features", d);
        goto done;
    }
    gh_pool_for(pool, m.pieces, sum_pieces, &m);
    combine(mean, &m, total);
    m.mean = mean;
    gh_pool_for(pool, m.pieces, sum_pieces, &m);
    combine(variance, &m, total);
    for (size_t j = 0; j < d; j++) {
        double sd = sqrt(variance[j]);
        s.mean[j] = (float)mean[j];
        /* A spread that is only the rounding of the values themselves is none. */
        s.inverse[j] = sd > 1e-6 * fabs(mean[j]) && 1 / sd < 1e30 ? (float)(1 / sd) : 0;
    }
    *out = s;
done:
    gh_free(mean);
    gh_free(m.sums);
    return status;
}

void gh_standard_free(gh_standard *s)
{
    gh_free(s->mean);
    gh_free(s->inverse);
    s->mean = s->inverse = NULL;
}
