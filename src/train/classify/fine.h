/* Training a classifier's graph by gradients: a whole network from scratch, or the last blocks of a
 * pretrained one behind the head that the frozen stage found. */
#ifndef GH_TRAIN_CLASSIFY_FINE_H
#define GH_TRAIN_CLASSIFY_FINE_H

#include "tasks/manifest.h"
#include "train/augment/augment.h"
#include "train/classify/validate.h"
#include "train/data/trainset.h"
#include "train/learn/learn.h"

/* What a user may set. */
typedef struct gh_fine_settings {
    const char *scratch; /* a net of nets_small.h, or NULL */
    int width, depth, side;
    bool grey;
    int unfreeze; /* last blocks that are learnt too; -1 = all; 0 = the body stays as it is */
    gh_augment augment;
    float smoothing, mixup; /* share; alpha of the Beta distribution, 0..1, 0 = none */
    double rate;            /* 0 = found by a trial; negative = what suits */
    int epochs, batch;      /* 0 = what suits */
    int patience;
    double seconds; /* 0 = no limit */
    bool resume;
    const char *folder; /* of history.csv, report.html and checkpoint, or NULL */
} gh_fine_settings;

typedef struct gh_fine_options {
    const gh_fine_settings *settings;
    const gh_trainset *set;
    const uint32_t
        *fold;       /* of each example: 0 = judged on, UINT32_MAX = learnt from unless of the test part */
    const bool *use; /* of each example, or NULL = all */
    const gh_manifest_input *input;
    gh_balance balance;
    uint64_t seed;
    const char *title;
    bool quiet;
    gh_pool *pool;
    volatile const bool *stop;
} gh_fine_options;

/* `g` has one input and scores (N x classes) as its first output. Afterwards it holds the weights of the best
 * epoch. GH_ARG: fewer blocks than are to be learnt, and how many there are. */
GH_MUST_CHECK gh_status gh_fine_tune(gh_learn_summary *out, gh_graph *g, const gh_fine_options *o, gh_err *e);
/* Scores (n x classes) of examples, as serving sees them. */
GH_MUST_CHECK gh_status gh_fine_scores(float *scores, const gh_graph *g, const gh_fine_options *o,
                                       const uint32_t *examples, size_t n, gh_err *e);

#endif
