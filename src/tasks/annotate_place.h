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

/* What is placed. A label first looks for room above and below its box, bars to its right and left. */
typedef enum gh_placing {
    GH_PLACE_LABEL, /* a fifth of it may lie on labels, all of it on objects */
    GH_PLACE_CLEAR, /* nearly nothing of it on labels, an eighth on other objects */
    GH_PLACE_BARS,  /* nearly nothing of it on labels or objects */
} gh_placing;

/* Finds the best of a few places for w * h pixels around the box, shifted into the picture, and takes it.
 * False when it fits nowhere. */
bool gh_place(gh_rect *out, gh_places *p, const gh_result *r, const gh_object *o, double w, double h,
              gh_placing what);

#endif
