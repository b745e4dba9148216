/* The tasks of gharial train, a file cmd_train_<task>.c each. cmd_train.c has the one table of them. */
#ifndef GH_CLI_CMD_TRAIN_H
#define GH_CLI_CMD_TRAIN_H

#include "cli/cli.h"

#include "train/data/balance.h"

#include <stdbool.h>

/* As commands (cli.h); argv[0] is the command's or the task's name. */
int gh_cmd_train_classify(int argc, char **argv);
int gh_cmd_train_segment(int argc, char **argv);
int gh_cmd_train_localize(int argc, char **argv);

/* From the first call on, Ctrl-C and SIGTERM set the flag instead of ending the process: a run looks at it
 * between pictures and between steps. */
volatile const bool *gh_train_stop(void);

/* The words of --balance. */
GH_MUST_CHECK gh_status gh_balance_of(gh_balance *out, const char *text, gh_err *e);

#endif
