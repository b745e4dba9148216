/* NonMaxSuppression: per picture and class, boxes by falling score, less those that overlap one taken before
 * too much. How many there are depends on the data. */
#include "base/mem.h"
#include "engine/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    const float *boxes, *scores;
    size_t pictures, classes, count; /* count: boxes of a picture */
    size_t most;                     /* boxes to be taken of each class */
    float overlap, least;            /* thresholds */
    bool bounded, centres;           /* least applies; boxes are centre and size, not corners */
} job;

static size_t most_of(const gh_io *io, size_t count)
{
    int64_t most = gh_has(io, 2) ? (io->in[2].data ? *(const int64_t *)io->in[2].data : INT64_MAX) : 0;
    return most <= 0 ? 0 : (uint64_t)most < count ? (size_t)most : count;
}

/* The shape given is the largest that can come. */
static gh_status infer(gh_io *io)
{
    static const gh_dtype types[] = {[2] = GH_I64, [3] = GH_F32, [4] = GH_F32};
    GH_TRY(gh_io_need(io, 0, GH_F32, 3));
    GH_TRY(gh_io_need(io, 1, GH_F32, 3));
    const gh_shape *b = &io->in[0].shape, *s = &io->in[1].shape;
    if (b->dims[2] != 4 || s->dims[0] != b->dims[0] || s->dims[2] != b->dims[1])
        return gh_io_fail(io, GH_FORMAT, "boxes must be [batch][n][4] and scores [batch][classes][n]");
    for (uint32_t i = 2; i < io->nin; i++) {
        if (!gh_has(io, i))
            continue;
        GH_TRY(gh_io_need(io, i, types[i], -1));
        if (gh_shape_span(&io->in[i].shape, 0, io->in[i].shape.rank) != 1)
            return gh_io_fail(io, GH_FORMAT, "input %u must hold one value", i);
    }
    size_t rows, most = most_of(io, (size_t)b->dims[1]);
    if (!gh_mul_size(&rows, (size_t)s->dims[0] * (size_t)s->dims[1], most) || rows > INT32_MAX)
        return gh_io_fail(io, GH_LIMIT, "it may give more boxes than gharial accepts");
    io->out[0] = (gh_tensor){.type = GH_I64, .shape = {.rank = 2, .dims = {(int64_t)rows, 3}}};
    return GH_OK;
}

/* Corners in rising order. */
static void corners(float c[4], const job *j, const float *box)
{
    for (int a = 0; a < 2; a++) {
        float p = box[a], q = box[a + 2];
        if (j->centres) {
            c[a] = p - q / 2;
            c[a + 2] = p + q / 2;
        } else {
            c[a] = p < q ? p : q;
            c[a + 2] = p < q ? q : p;
        }
    }
}

/* True when the common area is more than `overlap` of the joint one. */
static bool too_close(const job *j, const float *p, const float *q)
{
    float a[4], b[4], common = 1;
    corners(a, j, p);
    corners(b, j, q);
    for (int d = 0; d < 2; d++) {
        float low = a[d] > b[d] ? a[d] : b[d], high = a[d + 2] < b[d + 2] ? a[d + 2] : b[d + 2];
        common *= high > low ? high - low : 0;
    }
    float areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]);
    return common > 0 && common / (areas - common) > j->overlap;
}

/* A box that may be taken; `rank` puts equal scores in the order of the file. */
typedef struct candidate {
    float score;
    uint32_t box;
} candidate;

static int by_score(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    return a->score > b->score ? -1 : a->score < b->score ? 1 : a->box < b->box ? -1 : a->box > b->box;
}

/* Rows of one picture and class behind `rows`; gives how many there are. */
static size_t take(int64_t *rows, const job *j, size_t picture, size_t class, candidate *found)
{
    const float *scores = j->scores + (picture * j->classes + class) * j->count;
    const float *boxes = j->boxes + picture * j->count * 4;
    size_t n = 0, taken = 0;
    for (size_t i = 0; i < j->count; i++)
        if (j->bounded ? scores[i] > j->least : !isnan(scores[i]))
            found[n++] = (candidate){scores[i], (uint32_t)i};
    qsort(found, n, sizeof *found, by_score);
    for (size_t i = 0; i < n && taken < j->most; i++) {
        bool clear = true;
        for (size_t k = 0; k < taken && clear; k++)
            clear = !too_close(j, boxes + (size_t)rows[k * 3 + 2] * 4, boxes + (size_t)found[i].box * 4);
        if (!clear)
            continue;
        memcpy(rows + taken * 3, (int64_t[]){(int64_t)picture, (int64_t) class, found[i].box},
               3 * sizeof *rows);
        taken++;
    }
    return taken;
}

static void run_with(gh_exec *x, candidate *found)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j = {.boxes = x->in[0].data,
             .scores = x->in[1].data,
             .pictures = (size_t)x->in[1].shape.dims[0],
             .classes = (size_t)x->in[1].shape.dims[1],
             .count = (size_t)x->in[0].shape.dims[1],
             .overlap = gh_has(&io, 3) ? *(const float *)x->in[3].data : 0,
             .bounded = gh_has(&io, 4),
             .centres = gh_node_int(x->node, "center_point_box", 0) != 0};
    j.least = j.bounded ? *(const float *)x->in[4].data : 0;
    j.most = most_of(&io, j.count);
    int64_t *rows = x->out[0].data;
    size_t n = 0;
    for (size_t p = 0; p < j.pictures; p++)
        for (size_t c = 0; c < j.classes; c++)
            n += take(rows + n * 3, &j, p, c, found);
    x->out[0].shape.dims[0] = (int64_t)n;
}

static gh_status run(gh_exec *x)
{
    candidate *found = gh_calloc((size_t)x->in[0].shape.dims[1], sizeof *found);
    if (!found)
        return gh_fail(x->e, GH_NOMEM, "no memory to sort boxes");
    run_with(x, found);
    gh_free(found);
    return GH_OK;
}

/* In a plan the list to be sorted is scratch. */
static gh_status prepare(gh_prepare *p)
{
    p->scratch = (size_t)p->io->in[0].shape.dims[1] * sizeof(candidate) / sizeof(float);
    p->accepted = true;
    return GH_OK;
}

static gh_status run_scratch(gh_exec *x)
{
    run_with(x, (candidate *)(void *)x->scratch);
    return GH_OK;
}

static const gh_blocked in_plan = {prepare, run_scratch};

const gh_op gh_ops_nms[] = {
    {"NonMaxSuppression", "", 10, 0, GH_OP_COUNTED | GH_OP_UNPACKED, 2, 5, 1, infer, run, &in_plan, NULL},
};
const size_t gh_ops_nms_count = GH_COUNT(gh_ops_nms);
