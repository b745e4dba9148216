/* A network's outputs to boxes. */
#ifndef GH_TASKS_DETECT_H
#define GH_TASKS_DETECT_H

#include "tasks/run.h"

/* True for a decoder that makes boxes. */
bool gh_detect_knows(gh_decoder decoder);
/* Which of a network's outputs the decoder reads: for each of its own the number of the network's output, or
 * -1. By the manifest's names, else by place. GH_FORMAT names an output that is missing. */
GH_MUST_CHECK gh_status gh_detect_roles(int roles[GH_DETECT_OUTPUTS], const gh_manifest *m, const gh_net *net,
                                        gh_err *e);
/* Checks types and shapes of those outputs (NULL = none) for the input `in`; GH_FORMAT says what is wrong. */
GH_MUST_CHECK gh_status gh_detect_check(const gh_tensor *const outputs[GH_DETECT_OUTPUTS],
                                        const gh_manifest *m, const gh_manifest_input *in, gh_err *e);
/* Fills r->objects, in pixels of the picture r->width * r->height that came to the network through `in`. */
GH_MUST_CHECK gh_status gh_detect_decode(gh_result *r, const gh_tensor *const outputs[GH_DETECT_OUTPUTS],
                                         const gh_manifest_input *in, const gh_run_options *options,
                                         gh_err *e);
/* Sorts as an answer is. */
void gh_detect_sort(gh_object *objects, size_t n, gh_sort sort);

#endif
