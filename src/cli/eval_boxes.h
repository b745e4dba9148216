/* The part of gharial eval that measures boxes. */
#ifndef GH_CLI_EVAL_BOXES_H
#define GH_CLI_EVAL_BOXES_H

#include "tasks/registry.h"
#include "train/evaluate/boxes.h"

typedef struct gh_eval_boxes {
    const char *data; /* as the user named it */
    bool json, strict;
    gh_boxes_options options;
} gh_eval_boxes;

/* Measures the model, prints the report; *code is the exit code when it ran. */
GH_MUST_CHECK gh_status gh_cli_eval_boxes(int *code, gh_model *model, const gh_eval_boxes *v, gh_err *e);

#endif
