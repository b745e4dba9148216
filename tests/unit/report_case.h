/* A made-up training run for tests of the report: five classes with hostile names, and pictures on disk.
 * Everything asserts on failure. */
#ifndef GH_TEST_REPORT_CASE_H
#define GH_TEST_REPORT_CASE_H

#include "base/buf.h"
#include "train/report/report.h"

#include <jansson.h>
#include <stdbool.h>

/* Everything is owned by the case and may be changed in place. */
typedef struct report_case {
    gh_report r;
    gh_trainset set;
    gh_metrics *metrics;
    gh_mistake *mistakes;
    gh_buf page;  /* report.html, with a zero at its end */
    json_t *json; /* report.json */
} report_case;

#define REPORT_SCRIPT "<script>alert('x')</script>"

/* Five classes of 12, 60, 60, 60 and 60 pictures in the folder of tiny_setup; of the mistakes the second has
 * no file any more, and the third is no picture. */
void report_case_make(report_case *c);
/* `classes` classes of `each` pictures without files, every 4th of them taken for the next class. Without
 * `matrix` the metrics have no confusion matrix. */
void report_case_many(report_case *c, uint32_t classes, uint32_t each, bool matrix);
/* Metrics from counts [true][predicted]; scores are made up to be calibrated. */
gh_metrics *report_case_metrics(const uint64_t *confusion, uint32_t classes);
/* Writes the report to the folder of tiny_setup, and reads both files back. */
void report_case_write(report_case *c);
bool report_case_has(const report_case *c, const char *text);
size_t report_case_count(const report_case *c, const char *text);
/* Tags and attributes of the page are whole, and it is UTF-8 that runs and fetches nothing. */
void report_case_check(const report_case *c);
void report_case_free(report_case *c);

#endif
