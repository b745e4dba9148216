/* Where labels go: near their box, within the picture, off what has been placed before. */
#ifndef GH_TASKS_ANNOTATE_PLACE_H
#define GH_TASKS_ANNOTATE_PLACE_H

#include "tasks/run.h"

/* Objects with labels, the first of a result; the others get a box alone. Bounds the time, which grows with
 * the square. */
#define GH_MOST_LABELS 256

typedef struct gh_places {
    double width, height; /* of the picture */
    gh_rect taken[2 * GH_MOST_LABELS];
    int count;
} gh_places;

/* Finds the best of a few places for w * h pixels around the box (`beside`: first to its right and left, else
 * first above and below), shifted into the picture. False when it fits nowhere: a label may hide a fifth of
 * itself behind what is placed already, and what stands beside a box hides nearly nothing, no object either.
 * The place that is found counts as taken. */
bool gh_place(gh_rect *out, gh_places *p, const gh_result *r, const gh_object *o, double w, double h,
              bool beside);

#endif
