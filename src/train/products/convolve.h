/* The three products of a convolution on plain NCHW: forward, and the gradients of its input and of its
 * weights. A transposed convolution is the same three with the roles of input and output exchanged. */
#ifndef GH_TRAIN_PRODUCTS_CONVOLVE_H
#define GH_TRAIN_PRODUCTS_CONVOLVE_H

#include "base/pool.h"
#include "kernels/kernels.h"

typedef struct gh_convolve {
    gh_conv_shape s; /* of the convolution; its input is the larger picture */
    const float *weights;
    gh_pool *pool;
    const gh_kernels *k;
    float *scratch; /* gh_convolve_scratch floats */
} gh_convolve;

/* The convolution that a transposed one undoes, and the other way round: input and output exchanged. */
gh_conv_shape gh_conv_reversed(const gh_conv_shape *s);

/* Floats of scratch that any of the three needs. */
size_t gh_convolve_scratch(const gh_conv_shape *s, const gh_kernels *k, int threads);
/* y = conv(x) + bias; bias may be NULL. */
void gh_convolve_forward(const gh_convolve *c, const float *x, const float *bias, float *y);
/* dx = transposed conv(dy) + bias; bias (one a channel of x) may be NULL. */
void gh_convolve_input(const gh_convolve *c, const float *dy, const float *bias, float *dx);
/* dw = the sum over all pictures. */
void gh_convolve_weights(const gh_convolve *c, const float *x, const float *dy, float *dw);

/* The same for any groups, by dot products of whole planes (convolve_dots.c). */
size_t gh_convolve_dots_scratch(const gh_conv_shape *s);
void gh_convolve_dots(const gh_convolve *c, const float *x, const float *dy, float *dw);

#endif
