/* A model over many pictures, on several threads: each has a worker and takes the next picture that nobody
 * has taken. */
#ifndef GH_TRAIN_EVALUATE_SWEEP_H
#define GH_TRAIN_EVALUATE_SWEEP_H

#include "tasks/run.h"

typedef void (*gh_sweep_progress)(void *arg, size_t done);

typedef struct gh_sweep {
    size_t count; /* pictures */
    int threads;  /* 0 = as many as there are cores */
    /* Does picture i, with a worker that is its own for the time; called by several threads at once. */
    void (*each)(void *arg, gh_worker *worker, size_t i);
    void *arg;
    gh_sweep_progress progress; /* may be NULL; called by one thread at a time */
    void *progress_arg;
} gh_sweep;

/* Does them all; *seconds receives how long that took. */
GH_MUST_CHECK gh_status gh_sweep_run(double *seconds, const gh_sweep *sweep, gh_err *e);
/* The model on a file: what `each` does for most. */
GH_MUST_CHECK gh_status gh_sweep_file(gh_result **out, gh_worker *worker, gh_model *model, const char *path,
                                      const gh_run_options *options, gh_err *e);

#endif
