/* The part of gharial eval that measures masks. */
#ifndef GH_CLI_EVAL_MASKS_H
#define GH_CLI_EVAL_MASKS_H

#include "train/evaluate/masks.h"

typedef struct gh_eval_masks {
    const char *data; /* as the user named it */
    const char *split;
    const gh_maskset *set; /* of that split */
    bool json, strict;
    double threshold;
    int threads;
} gh_eval_masks;

/* Measures the model, prints the report; *code is the exit code when it ran. */
GH_MUST_CHECK gh_status gh_cli_eval_masks(int *code, gh_model *model, const gh_eval_masks *v, gh_err *e);

#endif
