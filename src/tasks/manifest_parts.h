/* Parts of reading a manifest that have files of their own; nobody but manifest*.c includes this. */
#ifndef GH_TASKS_MANIFEST_PARTS_H
#define GH_TASKS_MANIFEST_PARTS_H

#include "tasks/keys.h"
#include "tasks/manifest.h"

/* Readers of keys that hold lists; `out` is the gh_manifest (gh_manifest_sizes: its gh_manifest_input). */
gh_status gh_manifest_labels(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e);
gh_status gh_manifest_colours(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e);
gh_status gh_manifest_output(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e);
gh_status gh_manifest_sizes(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e);
gh_status gh_manifest_pipeline(void *out, const json_t *v, const char *name, gh_keys_reader *r, gh_err *e);

/* Makes m->json, the form that is served: no paths, labels inline. */
GH_MUST_CHECK gh_status gh_manifest_served(gh_manifest *m, const json_t *root, gh_err *e);

#endif
