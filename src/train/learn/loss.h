/* Losses of one batch: pure functions from a network's outputs and targets to a value and its gradient. Each
 * is a mean over what counts, so that its size does not depend on the batch; sums run in an order that does
 * not depend on the number of threads. */
#ifndef GH_TRAIN_LEARN_LOSS_H
#define GH_TRAIN_LEARN_LOSS_H

#include "base/pool.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_LOSS_IGNORED 255 /* label of an element that does not count */

/* Where a loss leaves its gradient. Losses are combined by giving each its weight and all but the first
 * `add`; the value that comes back has the weight in it. */
typedef struct gh_gradient {
    float *at;     /* one an element of the prediction; NULL: the value alone is wanted */
    double weight; /* 1 = the loss as it is */
    bool add;      /* at[i] += ..., else at[i] = ... */
} gh_gradient;

/* What logits [n][classes][inner] should have been: labels [n][inner], where GH_LOSS_IGNORED and all else
 * that is no class does not count, or else shares [n][classes][inner] of the classes (votes, mixed pictures;
 * what sums to 0 does not count). */
typedef struct gh_class_targets {
    size_t n, classes, inner; /* inner: pixels, 1 for classification */
    const uint8_t *labels;
    const float *shares;
    const float *class_weight; /* [classes], or NULL = all 1 */
    float smoothing;           /* share that is spread evenly over all classes, 0 .. < 1 */
} gh_class_targets;

/* Cross entropy of softmax over the classes; mean over elements, each by the weight of its classes. */
double gh_loss_softmax(gh_gradient to, const float *logits, const gh_class_targets *t, gh_pool *pool);
/* 1 - the mean of the classes' Dice coefficients over the whole batch (Milletari et al. 2016; sums, not
 * squares, in the denominator, and 1 added above and below), the classes by class_weight. One class: label 1
 * is the foreground, and the logit's sigmoid is used. Smoothing is not looked at. */
GH_MUST_CHECK gh_status gh_loss_dice(double *loss, gh_gradient to, const float *logits,
                                     const gh_class_targets *t, gh_pool *pool, gh_err *e);

/* Independent yes-no answers. */
typedef struct gh_sigmoid_targets {
    size_t count;
    const float *target; /* 0..1 */
    const float *weight; /* >= 0, 0 = does not count; NULL = all 1 */
    float positive;      /* weight of the yes side; 0 = 1 */
    float gamma;         /* focal loss (Lin et al. 2017): 2 there; 0 = plain binary cross entropy */
    float alpha;         /* focal loss: share of the yes side, .25 there; 0 = both sides alike */
    double divisor;      /* of the sum; 0 = the sum of weights */
} gh_sigmoid_targets;

/* -positive y log p - (1 - y) log(1 - p), p the sigmoid of the logit and y its target; with gamma times
 * (y (1 - p) + (1 - y) p)^gamma, with alpha times alpha y + (1 - alpha) (1 - y); the mean by weight. */
double gh_loss_sigmoid(gh_gradient to, const float *logits, const gh_sigmoid_targets *t);

/* |d| - beta/2 beyond beta, d^2 / (2 beta) within (beta > 0), mean by weight (NULL = all 1). */
double gh_loss_smooth_l1(gh_gradient to, const float *x, const float *target, const float *weight,
                         size_t count, float beta);

/* Centre heat-maps (Zhou, Wang, Krahenbuhl 2019, alpha 2, beta 4): targets 0..1, exactly 1 at a centre; the
 * sum is divided by the number of centres, at least 1. */
double gh_loss_heatmap(gh_gradient to, const float *logits, const float *target, size_t count);

typedef enum gh_box_loss {
    GH_BOX_GIOU, /* Rezatofighi et al. 2019 */
    GH_BOX_CIOU  /* Zheng et al. 2020; the balance of its aspect term is not differentiated */
} gh_box_loss;

typedef enum gh_box_form {
    GH_BOX_CORNERS, /* left, top, right, bottom */
    GH_BOX_CENTRE   /* centre x, centre y, width, height */
} gh_box_form;

/* n boxes of 4 floats each against targets of the same form; mean by weight[n] (NULL = all 1). Widths and
 * heights should be > 0. */
double gh_loss_box(gh_gradient to, gh_box_loss kind, gh_box_form form, const float *boxes,
                   const float *target, const float *weight, size_t n);

#endif
