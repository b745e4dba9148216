/* Networks with random weights for a comparison with another runtime. */
#ifndef GH_TEST_ONNX_RANDOM_H
#define GH_TEST_ONNX_RANDOM_H

#include <stdint.h>

/* For each of `count` seeds from `first` on writes into `folder`: SEED.onnx, SEED.in (the input, float32) and
 * SEED.out (our outputs, each as its rank, sides and elements, all float64). `flags` are those of rn_build.
 * False after a sentence on standard error, also when the passes change an answer. */
int or_write(const char *folder, uint64_t first, uint64_t count, unsigned flags);

/* The same for each network that src/import builds from a checkpoint with torchvision's names; called
 * ARCH.onnx, ARCH.in (1 x 3 x 96 x 64) and ARCH.out. */
int or_write_archs(const char *folder);

#endif
