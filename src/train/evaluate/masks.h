/* A model of task segment over pictures with a labelled mask each. */
#ifndef GH_TRAIN_EVALUATE_MASKS_H
#define GH_TRAIN_EVALUATE_MASKS_H

#include "train/data/maskset.h"
#include "train/evaluate/sweep.h"

/* What became of one picture. */
typedef struct gh_masks_outcome {
    gh_mask_part *parts; /* owned; classes are the model's */
    size_t count;
    char *error; /* why it failed, or NULL; owned */
} gh_masks_outcome;

typedef struct gh_masks_evaluation {
    gh_masks_outcome *outcomes; /* one a picture of the set */
    size_t count, failed;
    gh_mask_scores scores;              /* of the model's classes, over the pictures that were read */
    bool known[GH_MAX_MASKSET_CLASSES]; /* a class of the set: the model has a label of this name */
    const char *rest,
        *rest_as; /* two names that were taken for one class: of the set, of the model; or NULL */
    double seconds;
} gh_masks_evaluation;

/* Every picture of the set at its upright size. Classes are matched by name (of two and two, those left over
 * too), by number where the set has no names; pixels of a class that the model does not know count nowhere.
 * `threshold` 0 = the model's. A picture that fails is counted and the run goes on. GH_ARG when the model and
 * the set have no class in common. */
GH_MUST_CHECK gh_status gh_evaluate_masks(gh_masks_evaluation **out, gh_model *model, const gh_maskset *set,
                                          double threshold, int threads, gh_sweep_progress progress,
                                          void *arg, gh_err *e);
void gh_masks_evaluation_free(gh_masks_evaluation **ev);

#endif
