/* What a training run found out, for a person: report.json and report.html (one file, works offline, inline
 * SVG). */
#ifndef GH_TRAIN_REPORT_REPORT_H
#define GH_TRAIN_REPORT_REPORT_H

#include "train/data/trainset.h"
#include "train/metrics/metrics.h"

/* One point of the learning curve: accuracy when trained on `pictures` of them. */
typedef struct gh_curve_point {
    uint32_t pictures;
    double accuracy, low, high; /* 0..1, 95 % */
} gh_curve_point;

/* A picture that was labelled wrong on held-out data. */
typedef struct gh_mistake {
    uint32_t example; /* in the trainset */
    uint32_t predicted;
    float score; /* of the wrong class, 0..1 */
} gh_mistake;

/* A candidate of --head auto (or the one head asked for). */
typedef struct gh_candidate {
    const char *head;
    gh_share accuracy; /* cross-validated */
    double macro_recall, nll, seconds;
} gh_candidate;

/* Everything is borrowed. */
typedef struct gh_report {
    const char *name, *head, *body, *cut, *license, *data, *version, *balance, *augment;
    const gh_trainset *set;
    bool trained; /* the body was trained too, or is fresh */
    uint64_t seed;
    uint32_t folds;            /* of the cross-validation; 0 = scored on a split of the data's own */
    uint32_t failed, width;    /* pictures left out; features a picture */
    char *const *problems;     /* ended by NULL; may be NULL */
    const gh_metrics *metrics; /* calibrated, on held-out pictures (all folds together) */
    const gh_metrics *test;    /* on the data's own test part, or NULL */
    double temperature, ece_before;
    double reject_threshold,
        reject_rate; /* distance beyond which it is unknown; share of held-out pictures beyond */
    const gh_candidate *candidates;
    size_t ncandidates;
    const gh_curve_point *curve;
    size_t ncurve;
    const gh_mistake *mistakes; /* worst first: most sure of the wrong class */
    size_t nmistakes;
    const float *importances; /* width of them, of a forest; NULL = `details` may list the most used */
    const char *details;      /* JSON object of the head's describe(), or NULL */
    double seconds_features, seconds_fit, seconds_total;
} gh_report;

/* Writes `folder`/report.json and `folder`/report.html, each all or nothing. Thumbnails of the first twelve
 * mistakes are decoded from the pictures' files and embedded; one that cannot be read any more is drawn
 * empty. A matrix of very many classes may be missing (metrics->confusion NULL): then the mistakes tell who
 * is taken for whom. GH_NOTFOUND, GH_IO, GH_NOMEM. */
GH_MUST_CHECK gh_status gh_report_write(const gh_report *r, const char *folder, gh_err *e);

#endif
