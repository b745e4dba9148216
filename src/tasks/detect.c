/* The centernet decoder (Zhou et al. 2019; maps as in CenterFace, Xu et al. 2019): every cell of the heat map
 * over the threshold is a box, of which non-maximum suppression keeps the best of each face. With a step of
 * `step` pixels a cell: height = step * exp(size 0), width = step * exp(size 1), centre = (row + offset 0 +
 * 1/2, column + offset 1 + 1/2) * step; landmarks are (y, x) in shares of the box, from its top left corner.
 */
#include "tasks/detect.h"

#include "base/mem.h"
#include "tasks/nms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_OVERLAP 0.3
/* Cells that are looked at, the best ones: a face has about ten over the threshold, so hundreds of faces fit,
 * and a request for all cells of a large picture stays quick. */
#define MOST_CELLS 4096

static gh_status check_map(const gh_tensor *t, int64_t channels, const gh_shape *first, gh_err *e)
{
    char text[96];
    const gh_shape *s = &t->shape;
    if (t->type != GH_F32 || s->rank != 4 || s->dims[0] != 1 || s->dims[1] != channels ||
        s->dims[2] != first->dims[2] || s->dims[3] != first->dims[3])
        return gh_fail(e, GH_FORMAT,
                       "an output is %s %s; the decoder centernet takes 1 x labels, 2, 2 and 10 channels, "
                       "all of one size",
                       gh_dtype_name(t->type), gh_shape_text(s, text, sizeof text));
    return GH_OK;
}

gh_status gh_detect_check(const gh_tensor *maps, size_t nmaps, size_t nlabels, int width, int height,
                          gh_err *e)
{
    static const int64_t channels[GH_DETECT_MAPS] = {0, 2, 2, 2 * GH_LANDMARKS};
    const gh_shape *s = &maps[0].shape;
    char text[96];
    if (nmaps < 3 || nmaps > GH_DETECT_MAPS)
        return gh_fail(e, GH_FORMAT, "the network has %zu outputs; the decoder centernet takes 3 or 4",
                       nmaps);
    for (size_t i = 0; i < nmaps; i++)
        GH_TRY(check_map(&maps[i], i ? channels[i] : (int64_t)nlabels, s, e));
    int64_t rows = s->dims[2], columns = s->dims[3];
    if (rows < 1 || columns < 1 || height % rows || width % columns || height / rows != width / columns)
        return gh_fail(e, GH_FORMAT, "a heat map of %s does not fit an input of %d x %d",
                       gh_shape_text(s, text, sizeof text), width, height);
    return GH_OK;
}

/* The maps of one picture. */
typedef struct maps {
    const float *heat, *size, *offset, *landmarks; /* landmarks or NULL */
    int rows, columns;
    size_t cells; /* rows * columns */
    double step;  /* pixels of the network's input a cell */
} maps;

static maps maps_of(const gh_tensor *t, size_t n, int width)
{
    maps m = {t[0].data, t[1].data, t[2].data, n > 3 ? t[3].data : NULL, 0, 0, 0, 0};
    m.rows = (int)t[0].shape.dims[2];
    m.columns = (int)t[0].shape.dims[3];
    m.cells = (size_t)m.rows * (size_t)m.columns;
    m.step = (double)width / m.columns;
    return m;
}

/* Box of cell `at` of the heat map (all channels). False when the network's numbers make none. */
static bool box_at(gh_box *out, const maps *m, size_t at)
{
    size_t cell = at % m->cells;
    double h = m->step * exp(m->size[cell]), w = m->step * exp(m->size[m->cells + cell]);
    double y = ((double)(cell / (size_t)m->columns) + m->offset[cell] + 0.5) * m->step;
    double x = ((double)(cell % (size_t)m->columns) + m->offset[m->cells + cell] + 0.5) * m->step;
    *out = (gh_box){(float)(x - w / 2),
                    (float)(y - h / 2),
                    (float)(x + w / 2),
                    (float)(y + h / 2),
                    fminf(1, m->heat[at]),
                    (int)(at / m->cells),
                    (int)at};
    return isfinite(out->x0) && isfinite(out->y0) && isfinite(out->x1) && isfinite(out->y1);
}

/* The score that `most` cells reach and no more, at least `threshold`: a search over the floats' order. */
static float raise_threshold(const float *heat, size_t n, float threshold, size_t most)
{
    float low = threshold, high = 1;
    for (int i = 0; i < 24; i++) {
        float mid = low + (high - low) / 2;
        size_t over = 0;
        for (size_t k = 0; k < n; k++)
            over += heat[k] > mid;
        if (over > most)
            low = mid;
        else
            high = mid;
    }
    return high;
}

/* How many cells are over the threshold, which rises when they are too many. */
static gh_status count_cells(size_t *count, float *threshold, const float *heat, size_t n, gh_err *e)
{
    size_t over = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(heat[i]))
            return gh_fail(e, GH_INTERNAL, "the network's heat map holds a number that is not finite");
        over += heat[i] > *threshold;
    }
    *count = over;
    if (over <= MOST_CELLS)
        return GH_OK;
    *threshold = raise_threshold(heat, n, *threshold, MOST_CELLS);
    *count = MOST_CELLS;
    return GH_OK;
}

/* The boxes of all cells over the threshold, in a new array. */
static gh_status find_boxes(gh_box **out, size_t *count, const maps *m, size_t nlabels, float threshold,
                            gh_err *e)
{
    size_t n = m->cells * nlabels, room = 0, found = 0;
    GH_TRY(count_cells(&room, &threshold, m->heat, n, e));
    gh_box *boxes = gh_calloc(room ? room : 1, sizeof *boxes);
    if (!boxes)
        return gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    for (size_t i = 0; i < n && found < room; i++)
        if (m->heat[i] > threshold && !box_at(&boxes[found++], m, i)) {
            gh_free(boxes);
            return gh_fail(e, GH_INTERNAL, "the network gave a box that is not finite");
        }
    *out = boxes;
    *count = found;
    return GH_OK;
}

/* To the nearest whole pixel within 0 .. last. */
static int pixel(double v, int last)
{
    return (int)fmax(0, fmin(last, nearbyint(v)));
}

static gh_object to_object(const gh_result *r, const gh_box *b, const maps *m, int width, int height)
{
    double sx = (double)r->width / width, sy = (double)r->height / height;
    gh_object o = {.label = r->model->manifest->labels[b->index], .index = b->index, .score = b->score};
    o.x = pixel(b->x0 * sx, r->width - 1);
    o.y = pixel(b->y0 * sy, r->height - 1);
    o.w = pixel(b->x1 * sx, r->width) - o.x;
    o.h = pixel(b->y1 * sy, r->height) - o.y;
    o.w = o.w < 1 ? 1 : o.w;
    o.h = o.h < 1 ? 1 : o.h;
    for (int i = 0; m->landmarks && i < GH_LANDMARKS; i++) {
        const float *at = m->landmarks + (size_t)b->at % m->cells + (size_t)(2 * i) * m->cells;
        double y = b->y0 + at[0] * ((double)b->y1 - b->y0);
        double x = b->x0 + at[m->cells] * ((double)b->x1 - b->x0);
        o.landmarks[i][0] = pixel(x * sx, r->width - 1);
        o.landmarks[i][1] = pixel(y * sy, r->height - 1);
        o.nlandmarks = GH_LANDMARKS;
    }
    return o;
}

/* Larger area first, then the better score, then from the top left. */
static int larger(const void *left, const void *right)
{
    const gh_object *a = left, *b = right;
    int64_t area_a = (int64_t)a->w * a->h, area_b = (int64_t)b->w * b->h;
    if (area_a != area_b)
        return area_a > area_b ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->y != b->y ? (a->y > b->y ? 1 : -1) : (a->x > b->x) - (a->x < b->x);
}

gh_status gh_detect_decode(gh_result *r, const gh_tensor *tensors, size_t n, int width, int height,
                           const gh_run_options *options, gh_err *e)
{
    const gh_manifest *mf = r->model->manifest;
    double threshold = options->threshold > 0 ? options->threshold : mf->threshold;
    double overlap = options->nms > 0 ? options->nms : DEFAULT_OVERLAP;
    gh_box *boxes = NULL;
    size_t count = 0;
    GH_TRY(gh_detect_check(tensors, n, mf->nlabels, width, height, e));
    maps m = maps_of(tensors, n, width);
    GH_TRY(find_boxes(&boxes, &count, &m, mf->nlabels, (float)threshold, e));
    count = gh_nms(boxes, count, overlap);
    gh_object *objects = gh_calloc(count ? count : 1, sizeof *objects);
    if (!objects) {
        gh_free(boxes);
        return gh_fail(e, GH_NOMEM, "memory ran out at the boxes");
    }
    for (size_t i = 0; i < count; i++)
        objects[i] = to_object(r, &boxes[i], &m, width, height);
    gh_free(boxes);
    if (count > 1)
        qsort(objects, count, sizeof *objects, larger);
    gh_free(r->objects);
    r->objects = objects;
    r->nobjects = options->limit > 0 && (size_t)options->limit < count ? (size_t)options->limit : count;
    return GH_OK;
}
