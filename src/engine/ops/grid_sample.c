/* GridSample: a picture read at the places that another tensor names, each between -1 and 1 along every axis.
 */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

#define MOST_AXES 3
#define MOST_TAPS 4

typedef enum sampling { NEAREST, LINEAR, CUBIC } sampling;
typedef enum padding { ZEROS, BORDER, REFLECTION } padding;

typedef struct job {
    gh_shape x, grid;
    int axes; /* of space; the grid's first number is the place along the last of them */
    sampling mode;
    padding pad;
    bool corners; /* -1 and 1 are the centres of the outermost pixels, not their outer edges */
    const float *src, *places;
    float *dst;
} job;

static gh_status read_attributes(const gh_io *io, job *j)
{
    static const struct {
        const char *name;
        sampling mode;
    } modes[] = {
        {"linear", LINEAR}, {"bilinear", LINEAR}, {"nearest", NEAREST}, {"cubic", CUBIC}, {"bicubic", CUBIC}};
    static const char *const pads[] = {[ZEROS] = "zeros", [BORDER] = "border", [REFLECTION] = "reflection"};
    const char *mode = gh_node_string(io->node, "mode", "linear");
    const char *pad = gh_node_string(io->node, "padding_mode", "zeros");
    size_t m = 0, p = 0;
    while (m < GH_COUNT(modes) && strcmp(modes[m].name, mode) != 0)
        m++;
    while (p < GH_COUNT(pads) && strcmp(pads[p], pad) != 0)
        p++;
    if (m == GH_COUNT(modes) || p == GH_COUNT(pads))
        return gh_io_fail(io, GH_FORMAT, "mode \"%.40s\" with padding \"%.40s\" is not known", mode, pad);
    j->mode = modes[m].mode;
    j->pad = (padding)p;
    j->corners = gh_node_int(io->node, "align_corners", 0) != 0;
    return GH_OK;
}

static gh_status infer(gh_io *io)
{
    job j;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(gh_io_need(io, 1, GH_F32, io->in[0].shape.rank));
    const gh_shape *x = &io->in[0].shape, *g = &io->in[1].shape;
    if (x->rank < 3 || x->rank > 2 + MOST_AXES)
        return gh_io_fail(io, GH_UNSUPPORTED, "input has %d dimensions; gharial runs 3 to %d", x->rank,
                          2 + MOST_AXES);
    if (g->dims[0] != x->dims[0] || g->dims[g->rank - 1] != x->rank - 2)
        return gh_io_fail(io, GH_FORMAT, "the grid must name %d numbers a place, for %lld pictures",
                          x->rank - 2, (long long)x->dims[0]);
    GH_TRY(read_attributes(io, &j));
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = *x};
    for (int d = 2; d < x->rank; d++)
        io->out[0].shape.dims[d] = g->dims[d - 1];
    return GH_OK;
}

/* Folds x back into low .. high as often as it takes. */
static float reflect(float x, float low, float high)
{
    float range = high - low, out = x < low ? low - x : x - high;
    if (x >= low && x <= high)
        return x;
    if (range <= 0)
        return low;
    float turns = floorf(out / range), rest = out - turns * range;
    bool back = fmodf(turns, 2) != 0;
    return (x < low) != back ? low + rest : high - rest;
}

/* What one axis of one place reads: pixels (-1: outside, which is 0) and their weights. */
typedef struct taps {
    int n;
    int64_t at[MOST_TAPS];
    float weight[MOST_TAPS];
} taps;

static int64_t pixel(const job *j, float x, int64_t size, float low, float high)
{
    if (j->pad == REFLECTION)
        x = reflect(x, low, high);
    if (j->pad != ZEROS)
        x = x < 0 ? 0 : x > (float)(size - 1) ? (float)(size - 1) : x;
    return x >= 0 && x <= (float)(size - 1) ? (int64_t)x : -1;
}

/* Convolution weights of Keys (1981) with a = -0.75 for the pixels at -1, 0, 1 and 2. */
static void cubic_weights(float *w, float t)
{
    const float a = -0.75f;
    float d[MOST_TAPS] = {t + 1, t, 1 - t, 2 - t};
    for (int i = 0; i < MOST_TAPS; i++)
        w[i] = i == 1 || i == 2 ? ((a + 2) * d[i] - (a + 3)) * d[i] * d[i] + 1
                                : ((a * d[i] - 5 * a) * d[i] + 8 * a) * d[i] - 4 * a;
}

static void axis_taps(taps *t, const job *j, float place, int64_t size)
{
    float last = (float)(size - 1), low = j->corners ? 0 : -0.5f, high = j->corners ? last : last + 0.5f;
    place = isnan(place) ? -1 : place < -1e6f ? -1e6f : place > 1e6f ? 1e6f : place;
    float x = j->corners ? (place + 1) / 2 * last : ((place + 1) * (float)size - 1) / 2;
    if (j->mode == NEAREST)
        x = nearbyintf(x);
    if (j->pad == BORDER && j->mode != CUBIC) /* a cubic goes on beyond the border, as in ONNX Runtime */
        x = x < 0 ? 0 : x > last ? last : x;
    if (j->pad == REFLECTION)
        x = reflect(x, low, high);
    float floor_x = floorf(x), first = j->mode == CUBIC ? floor_x - 1 : floor_x, part = x - floor_x;
    t->n = j->mode == NEAREST ? 1 : j->mode == LINEAR ? 2 : 4;
    t->weight[0] = j->mode == NEAREST ? 1 : 1 - part;
    t->weight[1] = part;
    if (j->mode == CUBIC)
        cubic_weights(t->weight, part);
    for (int i = 0; i < t->n; i++)
        t->at[i] = pixel(j, first + (float)i, size, low, high);
}

/* The sum over all combinations of the axes' taps. */
static float sample(const float *plane, const taps *t, const gh_shape *x, int axes)
{
    int at[MOST_AXES] = {0};
    float sum = 0;
    for (int a = axes - 1; a >= 0;) {
        float weight = 1;
        int64_t offset = 0;
        for (int d = 0; d < axes; d++) {
            int64_t i = t[d].at[at[d]];
            weight *= i < 0 ? 0 : t[d].weight[at[d]];
            offset = offset * x->dims[2 + d] + (i < 0 ? 0 : i);
        }
        if (weight != 0)
            sum += weight * plane[offset];
        for (a = axes - 1; a >= 0 && ++at[a] == t[a].n; a--)
            at[a] = 0;
    }
    return sum;
}

/* A unit is one place of one picture. */
static void places(const void *arg, int begin, int end)
{
    const job *j = arg;
    size_t channels = (size_t)j->x.dims[1], points = gh_shape_span(&j->grid, 1, j->grid.rank - 1);
    size_t plane = gh_shape_span(&j->x, 2, j->x.rank);
    for (int u = begin; u < end; u++) {
        size_t n = (size_t)u / points, at = (size_t)u % points;
        taps t[MOST_AXES];
        for (int a = 0; a < j->axes; a++)
            axis_taps(&t[a], j, j->places[(size_t)u * (size_t)j->axes + (size_t)(j->axes - 1 - a)],
                      j->x.dims[2 + a]);
        for (size_t c = 0; c < channels; c++)
            j->dst[(n * channels + c) * points + at] =
                sample(j->src + (n * channels + c) * plane, t, &j->x, j->axes);
    }
}

static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j = {.x = x->in[0].shape,
             .grid = x->in[1].shape,
             .axes = x->in[0].shape.rank - 2,
             .src = x->in[0].data,
             .places = x->in[1].data,
             .dst = x->out[0].data};
    GH_TRY(read_attributes(&io, &j));
    gh_exec_range(x, (int)gh_shape_span(&j.grid, 0, j.grid.rank - 1), places, &j);
    return GH_OK;
}

const gh_op gh_ops_grid_sample[] = {
    {"GridSample", "", 16, 0, 0, 2, 2, 1, infer, run, NULL, NULL},
};
const size_t gh_ops_grid_sample_count = GH_COUNT(gh_ops_grid_sample);
