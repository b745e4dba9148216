/* Targets and losses of both heads. A centre's neighbours learn its box too, by the weight of the heat there:
 * a peak that is off by one cell then still has the right box. The confidence of the head box is how well its
 * box overlaps the labelled one, so that it tells good boxes from bad ones. */
#include "train/localize/box_target.h"

#include "base/mem.h"
#include "train/learn/loss.h"

#include <math.h>
#include <string.h>

#define OVERLAP     0.7
#define NEAR        1 /* cells around a centre that learn its box */
#define LEAST_HEAT  0.001
#define LEAST_SHARE 1e-3f /* of a box's side */

/* Weights of the parts of the losses. */
#define BOX_L1      2.0
#define BOX_IOU     1.0
#define BOX_SCORE   0.5
#define BOX_BETA    0.05f
#define DETECT_SIZE 1.0
#define DETECT_AT   1.0
#define DETECT_BETA 0.1f

enum { X, Y, W, H, THERE, CLASS }; /* of the head box's target */

typedef struct grid {
    size_t columns, rows, cells;
    double step; /* pixels a cell */
} grid;

static grid grid_of(const gh_box_head_options *o)
{
    int level = o->level ? o->level : 3;
    grid g = {(size_t)o->in_width >> level, (size_t)o->in_height >> level, 0, 1 << level};
    g.cells = g.columns * g.rows;
    return g;
}

size_t gh_box_target_floats(const gh_box_head_options *o)
{
    if (o->kind == GH_BOX_HEAD_BOX)
        return CLASS + (size_t)o->classes;
    return grid_of(o).cells * ((size_t)o->classes + 5);
}

/* The smaller root of a r^2 - b r + c. */
static double root(double a, double b, double c)
{
    double d = b * b - 4 * a * c;
    return (b - sqrt(d > 0 ? d : 0)) / (2 * a);
}

double gh_box_radius(double w, double h)
{
    /* both corners move apart alike; both move inwards; both outwards */
    double one = root(1, w + h, w * h * (1 - OVERLAP) / (1 + OVERLAP));
    double in = root(4, 2 * (w + h), (1 - OVERLAP) * w * h);
    double out = (-2 * OVERLAP * (w + h) +
                  sqrt(4 * OVERLAP * OVERLAP * (w + h) * (w + h) + 16 * OVERLAP * (1 - OVERLAP) * w * h)) /
                 (8 * OVERLAP);
    return fmax(0, fmin(one, fmin(in, out)));
}

/* ---- targets ---- */

static void make_box(float *t, const gh_box_head_options *o, const gh_augment_box *boxes,
                     const uint32_t *category, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const gh_ap_rect *b = &boxes[i].box;
        if (!boxes[i].kept || b->w * b->h <= most)
            continue;
        most = b->w * b->h;
        memset(t, 0, gh_box_target_floats(o) * sizeof *t);
        t[X] = (float)((b->x + b->w / 2) / o->in_width);
        t[Y] = (float)((b->y + b->h / 2) / o->in_height);
        t[W] = fmaxf(LEAST_SHARE, (float)(b->w / o->in_width));
        t[H] = fmaxf(LEAST_SHARE, (float)(b->h / o->in_height));
        t[THERE] = 1;
        t[CLASS + category[i]] = 1;
    }
}

/* The maps of one picture's target. */
typedef struct maps {
    float *heat, *size, *offset, *weight;
} maps;

static maps maps_of(const float *t, const gh_box_head_options *o, const grid *g)
{
    float *at = (float *)(uintptr_t)t, *size = at + (size_t)o->classes * g->cells;
    return (maps){at, size, size + 2 * g->cells, size + 4 * g->cells};
}

/* A Gaussian around the centre's cell, where it is larger than what is there; a sixth of the diameter is its
 * spread, as in CornerNet, but the radius is not cut to whole cells, so that small boxes have a slope too. */
static void draw_heat(float *heat, const grid *g, size_t row, size_t column, double w, double h)
{
    double spread = (2 * gh_box_radius(w, h) + 1) / 6;
    int radius = (int)ceil(3 * spread);
    for (int dy = -radius; dy <= radius; dy++)
        for (int dx = -radius; dx <= radius; dx++) {
            int64_t y = (int64_t)row + dy, x = (int64_t)column + dx;
            double v = exp(-(dx * dx + dy * dy) / (2 * spread * spread));
            if (v < LEAST_HEAT || y < 0 || x < 0 || y >= (int64_t)g->rows || x >= (int64_t)g->columns)
                continue;
            float *at = heat + (size_t)y * g->columns + (size_t)x;
            *at = fmaxf(*at, (float)v);
        }
    heat[row * g->columns + column] = 1;
}

static void draw_place(const maps *m, const grid *g, size_t row, size_t column, double cx, double cy,
                       double w, double h)
{
    for (int dy = -NEAR; dy <= NEAR; dy++)
        for (int dx = -NEAR; dx <= NEAR; dx++) {
            int64_t y = (int64_t)row + dy, x = (int64_t)column + dx;
            float weight = dx || dy ? 0.25f : 1;
            if (y < 0 || x < 0 || y >= (int64_t)g->rows || x >= (int64_t)g->columns)
                continue;
            size_t at = (size_t)y * g->columns + (size_t)x;
            if (m->weight[at] >= weight)
                continue; /* another box is nearer */
            m->weight[at] = weight;
            m->size[at] = (float)log(h);
            m->size[g->cells + at] = (float)log(w);
            m->offset[at] = (float)(cy - (double)y - 0.5);
            m->offset[g->cells + at] = (float)(cx - (double)x - 0.5);
        }
}

static void make_detect(float *t, const gh_box_head_options *o, const gh_augment_box *boxes,
                        const uint32_t *category, size_t n)
{
    grid g = grid_of(o);
    maps m = maps_of(t, o, &g);
    for (size_t i = 0; i < n; i++) {
        const gh_ap_rect *b = &boxes[i].box;
        double w = b->w / g.step, h = b->h / g.step;
        double cx = (b->x + b->w / 2) / g.step, cy = (b->y + b->h / 2) / g.step;
        if (!boxes[i].kept || !(w > 0 && h > 0 && cx >= 0 && cy >= 0))
            continue;
        size_t row = (size_t)fmin(cy, (double)g.rows - 1), column = (size_t)fmin(cx, (double)g.columns - 1);
        draw_heat(m.heat + category[i] * g.cells, &g, row, column, w, h);
        draw_place(&m, &g, row, column, cx, cy, w, h);
    }
}

void gh_box_target_make(float *target, const gh_box_head_options *o, const gh_augment_box *boxes,
                        const uint32_t *category, size_t n)
{
    if (o->kind == GH_BOX_HEAD_BOX)
        make_box(target, o, boxes, category, n);
    else
        make_detect(target, o, boxes, category, n);
}

/* ---- losses ---- */

static double overlap_of(const float *a, const float *b)
{
    double w = fmin(a[X] + a[W] / 2, b[X] + b[W] / 2) - fmax(a[X] - a[W] / 2, b[X] - b[W] / 2);
    double h = fmin(a[Y] + a[H] / 2, b[Y] + b[H] / 2) - fmax(a[Y] - a[H] / 2, b[Y] - b[H] / 2);
    double both = w > 0 && h > 0 ? w * h : 0;
    return both / fmax(1e-9, (double)a[W] * a[H] + (double)b[W] * b[H] - both);
}

/* What the loss of the head box works on: n x 4 boxes, their targets and gradients, a weight for each box and
 * for each number, and scores wanted. */
typedef struct box_work {
    float *boxes, *targets, *gradient, *weight, *weights, *scores;
} box_work;

static gh_status reserve(box_work *w, size_t n, size_t classes, gh_err *e)
{
    float *all = gh_calloc(n, (4 * 4 + 1 + classes) * sizeof *all);
    if (!all)
        return gh_fail(e, GH_NOMEM, "memory ran out at the loss");
    *w = (box_work){all, all + 4 * n, all + 8 * n, all + 12 * n, all + 13 * n, all + 17 * n};
    return GH_OK;
}

static gh_status box_loss(double *loss, const gh_box_head_options *o, size_t n,
                          const float *const outs[GH_BOX_OUTPUTS], float *const grads[GH_BOX_OUTPUTS],
                          const float *targets, gh_err *e)
{
    size_t classes = (size_t)o->classes, floats = gh_box_target_floats(o);
    box_work w = {0};
    GH_TRY(reserve(&w, n, classes, e));
    for (size_t i = 0; i < n; i++) {
        const float *t = targets + i * floats;
        for (int k = 0; k < 4; k++) {
            w.boxes[4 * i + k] = 1 / (1 + expf(-outs[0][4 * i + k]));
            w.targets[4 * i + k] = t[THERE] > 0 ? t[k] : w.boxes[4 * i + k];
            w.weights[4 * i + k] = t[THERE];
        }
        w.weight[i] = t[THERE];
        double overlap = t[THERE] > 0 ? overlap_of(w.boxes + 4 * i, t) : 0;
        for (size_t c = 0; c < classes; c++)
            w.scores[i * classes + c] = t[CLASS + c] * (float)overlap;
    }
    *loss = gh_loss_box((gh_gradient){w.gradient, BOX_IOU, false}, GH_BOX_CIOU, GH_BOX_CENTRE, w.boxes,
                        w.targets, w.weight, n);
    *loss += gh_loss_smooth_l1((gh_gradient){w.gradient, BOX_L1, true}, w.boxes, w.targets, w.weights, 4 * n,
                               BOX_BETA);
    for (size_t i = 0; i < 4 * n && grads[0]; i++)
        grads[0][i] = w.gradient[i] * w.boxes[i] * (1 - w.boxes[i]);
    *loss += gh_loss_sigmoid((gh_gradient){grads[1], BOX_SCORE, false}, outs[1],
                             &(gh_sigmoid_targets){.count = n * classes, .target = w.scores});
    gh_free(w.boxes);
    return GH_OK;
}

/* A share of a mean over the whole batch: what one picture's mean has to be multiplied by. */
static double share(double part, double all)
{
    return part / (all > 0 ? all : 1);
}

/* Both planes of sizes or of offsets, each cell by its weight. */
static double plane_loss(float *grad, double weight, const float *out, const float *target,
                         const float *weights, size_t cells)
{
    double loss = 0;
    for (size_t p = 0; p < 2; p++)
        loss += gh_loss_smooth_l1((gh_gradient){grad ? grad + p * cells : NULL, weight / 2, false},
                                  out + p * cells, target + p * cells, weights, cells, DETECT_BETA);
    return loss;
}

static void detect_loss(double *loss, const gh_box_head_options *o, size_t n,
                        const float *const outs[GH_BOX_OUTPUTS], float *const grads[GH_BOX_OUTPUTS],
                        const float *targets)
{
    grid g = grid_of(o);
    size_t floats = gh_box_target_floats(o), heats = (size_t)o->classes * g.cells;
    double centres = 0, weights = 0;
    for (size_t i = 0; i < n; i++) {
        maps m = maps_of(targets + i * floats, o, &g);
        for (size_t k = 0; k < heats; k++)
            centres += m.heat[k] >= 1;
        for (size_t k = 0; k < g.cells; k++)
            weights += (double)m.weight[k];
    }
    *loss = 0;
    for (size_t i = 0; i < n; i++) {
        maps m = maps_of(targets + i * floats, o, &g);
        double own = 0, weight = 0;
        float *const to[] = {grads[0] ? grads[0] + i * heats : NULL,
                             grads[1] ? grads[1] + i * 2 * g.cells : NULL,
                             grads[2] ? grads[2] + i * 2 * g.cells : NULL};
        for (size_t k = 0; k < heats; k++)
            own += m.heat[k] >= 1;
        for (size_t k = 0; k < g.cells; k++)
            weight += (double)m.weight[k];
        *loss += gh_loss_heatmap((gh_gradient){to[0], share(fmax(own, 1), centres), false},
                                 outs[0] + i * heats, m.heat, heats);
        *loss += plane_loss(to[1], DETECT_SIZE * share(weight, weights), outs[1] + i * 2 * g.cells, m.size,
                            m.weight, g.cells);
        *loss += plane_loss(to[2], DETECT_AT * share(weight, weights), outs[2] + i * 2 * g.cells, m.offset,
                            m.weight, g.cells);
    }
}

gh_status gh_box_target_loss(double *loss, const gh_box_head_options *o, size_t count,
                             const float *const outs[GH_BOX_OUTPUTS], float *const grads[GH_BOX_OUTPUTS],
                             const float *targets, gh_err *e)
{
    if (o->kind == GH_BOX_HEAD_BOX)
        return box_loss(loss, o, count, outs, grads, targets, e);
    detect_loss(loss, o, count, outs, grads, targets);
    return GH_OK;
}
