/* Steps of gradient descent on one flat vector of parameters: SGD with momentum and AdamW (Loshchilov and
 * Hutter 2019), with clipping by the global norm and a moving average of the weights. Schedules of the rate
 * are pure functions of the step. Results do not depend on the number of threads. */
#ifndef GH_TRAIN_LEARN_OPTIM_H
#define GH_TRAIN_LEARN_OPTIM_H

#include "base/pool.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum gh_optim_kind { GH_OPTIM_ADAMW, GH_OPTIM_SGD } gh_optim_kind;

typedef struct gh_optim_options {
    gh_optim_kind kind;
    float momentum; /* SGD; 0 = none */
    bool nesterov;  /* SGD */
    float beta1, beta2,
        small;   /* AdamW: decay of the means, and what is added to the root; 0 = .9, .999, 1e-8 */
    float decay; /* of weights; AdamW's is decoupled, SGD's is added to the gradient */
    float clip;  /* largest norm of the whole gradient; 0 = any */
    float ema;   /* moving average of the weights keeps this much a step, less at first; 0 = none */
} gh_optim_options;

/* A tensor within the vector. */
typedef struct gh_optim_part {
    size_t offset, count;
    bool decays; /* weights do, biases and norms do not */
    float rate;  /* of its own, times the step's; 0 = 1 */
} gh_optim_part;

typedef struct gh_optim gh_optim;

/* Parts are copied; they lie within `count` and do not overlap. What no part holds is never changed. */
GH_MUST_CHECK gh_status gh_optim_new(gh_optim **out, const gh_optim_options *options,
                                     const gh_optim_part *parts, size_t nparts, size_t count, gh_err *e);
void gh_optim_free(gh_optim **o);
/* A step at `rate`. The gradients are clipped in place. Gives their norm before clipping; when that is not
 * finite, nothing else has happened. */
double gh_optim_step(gh_optim *o, float *weights, float *gradients, double rate, gh_pool *pool);
/* The averaged weights, or NULL without ema. Of use after the first step. */
const float *gh_optim_average(const gh_optim *o);
/* How much of the average the last step kept. */
double gh_optim_kept(const gh_optim *o);
/* Everything that the next step depends on, as one block of memory: for checkpoints. */
void *gh_optim_state(gh_optim *o, size_t *bytes);

typedef enum gh_schedule_kind {
    GH_SCHEDULE_CONSTANT,
    GH_SCHEDULE_COSINE,   /* down half a cosine (Loshchilov and Hutter 2017) */
    GH_SCHEDULE_ONE_CYCLE /* up from 1/25 in the first 3/10, then down; half cosines (Smith 2018) */
} gh_schedule_kind;

typedef struct gh_schedule {
    gh_schedule_kind kind;
    double rate;     /* the highest */
    double last;     /* share of it that is left at the end (cosine, one cycle); 0 is allowed */
    uint64_t warmup; /* steps in which the rate rises evenly to it (constant, cosine) */
    uint64_t total;  /* steps */
} gh_schedule;

/* The rate of step 0 .. total - 1. */
double gh_schedule_rate(const gh_schedule *s, uint64_t step);

#endif
