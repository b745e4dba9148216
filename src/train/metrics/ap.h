/* How well found boxes match labelled ones: average precision as COCO counts it (Lin et al. 2014; precision
 * made monotone, then read at 101 recalls), and recall at a fixed number of false alarms. */
#ifndef GH_TRAIN_METRICS_AP_H
#define GH_TRAIN_METRICS_AP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Overlaps (IoU) from which a box counts as found: 0.3, then 0.5, 0.55, ... 0.95. */
#define GH_AP_OVERLAPS 11
enum { GH_AP_30, GH_AP_50 }; /* places of 0.3 and 0.5 */
/* False alarms in the whole set at which recall is told: 0, 10, 50. */
#define GH_AP_ALARMS 3

typedef struct gh_ap_rect {
    double x, y, w, h; /* pixels */
} gh_ap_rect;

/* A labelled box. What is found on one that is ignored counts neither as right nor as wrong; on a crowd any
 * number may be found, and the overlap is the share of the found box that lies in it. */
typedef struct gh_ap_truth {
    uint32_t picture, category;
    gh_ap_rect box;
    bool crowd, ignored;
} gh_ap_truth;

typedef struct gh_ap_found {
    uint32_t picture, category;
    double score;
    gh_ap_rect box;
} gh_ap_found;

/* At one overlap. */
typedef struct gh_ap_at {
    double ap;                   /* 0..1; of classes without a labelled box 0 */
    double recall[GH_AP_ALARMS]; /* the most before one false alarm more */
    size_t right, wrong;         /* boxes with at least the score `cut` */
} gh_ap_at;

typedef struct gh_ap_class {
    size_t truths; /* labelled boxes that count */
    size_t found;  /* boxes that were looked at */
    double ap;     /* mean over the overlaps from 0.5 on */
    gh_ap_at at[GH_AP_OVERLAPS];
} gh_ap_class;

typedef struct gh_ap_options {
    size_t categories;
    size_t limit; /* boxes that are looked at, a picture and class, the best ones; COCO takes 100 */
    double cut;   /* the score for right and wrong */
} gh_ap_options;

/* The i-th of GH_AP_OVERLAPS overlaps, and of GH_AP_ALARMS numbers of false alarms. */
double gh_ap_overlap(int i);
int gh_ap_alarms(int i);
/* Fills classes[0 .. categories - 1], and classes[categories] for all together: AP is the mean over the
 * classes that have labelled boxes, the rest counts all boxes as of one class. Scores are finite. */
GH_MUST_CHECK gh_status gh_ap_measure(gh_ap_class *classes, const gh_ap_truth *truths, size_t ntruths,
                                      const gh_ap_found *found, size_t nfound, const gh_ap_options *options,
                                      gh_err *e);

#endif
