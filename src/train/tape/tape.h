/* A tape: a graph that runs forwards and backwards at a fixed batch shape, in plain NCHW float32. What is
 * learnt stands in one flat vector, its gradients in another, so that an optimiser is one loop.
 *
 * BatchNormalization uses the batch's own statistics, and moves its running ones, where its scale or shift
 * is learnt and norms are not frozen; elsewhere the running ones. Results do not depend on the number of
 * threads. */
#ifndef GH_TRAIN_TAPE_TAPE_H
#define GH_TRAIN_TAPE_TAPE_H

#include "base/pool.h"
#include "engine/graph.h"

typedef struct gh_tape gh_tape;

/* One learnt tensor: `count` floats from `offset` of the flat vectors. Offsets are multiples of 16; floats
 * between two tensors are zero in weights and gradients. */
typedef struct gh_tape_param {
    uint32_t value;   /* of the graph */
    const char *name; /* borrowed from the graph */
    size_t offset, count;
    bool decays; /* weights of products do, biases, norms and slopes do not */
} gh_tape_param;

typedef struct gh_tape_options {
    const gh_shape *inputs; /* one a graph input, batch included */
    /* Which constants are learnt, asked only for those that can be; NULL: all of these, that is weights,
     * biases, scales and slopes. */
    bool (*trains)(void *arg, const gh_graph *g, uint32_t value);
    void *arg;
    bool frozen_norms;  /* BatchNormalization keeps its running statistics */
    bool checkpointing; /* less memory, about one forward pass more */
    gh_pool *pool;      /* borrowed, or NULL */
} gh_tape_options;

/* `g` is borrowed, and bound; it must not be changed but by gh_tape_store. GH_UNSUPPORTED names an operator
 * without a gradient on a path to something learnt. */
GH_MUST_CHECK gh_status gh_tape_new(gh_tape **out, gh_graph *g, const gh_tape_options *o, gh_err *e);
void gh_tape_free(gh_tape **tape);

/* The learnt tensors, in the order of the flat vectors. */
size_t gh_tape_params(const gh_tape *t, const gh_tape_param **list);
float *gh_tape_weights(gh_tape *t);
float *gh_tape_gradients(gh_tape *t);
/* Floats of each of the flat vectors. */
size_t gh_tape_count(const gh_tape *t);
/* Running statistics of the norms, for checkpoints. */
float *gh_tape_state(gh_tape *t, size_t *count);

/* Input i, to be filled before a forward pass; kept until it is filled anew. */
float *gh_tape_input(gh_tape *t, size_t i);
/* `training` false: norms use running statistics, and no backward pass may follow. */
GH_MUST_CHECK gh_status gh_tape_forward(gh_tape *t, bool training, gh_err *e);
/* Borrowed until the next forward pass; the elements stay until the backward pass. */
const gh_tensor *gh_tape_output(const gh_tape *t, size_t i);
/* The gradient of output i, all zero after a forward pass that trains: the loss fills it before
 * gh_tape_backward, which spends it. NULL where nothing learnt leads to that output. */
float *gh_tape_output_gradient(gh_tape *t, size_t i);
/* Overwrites the gradients. */
GH_MUST_CHECK gh_status gh_tape_backward(gh_tape *t, gh_err *e);
/* Weights and running statistics into the graph's constants. */
GH_MUST_CHECK gh_status gh_tape_store(gh_tape *t, gh_err *e);

/* Bytes that the tape holds: activations, gradients, weights, statistics and scratch. */
size_t gh_tape_bytes(const gh_tape *t);
/* The name of the first learnt tensor whose weights or gradients hold a number that is not finite, or NULL.
 */
const char *gh_tape_not_finite(const gh_tape *t);

#endif
