/* Resize and Upsample of height and width, forwards and backwards by tables of taps: the gradient goes back
 * along each tap with its weight. */
#include "engine/ops/resize.h"
#include "train/tape/grad.h"

#include <string.h>

/* Taps of both axes, in the scratch: y.out * y.taps indices and weights, then those of x; then a row a
 * thread. */
typedef struct resize_job {
    gh_resize_taps y, x;
    const float *src;
    float *dst, *rows;
    size_t row_floats;
} resize_job;

static bool read(const gh_io *io, gh_resize *r)
{
    const gh_resize_axis *a = r->axes;
    return gh_resize_read(io, r) == GH_OK && r->rank == 4 && io->in[0].type == GH_F32 && !r->crops &&
           a[0].same && a[1].same;
}

static size_t taps_of(const gh_resize_axis *a)
{
    return (size_t)a->out * (size_t)a->taps;
}

static size_t row_floats(const gh_resize *r)
{
    int64_t longest = r->axes[3].in > r->axes[3].out ? r->axes[3].in : r->axes[3].out;
    return ((size_t)longest + 15) / 16 * 16;
}

static size_t scratch(const gh_io *io, int threads)
{
    gh_resize r;
    if (!read(io, &r))
        return 0;
    return 2 * (taps_of(&r.axes[2]) + taps_of(&r.axes[3])) + row_floats(&r) * (size_t)threads;
}

static float *make_taps(gh_resize_taps *t, float *at, const gh_resize *r, const gh_resize_axis *a)
{
    int *index = (int *)(void *)at;
    float *weight = at + taps_of(a);
    *t = (gh_resize_taps){(int)a->in, (int)a->out, (int)a->taps, index, weight};
    for (int64_t o = 0; o < a->out; o++) {
        gh_resize_at place = gh_resize_locate(r, a, o);
        for (int64_t k = 0; k < a->taps; k++) {
            *index++ = (int)gh_resize_index(a, &place, k);
            *weight++ = gh_resize_weight(r, a, &place, k);
        }
    }
    return at + 2 * taps_of(a);
}

static gh_status start(const gh_grad_exec *x, resize_job *j)
{
    gh_resize r;
    gh_io io = gh_grad_io(x);
    if (!read(&io, &r))
        return gh_io_fail(&io, GH_UNSUPPORTED, "training resizes height and width of float pictures only");
    float *at = make_taps(&j->y, x->scratch, &r, &r.axes[2]);
    j->rows = make_taps(&j->x, at, &r, &r.axes[3]);
    j->row_floats = row_floats(&r);
    return GH_OK;
}

/* A blend of the input's rows first, then of the pixels of that row. */
static void forward_plane(const resize_job *j, float *dst, const float *src, float *row)
{
    size_t width = (size_t)j->x.in;
    for (int oy = 0; oy < j->y.out; oy++, dst += j->x.out) {
        memset(row, 0, width * sizeof *row);
        for (int k = oy * j->y.taps; k < (oy + 1) * j->y.taps; k++) {
            const float *from = src + (size_t)j->y.index[k] * width;
            for (size_t i = 0; i < width; i++)
                row[i] += j->y.weight[k] * from[i];
        }
        for (int ox = 0; ox < j->x.out; ox++) {
            float sum = 0;
            for (int k = ox * j->x.taps; k < (ox + 1) * j->x.taps; k++)
                sum += j->x.weight[k] * row[j->x.index[k]];
            dst[ox] = sum;
        }
    }
}

static void backward_plane(const resize_job *j, float *dx, const float *dy, float *row)
{
    size_t width = (size_t)j->x.in;
    memset(dx, 0, (size_t)j->y.in * width * sizeof *dx);
    for (int oy = 0; oy < j->y.out; oy++, dy += j->x.out) {
        memset(row, 0, width * sizeof *row);
        for (int ox = 0; ox < j->x.out; ox++)
            for (int k = ox * j->x.taps; k < (ox + 1) * j->x.taps; k++)
                row[j->x.index[k]] += j->x.weight[k] * dy[ox];
        for (int k = oy * j->y.taps; k < (oy + 1) * j->y.taps; k++) {
            float *to = dx + (size_t)j->y.index[k] * width;
            for (size_t i = 0; i < width; i++)
                to[i] += j->y.weight[k] * row[i];
        }
    }
}

/* Units are planes. */
static void forward_units(void *arg, int begin, int end, int thread)
{
    const resize_job *j = arg;
    for (int u = begin; u < end; u++)
        forward_plane(j, j->dst + (size_t)u * (size_t)j->y.out * (size_t)j->x.out,
                      j->src + (size_t)u * (size_t)j->y.in * (size_t)j->x.in,
                      j->rows + (size_t)thread * j->row_floats);
}

static void backward_units(void *arg, int begin, int end, int thread)
{
    const resize_job *j = arg;
    for (int u = begin; u < end; u++)
        backward_plane(j, j->dst + (size_t)u * (size_t)j->y.in * (size_t)j->x.in,
                       j->src + (size_t)u * (size_t)j->y.out * (size_t)j->x.out,
                       j->rows + (size_t)thread * j->row_floats);
}

static int planes_of(const gh_grad_exec *x)
{
    return (int)gh_shape_span(&x->in[0].shape, 0, 2);
}

static gh_status forward(gh_grad_exec *x)
{
    resize_job j = {.src = x->in[0].data, .dst = x->out[0].data};
    GH_TRY(start(x, &j));
    gh_pool_for(x->pool, planes_of(x), forward_units, &j);
    return GH_OK;
}

static gh_status backward(gh_grad_exec *x)
{
    resize_job j = {.src = x->dout[0].data, .dst = x->din[0].data};
    GH_TRY(start(x, &j));
    if (j.dst)
        gh_pool_for(x->pool, planes_of(x), backward_units, &j);
    return GH_OK;
}

const gh_grad gh_grads_resize[] = {
    {"Resize", GH_GRAD_CHEAP, 0, 0, NULL, forward, backward, NULL, scratch},
    {"Upsample", GH_GRAD_CHEAP, 0, 0, NULL, forward, backward, NULL, scratch},
};
const size_t gh_grads_resize_count = GH_COUNT(gh_grads_resize);
