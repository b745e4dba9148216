/* A network of one hidden layer (ReLU) and softmax: loss, gradient, and steps of Adam (Kingma and Ba 2015)
 * with decoupled weight decay (Loshchilov and Hutter 2019). Rows come standardised. */
#ifndef GH_TRAIN_HEADS_MLP_H
#define GH_TRAIN_HEADS_MLP_H

#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

#define GH_MLP_BATCH 64 /* most rows of a step */

/* Parameters: weights [width][hidden], biases [hidden], weights [hidden][classes], biases [classes]. */
typedef struct gh_mlp {
    size_t width, hidden, classes;
    float *p; /* owned */
} gh_mlp;

/* Rows of a step: targets are shares of the classes, weights scale the rows' losses. */
typedef struct gh_batch {
    const float *x, *target, *weight; /* [n][width], [n][classes], [n] */
    size_t n;                         /* at most GH_MLP_BATCH */
} gh_batch;

typedef struct gh_adam {
    float rate, decay; /* decay of the weights a step, in units of rate; biases keep theirs */
    uint64_t step;
    float *m, *v; /* running means of the gradient and of its square; one block, owned */
} gh_adam;

typedef struct gh_mlp_space gh_mlp_space;

/* Random weights (He et al. 2015), zero biases. */
GH_MUST_CHECK gh_status gh_mlp_new(gh_mlp *out, size_t width, size_t hidden, size_t classes, uint64_t seed,
                                   gh_err *e);
void gh_mlp_free(gh_mlp *m);
size_t gh_mlp_parameters(const gh_mlp *m);
GH_MUST_CHECK gh_status gh_adam_new(gh_adam *out, const gh_mlp *m, float rate, float decay, gh_err *e);
void gh_adam_free(gh_adam *a);
GH_MUST_CHECK gh_status gh_mlp_space_new(gh_mlp_space **out, const gh_mlp *m, gh_err *e);
void gh_mlp_space_free(gh_mlp_space **s);

/* Weighted mean cross entropy of a batch, its gradient (same form as the parameters), and, with `adam`, a
 * step. */
double gh_mlp_step(gh_mlp *m, float *gradient, gh_adam *adam, const gh_batch *batch, gh_mlp_space *space,
                   gh_pool *pool);
/* Logits of up to GH_MLP_BATCH rows; hidden is room for n * m->hidden floats. */
void gh_mlp_logits(float *logits, float *hidden, const gh_mlp *m, const float *x, size_t n);

#endif
