/* A training run on cached features, from a folder of pictures to a model folder. */
#ifndef GH_TRAIN_CLASSIFY_FIT_H
#define GH_TRAIN_CLASSIFY_FIT_H

#include "train/classify/fine.h"
#include "train/classify/validate.h"
#include "train/report/report.h"

typedef struct gh_train_options {
    const char *data, *body, *cut; /* cut may be NULL */
    const char *out;               /* model folder to write; its last part is the model's name */
    const char *head;              /* a head's name, or "auto" */
    gh_split part;                 /* learns from this part of the data alone; GH_SPLIT_NONE = all */
    const char *cache;             /* folder, or NULL */
    uint64_t cache_bytes;
    unsigned augment;
    gh_balance balance;
    uint32_t folds; /* of the cross-validation */
    uint64_t seed;
    bool strict, head_only, quiet, report;
    bool no_reject; /* no rule for pictures of none of the classes */
    float l2;
    int hidden, trees, neighbours, epochs;
    gh_fine_settings fine; /* of weights behind the head: unfreeze or scratch; folder is the run's own */
    gh_pool *pool;
    volatile const bool *stop;
} gh_train_options;

/* What the run found, for the command to print. */
typedef struct gh_train_summary {
    char head[16];
    gh_share accuracy;
    double macro_recall, ece_before, ece_after, temperature;
    bool tested;
    gh_share test;
    bool tuned;    /* the body was trained too */
    double before; /* accuracy of the head on the body as it was, on the same pictures; 0 = from scratch */
    uint32_t tuned_epochs, tuned_best;
    double tuned_rate;
    uint32_t pictures, classes, left_out;
    double seconds_features, seconds_total;
} gh_train_summary;

/* Trains, measures, exports and writes the folder all at once. GH_ARG, GH_FORMAT (data that cannot be learned
 * from: one class only, a class with one picture), GH_INTERRUPTED, GH_IO. */
GH_MUST_CHECK gh_status gh_train_classify(gh_train_summary *out, const gh_train_options *o, gh_err *e);

#endif
