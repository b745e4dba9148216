/* Progress on stderr: on a terminal one line that is drawn over, elsewhere a line every ten seconds; and a
 * line an epoch. */
#include "train/learn/parts.h"

#include "train/report/html.h"

#include <stdio.h>

#define PAUSE_TERMINAL 200000000ull
#define PAUSE_LINES    10000000000ull

static double metric_of(const gh_learn_run *r)
{
    return r->state.epoch ? r->history[r->state.epoch - 1].metric : 0;
}

/* What is left, as the steps so far went, validations among them. */
static double seconds_left(const gh_learn_run *r)
{
    double here = (double)(gh_now_ns() - r->start_ns) / 1e9;
    double left = (double)((uint64_t)r->o->epochs * r->steps - r->state.step);
    double seconds = r->steps_here ? here * left / (double)r->steps_here : 0;
    double limit = r->o->seconds - gh_learn_seconds(r);
    return r->o->seconds > 0 && limit < seconds ? (limit > 0 ? limit : 0) : seconds;
}

static void wipe(gh_learn_run *r)
{
    if (r->drawn)
        fprintf(stderr, "\r\033[K");
    r->drawn = false;
}

static void line(gh_learn_run *r, uint32_t step, double loss, double rate)
{
    gh_buf left = {0};
    gh_text_seconds(&left, seconds_left(r));
    gh_buf_add(&left, "", 1);
    fprintf(stderr, "%sepoch %u/%u  step %u/%u  loss %.4f", r->terminal ? "\r\033[K" : "", r->state.epoch + 1,
            r->o->epochs, step + 1, r->steps, loss);
    if (r->state.epoch && r->task->validate)
        fprintf(stderr, "  %s %.4f", r->task->metric_name, metric_of(r));
    fprintf(stderr, "  rate %.2g  %s left%s", rate, left.failed ? "?" : (const char *)left.data,
            r->terminal ? "" : "\n");
    fflush(stderr);
    r->drawn = r->terminal;
    gh_buf_free(&left);
}

void gh_learn_show_step(gh_learn_run *r, uint32_t step, double loss, double rate)
{
    uint64_t now = gh_now_ns(), pause = r->terminal ? PAUSE_TERMINAL : PAUSE_LINES;
    if (r->o->quiet || now - (r->shown_ns ? r->shown_ns : r->start_ns) < pause)
        return;
    r->shown_ns = now;
    line(r, step, loss, rate);
}

void gh_learn_show_epoch(gh_learn_run *r)
{
    const gh_learn_epoch *h = &r->history[r->state.epoch - 1];
    if (r->o->quiet)
        return;
    wipe(r);
    fprintf(stderr, "epoch %u/%u  loss %.4f", r->state.epoch, r->o->epochs, h->loss);
    if (r->task->validate)
        fprintf(stderr, "  %s %.4f%s", r->task->metric_name, h->metric,
                r->state.best_epoch == r->state.epoch ? " (best)" : "");
    fprintf(stderr, "  %.1f s\n", h->seconds);
}

void gh_learn_say(gh_learn_run *r, const char *text)
{
    if (r->o->quiet)
        return;
    wipe(r);
    fprintf(stderr, "%s\n", text);
}
