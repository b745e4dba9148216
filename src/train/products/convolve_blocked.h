/* Convolutions of a tape by the serving kernels, where one of them takes the shape. */
#ifndef GH_TRAIN_PRODUCTS_CONVOLVE_BLOCKED_H
#define GH_TRAIN_PRODUCTS_CONVOLVE_BLOCKED_H

#include "train/products/convolve.h"

/* Floats that the two may need for this shape; 0 where no kernel takes it. */
size_t gh_convolve_blocked_scratch(const gh_conv_shape *s, const gh_kernels *k, int threads);
/* False, and nothing done, where no kernel does. */
bool gh_convolve_blocked_forward(const gh_convolve *c, const float *x, const float *bias, float *y);
bool gh_convolve_blocked_input(const gh_convolve *c, const float *dy, const float *bias, float *dx);

#endif
