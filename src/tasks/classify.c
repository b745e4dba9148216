/* The task classify: softmax, sigmoid or plain probabilities, then the best k. The order is found on the
 * raw outputs, so that scores which round to the same number still stand in the network's order. */
#include "tasks/classify.h"

#include "base/heap.h"
#include "base/mem.h"
#include "tasks/jsontext.h"
#include "tasks/kind.h"
#include "tasks/model_parts.h"
#include "tasks/pipeline.h"

#include <math.h>

#define DEFAULT_TOP 5

/* a stands before b in the answer: higher value, or the same value and a lower index. */
static bool before(const float *v, int a, int b)
{
    return v[a] > v[b] || (v[a] == v[b] && a < b);
}

static bool goes_first(const void *a, const void *b, const void *values)
{
    return before(values, *(const int *)b, *(const int *)a);
}

/* The k best of v[0..n) into best[0..k), in order: a heap of the best so far, then sorted in place. k >= 1.
 */
static void select_best(int *best, size_t k, const float *v, size_t n)
{
    const gh_heap last = {.size = sizeof *best, .before = goes_first, .arg = v};
    for (size_t i = 0; i < k; i++)
        best[i] = (int)i;
    gh_heap_make(&last, best, k);
    for (size_t i = k; i < n; i++)
        if (before(v, (int)i, best[0])) {
            best[0] = (int)i;
            gh_heap_down(&last, best, k, 0);
        }
    for (size_t left = k; left-- > 1;) {
        int root = best[0];
        best[0] = best[left];
        best[left] = root;
        gh_heap_down(&last, best, left, 0);
    }
}

/* Sum of exp(v - largest): the softmax's divisor. Double, because a thousand small terms add up. */
static double softmax_sum(const float *v, size_t n, float largest)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)v[i] - largest);
    return sum;
}

static double score_of(gh_decoder decoder, float v, float largest, double sum)
{
    double p = v;
    if (decoder == GH_DECODE_SOFTMAX)
        p = exp((double)v - largest) / sum;
    else if (decoder == GH_DECODE_SIGMOID)
        p = 1 / (1 + exp(-(double)v));
    return fmin(1, fmax(0, p));
}

static gh_status check_scores(size_t *count, const gh_tensor *scores, size_t nlabels, gh_err *e)
{
    size_t n = 0;
    if (scores->type != GH_F32 || !gh_shape_count(&n, &scores->shape) || n != nlabels || n == 0)
        return gh_fail(e, GH_INTERNAL, "the network gave %zu scores of type %s for %zu labels", n,
                       gh_dtype_name(scores->type), nlabels);
    const float *v = scores->data;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return gh_fail(e, GH_INTERNAL, "the network's score of class %zu is not a finite number", i);
    *count = n;
    return GH_OK;
}

/* How many labels to look for: top and limit, neither over the number of classes. */
static gh_status wanted(size_t *out, const gh_run_options *o, size_t n, gh_err *e)
{
    if (o->top < 0 || o->limit < 0)
        return gh_fail(e, GH_ARG, "top is %d and limit %d; they take whole numbers, 1 or more", o->top,
                       o->limit);
    size_t k = o->top ? (size_t)o->top : DEFAULT_TOP;
    if (o->limit && (size_t)o->limit < k)
        k = (size_t)o->limit;
    *out = k < n ? k : n;
    return GH_OK;
}

gh_status gh_classify_decode(gh_result *r, const gh_tensor *scores, const gh_run_options *options, gh_err *e)
{
    const gh_manifest *m = r->model->manifest;
    double threshold = options->threshold > 0 ? options->threshold : m->threshold;
    size_t n = 0, k = 0;
    GH_TRY(check_scores(&n, scores, m->nlabels, e));
    GH_TRY(wanted(&k, options, n, e));
    int *best = gh_calloc(k, sizeof *best);
    gh_label *labels = best ? gh_calloc(k, sizeof *labels) : NULL;
    if (!labels) {
        gh_free(best);
        return gh_fail(e, GH_NOMEM, "memory ran out at the labels");
    }
    const float *v = scores->data;
    select_best(best, k, v, n);
    double sum = m->decoder == GH_DECODE_SOFTMAX ? softmax_sum(v, n, v[best[0]]) : 1;
    size_t kept = 0;
    for (size_t i = 0; i < k; i++) {
        float score = (float)score_of(m->decoder, v[best[i]], v[best[0]], sum);
        if (i == 0)
            r->unknown = score < m->reject_below;
        if (score >= threshold)
            labels[kept++] = (gh_label){m->labels[best[i]], best[i], score};
    }
    gh_free(best);
    gh_free(r->labels);
    r->labels = labels;
    r->nlabels = kept;
    return GH_OK;
}

/* Sum of a list of probabilities, which rounding in the network may have moved off 1. */
static double plain_sum(const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fmax(0, (double)v[i]);
    return sum > 0 ? sum : 1;
}

gh_status gh_classify_all(double *scores, int *best, const gh_manifest *m, const gh_tensor *t, size_t n,
                          gh_err *e)
{
    const float *v = t[0].data;
    size_t count = 0, first = 0;
    GH_TRY(check_scores(&count, &t[0], m->nlabels, e));
    for (size_t i = 1; i < count; i++)
        first = v[i] > v[first] ? i : first;
    double sum = m->decoder == GH_DECODE_SOFTMAX ? softmax_sum(v, count, v[first]) : 1;
    double whole = m->decoder == GH_DECODE_PROBABILITIES ? plain_sum(v, count) : 1;
    for (size_t i = 0; i < count; i++)
        scores[i] = score_of(m->decoder, v[i], v[first], sum) / whole;
    if (m->decoder == GH_DECODE_SIGMOID)
        for (size_t i = 0; i < count; i++)
            scores[i] = nearbyint(scores[i] * 1e6) / 1e6;
    else
        gh_round_scores(scores, count);
    first = 0; /* of the rounded scores, which are the ones that are shown */
    for (size_t i = 1; i < count; i++)
        first = scores[i] > scores[first] ? i : first;
    bool unknown = scores[first] < m->reject_below;
    if (m->reject_distance > 0 && n > 1)
        unknown |= *(const float *)t[1].data > m->reject_distance;
    *best = unknown ? -1 : (int)first;
    return GH_OK;
}

static gh_status check_manifest(const gh_manifest *m, gh_err *e)
{
    if (m->decoder > GH_DECODE_SIGMOID)
        return gh_fail(e, GH_UNSUPPORTED,
                       "model '%s': task classify takes the decoders softmax, probabilities and sigmoid",
                       m->name);
    return GH_OK;
}

static gh_status check_network(gh_net *net, const gh_manifest *m, gh_err *e)
{
    gh_tensor out = {0};
    size_t count = 0;
    char text[80];
    GH_TRY(gh_model_output(&out, net, 0, m->input.width, m->input.height, e));
    if (out.type != GH_F32 || !gh_shape_count(&count, &out.shape) || count != m->nlabels)
        return gh_fail(e, GH_FORMAT,
                       "model '%s': the network's output '%.60s' is %s %s, but model.json has %zu labels",
                       m->name, gh_net_output(net, 0)->name, gh_dtype_name(out.type),
                       gh_shape_text(&out.shape, text, sizeof text), m->nlabels);
    return GH_OK;
}

/* Scores and, for the reject rule, the distance, which is the second output. */
static gh_status decode(gh_result *r, const gh_outputs *o, const gh_run_options *options, gh_err *e)
{
    const gh_manifest *m = r->model->manifest;
    GH_TRY(gh_classify_decode(r, &o->tensors[0], options, e));
    if (m->reject_distance > 0 && o->count > 1)
        r->unknown |= *(const float *)o->tensors[1].data > m->reject_distance;
    return GH_OK;
}

static json_t *label_list(const gh_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < r->nlabels; i++) {
        const gh_label *l = &r->labels[i];
        json_t *one = json_pack("{s:o, s:i, s:f}", "label", gh_json_text(l->label), "index", l->index,
                                "score", (double)l->score);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static bool reply(json_t *o, const gh_result *r)
{
    return gh_reply_set(o, "labels", label_list(r)) &&
           (!r->unknown || gh_reply_set(o, "unknown", json_true()));
}

const gh_kind gh_kind_classify = {
    .shares = true,
    .check_manifest = check_manifest,
    .check_network = check_network,
    .decode = decode,
    .reply = reply,
};
