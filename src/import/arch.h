/* Networks that we build ourselves, where a file brings weights only: a table from name to builder. */
#ifndef GH_IMPORT_ARCH_H
#define GH_IMPORT_ARCH_H

#include "engine/graph.h"
#include "import/params.h"

/* Variant of EfficientNet-Lite (Liu 2020): factors of channels and of blocks a stage, side of the input. */
typedef struct gh_efficientnet_args {
    double width, depth;
    int size;
} gh_efficientnet_args;

/* The network `arch` with the checkpoint's weights. GH_NOTFOUND lists the networks there are, GH_FORMAT all
 * tensors that are missing, of another shape or left over. */
GH_MUST_CHECK gh_status gh_arch_build(gh_graph **out, const char *arch, gh_torch *weights, gh_err *e);
/* The i-th name, or NULL at the end. */
const char *gh_arch_name(size_t i);

/* Builders add nodes to `g` and note in `p` what is missing. */
void gh_arch_efficientnet_lite(gh_graph *g, gh_params *p, const gh_efficientnet_args *args);
void gh_arch_retinaface(gh_graph *g, gh_params *p);

#endif
