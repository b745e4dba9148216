/* Parts of opening a model that have files of their own; nobody but model*.c includes this. */
#ifndef GH_TASKS_MODEL_PARTS_H
#define GH_TASKS_MODEL_PARTS_H

#include "engine/net.h"
#include "tasks/manifest.h"

/* Shape and type of the network's first output for a picture of width * height: what a plan says, whatever
 * the file declares. */
GH_MUST_CHECK gh_status gh_model_output(gh_shape *shape, gh_dtype *type, gh_net *net, int width, int height,
                                        gh_err *e);
/* A manifest for a bare .onnx file: named after the file, input 0..1 with centre crop at the size that the
 * network fixes, classes called by their numbers. GH_UNSUPPORTED when the network leaves size or classes
 * open. */
GH_MUST_CHECK gh_status gh_manifest_guess(gh_manifest **out, const char *path, gh_net *net, gh_err *e);

#endif
