/* Parts of a model folder that all tasks of training write alike. */
#ifndef GH_TRAIN_OUTPUT_MODEL_FOLDER_H
#define GH_TRAIN_OUTPUT_MODEL_FOLDER_H

#include "tasks/manifest.h"

#include <jansson.h>

/* Largest picture that is copied for a self-test. */
#define GH_MAX_SELFTEST_BYTES ((size_t)8 << 20)

/* The key "labels"; NULL when a name is no UTF-8 text, or memory is short. */
json_t *gh_folder_labels(const char *const *classes, uint32_t count);
/* The key "input"; NULL when memory is short. */
json_t *gh_folder_input(const gh_manifest_input *in);
/* The key "source": the trainer, and where the body comes from (NULL: there was none). */
json_t *gh_folder_source(const gh_manifest *body);
/* Writes model.json. */
GH_MUST_CHECK gh_status gh_folder_manifest(const json_t *manifest, const char *folder, gh_err *e);
/* Copies the picture, adds the answer that the written model gives to the manifest as its self-test, and
 * writes it anew. */
GH_MUST_CHECK gh_status gh_folder_selftest(json_t *manifest, const char *folder, const char *picture,
                                           gh_err *e);

#endif
