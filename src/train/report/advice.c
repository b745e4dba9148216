/* What to do next, in plain sentences, from the numbers alone. Where a number is within chance the sentence
 * says so, or is not said. */
#include "train/report/parts.h"

#include "base/mem.h"
#include "train/report/html.h"

#include <math.h>
#include <stdlib.h>

#define NAMED      3   /* classes that a sentence names */
#define LABEL_CUT  40  /* characters of a label */
#define THIN       10  /* held-out pictures of a class below which its recall says little */
#define FEW        50  /* pictures of a class that are few in any case */
#define WEAK       .05 /* recall that much below the accuracy of all is weak */
#define SURE       .02 /* calibration error up to which scores can be read as shares */
#define ROUGH      .05 /* and up to which roughly */
#define RISES      .01 /* gain a doubling of the pictures that is worth collecting for */
#define MIXED      3   /* mistakes of one pair that are worth a sentence */
#define NOTABLE    .01 /* share of all mistakes that is worth telling */
#define UNBALANCED 5   /* times as many pictures in the largest class as in the smallest */
#define REJECTED   .1  /* share of held-out pictures called unknown that is a lot */

/* The text of a new piece of advice. */
static gh_buf *advise(gh_facts *f, const char *topic, bool act)
{
    GH_ASSERT(f->nadvice < GH_REPORT_ADVICE);
    gh_advice *a = &f->advice[f->nadvice++];
    a->topic = topic;
    a->act = act;
    return &a->text;
}

static void put_label(gh_buf *b, const gh_facts *f, uint32_t c)
{
    gh_buf_str(b, "\xE2\x80\x9C");
    gh_plain_cut(b, f->r->set->classes[c], LABEL_CUT);
    gh_buf_str(b, "\xE2\x80\x9D");
}

static void put_interval(gh_buf *b, const gh_share *s)
{
    gh_text_share(b, s->value);
    gh_buf_str(b, " (95 % interval ");
    gh_text_share(b, s->interval.low);
    gh_buf_str(b, " to ");
    gh_text_share(b, s->interval.high);
    gh_buf_str(b, ")");
}

/* ---- classes ---- */

static int by_count(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Pictures of the class in the middle. */
static gh_status median_pictures(uint64_t *out, const gh_facts *f, gh_err *e)
{
    uint32_t n = f->r->set->nclasses;
    uint64_t *sorted = gh_calloc(n + 1u, sizeof *sorted);
    if (!sorted)
        return gh_fail(e, GH_NOMEM, "memory ran out at the report");
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = f->pictures[i];
    qsort(sorted, n, sizeof *sorted, by_count);
    *out = sorted[n / 2];
    gh_free(sorted);
    return GH_OK;
}

static bool is_weak(const gh_facts *f, uint32_t c)
{
    const gh_class_metrics *m = &f->r->metrics->of[c];
    return m->support >= THIN && m->recall < f->r->metrics->top1.value - WEAK;
}

static bool is_few(const gh_facts *f, uint32_t c, uint64_t median)
{
    return f->pictures[c] < FEW || f->pictures[c] < 3 * median / 4;
}

/* "“a” (12 of 20 right)", up to NAMED of the weak classes with few (or with many) pictures. */
static void list_weak(gh_buf *b, const gh_facts *f, bool few, uint64_t median, uint32_t count)
{
    uint32_t said = 0;
    for (uint32_t i = 0; i < f->norder && said < NAMED; i++) {
        uint32_t c = f->order[i];
        if (!is_weak(f, c) || is_few(f, c, median) != few)
            continue;
        gh_buf_str(b, said == 0 ? "" : said + 1 == count ? " and " : ", ");
        put_label(b, f, c);
        gh_buf_str(b, " (");
        gh_text_count(b, f->r->metrics->of[c].right);
        gh_buf_str(b, " of ");
        gh_text_count(b, f->r->metrics->of[c].support);
        gh_buf_str(b, " right)");
        said++;
    }
    if (count > said) {
        gh_buf_str(b, " and ");
        gh_text_count(b, count - said);
        gh_buf_str(b, " more");
    }
}

static uint32_t count_weak(const gh_facts *f, bool few, uint64_t median)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->norder; i++)
        n += is_weak(f, f->order[i]) && is_few(f, f->order[i], median) == few;
    return n;
}

static void advise_thin(gh_facts *f)
{
    uint32_t thin = 0, said = 0;
    for (uint32_t c = 0; c < f->r->set->nclasses; c++)
        thin += f->r->metrics->of[c].support < THIN;
    if (thin == 0)
        return;
    gh_buf *b = advise(f, "classes", true);
    for (uint32_t c = 0; c < f->r->set->nclasses && said < NAMED; c++) {
        if (f->r->metrics->of[c].support >= THIN)
            continue;
        gh_buf_str(b, said == 0 ? "" : said + 1 == thin ? " and " : ", ");
        put_label(b, f, c);
        said++;
    }
    if (thin > said) {
        gh_buf_str(b, " and ");
        gh_text_count(b, thin - said);
        gh_buf_str(b, " more");
    }
    gh_buf_printf(b,
                  " had fewer than %d pictures to be tested with: what this report says about %s is little "
                  "more than a guess. Add pictures there first.",
                  THIN, thin == 1 ? "it" : "them");
}

static gh_status advise_classes(gh_facts *f, gh_err *e)
{
    uint64_t median = 0;
    GH_TRY(median_pictures(&median, f, e));
    uint32_t few = count_weak(f, true, median), many = count_weak(f, false, median);
    if (few) {
        gh_buf *b = advise(f, "classes", true);
        gh_buf_str(b, "Collect more pictures of ");
        list_weak(b, f, true, median, few);
        gh_buf_printf(b, ": %s often missed, and %s few pictures to learn from.",
                      few == 1 ? "it is" : "they are", few == 1 ? "it has" : "they have");
    }
    if (many) {
        gh_buf *b = advise(f, "classes", true);
        gh_buf_str(b, "Look at the mistakes of ");
        list_weak(b, f, false, median, many);
        gh_buf_printf(b,
                      ": %s weak although not short of pictures. Check %s labels, and add pictures that show "
                      "what sets %s apart.",
                      many == 1 ? "it is" : "they are", many == 1 ? "its" : "their",
                      many == 1 ? "it" : "them");
    }
    advise_thin(f);
    return GH_OK;
}

static void advise_balance(gh_facts *f)
{
    uint32_t least = 0, most = 0;
    for (uint32_t c = 1; c < f->r->set->nclasses; c++) {
        least = f->pictures[c] < f->pictures[least] ? c : least;
        most = f->pictures[c] > f->pictures[most] ? c : most;
    }
    bool none = !f->r->balance || f->r->balance[0] == 'n';
    if (!none || f->pictures[least] == 0 || f->pictures[most] / f->pictures[least] < UNBALANCED)
        return;
    gh_buf *b = advise(f, "classes", true);
    put_label(b, f, most);
    gh_buf_str(b, " has ");
    gh_text_count(b, f->pictures[most] / f->pictures[least]);
    gh_buf_str(b, " times as many pictures as ");
    put_label(b, f, least);
    gh_buf_str(b, ". If rare classes matter as much as common ones, try --balance sqrt.");
}

/* ---- pairs and labels ---- */

static void put_direction(gh_buf *b, const gh_facts *f, uint64_t n, uint32_t a, uint32_t as)
{
    put_label(b, f, a);
    gh_buf_str(b, " was taken for ");
    put_label(b, f, as);
    gh_buf_str(b, " ");
    gh_text_things(b, n, "time");
}

static void advise_mixup(gh_facts *f)
{
    const gh_share *top = &f->r->metrics->top1;
    const gh_mixup *m = f->mixups;
    uint64_t wrong = top->count - top->right, n = f->nmixups ? m->a_as_b + m->b_as_a : 0;
    if (n < MIXED)
        return;
    gh_buf *b = advise(f, "mixup", true);
    gh_buf_str(b, "Mixed up most: ");
    if (m->a_as_b)
        put_direction(b, f, m->a_as_b, m->a, m->b);
    if (m->a_as_b && m->b_as_a)
        gh_buf_str(b, ", ");
    if (m->b_as_a)
        put_direction(b, f, m->b_as_a, m->b, m->a);
    if (wrong && (double)n >= NOTABLE * (double)wrong) {
        gh_buf_str(b, m->a_as_b && m->b_as_a ? ", together " : ", ");
        gh_text_share(b, fmin(1, (double)n / (double)wrong));
        gh_buf_str(b, " of all mistakes");
    }
    gh_buf_str(
        b, ". Pictures that show the difference help most; if people mix them up too, make them one class.");
}

/* Wrong, and in the topmost bin of scores. */
static void advise_labels(gh_facts *f)
{
    const gh_metrics *m = f->r->metrics;
    int last = GH_CALIBRATION_BINS - 1;
    double wrong = (double)m->bin[last].n * (1 - m->bin[last].accuracy);
    uint64_t n = wrong > 0 ? (uint64_t)(wrong + .5) : 0;
    if (n == 0)
        return;
    gh_buf *b = advise(f, "labels", true);
    gh_text_things(b, n, "mistake");
    gh_buf_printf(
        b, " had a score over %.0f %%. Look at %s first: wrong labels, if there are any, are among these.",
        floor(100.0 * last / GH_CALIBRATION_BINS), n == 1 ? "it" : "them");
}

/* ---- learning curve ---- */

static void advise_curve(gh_facts *f)
{
    const gh_report *r = f->r;
    double gain = gh_curve_gain(r);
    if (!isfinite(gain))
        return;
    const gh_curve_point *last = &r->curve[r->ncurve - 1];
    bool rises = gain >= RISES;
    gh_buf *b = advise(f, "curve", rises);
    if (rises) {
        double doubt = (last->high - last->low) / 2;
        gh_buf_printf(
            b,
            "More pictures %s help: the learning curve still rises at its end, by about %.1f points "
            "each time the pictures double",
            doubt > gain ? "may" : "will", 100 * gain);
        if (doubt > gain)
            gh_buf_printf(b, " (a hint only: each point of the curve has %.1f points of doubt)", 100 * doubt);
        gh_buf_str(b, ".");
    } else {
        gh_buf_str(
            b,
            "More pictures of the same kind will hardly help: the learning curve is flat at its end. Better "
            "labels, other kinds of pictures, or another body are the way on.");
    }
}

/* ---- scores ---- */

static double mean_confidence(const gh_metrics *m)
{
    double sum = 0;
    for (int i = 0; i < GH_CALIBRATION_BINS; i++)
        sum += (double)m->bin[i].n * m->bin[i].confidence;
    return m->n ? sum / (double)m->n : 0;
}

static void advise_scores(gh_facts *f)
{
    const gh_metrics *m = f->r->metrics;
    double noise = gh_calibration_noise(m);
    bool chance = m->ece <= 1.5 * noise;
    if (m->n == 0)
        return;
    gh_buf *b = advise(f, "scores", m->ece > ROUGH && !chance);
    gh_buf_printf(b, "On average a score is off by %.1f points", 100 * m->ece);
    if (m->ece <= SURE)
        gh_buf_str(b, ": a score of 80 % means right in about 80 of 100 cases.");
    else if (chance)
        gh_buf_printf(b, ", but with so few pictures chance alone gives %.1f: no fault can be shown.",
                      100 * noise);
    else if (m->ece <= ROUGH)
        gh_buf_str(b, ": scores can be read as shares, roughly.");
    else
        gh_buf_printf(b, ": scores promise too %s. Use them to rank answers, not as probabilities.",
                      mean_confidence(m) > m->top1.value ? "much" : "little");
    if (f->r->reject_rate > REJECTED) {
        b = advise(f, "scores", true);
        gh_text_share(b, f->r->reject_rate);
        gh_buf_str(b,
                   " of the held-out pictures were called unknown, though they show one of the classes: more "
                   "varied pictures would teach the rule what belongs.");
    }
}

/* ---- the data ---- */

static void advise_pictures(gh_facts *f)
{
    const gh_report *r = f->r;
    uint64_t problems = (uint64_t)r->set->nproblems + r->failed;
    if (problems) {
        gh_buf *b = advise(f, "pictures", true);
        gh_text_things(b, problems, "problem");
        gh_buf_printf(b, " with pictures or labels %s listed in this report", problems == 1 ? "is" : "are");
        if (r->failed) {
            gh_buf_str(b, "; ");
            gh_text_things(b, r->failed, "picture");
            gh_buf_printf(b, " that could not be read %s left out", r->failed == 1 ? "was" : "were");
        }
        gh_buf_str(b, ".");
    }
    if (r->test && r->test->n && r->test->top1.interval.high < r->metrics->top1.interval.low) {
        gh_buf *b = advise(f, "test", true);
        gh_buf_str(b, "On the test part it is right in only ");
        put_interval(b, &r->test->top1);
        gh_buf_str(
            b, ", less than held-out training pictures promise: the test pictures differ. Train on pictures "
               "like those it will meet.");
    }
}

gh_status gh_facts_advice(gh_facts *f, gh_err *e)
{
    GH_TRY(advise_classes(f, e));
    advise_mixup(f);
    advise_labels(f);
    advise_curve(f);
    advise_balance(f);
    advise_pictures(f);
    advise_scores(f);
    for (size_t i = 0; i < f->nadvice; i++) {
        gh_buf_add(&f->advice[i].text, "", 1); /* a C string */
        if (f->advice[i].text.failed)
            return gh_fail(e, GH_NOMEM, "memory ran out at the report");
    }
    return GH_OK;
}
