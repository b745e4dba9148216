/* Honest scores: every picture is scored by a head that never saw it. */
#ifndef GH_TRAIN_CLASSIFY_VALIDATE_H
#define GH_TRAIN_CLASSIFY_VALIDATE_H

#include "train/data/balance.h"
#include "train/features/features.h"
#include "train/heads/head.h"
#include "train/metrics/metrics.h"

/* Everything that fitting needs, borrowed. Folds and parts go by example. */
typedef struct gh_task_data {
    const gh_trainset *set;
    const gh_features *features;
    const uint32_t
        *fold; /* of each example: the fold that holds it out; UINT32_MAX = trained on in every fold */
    uint32_t folds;
    const bool *use; /* examples that count at all; NULL = all */
    gh_balance balance;
    gh_fit_options fit;
} gh_task_data;

/* Held-out pictures, view 0 only, in the order of the examples. */
typedef struct gh_heldout {
    size_t n;
    uint32_t classes;
    uint32_t *example, *label, *fold;
    float *logits;   /* n * classes */
    float *distance; /* n: to the nearest class, or NULL */
} gh_heldout;

/* Rows of the examples for which keep(arg, example) holds, gathered: all views, or view 0 only. The caller
 * frees `x`, `label`, `votes` and `weight` of *out by gh_rows_free. */
GH_MUST_CHECK gh_status gh_rows_gather(gh_rows *out, const gh_task_data *d, const bool *keep, bool all_views,
                                       gh_err *e);
void gh_rows_free(gh_rows *rows);

/* Fits `type` once a fold and scores what the fold holds out. With `reject` distances are filled too. */
GH_MUST_CHECK gh_status gh_validate(gh_heldout **out, const gh_task_data *d, const gh_head_type *type,
                                    bool reject, gh_err *e);
void gh_heldout_free(gh_heldout **h);
/* Scores of n rows as logits: of a head that gives probabilities, their logarithms. */
GH_MUST_CHECK gh_status gh_head_logits(float *logits, const gh_head_type *type, const gh_head *head,
                                       const float *x, size_t n, uint32_t classes, gh_pool *pool, gh_err *e);
/* Least probability of a class before the logarithm is taken (a forest may give 0). */
#define GH_LEAST_PROBABILITY 1e-3f

#endif
