/* What the files of the report share; private to them. */
#ifndef GH_TRAIN_REPORT_PARTS_H
#define GH_TRAIN_REPORT_PARTS_H

#include "base/buf.h"
#include "train/report/report.h"

#include <stdbool.h>

#define GH_REPORT_MIXUPS   10
#define GH_REPORT_FEATURES 20
#define GH_REPORT_DETAILS  16
#define GH_REPORT_ADVICE   12

/* How often pictures of one class were taken for another: a cell of the confusion matrix off its diagonal. */
typedef struct gh_cell {
    uint32_t truth, predicted;
    uint64_t n;
} gh_cell;

/* Two classes taken for each other, a < b. */
typedef struct gh_mixup {
    uint32_t a, b;
    uint64_t a_as_b, b_as_a;
} gh_mixup;

/* What to do next: a sentence or two of plain text, valid UTF-8. */
typedef struct gh_advice {
    const char *topic; /* "classes", "mixup", "curve", "labels", "scores", "pictures" or "test" */
    bool act;          /* something is to be done; else good to know */
    gh_buf text;
} gh_advice;

/* What follows from a report. */
typedef struct gh_facts {
    const gh_report *r;
    uint32_t *order; /* classes with held-out pictures, worst recall first */
    uint32_t norder;
    uint64_t *pictures; /* of each class, test part not counted */
    gh_cell *cells;     /* that are not 0, by truth, then predicted */
    size_t ncells;
    size_t *row; /* nclasses + 1: where the cells of a class begin */
    gh_mixup mixups[GH_REPORT_MIXUPS];
    size_t nmixups; /* most first */
    struct {
        uint32_t feature;
        double share; /* of the sum of all */
    } features[GH_REPORT_FEATURES];
    size_t nfeatures; /* most used first */
    struct {
        char name[32], text[64];
    } details[GH_REPORT_DETAILS]; /* single values that the head tells about itself */
    size_t ndetails;
    struct json_t *head; /* all that it tells, or NULL */
    gh_advice advice[GH_REPORT_ADVICE];
    size_t nadvice;
} gh_facts;

/* All that follows from `r`, which is borrowed. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_facts_of(gh_facts *f, const gh_report *r, gh_err *e);
void gh_facts_free(gh_facts *f);
/* The class that pictures of `c` are most often taken for, or NULL. */
const gh_cell *gh_facts_worst(const gh_facts *f, uint32_t c);
/* Fills `head` and `details`, and `features` where the report itself has no importances. */
GH_MUST_CHECK gh_status gh_facts_details(gh_facts *f, gh_err *e);
void gh_facts_details_free(gh_facts *f);
/* Fills `advice` from all the rest. */
GH_MUST_CHECK gh_status gh_facts_advice(gh_facts *f, gh_err *e);

/* The whole of report.json, written to `path`; and of report.html, appended. */
GH_MUST_CHECK gh_status gh_report_json(const gh_facts *f, const char *path, gh_err *e);
GH_MUST_CHECK gh_status gh_report_html(gh_buf *out, const gh_facts *f, gh_err *e);

/* Parts of the page. Failures stick to `out`. */
void gh_report_matrix(gh_buf *out, const gh_facts *f);
void gh_report_table(gh_buf *out, const gh_facts *f);
void gh_report_candidates(gh_buf *out, const gh_facts *f);
void gh_report_reliability(gh_buf *out, const gh_facts *f);
void gh_report_curve(gh_buf *out, const gh_facts *f);
void gh_report_features(gh_buf *out, const gh_facts *f);
/* Appends the picture as a data: URI of a JPEG that fits 160 x 160. When the file cannot be read, or is no
 * picture, nothing is appended and the status is still GH_OK. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_report_thumb(gh_buf *out, const char *path, gh_err *e);

/* The calibration error that chance alone gives to scores that are right, with as many pictures. */
double gh_calibration_noise(const gh_metrics *m);
/* What the learning curve gains a doubling of the pictures at its end (least squares over the last three
 * points, log scale), 0..1; NaN below two points. */
double gh_curve_gain(const gh_report *r);

#endif
