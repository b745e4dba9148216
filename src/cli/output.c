/* What several commands print. */
#include "cli/cli.h"

#include "base/cpu.h"
#include "tasks/jsontext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int gh_cli_flush(const char *command, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "gharial %s: writing the output failed: %s\n", command, strerror(errno));
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

void gh_progress_start(gh_progress *p, const char *what, size_t total)
{
    *p = (gh_progress){
        .what = what, .total = total, .start_ns = gh_now_ns(), .terminal = isatty(STDERR_FILENO)};
}

void gh_progress_show(gh_progress *p, size_t done)
{
    uint64_t now = gh_now_ns();
    uint64_t pause =
        p->terminal ? 100000000ull : 5000000000ull; /* a bar ten times a second, a line every five */
    if (now - p->shown_ns < pause || now - p->start_ns < pause)
        return;
    p->shown_ns = now;
    double seconds = (double)(now - p->start_ns) / 1e9, rate = (double)done / seconds;
    double left = rate > 0 ? (double)(p->total - done) / rate : 0;
    int filled = p->total ? (int)(30 * done / p->total) : 0;
    if (p->terminal)
        fprintf(stderr, "\r%s [%.*s%.*s] %zu/%zu  %.1f/s  %.0f s left ", p->what, filled,
                "##############################", 30 - filled, "..............................", done,
                p->total, rate, left);
    else
        fprintf(stderr, "%s %zu/%zu  %.1f/s  %.0f s left\n", p->what, done, p->total, rate, left);
    p->drawn = true;
}

void gh_progress_end(gh_progress *p)
{
    if (p->terminal && p->drawn)
        fprintf(stderr, "\r\033[K");
}
