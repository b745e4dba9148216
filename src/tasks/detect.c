/* From a network's outputs to the boxes of an answer: the decoder gives candidates, of which non-maximum
 * suppression keeps the best; those go to the picture's pixels, are clipped and sorted.
 */
#include "tasks/detect.h"

#include "base/heap.h"
#include "base/mem.h"
#include "tasks/detect_parts.h"
#include "tasks/preproc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const gh_detector *detector_of(gh_decoder decoder)
{
    static const gh_detector *const table[] = {
        [GH_DECODE_CENTERNET] = &gh_detector_centernet,
        [GH_DECODE_ANCHORS] = &gh_detector_anchors,
        [GH_DECODE_BOX] = &gh_detector_box,
    };
    return (unsigned)decoder < GH_COUNT(table) ? table[decoder] : NULL;
}

bool gh_detect_knows(gh_decoder decoder)
{
    return detector_of(decoder) != NULL;
}

/* The number of an output that is found by its place: the `place`-th, unless a name takes it. */
static int output_placed(const int roles[GH_DETECT_OUTPUTS], int place, size_t count)
{
    for (int i = 0; i < GH_DETECT_OUTPUTS; i++)
        if (roles[i] == place)
            return -1;
    return (size_t)place < count ? place : -1;
}

gh_status gh_detect_roles(int roles[GH_DETECT_OUTPUTS], const gh_manifest *m, const gh_net *net, gh_err *e)
{
    const gh_detector *decoder = detector_of(m->decoder);
    size_t all = gh_net_outputs(net), n = all < GH_MAX_TAPS ? all : GH_MAX_TAPS; /* what a result reads */
    bool anchors = decoder == &gh_detector_anchors; /* those are never found by place */
    for (int i = 0; i < GH_DETECT_OUTPUTS; i++) {
        roles[i] = m->boxes.names[i] ? gh_net_find_output(net, m->boxes.names[i]) : -1;
        if (m->boxes.names[i] && (roles[i] < 0 || (size_t)roles[i] >= n))
            return gh_fail(e, GH_FORMAT, "the network has no output '%.60s'", m->boxes.names[i]);
    }
    for (int i = 0; i < GH_DETECT_OUTPUTS - anchors; i++)
        if (!m->boxes.names[i])
            roles[i] = output_placed(roles, i, n);
    for (int i = 0; i < decoder->required; i++)
        if (roles[i] < 0)
            return gh_fail(e, GH_FORMAT, "the network has %zu outputs; the decoder %s takes %d to %d", n,
                           decoder->name, decoder->required, GH_DETECT_OUTPUTS);
    return GH_OK;
}

gh_status gh_detect_check(const gh_tensor *const outputs[GH_DETECT_OUTPUTS], const gh_manifest *m,
                          const gh_manifest_input *in, gh_err *e)
{
    const gh_detection d = {outputs, m, in};
    return detector_of(m->decoder)->check(&d, e);
}

/* ---- candidates ---- */

/* a goes before b when there are too many: a lower score, or the same and further behind. */
static bool worse(const void *left, const void *right, const void *arg)
{
    const gh_box *a = left, *b = right;
    (void)arg;
    return a->score < b->score || (a->score == b->score && a->at > b->at);
}

static const gh_heap worst = {.size = sizeof(gh_box), .before = worse};

void gh_candidates_add(gh_candidates *c, float score, int index, int at)
{
    const gh_box box = {.score = score, .index = index, .at = at};
    if (c->count < GH_MOST_CANDIDATES) {
        c->boxes[c->count++] = box;
        if (c->count < GH_MOST_CANDIDATES)
            return;
        gh_heap_make(&worst, c->boxes, c->count);
    } else if (worse(&c->boxes[0], &box, NULL)) {
        c->boxes[0] = box;
        gh_heap_down(&worst, c->boxes, c->count, 0);
    }
    c->least = fmaxf(c->least, c->boxes[0].score);
}

/* ---- boxes ---- */

static gh_status place_all(gh_candidates *c, const gh_detector *decoder, const gh_detection *d, gh_err *e)
{
    for (size_t i = 0; i < c->count; i++) {
        gh_box *b = &c->boxes[i];
        decoder->place(b, d);
        if (!(isfinite(b->x0) && isfinite(b->y0) && isfinite(b->x1) && isfinite(b->y1)))
            return gh_fail(e, GH_INTERNAL, "the network gave a box that is not finite");
    }
    return GH_OK;
}

/* From pixels of the network's input to those of the picture: v * scale + shift. */
typedef struct mapping {
    double scale_x, scale_y, shift_x, shift_y;
} mapping;

static mapping mapping_of(const gh_manifest_input *in, int width, int height)
{
    gh_placement p = gh_preproc_place(in, width, height);
    mapping m = {.scale_x = p.box.w / p.width, .scale_y = p.box.h / p.height};
    m.shift_x = p.box.x - p.x * m.scale_x;
    m.shift_y = p.box.y - p.y * m.scale_y;
    return m;
}

/* To the nearest whole pixel within 0 .. last. */
static int pixel(double v, int last)
{
    return (int)fmax(0, fmin(last, nearbyint(v)));
}

static gh_object to_object(const gh_result *r, const gh_box *b, const mapping *m)
{
    gh_object o = {.label = r->model->manifest->labels[b->index], .index = b->index, .score = b->score};
    o.x = pixel(b->x0 * m->scale_x + m->shift_x, r->width - 1);
    o.y = pixel(b->y0 * m->scale_y + m->shift_y, r->height - 1);
    o.w = pixel(b->x1 * m->scale_x + m->shift_x, r->width) - o.x;
    o.h = pixel(b->y1 * m->scale_y + m->shift_y, r->height) - o.y;
    o.w = o.w < 1 ? 1 : o.w;
    o.h = o.h < 1 ? 1 : o.h;
    return o;
}

static void add_points(gh_object *o, const gh_result *r, const float xy[GH_LANDMARKS][2], const mapping *m)
{
    for (int i = 0; i < GH_LANDMARKS; i++) {
        bool finite = isfinite(xy[i][0]) && isfinite(xy[i][1]);
        o->landmarks[i][0] = pixel(finite ? xy[i][0] * m->scale_x + m->shift_x : 0, r->width - 1);
        o->landmarks[i][1] = pixel(finite ? xy[i][1] * m->scale_y + m->shift_y : 0, r->height - 1);
    }
    o->nlandmarks = GH_LANDMARKS;
}

/* The better score first, then the larger area, then from the top left. */
static int better(const gh_object *a, const gh_object *b)
{
    int64_t area_a = (int64_t)a->w * a->h, area_b = (int64_t)b->w * b->h;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (area_a != area_b)
        return area_a > area_b ? -1 : 1;
    return a->y != b->y ? (a->y > b->y ? 1 : -1) : (a->x > b->x) - (a->x < b->x);
}

static int by_score(const void *left, const void *right)
{
    return better(left, right);
}

static int by_area(const void *left, const void *right)
{
    const gh_object *a = left, *b = right;
    int64_t area_a = (int64_t)a->w * a->h, area_b = (int64_t)b->w * b->h;
    return area_a != area_b ? (area_a > area_b ? -1 : 1) : better(a, b);
}

void gh_detect_sort(gh_object *objects, size_t n, gh_sort sort)
{
    if (n > 1)
        qsort(objects, n, sizeof *objects, sort == GH_SORT_AREA ? by_area : by_score);
}

static gh_status make_objects(gh_result *r, const gh_box *boxes, size_t count, const gh_detector *decoder,
                              const gh_detection *d, gh_err *e)
{
    mapping m = mapping_of(d->in, r->width, r->height);
    gh_object *objects = gh_calloc(count ? count : 1, sizeof *objects);
    float xy[GH_LANDMARKS][2];
    if (!objects)
        return gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    for (size_t i = 0; i < count; i++) {
        objects[i] = to_object(r, &boxes[i], &m);
        if (!d->outputs[decoder->landmarks])
            continue;
        decoder->points(xy, &boxes[i], d);
        add_points(&objects[i], r, xy, &m);
    }
    gh_detect_sort(objects, count, d->m->boxes.sort);
    gh_free(r->objects);
    r->objects = objects;
    r->nobjects = count;
    return GH_OK;
}

gh_status gh_detect_decode(gh_result *r, const gh_tensor *const outputs[GH_DETECT_OUTPUTS],
                           const gh_manifest_input *in, const gh_run_options *options, gh_err *e)
{
    const gh_manifest *m = r->model->manifest;
    const gh_detector *decoder = detector_of(m->decoder);
    const gh_detection d = {outputs, m, in};
    double overlap = m->boxes.overlap > 0 ? m->boxes.overlap : decoder->overlap;
    GH_TRY(decoder->check(&d, e));
    gh_candidates c = {gh_alloc(GH_MOST_CANDIDATES * sizeof *c.boxes), 0,
                       (float)(options->threshold > 0 ? options->threshold : m->threshold)};
    gh_status status = c.boxes ? GH_OK : gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    if (status == GH_OK)
        status = decoder->scan(&c, &d, e);
    if (status == GH_OK)
        status = place_all(&c, decoder, &d, e);
    if (status == GH_OK) {
        c.count = gh_nms(c.boxes, c.count, options->nms > 0 ? options->nms : overlap);
        status = make_objects(r, c.boxes, c.count, decoder, &d, e);
    }
    if (status == GH_OK && options->limit > 0 && (size_t)options->limit < r->nobjects)
        r->nobjects = (size_t)options->limit;
    gh_free(c.boxes);
    return status;
}
