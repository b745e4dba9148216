/* The second stage of a pipeline, and several models' boxes in one answer. */
#ifndef GH_TASKS_PIPELINE_H
#define GH_TASKS_PIPELINE_H

#include "tasks/run.h"

/* Most labels that a step's model may have: a reply names them all for each box. */
#define GH_MAX_STEP_LABELS 1024
/* Most scores of a picture. */
#define GH_MAX_FACTS 1000000

/* Runs the steps of r->model, a pipeline, on every box that r has; `image` is the picture as it was decoded.
 */
GH_MUST_CHECK gh_status gh_pipeline_run(gh_result *r, gh_worker *w, const gh_image *image,
                                        const gh_run_options *options, gh_err *e);
/* Writes probabilities as multiples of 1e-6 whose sum is 1 where theirs is. */
void gh_round_scores(double *scores, size_t n);

#endif
