/* For tests of networks built from a table: checkpoints with every tensor that a network asks for, their
 * names and shapes written out, not computed. One case at a time. */
#ifndef GH_TEST_ARCH_CASE_H
#define GH_TEST_ARCH_CASE_H

#include "unit/checkpoint.h"

#include "base/rng.h"
#include "import/arch.h"

enum { AC_MOST = 1000, AC_CLASSES = 7 };

/* What every tensor of a kind holds, on a storage of one number (stride 0). */
extern const float AC_WEIGHT, AC_GAMMA, AC_BETA, AC_MEAN, AC_VARIANCE;

extern ck_tensor ac_tensors[AC_MOST];
extern char ac_names[AC_MOST][64];
extern size_t ac_count;

/* Starts a checkpoint; with `rng` its tensors get numbers of their own, of a size that keeps activations near
 * one (He et al. 2015). */
void ac_begin(gh_rng *rng);
/* Frees what random tensors hold. */
void ac_end(void);
void ac_add(const char *module, const char *name, const float *value, size_t rank, const int64_t *dims);
/* Weights of a convolution and the six tensors of a batch normalisation. */
void ac_add_conv(const char *conv, const char *bn, int out, int in, int kernel);
void ac_add_dense(const char *module, int in);

void ac_resnet(const int blocks[4], bool bottleneck);
void ac_mobilenet_v2(void);

/* The network with the tensors as they are now. */
gh_status ac_build(gh_graph **g, const char *arch, gh_err *e);

/* Fails the test when there is none. */
const gh_node *ac_node(const gh_graph *g, const char *name);
/* Sides of a square window, and its padding: above and left, below and right. */
void ac_assert_window(const gh_graph *g, const char *name, int kernel, int stride, int before, int after,
                      int groups);

#endif
