/* What the three evaluations (classes, boxes, masks) report alike. */
#ifndef GH_CLI_EVAL_REPORT_H
#define GH_CLI_EVAL_REPORT_H

#include "base/json.h"
#include "cli/cli.h"

/* A gh_progress as the callback of an evaluation. */
void gh_eval_progress(void *progress, size_t done);
/* Names a picture that failed on standard error; an error of NULL is none. */
void gh_eval_failure(const char *path, const char *error);
/* The same in a list of the report as JSON. */
void gh_eval_failure_json(json_t *list, const char *path, const char *error);
/* Flushes, and gives the exit code: `code` of the report's printing, bad input when every picture failed or,
 * with `strict`, one. */
int gh_eval_exit(int code, size_t failed, size_t count, bool strict);

#endif
