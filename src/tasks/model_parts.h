/* Parts of opening a model that have files of their own; only model*.c, registry.c and the checks of the
 * tasks include this. */
#ifndef GH_TASKS_MODEL_PARTS_H
#define GH_TASKS_MODEL_PARTS_H

#include "tasks/registry.h"

/* Shape and type of output `at` of the network for a picture of width * height: what a plan says, whatever
 * the file declares. */
GH_MUST_CHECK gh_status gh_model_output(gh_tensor *out, gh_net *net, size_t at, int width, int height,
                                        gh_err *e);
/* The reject rule reads a second output: one number a picture, for an input of this shape. */
GH_MUST_CHECK gh_status gh_model_check_distance(gh_net *net, const gh_manifest *m, const gh_shape *input,
                                                gh_err *e);
/* A manifest for a bare .onnx file: named after the file, input 0..1 with centre crop at the size that the
 * network fixes, classes called by their numbers. GH_UNSUPPORTED when the network leaves size or classes
 * open. */
GH_MUST_CHECK gh_status gh_manifest_guess(gh_manifest **out, const char *path, gh_net *net, gh_err *e);

/* Runs the manifest's picture through the model. A model without one passes. */
GH_MUST_CHECK gh_status gh_model_selftest(gh_model *model, gh_err *e);
/* True for a folder with head.onnx and no model.onnx. */
bool gh_model_is_head(const char *folder);
/* A head whose body is looked for among the folders beside it, then below each of `dirs`. */
GH_MUST_CHECK gh_status gh_model_open_lone_head(gh_model **out, const char *folder, const char *const *dirs,
                                                size_t ndirs, bool selftest, gh_err *e);
/* Gives a new reference to the model of that name; used for the parts of pipelines. */
typedef gh_status (*gh_part_fn)(gh_model **out, const void *context, const char *name, gh_err *e);
/* A pipeline's folder; its parts come from `find`. */
GH_MUST_CHECK gh_status gh_model_open_pipeline(gh_model **out, const char *folder, gh_part_fn find,
                                               const void *context, bool selftest, gh_err *e);
/* The same with parts that are looked for among the folders beside it, then below each of `dirs`. */
GH_MUST_CHECK gh_status gh_model_open_lone_pipeline(gh_model **out, const char *folder,
                                                    const char *const *dirs, size_t ndirs, bool selftest,
                                                    gh_err *e);
/* Hash of size, time and inode of a model's files (a folder's, or the one file). */
gh_hash gh_model_stamp(const char *path);
/* True when the folder's manifest can be read and has that name. */
bool gh_model_is_called(const char *folder, const char *name);
/* Content hash of a folder's model.onnx, as a head's manifest names its body; false when it cannot be read.
 */
bool gh_model_file_hash(char text[GH_HASH_TEXT], const char *folder);

#endif
