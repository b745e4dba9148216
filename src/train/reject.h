/* The reject rule: how far a picture's features lie from every class, and the distance beyond which it is
 * "unknown". It is part of the exported network (a second output), so that every runtime can apply it. */
#ifndef GH_TRAIN_REJECT_H
#define GH_TRAIN_REJECT_H

#include "train/head.h"

typedef struct gh_reject gh_reject;

/* Fits what the distance needs on training rows. */
GH_MUST_CHECK gh_status gh_reject_fit(gh_reject **out, const gh_rows *rows, gh_err *e);
void gh_reject_free(gh_reject **r);
/* Distance (>= 0) of each of n feature rows to its nearest class. */
GH_MUST_CHECK gh_status gh_reject_distance(float *distance, const gh_reject *r, const float *x, size_t n,
                                           gh_err *e);
/* The distance that a share `rate` (0.05) of the given held-out distances exceed. */
float gh_reject_threshold(const float *distance, size_t n, double rate);
/* Appends nodes for the distance (N) of value `features` (N x width); gives that value. */
uint32_t gh_reject_export(gh_graph *g, const gh_reject *r, uint32_t features);

#endif
