/* How well one mask of classes matches another: pixels in common, and how well the edges agree. */
#ifndef GH_TRAIN_METRICS_MASKSCORE_H
#define GH_TRAIN_METRICS_MASKSCORE_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* In the labelled mask: pixels that count nowhere. */
#define GH_MASK_IGNORED 255
/* Edges may be this share of the picture's diagonal apart (Csurka et al. 2013). */
#define GH_EDGE_TOLERANCE 0.0075

/* One class in one picture. Only pixels that are not ignored count. */
typedef struct gh_mask_part {
    int class;
    int64_t truth, found, both; /* pixels of the class: labelled, found, and the two at once */
    /* F1 of the edges. An edge is a pixel of the class beside (left, right, above, below) one that is not and
     * not ignored; it matches an edge of the other mask within the tolerance (Euclidean). 1 where neither
     * mask has an edge, 0 where only one has. */
    double edge;
} gh_mask_part;

/* The classes that either mask of width * height pixels has, rising; values are below GH_MASK_IGNORED, in the
 * labelled one also that. The array is the caller's. */
GH_MUST_CHECK gh_status gh_mask_score(gh_mask_part **out, size_t *count, const uint8_t *truth,
                                      const uint8_t *found, int width, int height, gh_err *e);

/* Over pictures. */
typedef struct gh_mask_class {
    int64_t truth, found, both;  /* pixels in all pictures together */
    size_t pictures;             /* that have the class in either mask */
    size_t labelled;             /* that have it in the labelled one */
    double iou;                  /* of all pixels together; 0 where the class never occurs */
    double mean_iou, median_iou; /* of the pictures' own, over `pictures` */
    double edge;                 /* mean over `labelled` */
} gh_mask_class;

typedef struct gh_mask_scores {
    gh_mask_class *classes; /* owned; one a class */
    size_t nclasses;
    size_t occurring;       /* classes in either mask of any picture */
    int64_t counted, right; /* pixels */
    double miou;            /* mean of `iou` over those that occur */
    double edge;            /* mean of `edge` over those that are labelled somewhere */
} gh_mask_scores;

/* The parts of one picture. */
typedef struct gh_mask_parts {
    const gh_mask_part *parts;
    size_t count;
} gh_mask_parts;

/* Classes of all parts are below `nclasses`. */
GH_MUST_CHECK gh_status gh_mask_add_up(gh_mask_scores *out, const gh_mask_parts *pictures, size_t count,
                                       size_t nclasses, gh_err *e);
void gh_mask_scores_free(gh_mask_scores *s);

#endif
