/* The loss of multinomial logistic regression on standardised features, for several fits that look at the
 * same rows at once: one wide product serves them all. Features are read raw; the standardising stands in
 * the weights. */
#ifndef GH_TRAIN_HEADS_SOFTMAX_LOSS_H
#define GH_TRAIN_HEADS_SOFTMAX_LOSS_H

#include "train/heads/head.h"
#include "train/heads/standard.h"

/* What is minimised: weighted mean of the cross entropy + l2/2 * |weights|^2, biases free of penalty. */
typedef struct gh_softmax_fit {
    const float *at;   /* weights [width][classes], then biases [classes] */
    float *gradient;   /* same form */
    uint32_t left_out; /* its rows of this fold are not learnt from; UINT32_MAX = all are */
    float l2;
    double loss;
} gh_softmax_fit;

typedef struct gh_softmax_loss gh_softmax_loss;

/* Parameters of one fit. */
size_t gh_softmax_parameters(const gh_rows *rows);
/* Bytes that gh_softmax_loss_new takes for `most` fits at once. */
size_t gh_softmax_loss_bytes(const gh_rows *rows, uint32_t most);
/* Room for up to `most` fits at once. Rows, folds (NULL = none) and standard are borrowed. */
GH_MUST_CHECK gh_status gh_softmax_loss_new(gh_softmax_loss **out, const gh_rows *rows, const uint32_t *fold,
                                            const gh_standard *standard, uint32_t most, gh_err *e);
void gh_softmax_loss_free(gh_softmax_loss **l);
/* Loss and gradient of each fit. */
void gh_softmax_gradient(gh_softmax_loss *l, gh_softmax_fit *const *fits, uint32_t count, gh_pool *pool);
/* Summed cross entropy (each row by its weight) of the rows that the fits left out, and into *weight (not
 * NULL) the weight of those rows; `logits` (rows x classes, or NULL) receives theirs. */
double gh_softmax_held_out(gh_softmax_loss *l, gh_softmax_fit *const *fits, uint32_t count, float *logits,
                           double *weight, gh_pool *pool);
/* The weights on raw features that do the same: weights [width][classes], bias [classes]. */
void gh_softmax_raw(float *weights, float *bias, const float *at, const gh_standard *s, uint32_t classes);
/* logits = x * weights + bias, over fixed blocks of rows. */
void gh_softmax_logits(float *logits, const float *weights, const float *bias, const float *x, size_t n,
                       size_t width, uint32_t classes, gh_pool *pool);

#endif
