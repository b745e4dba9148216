/* The commands of the binary. Each cmd_<name>.c exports one function, main.c has the one table of them.
 * A command gets argv[0] = its name and gives the process's exit code (gh_status_exit). Results go to stdout,
 * progress and logs to stderr. */
#ifndef GH_CLI_H
#define GH_CLI_H

#include "base/status.h"
#include "cli/options.h"
#include "tasks/manifest.h"

#include <jansson.h>

int gh_cmd_serve(int argc, char **argv);
int gh_cmd_predict(int argc, char **argv);
int gh_cmd_train(int argc, char **argv);
int gh_cmd_eval(int argc, char **argv);
int gh_cmd_bench(int argc, char **argv);
int gh_cmd_inspect(int argc, char **argv);
int gh_cmd_import(int argc, char **argv);
int gh_cmd_health(int argc, char **argv);
int gh_cmd_version(int argc, char **argv);

/* Prints "gharial COMMAND: sentence" on stderr and gives the exit code of the status. */
int gh_cli_fail(const char *command, gh_status status, const gh_err *e);

/* Writes what stdout still holds; `code`, or that of an output error when it could not be written. */
int gh_cli_flush(const char *command, int code);
/* Prints the object on stdout, compact on one line or indented, and drops the reference. NULL = memory ran
 * out. Gives the exit code. */
int gh_cli_print_json(const char *command, json_t *object, bool compact);
/* Prints {"file": ..., "error": ...} on a line. */
void gh_cli_json_error(const char *file, const gh_err *e);

/* --precision, or NULL: fp32, bf16 or auto for every model whose manifest does not say. */
#define GH_PRECISION_HELP "how convolutions multiply: fp32, bf16 or auto (fp32)"
GH_MUST_CHECK gh_status gh_cli_precision(const char *word, gh_err *e);

/* --tune: see gh_tune_set. */
#define GH_TUNE_HELP "measure convolutions' kernels at load"

/* The folder of models when none is named: ./models, else ../models or ../share/gharial/models as seen from
 * the folder of the binary (.build/gharial lies in the project). Written into `out`; returns out. */
const char *gh_cli_models_dir(char *out, size_t size);
/* What --model means: a name is looked up below each of `dirs` (none or NULL = gh_cli_models_dir); what has a
 * slash or ends in .onnx is a path, as is a model folder that no name matches. NULL: the default model of
 * task classify. *out is the caller's (gh_free). GH_NOTFOUND says what there is. */
GH_MUST_CHECK gh_status gh_cli_model_path(char **out, const char *model, const gh_opt_list *dirs, gh_err *e);
/* The same; NULL is the default model of that task. */
GH_MUST_CHECK gh_status gh_cli_task_model_path(char **out, const char *model, gh_task task,
                                               const gh_opt_list *dirs, gh_err *e);

#endif
