/* One run of gradient training; shared by the files learn*.c only. */
#ifndef GH_TRAIN_LEARN_PARTS_H
#define GH_TRAIN_LEARN_PARTS_H

#include "base/cpu.h"
#include "base/hash.h"
#include "train/learn/learn.h"

enum {
    GH_LEARN_MOST_EPOCHS = 2000,
    GH_LEARN_TRIALS = 100,         /* rates that the finder tries */
    GH_LEARN_MOST_DETAILS = 65536, /* bytes of a validation's details */
};

typedef struct gh_learn_epoch {
    double loss, metric, rate, norm; /* means over the epoch; of the step's highest rate */
    double seconds, validation;      /* of all, and of the validation in it */
} gh_learn_epoch;

/* What goes on in a checkpoint as it stands, beside vectors. */
typedef struct gh_learn_state {
    uint64_t step;
    uint32_t epoch, best_epoch;   /* epochs done */
    double rate, best, best_loss; /* the highest rate; metric and loss of the best epoch */
    double seconds;               /* of earlier parts of the run */
    uint32_t trials, details;     /* tried rates; bytes of the best epoch's details */
    uint64_t started;             /* 1: `start` is the metric of before the first step */
    double start;
    double trial_rate[GH_LEARN_TRIALS], trial_loss[GH_LEARN_TRIALS]; /* smoothed */
} gh_learn_state;

typedef struct gh_learn_run {
    gh_graph *graph;
    gh_tape *tape;
    const gh_learn_task *task;
    const gh_learn_options *o;
    gh_err *e;
    uint32_t batch, steps; /* steps of an epoch */
    uint32_t ninputs;
    size_t *input_floats; /* of one sample */
    size_t count, nstate; /* floats of the tape's vectors */
    gh_optim *optim;
    gh_learn_state state;
    gh_learn_epoch *history; /* GH_LEARN_MOST_EPOCHS of them */
    char *details;           /* of the best epoch, GH_LEARN_MOST_DETAILS bytes */
    float *best;             /* weights, then statistics, of the best epoch */
    float *average;          /* of the statistics, or NULL */
    float *kept;             /* room for weights and statistics while others are in the tape */
    uint32_t *order;         /* of this epoch's samples */
    uint8_t *targets;        /* of a batch */
    gh_status *statuses;     /* of a batch's samples */
    gh_err *errors;
    gh_buf sheet; /* HTML of the newest validation pictures */
    uint64_t start_ns, shown_ns;
    uint64_t steps_here; /* done by this process */
    bool terminal, drawn, done;
    char *path[3]; /* of gh_learn_files, or NULL */
} gh_learn_run;

/* That the run has taken, all its parts together. */
static inline double gh_learn_seconds(const gh_learn_run *r)
{
    return r->state.seconds + (double)(gh_now_ns() - r->start_ns) / 1e9;
}

static inline bool gh_learn_stopped(const gh_learn_run *r)
{
    return r->o->stop && *r->o->stop;
}

/* learn.c. An optimiser of the tape's vectors. */
GH_MUST_CHECK gh_status gh_learn_optim(gh_optim **out, const gh_learn_run *r, bool average);

/* batch.c. The order of an epoch; step `step` of it prepared in the tape and r->targets; the
 * loss of what is prepared, and its gradient in the tape. */
void gh_learn_shuffle(gh_learn_run *r, uint64_t epoch);
GH_MUST_CHECK gh_status gh_learn_batch(gh_learn_run *r, uint64_t epoch, uint32_t step);
GH_MUST_CHECK gh_status gh_learn_gradient(gh_learn_run *r, double *loss);
/* GH_FORMAT with the step, the layer and advice. */
gh_status gh_learn_ran_away(gh_learn_run *r, uint32_t step, double loss);

/* find.c. Sets state.rate by a trial; weights and statistics are as before. */
GH_MUST_CHECK gh_status gh_learn_find_rate(gh_learn_run *r);
/* The rate that a curve of smoothed losses advises. */
double gh_learn_choose_rate(const double *rates, const double *losses, size_t n);

/* save.c. What the options ask for, in the folder; nothing without one. */
GH_MUST_CHECK gh_status gh_learn_open_folder(gh_learn_run *r);
GH_MUST_CHECK gh_status gh_learn_save(gh_learn_run *r);
/* GH_NOTFOUND: nothing to resume from. */
GH_MUST_CHECK gh_status gh_learn_load(gh_learn_run *r);
GH_MUST_CHECK gh_status gh_learn_write_history(gh_learn_run *r);

/* show.c. */
void gh_learn_show_step(gh_learn_run *r, uint32_t step, double loss, double rate);
void gh_learn_show_epoch(gh_learn_run *r);
void gh_learn_say(gh_learn_run *r, const char *text);

/* charts.c. A line over an axis: y[n] against x[n], ascending. */
typedef struct gh_learn_chart {
    const char *title, *x_name, *y_name; /* y_name may be NULL */
    const double *x, *y;
    size_t n;
    bool log_x;
    double mark; /* an x that is marked; 0 = none */
} gh_learn_chart;

void gh_learn_put_chart(gh_buf *out, const gh_learn_chart *c);

/* report.c. The page, written to the folder. */
GH_MUST_CHECK gh_status gh_learn_write_report(gh_learn_run *r);

#endif
