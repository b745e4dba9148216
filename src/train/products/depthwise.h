/* Depthwise convolution and its gradients, a channel of its own each, on padded planes. */
#ifndef GH_TRAIN_PRODUCTS_DEPTHWISE_H
#define GH_TRAIN_PRODUCTS_DEPTHWISE_H

#include "train/products/convolve.h"

/* True for as many groups as channels on both sides, and a window that is not too large (padded.h). The
 * others are for such shapes only. */
bool gh_depthwise_accepts(const gh_conv_shape *s);
/* Floats of scratch that any of the three needs. */
size_t gh_depthwise_scratch(const gh_conv_shape *s, int threads);
/* As gh_convolve_forward, _input and _weights; x and y are plain NCHW, weights [c][kh][kw]. */
void gh_depthwise_forward(const gh_convolve *c, const float *x, const float *bias, float *y);
void gh_depthwise_input(const gh_convolve *c, const float *dy, const float *bias, float *dx);
void gh_depthwise_weights(const gh_convolve *c, const float *x, const float *dy, float *dw);

#endif
