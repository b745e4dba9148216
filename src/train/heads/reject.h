/* The reject rule: how far a picture's features lie from every class, and the distance beyond which it is
 * "unknown". It is part of the exported network (a second output), so that every runtime can apply it. */
#ifndef GH_TRAIN_HEADS_REJECT_H
#define GH_TRAIN_HEADS_REJECT_H

#include "train/heads/head.h"

typedef struct gh_reject gh_reject;

/* Fits what the distance needs on training rows: as gh_head_type.fit. */
GH_MUST_CHECK gh_status gh_reject_fit(gh_reject **out, const gh_rows *rows, gh_err *e);
void gh_reject_free(gh_reject **r);
/* Distance of each of n feature rows to its nearest class: 1 - cosine, 0 to 2. */
GH_MUST_CHECK gh_status gh_reject_distance(float *distance, const gh_reject *r, const float *x, size_t n,
                                           gh_err *e);
/* A threshold that no distance exceeds. */
#define GH_NEVER_REJECT 4.0f
/* The least of the given held-out distances that at most a share `rate` (0.05) of them exceed;
 * GH_NEVER_REJECT when there are none (or no memory to sort them). */
float gh_reject_threshold(const float *distance, size_t n, double rate);
/* Appends nodes for the distance (N) of value `features` (N x width); gives that value. */
uint32_t gh_reject_export(gh_graph *g, const gh_reject *r, uint32_t features);

#endif
