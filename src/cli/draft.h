/* A manifest to start from, for a network that nobody has described yet: what its shapes and its first and
 * last layers tell, and in `notes` what was guessed. */
#ifndef GH_CLI_DRAFT_H
#define GH_CLI_DRAFT_H

#include "cli/network.h"

#include <jansson.h>

typedef struct gh_draft {
    json_t *manifest;
    json_t *notes; /* sentences, what to check first */
} gh_draft;

/* `producer` as the file names it, or NULL. The network must be loaded. GH_UNSUPPORTED says why no task of
 * gharial fits; notes stand in *out even then. */
GH_MUST_CHECK gh_status gh_draft_make(gh_draft *out, const gh_network *n, const char *producer, gh_err *e);
void gh_draft_free(gh_draft *d);
void gh_draft_note(gh_draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The key `input`, from the network's first layers (draft_input.c). */
json_t *gh_draft_input(gh_draft *d, const gh_network *n, const char *producer, gh_task task);

#endif
