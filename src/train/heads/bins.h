/* Features as ranks: each feature's values cut into at most 256 bins of about equal counts, column by column.
 * Equal values share a bin; bins rise with the values. */
#ifndef GH_TRAIN_HEADS_BINS_H
#define GH_TRAIN_HEADS_BINS_H

#include "train/heads/head.h"

typedef struct gh_bins {
    size_t n, width;
    uint8_t *bin; /* [width][n] */
} gh_bins;

/* Bins of all rows; the same for any number of threads. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_bins_of(gh_bins *out, const gh_rows *rows, gh_pool *pool, gh_err *e);
void gh_bins_free(gh_bins *b);

#endif
