/* Rates over a run. */
#include "train/learn/optim.h"

#include <math.h>

#define PI         3.14159265358979323846
#define CYCLE_RISE .3         /* share of the steps in which one cycle rises */
#define CYCLE_LOW  (1.0 / 25) /* where it begins */

/* From `a` to `b` along half a cosine; `at` 0..1. */
static double between(double a, double b, double at)
{
    return b + (a - b) * (1 + cos(PI * at)) / 2;
}

double gh_schedule_rate(const gh_schedule *s, uint64_t step)
{
    double total = (double)(s->total ? s->total : 1), at = fmin((double)step, total - 1);
    double low = s->rate * s->last, warmup = fmin((double)s->warmup, total);
    if (s->kind == GH_SCHEDULE_ONE_CYCLE) {
        double top = CYCLE_RISE * total - 1;
        if (at <= top && top > 0)
            return between(s->rate * CYCLE_LOW, s->rate, at / top);
        return between(s->rate, low, total - 1 > top ? (at - top) / (total - 1 - top) : 1);
    }
    if (at < warmup)
        return s->rate * (at + 1) / (warmup + 1);
    if (s->kind == GH_SCHEDULE_CONSTANT)
        return s->rate;
    return between(s->rate, low, (at - warmup) / (total - warmup));
}
