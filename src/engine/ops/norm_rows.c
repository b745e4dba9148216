/* Normalisation by the input's own mean and variance: InstanceNormalization, LayerNormalization,
 * GroupNormalization over rows of elements that lie together, MeanVarianceNormalization over any axes. */
#include "engine/ops.h"

#include <math.h>
#include <string.h>

static gh_status same_shape(gh_io *io)
{
    io->out[0] = (gh_tensor){.type = GH_F32, .shape = io->in[0].shape};
    return GH_OK;
}

/* Inputs 1 and 2 hold `count` values each. */
static gh_status need_affine(const gh_io *io, int64_t count)
{
    for (uint32_t i = 1; i < 3; i++) {
        GH_TRY(gh_io_need(io, i, GH_F32, 1));
        if (io->in[i].shape.dims[0] != count)
            return gh_io_fail(io, GH_FORMAT, "input %u holds %lld values; %lld are needed", i,
                              (long long)io->in[i].shape.dims[0], (long long)count);
    }
    return GH_OK;
}

static gh_status need_channels(const gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    if (io->in[0].shape.rank < 2)
        return gh_io_fail(io, GH_FORMAT, "input has %d dimensions; at least 2 are needed",
                          io->in[0].shape.rank);
    return GH_OK;
}

/* Rows of `count` elements; element i of row r takes its scale and shift from
 * [(r % cycle * run + i / step) % values]. */
typedef struct rows_job {
    const float *src, *scale, *shift; /* shift NULL: 0 */
    float *dst, *means, *inverses;    /* means and inverses of each row, or NULL */
    size_t count, step, values, cycle, run;
    float epsilon;
} rows_job;

static void row_stats(const float *src, size_t count, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += src[i];
    *mean = count ? sum / (double)count : 0;
    for (size_t i = 0; i < count; i++)
        squares += (src[i] - *mean) * (src[i] - *mean);
    *variance = count ? squares / (double)count : 0;
}

static void rows_units(const void *job, int begin, int end)
{
    const rows_job *j = job;
    for (int r = begin; r < end; r++) {
        const float *src = j->src + (size_t)r * j->count;
        float *dst = j->dst + (size_t)r * j->count;
        double mean, variance;
        row_stats(src, j->count, &mean, &variance);
        float m = (float)mean, inverse = (float)(1 / sqrt(variance + j->epsilon));
        if (j->means)
            j->means[r] = m;
        if (j->inverses)
            j->inverses[r] = inverse;
        size_t at = (size_t)r % j->cycle * j->run;
        for (size_t from = 0; from < j->count; from += j->step, at++) { /* one scale for `step` elements */
            float a = j->scale[at % j->values] * inverse, b = j->shift ? j->shift[at % j->values] : 0;
            for (size_t i = from; i < from + j->step; i++)
                dst[i] = (src[i] - m) * a + b;
        }
    }
}

static gh_status instance_infer(gh_io *io)
{
    GH_TRY(need_channels(io));
    GH_TRY(need_affine(io, io->in[0].shape.dims[1]));
    return same_shape(io);
}

static gh_status instance_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t count = gh_shape_span(s, 2, s->rank), channels = (size_t)s->dims[1];
    rows_job j = {.src = x->in[0].data,
                  .scale = x->in[1].data,
                  .shift = x->in[2].data,
                  .dst = x->out[0].data,
                  .count = count,
                  .step = count,
                  .values = channels,
                  .cycle = channels,
                  .run = 1,
                  .epsilon = gh_node_float(x->node, "epsilon", 1e-5f)};
    gh_exec_range(x, (int)gh_shape_span(s, 0, 2), rows_units, &j);
    return GH_OK;
}

/* Opset 18 gave a scale a group, 21 gives one a channel. */
static gh_status group_infer(gh_io *io)
{
    int64_t groups = gh_node_int(io->node, "num_groups", 0);
    GH_TRY(need_channels(io));
    int64_t channels = io->in[0].shape.dims[1];
    if (groups < 1 || channels % groups)
        return gh_io_fail(io, GH_FORMAT, "%lld channels do not make %lld groups", (long long)channels,
                          (long long)groups);
    GH_TRY(need_affine(io, io->opset < 21 ? groups : channels));
    return same_shape(io);
}

static gh_status group_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    size_t groups = (size_t)gh_node_int(x->node, "num_groups", 1), channels = (size_t)s->dims[1];
    size_t plane = gh_shape_span(s, 2, s->rank), each = channels / groups;
    bool a_channel = (size_t)x->in[1].shape.dims[0] == channels;
    rows_job j = {.src = x->in[0].data,
                  .scale = x->in[1].data,
                  .shift = x->in[2].data,
                  .dst = x->out[0].data,
                  .count = each * plane,
                  .step = a_channel ? plane : each * plane,
                  .values = a_channel ? channels : groups,
                  .cycle = groups,
                  .run = a_channel ? each : 1,
                  .epsilon = gh_node_float(x->node, "epsilon", 1e-5f)};
    gh_exec_range(x, (int)((size_t)s->dims[0] * groups), rows_units, &j);
    return GH_OK;
}

/* Scale and shift have the last dimensions of the input, so that they repeat over a row. */
static gh_status layer_infer(gh_io *io)
{
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    const gh_shape *x = &io->in[0].shape;
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", -1), x->rank));
    for (uint32_t i = 1; i < io->nin; i++) {
        if (i > 1 && !gh_has(io, i))
            continue;
        GH_TRY(gh_io_need(io, i, GH_F32, -1));
        const gh_shape *s = &io->in[i].shape;
        bool fits = s->rank <= x->rank - axis;
        for (int d = 1; fits && d <= s->rank; d++)
            fits = s->dims[s->rank - d] == x->dims[x->rank - d];
        if (!fits)
            return gh_io_fail(io, GH_UNSUPPORTED, "input %u must have the last dimensions of input 0", i);
    }
    size_t own = gh_shape_span(&io->in[1].shape, 0, io->in[1].shape.rank);
    if (gh_has(io, 2) && gh_shape_span(&io->in[2].shape, 0, io->in[2].shape.rank) != own)
        return gh_io_fail(io, GH_UNSUPPORTED, "scale and bias must have one shape");
    gh_shape outer = *x;
    for (int d = axis; d < outer.rank; d++)
        outer.dims[d] = 1;
    for (uint32_t i = 1; i < io->nout; i++)
        io->out[i] = (gh_tensor){.type = GH_F32, .shape = outer};
    return same_shape(io);
}

static gh_status layer_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    int64_t axis = gh_node_int(x->node, "axis", -1);
    int a = (int)(axis < 0 ? axis + s->rank : axis);
    rows_job j = {.src = x->in[0].data,
                  .scale = x->in[1].data,
                  .shift = x->nin > 2 ? x->in[2].data : NULL,
                  .dst = x->out[0].data,
                  .means = x->nout > 1 ? x->out[1].data : NULL,
                  .inverses = x->nout > 2 ? x->out[2].data : NULL,
                  .count = gh_shape_span(s, a, s->rank),
                  .step = 1,
                  .values = gh_shape_span(&x->in[1].shape, 0, x->in[1].shape.rank),
                  .cycle = 1,
                  .epsilon = gh_node_float(x->node, "epsilon", 1e-5f)};
    gh_exec_range(x, (int)gh_shape_span(s, 0, a), rows_units, &j);
    return GH_OK;
}

/* ---- any axes ---- */

/* Axes of a walk: sides and steps in elements. */
typedef struct walk {
    int rank;
    size_t sides[GH_MAX_RANK], steps[GH_MAX_RANK], count;
} walk;

static void walk_add(walk *w, size_t side, size_t step)
{
    w->sides[w->rank] = side;
    w->steps[w->rank++] = step;
    w->count *= side;
}

static size_t walk_at(const walk *w, size_t i)
{
    size_t at = 0;
    for (int d = w->rank - 1; d >= 0; d--) {
        at += i % w->sides[d] * w->steps[d];
        i /= w->sides[d];
    }
    return at;
}

/* Without the attribute: batch, height and width. */
static gh_status mvn_axes(const gh_io *io, bool *over)
{
    static const int64_t usual[] = {0, 2, 3};
    const gh_attr *a = gh_node_attr(io->node, "axes");
    size_t n = a && a->type == GH_ATTR_INTS ? a->count : GH_COUNT(usual);
    memset(over, 0, GH_MAX_RANK * sizeof *over);
    for (size_t i = 0; i < n; i++) {
        int axis;
        GH_TRY(gh_io_axis(io, &axis, a && a->type == GH_ATTR_INTS ? a->ints[i] : usual[i],
                          io->in[0].shape.rank));
        over[axis] = true;
    }
    return GH_OK;
}

static gh_status mvn_infer(gh_io *io)
{
    bool over[GH_MAX_RANK];
    GH_TRY(gh_io_need(io, 0, GH_F32, -1));
    GH_TRY(mvn_axes(io, over));
    return same_shape(io);
}

typedef struct mvn_job {
    walk kept, over;
    const float *src;
    float *dst;
} mvn_job;

/* ONNX adds 1e-9 to the deviation, so that nothing is divided by 0. */
static void mvn_units(const void *job, int begin, int end)
{
    const mvn_job *j = job;
    for (int u = begin; u < end; u++) {
        size_t base = walk_at(&j->kept, (size_t)u);
        double sum = 0, squares = 0, n = (double)j->over.count;
        for (size_t i = 0; i < j->over.count; i++)
            sum += j->src[base + walk_at(&j->over, i)];
        for (size_t i = 0; i < j->over.count; i++) {
            double d = j->src[base + walk_at(&j->over, i)] - sum / n;
            squares += d * d;
        }
        double deviation = sqrt(squares / n) + 1e-9;
        for (size_t i = 0; i < j->over.count; i++) {
            size_t at = base + walk_at(&j->over, i);
            j->dst[at] = (float)((j->src[at] - sum / n) / deviation);
        }
    }
}

static gh_status mvn_run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    const gh_shape *s = &x->in[0].shape;
    mvn_job j = {.kept = {.count = 1}, .over = {.count = 1}, .src = x->in[0].data, .dst = x->out[0].data};
    bool over[GH_MAX_RANK];
    GH_TRY(mvn_axes(&io, over));
    for (int d = 0; d < s->rank; d++)
        walk_add(over[d] ? &j.over : &j.kept, (size_t)s->dims[d], gh_shape_span(s, d + 1, s->rank));
    gh_exec_range(x, (int)j.kept.count, mvn_units, &j);
    return GH_OK;
}

const gh_op gh_ops_norm_rows[] = {
    {"InstanceNormalization", "", 1, 0, 0, 3, 3, 1, instance_infer, instance_run, NULL, NULL},
    {"GroupNormalization", "", 18, 0, 0, 3, 3, 1, group_infer, group_run, NULL, NULL},
    {"LayerNormalization", "", 17, 0, 0, 2, 3, 3, layer_infer, layer_run, NULL, NULL},
    {"MeanVarianceNormalization", "", 9, 0, 0, 1, 1, 1, mvn_infer, mvn_run, NULL, NULL},
};
const size_t gh_ops_norm_rows_count = GH_COUNT(gh_ops_norm_rows);
