/* What inspect says of a model that is made of others: a pipeline, or a head that stands on another's body.
 */
#ifndef GH_CLI_INSPECT_PARTS_H
#define GH_CLI_INSPECT_PARTS_H

#include "cli/options.h"
#include "engine/net.h"
#include "tasks/manifest.h"

#include <jansson.h>

/* True for a manifest without a network of its own. */
bool gh_has_parts(const gh_manifest *m, const char *network);
/* Loads all parts of the model in `folder`, and adds to `o` "parts", each with its work and memory, and what
 * they take together: the largest arena, since a worker has one, and the sum of the packed weights. */
GH_MUST_CHECK gh_status gh_describe_parts(json_t *o, const char *folder, const gh_opt_list *dirs, gh_err *e);
/* The same as lines of text. */
void gh_print_parts(const json_t *o);
/* Multiply-adds, steps, arena and packed weights, as "macs", "steps", "arena_bytes" and "packed_bytes". */
void gh_describe_cost(json_t *o, const gh_plan *plan, const gh_net *net);

#endif
