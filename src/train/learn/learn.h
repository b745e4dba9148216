/* The loop of training by gradients: epochs of batches through a tape, validated each on the graph that would
 * be served, checkpointed, and told about. The same seed gives the same bytes, with any number of threads and
 * however often the run was stopped and resumed. */
#ifndef GH_TRAIN_LEARN_LEARN_H
#define GH_TRAIN_LEARN_LEARN_H

#include "base/buf.h"
#include "base/json.h"
#include "base/rng.h"
#include "train/learn/optim.h"
#include "train/tape/tape.h"

/* What is learnt. Calls get `arg`; those that may be NULL say so. */
typedef struct gh_learn_task {
    void *arg;
    uint32_t samples;    /* of an epoch, at least 1 */
    size_t target_bytes; /* of one sample */
    /* Prepares sample `index` of this epoch: its part of each tape input, and its target (zeroed before).
     * Called from pool threads; random only by rng, which follows from seed, epoch and index. */
    gh_status (*sample)(void *arg, uint32_t index, gh_rng *rng, float *const *inputs, void *target,
                        gh_err *e);
    /* Changes a whole batch before it is learnt from (mixed pictures); or NULL. */
    gh_status (*mix)(void *arg, gh_tape *t, void *targets, gh_rng *rng, gh_err *e);
    /* Fills the gradients of the tape's outputs. */
    gh_status (*loss)(void *arg, gh_tape *t, const void *targets, double *loss, gh_err *e);
    /* Judges `g`, which holds the weights (averaged ones where there are): *metric, higher is better, and, if
     * it likes, a JSON object of details. NULL: the loss decides. */
    gh_status (*validate)(void *arg, const gh_graph *g, double *metric, gh_buf *details, gh_err *e);
    const char *metric_name; /* "mIoU" */
    /* The network knows the task already: it is judged before the first step too, and where no epoch is
     * better it comes back as it was. */
    bool trained;
    /* Appends HTML: a sheet of validation pictures for the report, as `g` answers them; or NULL. */
    gh_status (*draw)(void *arg, const gh_graph *g, gh_buf *html, gh_err *e);
    /* A tensor's own rate, times that of the step; or NULL = 1. */
    float (*rate_of)(void *arg, const gh_tape_param *p);
    uint64_t mark; /* of data and options that a checkpoint must agree with (a hash), or 0 */
} gh_learn_task;

typedef struct gh_learn_options {
    const gh_shape *inputs; /* as the tape was made with: batch first */
    gh_optim_options optim;
    gh_schedule_kind schedule;
    double rate;               /* the highest; 0 = found by a trial on a copy of the weights */
    double last;               /* share of it that is left at the end */
    double warmup;             /* epochs */
    uint32_t epochs, patience; /* patience: ends after as many epochs without a better metric; 0 = never */
    uint64_t seed;
    double seconds;     /* no epoch begins after as many; 0 = no limit */
    const char *folder; /* of history.csv, report.html and checkpoint; made where missing; NULL = none */
    const char *title;  /* of the report */
    bool resume;        /* from the folder's checkpoint, where there is one */
    bool quiet;
    gh_pool *pool;
    volatile const bool *stop; /* ends the run within a step or two: GH_INTERRUPTED, the checkpoint stays */
} gh_learn_options;

typedef struct gh_learn_summary {
    uint32_t epochs, best_epoch; /* run, and the one whose weights stay; 1 = the first, 0 = those of before */
    double metric, loss;         /* of the best epoch */
    double rate, seconds;        /* the highest rate; of all parts of the run */
    bool early;                  /* patience ended it */
    gh_buf details;              /* of the best epoch, owned by the caller; empty where there are none */
} gh_learn_summary;

/* For `validate`: appends the object, which it takes over (NULL: memory was short), to the details. */
GH_MUST_CHECK gh_status gh_learn_details(gh_buf *details, json_t *scores, gh_err *e);

/* Files of a run's folder, ended by NULL. */
extern const char *const gh_learn_files[];

/* Afterwards tape and graph hold the best weights. GH_FORMAT with step, layer and advice when the numbers run
 * away; GH_ARG when a checkpoint belongs to another run; GH_INTERRUPTED. `out` is written on success. */
GH_MUST_CHECK gh_status gh_learn(gh_learn_summary *out, gh_graph *g, gh_tape *t, const gh_learn_task *task,
                                 const gh_learn_options *o, gh_err *e);

#endif
