/* Convolutions of a checkpoint with the batch normalisation behind them, as one convolution. */
#ifndef GH_IMPORT_FOLD_H
#define GH_IMPORT_FOLD_H

#include "import/params.h"

/* Weights (out x in / groups x kernel x kernel, `shape`) and biases (out), which the caller holds, from the
 * modules `conv` and `bn`; nothing is written where a tensor is missing, which `p` notes. In double
 * precision: so every runtime that reads the model computes with identical weights and differs only in the
 * order of sums, the file has half the nodes, and weights stay in the mapped file instead of being folded
 * anew at each start. */
void gh_fold_conv(float *weights, float *bias, gh_params *p, const char *conv, const char *bn,
                  const int64_t shape[4], double eps);

#endif
