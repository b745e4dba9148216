/* A pipeline "both": a detector of red things, then a classifier of colours on the crop of each. Everything
 * asserts on failure. */
#ifndef GH_TEST_PIPELINE_CASE_H
#define GH_TEST_PIPELINE_CASE_H

#include "base/buf.h"
#include "tasks/registry.h"
#include "tasks/run.h"

#define PC_SIDE   128                                                              /* of the pictures */
#define PC_COLOUR "{\"model\": \"colour\", \"key\": \"colour\", \"margin\": -0.4}" /* the step */

/* What the test at hand has open; pc_teardown frees it. */
typedef struct pc_case {
    gh_registry *all;
    gh_model *m; /* the pipeline */
    gh_pool *pool;
    gh_worker *w;
    gh_result *r;    /* of pc_run */
    gh_buf picture;  /* as PNG */
    uint8_t *pixels; /* PC_SIDE * PC_SIDE, RGB, black at first */
    gh_err e;
} pc_case;
extern pc_case pc;

/* Fixtures, tiny_setup and tiny_remove in them. */
void pc_setup(void);
void pc_teardown(void);
/* Writes the pipeline with these steps. */
void pc_write(const char *steps);
/* A square of one cell (RED_CELL); with a margin of -0.4 the crop and all that its filter sees lie within. */
void pc_put(int column, int row, int red, int green, int blue);
/* The registry of all models, opened anew or reloaded, and the pipeline of it. */
gh_status pc_open(void);
gh_status pc_reload(void);
/* Runs it on the pixels. */
void pc_run(const gh_run_options *options);

#endif
