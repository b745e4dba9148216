/* A network for inspect and bench: they take any ONNX file, also one that no task serves. */
#ifndef GH_CLI_NETWORK_H
#define GH_CLI_NETWORK_H

#include "cli/options.h"
#include "engine/net.h"
#include "tasks/manifest.h"

typedef struct gh_network {
    char *file;            /* the ONNX file */
    gh_manifest *manifest; /* NULL for a bare file */
    gh_net *net;
    gh_plan *plan;
    gh_size size;   /* of a picture, once loaded */
    gh_shape input; /* of the first input, once loaded: no side open */
} gh_network;

/* Finds the model's file and reads its manifest, if any. */
GH_MUST_CHECK gh_status gh_network_find(gh_network *out, const char *model, const gh_opt_list *dirs,
                                        gh_err *e);
/* Loads the net and builds a plan: open dimensions become 1, but height and width of a picture's input become
 * those of `size` ("WxH"), of the manifest, or 224. */
GH_MUST_CHECK gh_status gh_network_load(gh_network *n, const char *size, gh_err *e);
/* The plan of any net for one picture of this size, in the same way. */
GH_MUST_CHECK gh_status gh_plan_of_size(gh_plan **out, gh_net *net, gh_size size, gh_err *e);
void gh_network_free(gh_network *n);

#endif
