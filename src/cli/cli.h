/* The commands of the binary. Each cmd_<name>.c exports one function, main.c has the one table of them.
 * A command gets argv[0] = its name and gives the process's exit code (gh_status_exit). Results go to stdout,
 * progress and logs to stderr. */
#ifndef GH_CLI_H
#define GH_CLI_H

#include "base/status.h"
#include "cli/options.h"

int gh_cmd_serve(int argc, char **argv);
int gh_cmd_predict(int argc, char **argv);
int gh_cmd_eval(int argc, char **argv);
int gh_cmd_bench(int argc, char **argv);
int gh_cmd_inspect(int argc, char **argv);
int gh_cmd_import(int argc, char **argv);
int gh_cmd_health(int argc, char **argv);
int gh_cmd_version(int argc, char **argv);

/* Prints "gharial COMMAND: sentence" on stderr and gives the exit code of the status. */
int gh_cli_fail(const char *command, gh_status status, const gh_err *e);

/* The folder of models when none is named: ./models, else models/ beside the folder of the binary
 * (.build/gharial lies in the project). Written into `out`; returns out. */
const char *gh_cli_models_dir(char *out, size_t size);
/* What --model means: a path to a folder or .onnx file as it is, else the folder of that name below one of
 * `dirs` (none = gh_cli_models_dir). *out is the caller's (gh_free). GH_NOTFOUND says what there is. */
GH_MUST_CHECK gh_status gh_cli_model_path(char **out, const char *model, const gh_opt_list *dirs, gh_err *e);

#endif
