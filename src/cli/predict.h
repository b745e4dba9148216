/* What the files of `predict` share: a picture on its way and the line that tells of it. */
#ifndef GH_CLI_PREDICT_H
#define GH_CLI_PREDICT_H

#include "gharial.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct gh_predicted {
    char *file; /* its path, or "-"; as what follows, the picture's own */
    gh_status status;
    gh_err err;        /* why it failed */
    gh_result *result; /* else */
    char *json;        /* with --json */
    void *drawn;       /* with --annotate: a JPEG file */
    size_t drawn_len;
    bool dropped; /* a signal came before it was begun */
} gh_predicted;

/* Prints its line on standard output, warnings and without `json` failures on standard error. `limit`: of
 * gh_predict_options. */
void gh_predict_print(const gh_predicted *p, const char *task, bool json, int limit);

#endif
