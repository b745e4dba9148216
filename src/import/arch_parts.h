/* What the networks of the table are made of. Only arch_*.c include this. */
#ifndef GH_IMPORT_ARCH_PARTS_H
#define GH_IMPORT_ARCH_PARTS_H

#include "import/arch.h"

/* A square convolution and what its batch normalisation needs. */
typedef struct gh_arch_conv {
    int in, out, kernel, stride, groups;
    int before, after; /* padding in pixels: above and left, below and right */
    double eps;
} gh_arch_conv;

/* Conv under `name`, from the checkpoint's modules `conv` and `bn`, folded into one. */
uint32_t gh_arch_add_conv(gh_graph *g, gh_params *p, uint32_t in, const char *name, const char *conv,
                          const char *bn, const gh_arch_conv *c);
/* Global pooling ("pool"), "features" and the dense layer "logits" from `module`; as many classes as the
 * checkpoint has. */
uint32_t gh_arch_add_classifier(gh_graph *g, gh_params *p, uint32_t in, const char *module, int channels);

/* The two constants of a network's ReLU6. */
typedef struct gh_arch_relu6 {
    uint32_t zero, six;
} gh_arch_relu6;

gh_arch_relu6 gh_arch_relu6_limits(gh_graph *g);
/* Clip to 0..6. */
uint32_t gh_arch_add_relu6(gh_graph *g, uint32_t in, const char *name, gh_arch_relu6 limits);

#endif
