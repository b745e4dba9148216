/* report.html: the frame and the text of the page. It opens offline and runs no script; what comes from
 * outside goes through gh_html_text or gh_html_cut. */
#include "train/report/parts.h"

#include "train/report/html.h"

#include <math.h>
#include <string.h>

#define THUMBNAILS    12
#define LABEL_CUT     60
#define MOST_PROBLEMS 20

static void open_section(gh_buf *b, const char *id, const char *title)
{
    gh_buf_printf(b, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

static void close_section(gh_buf *b)
{
    gh_buf_str(b, "</section>\n");
}

static const char *or_unknown(const char *s)
{
    return s && s[0] ? s : "unknown";
}

/* ---- head of the page ---- */

static void put_head(gh_buf *b, const gh_report *r)
{
    gh_html_begin(b);
    gh_buf_str(b, "<title>");
    gh_html_cut(b, or_unknown(r->name), LABEL_CUT);
    gh_buf_str(b, ": training report</title>\n<style>\n");
    gh_buf_str(b, gh_html_style);
    gh_buf_str(b, "</style>\n</head>\n<body>\n<main>\n");
}

static void put_how_tested(gh_buf *b, const gh_report *r)
{
    if (r->folds)
        gh_buf_printf(b, "%u-fold cross-validation", r->folds);
    else
        gh_buf_str(b, "the validation part of the data");
}

static void put_title(gh_buf *b, const gh_report *r)
{
    const gh_share *top = &r->metrics->top1;
    gh_buf_str(b, "<header>\n<p class=\"eyebrow\">gharial training report</p>\n<h1>");
    gh_html_cut(b, or_unknown(r->name), 100);
    gh_buf_str(b, "</h1>\n<p class=\"lead\">A ");
    gh_html_cut(b, or_unknown(r->head), LABEL_CUT);
    gh_buf_str(b, r->trained ? " head on the trained body of " : " head on the frozen body of ");
    gh_html_cut(b, or_unknown(r->body), LABEL_CUT);
    gh_buf_str(b, ", made from ");
    gh_text_things(b, r->set->nexamples, "picture");
    gh_buf_str(b, " in ");
    gh_text_things(b, r->set->nclasses, "class");
    gh_buf_str(b, ". Of ");
    gh_text_things(b, top->count, "picture");
    gh_buf_str(b, " that it had not seen (");
    put_how_tested(b, r);
    gh_buf_str(b, ") it named ");
    gh_text_count(b, top->right);
    gh_buf_str(b, " right.</p>\n</header>\n");
}

static void open_tile(gh_buf *b, const char *name, double share)
{
    gh_buf_printf(b, "<div><dt>%s</dt><dd class=\"big\">", name);
    gh_html_share(b, share);
    gh_buf_str(b, "</dd><dd class=\"small\">");
}

static void close_tile(gh_buf *b)
{
    gh_buf_str(b, "</dd></div>\n");
}

static void put_share_tile(gh_buf *b, const char *name, const gh_share *s)
{
    open_tile(b, name, s->value);
    gh_html_share(b, s->interval.low);
    gh_buf_str(b, " to ");
    gh_html_share(b, s->interval.high);
    close_tile(b);
}

static void put_tiles(gh_buf *b, const gh_facts *f)
{
    const gh_metrics *m = f->r->metrics;
    gh_buf_str(b, "<dl class=\"tiles\">\n");
    put_share_tile(b, "Accuracy", &m->top1);
    if (f->r->test)
        put_share_tile(b, "On the test part", &f->r->test->top1);
    open_tile(b, "Mean recall", m->macro_recall);
    gh_buf_str(b, "classes count alike");
    close_tile(b);
    if (m->classes > 5)
        put_share_tile(b, "In the best five", &m->top5);
    if (f->norder) {
        open_tile(b, "Worst class", m->of[f->order[0]].recall);
        gh_html_cut(b, f->r->set->classes[f->order[0]], 24);
        close_tile(b);
    }
    open_tile(b, "Error of the scores", m->ece);
    gh_html_share(b, f->r->ece_before);
    gh_buf_str(b, " uncalibrated");
    close_tile(b);
    gh_buf_str(b, "</dl>\n");
}

static void put_advice(gh_buf *b, const gh_facts *f)
{
    open_section(b, "next", "What to do next");
    gh_buf_str(b, "<ul class=\"next\">\n");
    for (size_t i = 0; i < f->nadvice; i++) {
        gh_buf_str(b, f->advice[i].act ? "<li class=\"act\">" : "<li>");
        gh_html_text(b, (const char *)f->advice[i].text.data);
        gh_buf_str(b, "</li>\n");
    }
    gh_buf_str(b, "</ul>\n");
    close_section(b);
}

/* ---- mistakes ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static gh_status put_thumbnail(gh_buf *b, const char *path, gh_err *e)
{
    gh_buf uri = {0};
    gh_status status = gh_report_thumb(&uri, path, e);
    if (status == GH_OK && uri.failed)
        status = gh_fail(e, GH_NOMEM, "memory ran out at the report");
    if (status == GH_OK && uri.len) {
        gh_buf_str(b, "<img alt=\"\" src=\"");
        gh_buf_add(b, uri.data, uri.len);
        gh_buf_str(b, "\"/>");
    } else {
        gh_buf_str(b, "<span class=\"gone\">cannot be read any more</span>");
    }
    gh_buf_free(&uri);
    return status;
}

static gh_status put_mistake(gh_buf *b, const gh_facts *f, const gh_mistake *m, gh_err *e)
{
    const gh_trainset *set = f->r->set;
    const gh_example *x = &set->examples[m->example];
    gh_buf_str(b, "<figure>");
    GH_TRY(put_thumbnail(b, x->path, e));
    gh_buf_str(b, "<figcaption><span>");
    gh_html_cut(b, set->classes[x->label], LABEL_CUT);
    gh_buf_str(b, "</span><span class=\"said\">");
    gh_html_cut(b, set->classes[m->predicted], LABEL_CUT);
    gh_buf_str(b, " ");
    gh_html_share(b, m->score);
    gh_buf_str(b, "</span><span class=\"file\" title=\"");
    gh_html_cut(b, x->path, 300);
    gh_buf_str(b, "\">");
    gh_html_cut(b, last_part(x->path), LABEL_CUT);
    gh_buf_str(b, "</span></figcaption></figure>\n");
    return GH_OK;
}

static gh_status put_mistakes(gh_buf *b, const gh_facts *f, gh_err *e)
{
    const gh_share *top = &f->r->metrics->top1;
    if (f->r->nmistakes == 0)
        return GH_OK;
    size_t n = f->r->nmistakes < THUMBNAILS ? f->r->nmistakes : THUMBNAILS;
    open_section(b, "mistakes", "Worst mistakes");
    gh_buf_str(b, "<p class=\"note\">Of ");
    gh_text_things(b, top->count - top->right, "mistake");
    gh_buf_str(
        b, " those with the highest scores. Below each picture its label, then what the head said and how "
           "sure it was.</p>\n<div class=\"mistakes\">\n");
    for (size_t i = 0; i < n; i++)
        GH_TRY(put_mistake(b, f, &f->r->mistakes[i], e));
    gh_buf_str(b, "</div>\n");
    close_section(b);
    return GH_OK;
}

/* ---- charts ---- */

static void put_classes(gh_buf *b, const gh_facts *f)
{
    open_section(b, "classes", "Classes, worst first");
    gh_buf_str(
        b, "<p class=\"note\">Recall: of the pictures of a class, the share that was named right; the thin "
           "line is its 95&#160;% interval. Precision: of the pictures named so, the share that is.</p>\n");
    gh_report_table(b, f);
    close_section(b);
    open_section(b, "confusion", "What is taken for what");
    gh_report_matrix(b, f);
    close_section(b);
}

static void put_curve(gh_buf *b, const gh_facts *f)
{
    open_section(b, "curve", "Would more pictures help?");
    gh_buf_str(b, "<p class=\"note\">Accuracy when trained on a part of the pictures; the band is the "
                  "95&#160;% interval."
                  "</p>\n");
    gh_report_curve(b, f);
    close_section(b);
}

static void put_scores(gh_buf *b, const gh_facts *f)
{
    const gh_report *r = f->r;
    open_section(b, "scores", "Can the scores be trusted?");
    gh_buf_str(
        b, "<p class=\"note\">On the dashed line a score is the share of right answers. Expected calibration "
           "error ");
    gh_html_share(b, r->ece_before);
    gh_buf_str(b, " as trained, ");
    gh_html_share(b, r->metrics->ece);
    if (isfinite(r->temperature))
        gh_buf_printf(b, " at the temperature of %.2f that was folded in", r->temperature);
    gh_buf_str(b, ". Bars: how many pictures had such a score.</p>\n");
    gh_report_reliability(b, f);
    if (isfinite(r->reject_threshold) && r->reject_threshold > 0) {
        gh_buf_printf(
            b,
            "<p class=\"note\">A picture farther than %.4g from every class in the space of features is "
            "reported as unknown; of the held-out pictures ",
            r->reject_threshold);
        gh_html_share(b, r->reject_rate);
        gh_buf_str(b, " were.</p>\n");
    }
    close_section(b);
}

static void put_features(gh_buf *b, const gh_facts *f)
{
    double sum = 0;
    for (size_t i = 0; i < f->nfeatures; i++)
        sum += f->features[i].share;
    open_section(b, "features", "Most used features");
    gh_buf_printf(b, "<p class=\"note\">What the trees ask for most. These %zu of ", f->nfeatures);
    gh_text_things(b, f->r->width, "feature");
    gh_buf_str(b, " make up ");
    gh_html_share(b, sum);
    gh_buf_str(b, " of all importance.</p>\n");
    gh_report_features(b, f);
    close_section(b);
}

static void put_candidates(gh_buf *b, const gh_facts *f)
{
    if (f->r->ncandidates == 0)
        return;
    open_section(b, "heads", f->r->ncandidates > 1 ? "Heads that were tried" : "The head");
    gh_report_candidates(b, f);
    close_section(b);
}

/* ---- foot ---- */

static void put_row(gh_buf *b, const char *name, const char *value)
{
    gh_buf_str(b, "<dt>");
    gh_html_text(b, name);
    gh_buf_str(b, "</dt><dd>");
    gh_html_cut(b, or_unknown(value), 1000);
    gh_buf_str(b, "</dd>\n");
}

static void put_time(gh_buf *b, const gh_report *r)
{
    gh_buf_str(b, "<dt>Time</dt><dd>");
    gh_text_seconds(b, r->seconds_total);
    gh_buf_str(b, " in all, features ");
    gh_text_seconds(b, r->seconds_features);
    if (r->seconds_fit > 0) {
        gh_buf_str(b, ", fitting ");
        gh_text_seconds(b, r->seconds_fit);
    }
    gh_buf_str(b, "</dd>\n");
}

static void put_run(gh_buf *b, const gh_facts *f)
{
    const gh_report *r = f->r;
    char hash[GH_HASH_TEXT];
    open_section(b, "run", "How it was made");
    gh_buf_str(b, "<dl class=\"run\">\n");
    put_row(b, "Data", r->data);
    put_row(b, "Hash of the data", gh_hash_text(r->set->hash, hash));
    put_row(b, "Body", r->body);
    put_row(b, "Cut at", r->cut);
    put_row(b, "Licence of the body", r->license);
    gh_buf_str(b, "<dt>Features</dt><dd>");
    gh_text_count(b, r->width);
    gh_buf_str(b, " a picture</dd>\n<dt>Tested by</dt><dd>");
    put_how_tested(b, r);
    gh_buf_printf(b, "</dd>\n<dt>Seed</dt><dd>%llu</dd>\n", (unsigned long long)r->seed);
    put_row(b, "Head", r->head);
    for (size_t i = 0; i < f->ndetails; i++)
        put_row(b, f->details[i].name, f->details[i].text);
    put_row(b, "Balance", r->balance);
    put_row(b, "Augmentation", r->augment);
    put_time(b, r);
    gh_buf_str(b, "<dt>Made by</dt><dd>gharial ");
    gh_html_cut(b, or_unknown(r->version), LABEL_CUT);
    gh_buf_str(b, ", build ");
    gh_html_cut(b, gh_build(), LABEL_CUT);
    gh_buf_str(b, "</dd>\n</dl>\n");
    close_section(b);
}

static void put_problems(gh_buf *b, const gh_report *r)
{
    size_t shown = 0, all = (size_t)r->set->nproblems + r->failed;
    if (all == 0)
        return;
    open_section(b, "problems", "Problems with the data");
    gh_buf_str(b, "<ul class=\"problems\">\n");
    for (size_t i = 0; i < r->set->nproblems && shown < MOST_PROBLEMS; i++, shown++) {
        gh_buf_str(b, "<li>");
        gh_html_cut(b, r->set->problems[i], 600);
        gh_buf_str(b, "</li>\n");
    }
    for (size_t i = 0; r->problems && r->problems[i] && shown < MOST_PROBLEMS; i++, shown++) {
        gh_buf_str(b, "<li>");
        gh_html_cut(b, r->problems[i], 600);
        gh_buf_str(b, "</li>\n");
    }
    gh_buf_str(b, "</ul>\n");
    if (shown < all) {
        gh_buf_str(b, "<p class=\"note\">");
        gh_text_count(b, all - shown);
        gh_buf_str(b, " more are not shown here.</p>\n");
    }
    close_section(b);
}

/* Two sections side by side, where there is room, or the second alone. */
static void put_pair(gh_buf *b, const gh_facts *f, bool both, void (*first)(gh_buf *, const gh_facts *),
                     void (*second)(gh_buf *, const gh_facts *))
{
    gh_buf_str(b, both ? "<div class=\"pair\">\n" : "");
    if (both)
        first(b, f);
    second(b, f);
    gh_buf_str(b, both ? "</div>\n" : "");
}

gh_status gh_report_html(gh_buf *b, const gh_facts *f, gh_err *e)
{
    put_head(b, f->r);
    put_title(b, f->r);
    put_tiles(b, f);
    put_advice(b, f);
    put_classes(b, f);
    GH_TRY(put_mistakes(b, f, e));
    put_pair(b, f, f->r->ncurve > 0, put_curve, put_scores);
    put_candidates(b, f);
    put_pair(b, f, f->nfeatures > 0, put_features, put_run);
    put_problems(b, f->r);
    gh_buf_str(b, "</main>\n</body>\n</html>\n");
    return b->failed ? gh_fail(e, GH_NOMEM, "memory ran out at the report") : GH_OK;
}
