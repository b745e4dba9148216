/* Losses of single values: yes-no answers, distances, heat-maps. */
#include "train/learn/loss.h"

#include <math.h>

static void put(gh_gradient to, size_t i, double d)
{
    to.at[i] = (float)(to.add ? (double)to.at[i] + d : d);
}

/* log(1 + exp(x)) without overflow */
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

/* Value of one answer; *slope is its derivative by z. */
static double answer(double *slope, double z, double y, const gh_sigmoid_targets *t)
{
    double p = sigmoid(z), positive = t->positive > 0 ? (double)t->positive : 1, gamma = (double)t->gamma;
    double loss = positive * y * softplus(-z) + (1 - y) * softplus(z);
    *slope = -positive * y * (1 - p) + (1 - y) * p;
    if (gamma > 0) {
        double miss = y * (1 - p) + (1 - y) * p, factor = pow(miss, gamma);
        double inner = miss > 0 ? gamma * pow(miss, gamma - 1) * (1 - 2 * y) * p * (1 - p) : 0;
        *slope = factor * *slope + inner * loss;
        loss *= factor;
    }
    if (t->alpha > 0) {
        double side = (double)t->alpha * y + (1 - (double)t->alpha) * (1 - y);
        *slope *= side;
        loss *= side;
    }
    return loss;
}

/* What the sum is divided by. */
static double divisor_of(const float *weight, size_t count)
{
    double total = 0;
    for (size_t i = 0; weight && i < count; i++)
        total += (double)weight[i];
    return weight ? total : (double)count;
}

double gh_loss_sigmoid(gh_gradient to, const float *logits, const gh_sigmoid_targets *t)
{
    double divisor = t->divisor > 0 ? t->divisor : divisor_of(t->weight, t->count), total = 0;
    double scale = divisor > 0 ? to.weight / divisor : 0;
    for (size_t i = 0; i < t->count; i++) {
        double slope, w = scale * (t->weight ? (double)t->weight[i] : 1);
        double loss = answer(&slope, (double)logits[i], (double)t->target[i], t);
        total += w > 0 ? w * loss : 0;
        if (to.at)
            put(to, i, w > 0 ? w * slope : 0);
    }
    return total;
}

double gh_loss_smooth_l1(gh_gradient to, const float *x, const float *target, const float *weight,
                         size_t count, float beta)
{
    double divisor = divisor_of(weight, count), total = 0, b = (double)beta;
    double scale = divisor > 0 ? to.weight / divisor : 0;
    for (size_t i = 0; i < count; i++) {
        double w = scale * (weight ? (double)weight[i] : 1), d = (double)x[i] - (double)target[i];
        bool far = fabs(d) >= b;
        total += w > 0 ? w * (far ? fabs(d) - b / 2 : d * d / (2 * b)) : 0;
        if (to.at)
            put(to, i, w > 0 ? w * (far ? copysign(1, d) : d / b) : 0);
    }
    return total;
}

double gh_loss_heatmap(gh_gradient to, const float *logits, const float *target, size_t count)
{
    double centres = 0, total = 0;
    for (size_t i = 0; i < count; i++)
        centres += target[i] >= 1;
    double scale = to.weight / fmax(centres, 1);
    for (size_t i = 0; i < count; i++) {
        double z = (double)logits[i], p = sigmoid(z), loss, slope;
        if (target[i] >= 1) {
            double miss = 1 - p;
            loss = miss * miss * softplus(-z);
            slope = -miss * miss * (2 * p * softplus(-z) + miss);
        } else {
            double far = pow(1 - (double)target[i], 4);
            loss = far * p * p * softplus(z);
            slope = far * p * p * (2 * (1 - p) * softplus(z) + p);
        }
        total += scale * loss;
        if (to.at)
            put(to, i, scale * slope);
    }
    return total;
}
