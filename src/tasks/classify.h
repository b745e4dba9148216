/* A network's output to labels. */
#ifndef GH_TASKS_CLASSIFY_H
#define GH_TASKS_CLASSIFY_H

#include "tasks/run.h"

/* Writes the best `options->top` labels with score >= threshold into r->labels, best first; ties by lower
 * index. `scores` is the network's output, one float32 a label. GH_INTERNAL when it is not finite. */
GH_MUST_CHECK gh_status gh_classify_decode(gh_result *r, const gh_tensor *scores,
                                           const gh_run_options *options, gh_err *e);
/* All scores in the order of the labels, as multiples of 1e-6 whose sum is 1 but for the decoder sigmoid;
 * *best is the largest, or -1 when the manifest's reject rule fires. `t`: the network's n outputs. */
GH_MUST_CHECK gh_status gh_classify_all(double *scores, int *best, const gh_manifest *m, const gh_tensor *t,
                                        size_t n, gh_err *e);

#endif
