/* report.html of a run that goes on: it reloads itself until the run is done, runs no script and asks no
 * host for anything. */
#include "train/learn/parts.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/report/html.h"

#include <stddef.h>
#include <stdio.h>

#define RELOAD_SECONDS 10
#define ROWS           200 /* of the table, the newest ones */

static const char *metric_name(const gh_learn_run *r)
{
    return r->task->validate && r->task->metric_name ? r->task->metric_name : "negative loss";
}

static const char *title_of(const gh_learn_run *r)
{
    return r->o->title && r->o->title[0] ? r->o->title : "a network";
}

static void put_head(gh_buf *b, const gh_learn_run *r)
{
    gh_html_begin(b);
    if (!r->done)
        gh_buf_printf(b, "<meta http-equiv=\"refresh\" content=\"%d\"/>\n", RELOAD_SECONDS);
    gh_buf_str(b, "<title>");
    gh_html_cut(b, title_of(r), 60);
    gh_buf_str(b, ": training</title>\n<style>\n");
    gh_buf_str(b, gh_html_style);
    gh_buf_str(b,
               ".sheet img{max-width:100%;height:auto;border-radius:6px}\n</style>\n</head>\n<body>\n<main>\n"
               "<header>\n<p class=\"eyebrow\">gharial training run</p>\n<h1>");
    gh_html_cut(b, title_of(r), 100);
    gh_buf_str(b, "</h1>\n<p class=\"lead\">");
}

static void put_lead(gh_buf *b, const gh_learn_run *r)
{
    const gh_learn_state *s = &r->state;
    gh_buf_printf(b, "%s after %u of %u epochs of ", r->done ? "Done" : "Running,", s->epoch, r->o->epochs);
    gh_text_things(b, r->task->samples, "sample");
    gh_buf_printf(b, ", %u in a step. ", r->batch);
    if (s->best_epoch && r->task->validate)
        gh_buf_printf(b, "Best so far: %s %.4f in epoch %u. ", metric_name(r), s->best, s->best_epoch);
    if (s->started)
        gh_buf_printf(b, "Before the first step: %s %.4f.", metric_name(r), s->start);
    gh_buf_str(b, "</p>\n</header>\n");
}

static void put_tile(gh_buf *b, const char *name, const char *small, const char *format, double value)
{
    char text[40];
    snprintf(text, sizeof text, format, value);
    gh_buf_printf(b, "<div><dt>%s</dt><dd class=\"big\">%s</dd><dd class=\"small\">%s</dd></div>\n", name,
                  text, small);
}

static void put_tiles(gh_buf *b, const gh_learn_run *r)
{
    const gh_learn_state *s = &r->state;
    gh_buf_str(b, "<dl class=\"tiles\">\n");
    if (s->epoch) {
        char best[40];
        snprintf(best, sizeof best, "best in epoch %u", s->best_epoch);
        if (s->best_epoch == 0)
            snprintf(best, sizeof best, "before the first step");
        if (r->task->validate)
            put_tile(b, metric_name(r), best, "%.4f", s->best);
        put_tile(b, "Loss", "mean of the last epoch", "%.4f", r->history[s->epoch - 1].loss);
    }
    put_tile(b, "Rate", s->trials ? "found by a trial" : "as it was given", "%.2g", s->rate);
    put_tile(b, "Parameters", "that are learnt", "%.0f", (double)r->count);
    gh_buf_str(b, "<div><dt>Time</dt><dd class=\"big\">");
    gh_text_seconds(b, gh_learn_seconds(r));
    gh_buf_str(b, "</dd><dd class=\"small\">of all parts of the run</dd></div>\n</dl>\n");
}

/* One column of the history against the epoch. */
static void put_curve(gh_buf *b, const gh_learn_run *r, const char *title, size_t offset, double *x,
                      double *y)
{
    gh_learn_chart c = {.title = title, .x_name = "epoch", .x = x, .y = y, .n = r->state.epoch};
    for (size_t i = 0; i < c.n; i++) {
        x[i] = (double)i + 1;
        y[i] = *(const double *)(const void *)((const char *)&r->history[i] + offset);
    }
    gh_buf_str(b, "<section>\n<h2>");
    gh_html_text(b, title);
    gh_buf_str(b, "</h2>\n");
    gh_learn_put_chart(b, &c);
    gh_buf_str(b, "</section>\n");
}

static void put_finder(gh_buf *b, const gh_learn_run *r)
{
    const gh_learn_state *s = &r->state;
    gh_learn_chart c = {.title = "Smoothed loss at each rate",
                        .y_name = "smoothed loss",
                        .x_name = "rate, logarithmic scale",
                        .x = s->trial_rate,
                        .y = s->trial_loss,
                        .n = s->trials,
                        .log_x = true,
                        .mark = s->rate};
    if (s->trials < 2)
        return;
    gh_buf_printf(
        b,
        "<section>\n<h2>How the rate was found</h2>\n<p class=\"note\">%u steps at rising rates on a "
        "copy of the weights. The line marks %.2g: a tenth of the rate where the loss was least, or "
        "where it fell fastest if that is lower.</p>\n",
        s->trials, s->rate);
    gh_learn_put_chart(b, &c);
    gh_buf_str(b, "</section>\n");
}

static void put_table(gh_buf *b, const gh_learn_run *r)
{
    uint32_t n = r->state.epoch, shown = n < ROWS ? n : ROWS;
    gh_buf_printf(b,
                  "<section>\n<h2>Epochs</h2>\n<div class=\"scroll tall\" tabindex=\"0\">\n<table><thead><tr>"
                  "<th>epoch</th><th class=\"num\">loss</th><th class=\"num\">%s</th><th class=\"num\">rate"
                  "</th><th class=\"num\">gradient</th><th class=\"num\">seconds</th></tr></thead><tbody>\n",
                  metric_name(r));
    for (uint32_t i = 0; i < shown; i++) {
        const gh_learn_epoch *h = &r->history[n - 1 - i];
        gh_buf_printf(b,
                      "<tr%s><th>%u</th><td class=\"num\">%.4f</td><td class=\"num\">%.4f</td><td "
                      "class=\"num\">%.2g</td><td class=\"num\">%.3g</td><td class=\"num\">%.1f</td></tr>\n",
                      n - i == r->state.best_epoch ? " class=\"chosen\"" : "", n - i, h->loss, h->metric,
                      h->rate, h->norm, h->seconds);
    }
    gh_buf_str(b, "</tbody></table>\n</div>\n</section>\n");
}

static gh_status put_page(gh_buf *b, const gh_learn_run *r)
{
    double *x = gh_calloc(2u * r->state.epoch + 2u, sizeof *x);
    if (!x)
        return gh_fail(r->e, GH_NOMEM, "no memory for the report");
    put_head(b, r);
    put_lead(b, r);
    put_tiles(b, r);
    if (r->state.epoch) {
        double *y = x + r->state.epoch;
        gh_buf_str(b, "<div class=\"pair\">\n");
        put_curve(b, r, "Loss", offsetof(gh_learn_epoch, loss), x, y);
        put_curve(b, r, metric_name(r), offsetof(gh_learn_epoch, metric), x, y);
        gh_buf_str(b, "</div>\n");
        if (r->sheet.len && !r->sheet.failed) {
            gh_buf_str(b, "<section class=\"sheet\">\n<h2>Pictures it has not learnt from</h2>\n");
            gh_buf_add(b, r->sheet.data, r->sheet.len);
            gh_buf_str(b, "</section>\n");
        }
        gh_buf_str(b, "<div class=\"pair\">\n");
        put_curve(b, r, "Rate", offsetof(gh_learn_epoch, rate), x, y);
        put_curve(b, r, "Norm of the gradient", offsetof(gh_learn_epoch, norm), x, y);
        gh_buf_str(b, "</div>\n");
    }
    put_finder(b, r);
    if (r->state.epoch)
        put_table(b, r);
    gh_buf_str(b, "</main>\n</body>\n</html>\n");
    gh_free(x);
    return b->failed ? gh_fail(r->e, GH_NOMEM, "no memory for the report") : GH_OK;
}

gh_status gh_learn_write_report(gh_learn_run *r)
{
    gh_buf b = {0};
    if (!r->path[2])
        return GH_OK;
    gh_status status = put_page(&b, r);
    if (!status)
        status = gh_file_write(r->path[2], b.data, b.len, r->e);
    gh_buf_free(&b);
    return status;
}
