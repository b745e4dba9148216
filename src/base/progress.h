/* Progress on stderr: a bar with rate and remaining time on a terminal, else a line now and then. */
#ifndef GH_BASE_PROGRESS_H
#define GH_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gh_progress {
    const char *what;
    size_t total;
    uint64_t start_ns, shown_ns;
    bool terminal, drawn;
} gh_progress;

/* Begins a bar of `total` steps, called `what` (borrowed). */
void gh_progress_start(gh_progress *p, const char *what, size_t total);
/* `done` of total; cheap to call often. One thread at a time. */
void gh_progress_show(gh_progress *p, size_t done);
/* Wipes the bar. */
void gh_progress_end(gh_progress *p);

#endif
