/* Mean and spread of each feature over weighted rows: standardised features are (x - mean) * inverse. */
#ifndef GH_TRAIN_HEADS_STANDARD_H
#define GH_TRAIN_HEADS_STANDARD_H

#include "train/heads/head.h"

typedef struct gh_standard {
    size_t width;
    float *mean;
    float *inverse; /* 1 / standard deviation; 0 for a feature that does not vary, so that it counts for
                       nothing */
} gh_standard;

/* By the weights of the rows, where they have any. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_standard_of(gh_standard *out, const gh_rows *rows, gh_pool *pool, gh_err *e);
void gh_standard_free(gh_standard *s);

#endif
