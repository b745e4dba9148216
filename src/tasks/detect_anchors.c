/* The anchors decoder (SSD, Liu et al. 2016; with landmarks as in RetinaFace, Deng et al. 2020): each anchor
 * has four numbers for a box and a score a label. With variances v and an anchor of centre (x, y) and size
 * (w, h): centre = (x + n0 v0 w, y + n1 v0 h), size = (w exp(n2 v1), h exp(n3 v1)); a landmark is (x + l0 v0
 * w, y + l1 v0 h). Anchors come from the network, or are squares in grids.
 */
#include "tasks/detect_parts.h"

#include <math.h>

enum { BOXES, SCORES, LANDMARKS, ANCHORS };

static gh_status check_shape(const gh_detection *d, int i, int64_t n, int64_t columns, gh_err *e)
{
    static const char *const names[] = {"boxes", "scores", "landmarks", "anchors"};
    const gh_tensor *t = d->outputs[i];
    char text[96];
    int rank = t->shape.rank;
    const int64_t *dims = t->shape.dims;
    bool ok = t->type == GH_F32 && (rank == 3 || rank == 2) && (rank == 2 || dims[0] == 1) && n > 0 &&
              dims[rank - 2] == n && dims[rank - 1] == columns;
    if (ok)
        return GH_OK;
    return gh_fail(e, GH_FORMAT,
                   "the output of %s is %s %s; the decoder anchors takes 1x%lldx%lld (anchors, numbers)",
                   names[i], gh_dtype_name(t->type), gh_shape_text(&t->shape, text, sizeof text),
                   (long long)n, (long long)columns);
}

/* Cells of a grid; its last column and row may reach over the input's edge. */
static int64_t grid_width(const gh_detection *d, const gh_anchor_level *l)
{
    return (d->in->width + l->stride - 1) / l->stride;
}

static int64_t grid_height(const gh_detection *d, const gh_anchor_level *l)
{
    return (d->in->height + l->stride - 1) / l->stride;
}

static int64_t level_anchors(const gh_detection *d, const gh_anchor_level *l)
{
    return grid_width(d, l) * grid_height(d, l) * l->nsizes;
}

static int64_t count_anchors(const gh_detection *d)
{
    const gh_shape *s = &d->outputs[BOXES]->shape;
    return s->rank >= 2 ? s->dims[s->rank - 2] : 0;
}

static gh_status check(const gh_detection *d, gh_err *e)
{
    const gh_manifest_boxes *b = &d->m->boxes;
    int64_t n = count_anchors(d), made = 0;
    const int64_t columns[] = {4, (int64_t)d->m->nlabels, 2 * GH_LANDMARKS, 4};
    for (int i = 0; i < GH_DETECT_OUTPUTS; i++)
        if (d->outputs[i])
            GH_TRY(check_shape(d, i, n, columns[i], e));
    if (!b->nlevels && !d->outputs[ANCHORS])
        return gh_fail(e, GH_FORMAT,
                       "the decoder anchors has none: model.json names their output or says "
                       "how to make them in \"output.anchors\"");
    for (int i = 0; i < b->nlevels; i++)
        made += level_anchors(d, &b->levels[i]);
    if (b->nlevels && made != n)
        return gh_fail(e, GH_FORMAT,
                       "model.json makes %lld anchors for an input of %d x %d, but the network has %lld",
                       (long long)made, d->in->width, d->in->height, (long long)n);
    if (n * (int64_t)d->m->nlabels > INT32_MAX)
        return gh_fail(e, GH_LIMIT, "%lld anchors of %zu labels are too many", (long long)n, d->m->nlabels);
    return GH_OK;
}

static gh_status bad_score(gh_err *e)
{
    return gh_fail(e, GH_INTERNAL, "the network gave a score that is not finite");
}

static double logistic(double v)
{
    return 1 / (1 + exp(-v));
}

/* The logit of the least score; a hair lower, because the candidate's own score decides. */
static float least_logit(const gh_candidates *c)
{
    return (float)log(c->least / (1.0 - c->least)) - 1e-4f;
}

/* Scores that need no other: the comparison is made before the sigmoid. */
static gh_status scan_single(gh_candidates *c, const gh_detection *d, gh_err *e)
{
    const float *v = gh_detect_data(d, SCORES);
    bool sigmoid = d->m->boxes.activation == GH_ACTIVATION_SIGMOID;
    size_t labels = d->m->nlabels, n = (size_t)count_anchors(d);
    float least = sigmoid ? least_logit(c) : c->least;
    for (size_t i = 0; i < n * labels; i++) {
        if (v[i] <= least)
            continue;
        if (!isfinite(v[i]))
            return bad_score(e);
        float score = sigmoid ? (float)logistic(v[i]) : fminf(1, v[i]);
        if (score > c->least && *d->m->labels[i % labels])
            gh_candidates_add(c, score, (int)(i % labels), (int)i);
    }
    return GH_OK;
}

/* Softmax over the labels of one anchor. */
static gh_status scan_row(gh_candidates *c, const gh_detection *d, const float *v, size_t row, gh_err *e)
{
    size_t labels = d->m->nlabels;
    double sum = 0;
    float most = v[0];
    for (size_t k = 1; k < labels; k++)
        most = fmaxf(most, v[k]);
    for (size_t k = 0; k < labels; k++)
        sum += exp((double)v[k] - most);
    if (!isfinite(sum))
        return bad_score(e);
    for (size_t k = 0; k < labels; k++) {
        float score = (float)(exp((double)v[k] - most) / sum);
        if (score > c->least && *d->m->labels[k])
            gh_candidates_add(c, score, (int)k, (int)(row * labels + k));
    }
    return GH_OK;
}

/* A label's softmax is at most its logistic beside the first label alone, which spares most anchors the
 * exponentials where the first is the background. */
static gh_status scan_softmax(gh_candidates *c, const gh_detection *d, gh_err *e)
{
    const float *v = gh_detect_data(d, SCORES);
    size_t labels = d->m->nlabels, n = (size_t)count_anchors(d);
    float least = least_logit(c);
    for (size_t i = 0; i < n; i++, v += labels) {
        bool near = *d->m->labels[0] != '\0';
        for (size_t k = 1; k < labels; k++)
            near |= !(v[k] - v[0] <= least); /* NaN is near */
        if (near)
            GH_TRY(scan_row(c, d, v, i, e));
    }
    return GH_OK;
}

static gh_status scan(gh_candidates *c, const gh_detection *d, gh_err *e)
{
    return (d->m->boxes.activation == GH_ACTIVATION_SOFTMAX ? scan_softmax : scan_single)(c, d, e);
}

/* Centre and size, in pixels of the network's input. */
typedef struct anchor {
    double x, y, w, h;
} anchor;

static anchor made_anchor(const gh_detection *d, int64_t i)
{
    const gh_anchor_level *l = d->m->boxes.levels;
    for (int64_t n; i >= (n = level_anchors(d, l)); l++)
        i -= n;
    int64_t cell = i / l->nsizes, columns = grid_width(d, l);
    double side = l->sizes[i % l->nsizes];
    return (anchor){((double)(cell % columns) + 0.5) * l->stride,
                    ((double)(cell / columns) + 0.5) * l->stride, side, side};
}

/* `a` holds corners in shares of the input. */
static anchor given_anchor(const gh_detection *d, const float *a)
{
    int x = d->m->boxes.axes == GH_AXES_YX, y = !x;
    double width = d->in->width, height = d->in->height;
    double w = ((double)a[x + 2] - a[x]) * width, h = ((double)a[y + 2] - a[y]) * height;
    return (anchor){a[x] * width + w / 2, a[y] * height + h / 2, w, h};
}

static anchor anchor_at(const gh_detection *d, size_t i)
{
    return d->m->boxes.nlevels ? made_anchor(d, (int64_t)i)
                               : given_anchor(d, gh_detect_data(d, ANCHORS) + 4 * i);
}

static void place(gh_box *b, const gh_detection *d)
{
    size_t i = (size_t)b->at / d->m->nlabels;
    const double *v = d->m->boxes.variances;
    const float *n = gh_detect_data(d, BOXES) + 4 * i;
    int x = d->m->boxes.axes == GH_AXES_YX, y = !x;
    anchor a = anchor_at(d, i);
    double cx = a.x + n[x] * v[0] * a.w, cy = a.y + n[y] * v[0] * a.h;
    double w = a.w * exp(n[x + 2] * v[1]), h = a.h * exp(n[y + 2] * v[1]);
    b->x0 = (float)(cx - w / 2);
    b->y0 = (float)(cy - h / 2);
    b->x1 = (float)(cx + w / 2);
    b->y1 = (float)(cy + h / 2);
}

static void points(float xy[GH_LANDMARKS][2], const gh_box *b, const gh_detection *d)
{
    size_t i = (size_t)b->at / d->m->nlabels;
    double v = d->m->boxes.variances[0];
    int x = d->m->boxes.axes == GH_AXES_YX, y = !x;
    anchor a = anchor_at(d, i);
    const float *n = gh_detect_data(d, LANDMARKS) + (size_t)(2 * GH_LANDMARKS) * i;
    for (int k = 0; k < GH_LANDMARKS; k++) {
        xy[k][0] = (float)(a.x + n[2 * k + x] * v * a.w);
        xy[k][1] = (float)(a.y + n[2 * k + y] * v * a.h);
    }
}

const gh_detector gh_detector_anchors = {
    .name = "anchors",
    .required = 2,
    .overlap = 0.5,
    .landmarks = LANDMARKS,
    .check = check,
    .scan = scan,
    .place = place,
    .points = points,
};
