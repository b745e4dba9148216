/* What several commands print. */
#include "cli/cli.h"

#include "tasks/jsontext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gh_cli_flush(const char *command, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "gharial %s: writing the output failed%s%s\n", command, errno ? ": " : "",
            errno ? strerror(errno) : ""); /* 0: an earlier line's */
    return gh_status_exit(GH_IO);
}

int gh_cli_print_json(const char *command, json_t *object, bool compact)
{
    char *text = object
                     ? json_dumps(object, (compact ? JSON_COMPACT : JSON_INDENT(2)) | JSON_REAL_PRECISION(6))
                     : NULL;
    json_decref(object);
    if (!text) {
        fprintf(stderr, "gharial %s: memory ran out\n", command);
        return gh_status_exit(GH_NOMEM);
    }
    puts(text);
    free(text);
    return gh_cli_flush(command, 0);
}

void gh_cli_json_error(const char *file, const gh_err *e)
{
    json_t *object = json_pack("{s:o, s:o}", "file", gh_json_text(file), "error", gh_json_text(e->text));
    gh_cli_print_json("predict", object, true);
}
