/* Drawn at most ten times a second. */
#include "train/progress.h"

#include "base/cpu.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR 30

void gh_progress_start(gh_progress *p, const char *what, uint64_t total, bool on)
{
    *p = (gh_progress){.what = what, .total = total, .start_ns = gh_now_ns(), .on = on && total > 0};
    p->terminal = p->on && isatty(STDERR_FILENO);
}

static void draw(const gh_progress *p, uint64_t done, double seconds)
{
    char bar[BAR + 1];
    uint64_t full = done * BAR / p->total;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = 0;
    fprintf(stderr, "\r%s [%s] %llu/%llu  %.0f/s  %.0f s left ", p->what, bar, (unsigned long long)done,
            (unsigned long long)p->total, rate, rate > 0 ? (double)(p->total - done) / rate : 0.0);
}

void gh_progress_show(gh_progress *p, uint64_t done)
{
    uint64_t now = gh_now_ns();
    if (!p->on)
        return;
    if (p->terminal && now - p->shown_ns > 100000000u) {
        p->shown_ns = now;
        draw(p, done, (double)(now - p->start_ns) / 1e9);
    }
    int tenth = (int)(done * 10 / p->total);
    if (!p->terminal && tenth > p->tenth) {
        p->tenth = tenth;
        fprintf(stderr, "%s: %d %% of %llu\n", p->what, tenth * 10, (unsigned long long)p->total);
    }
}

void gh_progress_end(gh_progress *p, uint64_t done)
{
    if (p->on && p->terminal) {
        draw(p, done, (double)(gh_now_ns() - p->start_ns) / 1e9);
        fputc('\n', stderr);
    }
    p->on = false;
}
