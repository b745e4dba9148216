/* The bar is drawn ten times a second, a line every five seconds. */
#include "base/progress.h"

#include "base/cpu.h"

#include <stdio.h>
#include <unistd.h>

void gh_progress_start(gh_progress *p, const char *what, size_t total)
{
    *p = (gh_progress){
        .what = what, .total = total, .start_ns = gh_now_ns(), .terminal = isatty(STDERR_FILENO)};
}

void gh_progress_show(gh_progress *p, size_t done)
{
    uint64_t now = gh_now_ns();
    uint64_t pause = p->terminal ? 100000000ull : 5000000000ull;
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
