/* Parts of opening a model that have files of their own; nobody but model*.c includes this. */
#ifndef GH_TASKS_MODEL_PARTS_H
#define GH_TASKS_MODEL_PARTS_H

#include "engine/net.h"
#include "tasks/manifest.h"

/* A manifest for a bare .onnx file: named after the file, input 0..1 with centre crop at the size that the
 * network fixes, classes called by their numbers. GH_UNSUPPORTED when the network leaves size or classes
 * open. */
GH_MUST_CHECK gh_status gh_manifest_guess(gh_manifest **out, const char *path, const gh_net *net, gh_err *e);

#endif
