/* Scores of a classifier on labelled pictures, with the doubt that belongs to them. */
#ifndef GH_TRAIN_METRICS_METRICS_H
#define GH_TRAIN_METRICS_METRICS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct gh_interval {
    double low, high; /* 0..1 */
} gh_interval;

/* 95 % interval of a share of `right` out of `count` (Wilson, 1927, without continuity correction); 0..1 for
 * count 0. */
gh_interval gh_wilson(size_t right, size_t count);

/* 95 % interval of the mean of the shares right[i] / count[i], without those of count 0: each share's Wilson
 * interval, their half-widths added as squares (Zou, Huang and Zhang 2009); 0..1 when all counts are 0. */
gh_interval gh_mean_interval(const size_t *right, const size_t *count, size_t n);

/* A share with its 95 % interval. */
typedef struct gh_share {
    uint64_t right, count;
    double value;
    gh_interval interval;
} gh_share;

typedef struct gh_class_metrics {
    uint64_t support, predicted, right;
    double precision, recall, f1; /* 0 where undefined */
} gh_class_metrics;

#define GH_CALIBRATION_BINS 15
/* With more classes the confusion matrix, square in their number, is left out. */
#define GH_MOST_CONFUSED 4096

typedef struct gh_metrics {
    uint32_t classes;
    uint64_t n;
    gh_share top1, top5;
    double macro_recall, macro_f1, nll;
    double ece;           /* expected calibration error, GH_CALIBRATION_BINS equal bins (Guo et al. 2017) */
    gh_class_metrics *of; /* one a class */
    uint64_t *confusion;  /* [true][predicted], or NULL */
    struct {
        uint64_t n;
        double confidence, accuracy; /* means */
    } bin[GH_CALIBRATION_BINS];
} gh_metrics;

/* From probabilities (n x classes, row-major) and labels. Macro means are over classes that have rows.
 * GH_ARG, GH_FORMAT (no probability), GH_NOMEM. */
GH_MUST_CHECK gh_status gh_metrics_of(gh_metrics **out, const float *probabilities, const uint32_t *labels,
                                      size_t n, uint32_t classes, gh_err *e);
void gh_metrics_free(gh_metrics **m);

/* Temperature that minimises the mean negative log-likelihood of softmax(logits / T) (Guo et al. 2017),
 * within 0.05 to 20; 1 for no rows. */
double gh_temperature(const float *logits, const uint32_t *labels, size_t n, uint32_t classes);
/* Turns logits into probabilities of softmax(logits / temperature), in place. */
void gh_softmax_rows(float *scores, size_t n, uint32_t classes, double temperature);

#endif
