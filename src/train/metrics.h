/* Figures that say how good a model is. */
#ifndef GH_TRAIN_METRICS_H
#define GH_TRAIN_METRICS_H

#include <stddef.h>

typedef struct gh_interval {
    double low, high; /* 0..1 */
} gh_interval;

/* 95 % interval of a share of `right` out of `count` (Wilson, 1927, without continuity correction); 0..1 for
 * count 0. */
gh_interval gh_wilson(size_t right, size_t count);

#endif
