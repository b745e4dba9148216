/* Depthwise convolution and its gradients, a channel of its own each, on padded planes. */
#ifndef GH_TRAIN_PRODUCTS_DEPTHWISE_H
#define GH_TRAIN_PRODUCTS_DEPTHWISE_H

#include "train/products/convolve.h"

bool gh_depthwise_accepts(const gh_conv_shape *s);
size_t gh_depthwise_scratch(const gh_conv_shape *s, int threads);
void gh_depthwise_forward(const gh_convolve *c, const float *x, const float *bias, float *y);
void gh_depthwise_input(const gh_convolve *c, const float *dy, const float *bias, float *dx);
void gh_depthwise_weights(const gh_convolve *c, const float *x, const float *dy, float *dw);

#endif
