/* The ends of an evaluation. */
#include "cli/eval_report.h"

#include "base/progress.h"
#include "tasks/jsontext.h"

#include <stdio.h>

void gh_eval_progress(void *progress, size_t done)
{
    gh_progress_show(progress, done);
}

void gh_eval_failure(const char *path, const char *error)
{
    if (error)
        fprintf(stderr, "%s: %s\n", path, error);
}

void gh_eval_failure_json(json_t *list, const char *path, const char *error)
{
    if (error)
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "file", gh_json_text(path), "error", gh_json_text(error)));
}

int gh_eval_exit(int code, size_t failed, size_t count, bool strict)
{
    bool bad = failed == count || (strict && failed > 0);
    return gh_cli_flush("eval", code ? code : bad ? gh_status_exit(GH_FORMAT) : 0);
}
