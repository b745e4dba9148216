/* Runs of training that tests of the loop begin, disturb and compare: a small network learns to tell lines
 * across, lines down and none in noise. Everything asserts on failure. Needs tiny_setup. */
#ifndef GH_TEST_LEARN_CASE_H
#define GH_TEST_LEARN_CASE_H

#include "train/learn/learn.h"

#include <stdbool.h>

enum {
    LC_SIDE = 8,
    LC_PIXELS = LC_SIDE * LC_SIDE,
    LC_CLASSES = 3,
    LC_SAMPLES = 50,
    LC_BATCH = 16,
    LC_JUDGED = 60
};

/* What a case does to a run. */
typedef struct lc_stripes {
    int losses, stop_at; /* calls of loss; the one that sets `stop` */
    int nan_at;          /* the call that gives no number */
    bool bad_sample, dull;
    int validations;
    volatile bool stop;
} lc_stripes;

typedef struct lc_run {
    lc_stripes s;
    gh_graph *g;
    gh_tape *t;
    gh_pool *pool;
    gh_learn_task task;
    gh_learn_options o;
    gh_learn_summary summary;
    gh_err e;
} lc_run;

/* The usual run, which options may change before lc_learn: four epochs of four steps, averaged weights, a
 * rising rate at first, its folder "run" of tiny_path. */
void lc_begin(lc_run *l, int threads);
gh_status lc_learn(lc_run *l);
void lc_end(lc_run *l);

/* What the task of such a run calls; `arg` is its lc_stripes. The metric of lc_validate is the share of
 * pictures that the served graph names right. */
gh_status lc_sample(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target, gh_err *e);
gh_status lc_loss(void *arg, gh_tape *t, const void *targets, double *out, gh_err *e);
gh_status lc_validate(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e);

/* Weights, then statistics, as the graph's constants hold them; the caller frees them. */
float *lc_constants(const lc_run *l, size_t *bytes);
/* The run ended with the very bytes that an undisturbed one of one thread ends with. */
void lc_check_same(const lc_run *l);
/* Appends a file of the run's folder, and a zero. */
void lc_read(gh_buf *b, const char *name);

#endif
