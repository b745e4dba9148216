/* Progress on stderr: a bar with rate and remaining time on a terminal, a line each tenth elsewhere. */
#ifndef GH_TRAIN_PROGRESS_H
#define GH_TRAIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gh_progress {
    const char *what; /* "features" */
    uint64_t total, start_ns, shown_ns;
    int tenth;
    bool on, terminal;
} gh_progress;

void gh_progress_start(gh_progress *p, const char *what, uint64_t total, bool on);
/* `done` of total; cheap to call often. One thread at a time. */
void gh_progress_show(gh_progress *p, uint64_t done);
void gh_progress_end(gh_progress *p, uint64_t done);

#endif
