/* Where a training run writes: the model's folder, and one beside it that keeps what a run by gradients needs
 * to go on. */
#ifndef GH_TRAIN_OUTPUT_PLACE_H
#define GH_TRAIN_OUTPUT_PLACE_H

#include "base/status.h"

/* The model's name, the last part of `out`, in a new string. GH_ARG when no model may have it, or when other
 * files than those that the patterns name stand in the folder's place. */
GH_MUST_CHECK gh_status gh_place_name(char **name, const char *out, const char *const *patterns, gh_err *e);
/* The run's folder of the model folder DIR/NAME, that is DIR/.NAME.run, in a new string. */
GH_MUST_CHECK gh_status gh_place_run(char **run, const char *out, const char *name, gh_err *e);
/* Copies the run's history.csv, and its report.html under the name `report`, into the folder that is being
 * staged, where there are such. */
GH_MUST_CHECK gh_status gh_place_keep(const char *run, const char *staged, const char *report, gh_err *e);

#endif
