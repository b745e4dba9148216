/* Networks that we build ourselves, where a file brings weights only: a table from name to builder. */
#ifndef GH_IMPORT_ARCH_H
#define GH_IMPORT_ARCH_H

#include "engine/graph.h"
#include "import/params.h"
#include "import/torch.h"

/* What a family needs to know of its member; zero where it does not ask. */
typedef struct gh_arch_args {
    double width, depth; /* EfficientNet-Lite: factors of channels and of blocks a stage */
    int size;            /* of the input; 0: any */
    int blocks[4];       /* ResNet: of each stage */
    bool bottleneck;
} gh_arch_args;

/* The network `arch` with the checkpoint's weights. GH_NOTFOUND lists the networks there are, GH_FORMAT all
 * tensors that are missing, of another shape or left over. */
GH_MUST_CHECK gh_status gh_arch_build(gh_graph **out, const char *arch, gh_weights *weights, gh_err *e);
/* The same with the weights of a PyTorch checkpoint. */
GH_MUST_CHECK gh_status gh_arch_build_torch(gh_graph **out, const char *arch, const gh_torch *t, gh_err *e);
/* The i-th name, or NULL at the end. */
const char *gh_arch_name(size_t i);

/* Builders add nodes to `g` and note in `p` what is missing. */
typedef void gh_arch_builder(gh_graph *g, gh_params *p, const gh_arch_args *args);
gh_arch_builder gh_arch_efficientnet_lite, gh_arch_mobilenet_v2, gh_arch_resnet, gh_arch_retinaface,
    gh_arch_face_expression;

#endif
