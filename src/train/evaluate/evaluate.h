/* A model over labelled pictures, on several threads. */
#ifndef GH_TRAIN_EVALUATE_EVALUATE_H
#define GH_TRAIN_EVALUATE_EVALUATE_H

#include "train/data/dataset.h"
#include "train/evaluate/sweep.h"

/* What became of one picture. */
typedef struct gh_outcome {
    int truth;     /* class index */
    int predicted; /* best class; -1 when there is none */
    int rank;      /* place of the truth among the best five, from 0; -1 = not there */
    float score;   /* of the predicted class */
    bool failed;   /* the picture could not be read or run */
    char *error;   /* why it failed; owned */
} gh_outcome;

typedef struct gh_evaluation {
    gh_outcome *outcomes; /* one a sample, in their order */
    size_t count, failed; /* pictures in all; those that could not be read */
    size_t top1, top5;    /* right among the rest */
    size_t nclasses;
    size_t *class_count, *class_right; /* one a class of the model: pictures read; right ones */
    double seconds;
} gh_evaluation;

/* The same text, but for case and _ - or space. */
bool gh_class_same(const char *a, const char *b);
/* The model's class that a data set means by `label`: the same text, the same but for case and _ - or space,
 * or the class's number. -1 when there is none. */
int gh_class_find(const gh_manifest *m, const char *label);
/* Runs every sample. `progress` (may be NULL) is called by one thread at a time. A picture that fails is
 * counted and the run goes on. GH_ARG names the first label that the model does not have. */
GH_MUST_CHECK gh_status gh_evaluate(gh_evaluation **out, gh_model *model, const gh_sample *samples,
                                    size_t count, int threads, gh_sweep_progress progress, void *arg,
                                    gh_err *e);
void gh_evaluation_free(gh_evaluation **ev);
/* Mean recall over the classes that occur; 0 when none does. */
double gh_mean_recall(const gh_evaluation *ev);

#endif
