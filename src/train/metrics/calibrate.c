/* Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks"). */
#include "train/metrics/metrics.h"

#include <math.h>
#include <stdbool.h>

#define SHARPEST 20.0 /* bounds on 1 / temperature; beyond them the held-out rows say nothing any more */
#define FLATTEST 0.05
enum { MOST_STEPS = 60 };

/* Adds slope and curvature over the inverse temperature of the negative log-likelihood of one row. */
static void add_row(double *slope, double *bend, const float *z, uint32_t classes, uint32_t label,
                    double inverse)
{
    double most = z[0], sum = 0, first = 0, second = 0;
    for (uint32_t c = 1; c < classes; c++)
        most = fmax(most, z[c]);
    for (uint32_t c = 0; c < classes; c++) {
        double below = z[c] - most, p = exp(inverse * below);
        sum += p;
        first += p * below;
        second += p * below * below;
    }
    first /= sum;
    *slope += first - (z[label] - most);
    *bend += second / sum - first * first;
}

/* The loss is convex in the inverse temperature: Newton's steps, kept inside a bracket that bisection
 * shrinks. */
double gh_temperature(const float *logits, const uint32_t *labels, size_t n, uint32_t classes)
{
    double low = FLATTEST, high = SHARPEST, at = 1;
    for (int step = 0; n > 0 && step < MOST_STEPS && high - low > 1e-7 * at; step++) {
        double slope = 0, bend = 0;
        for (size_t i = 0; i < n; i++)
            add_row(&slope, &bend, logits + i * classes, classes, labels[i], at);
        *(slope > 0 ? &high : &low) = at;
        double next = bend > 0 ? at - slope / bend : at;
        bool inside = next > low && next < high;
        if (inside && fabs(next - at) < 1e-9 * at)
            break;
        at = inside ? next : sqrt(low * high);
    }
    return 1 / at;
}

void gh_softmax_rows(float *scores, size_t n, uint32_t classes, double temperature)
{
    float inverse = (float)(1 / temperature);
    for (size_t i = 0; i < n; i++, scores += classes) {
        float most = scores[0], sum = 0;
        for (uint32_t c = 1; c < classes; c++)
            most = fmaxf(most, scores[c]);
        for (uint32_t c = 0; c < classes; c++)
            sum += scores[c] = expf((scores[c] - most) * inverse);
        for (uint32_t c = 0; c < classes; c++)
            scores[c] /= sum;
    }
}
