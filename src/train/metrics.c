/* Accuracy and what it is worth. */
#include "train/metrics.h"

#include <math.h>

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
