/* Batch normalisation into the convolution before it. */
#include "import/fold.h"

#include <math.h>

void gh_fold_conv(float *weights, float *bias, gh_params *p, const char *conv, const char *bn,
                  const int64_t shape[4], double eps)
{
    const float *w = gh_params_get(p, conv, "weight", 4, shape);
    const float *gamma = gh_params_get(p, bn, "weight", 1, shape);
    const float *beta = gh_params_get(p, bn, "bias", 1, shape);
    const float *mean = gh_params_get(p, bn, "running_mean", 1, shape);
    const float *variance = gh_params_get(p, bn, "running_var", 1, shape);
    if (!w || !gamma || !beta || !mean || !variance || !weights || !bias)
        return;
    size_t each = (size_t)(shape[1] * shape[2] * shape[3]);
    for (int64_t oc = 0; oc < shape[0]; oc++) {
        double factor = gamma[oc] / sqrt(variance[oc] + eps);
        for (size_t i = 0; i < each; i++)
            weights[(size_t)oc * each + i] = (float)(w[(size_t)oc * each + i] * factor);
        bias[oc] = (float)(beta[oc] - mean[oc] * factor);
    }
}
