/* RoiAlign (He et al. 2017, Mask R-CNN): regions of a feature map as pictures of one size, each bin the mean
 * or the largest of samples between pixels. */
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <math.h>
#include <string.h>

/* Samples a side of one bin that a region may ask for. */
#define MOST_SAMPLES 1024

typedef struct job {
    gh_shape x;
    int height, width; /* bins */
    int ratio;         /* samples a side of a bin; 0: as many as it has pixels */
    float scale, offset;
    bool largest;
    const float *src, *rois;
    const gh_tensor *batch;
    float *dst;
} job;

static gh_status read_attributes(const gh_io *io, job *j)
{
    const char *mode = gh_node_string(io->node, "mode", "avg");
    bool v16 = io->node->op->since >= 16;
    const char *coordinates =
        gh_node_string(io->node, "coordinate_transformation_mode", v16 ? "half_pixel" : "output_half_pixel");
    int64_t sizes[3] = {gh_node_int(io->node, "output_height", 1), gh_node_int(io->node, "output_width", 1),
                        gh_node_int(io->node, "sampling_ratio", 0)};
    if (strcmp(mode, "avg") != 0 && strcmp(mode, "max") != 0)
        return gh_io_fail(io, GH_FORMAT, "mode is \"%.40s\"; avg and max are known", mode);
    if (strcmp(coordinates, "half_pixel") != 0 && strcmp(coordinates, "output_half_pixel") != 0)
        return gh_io_fail(io, GH_FORMAT, "coordinate_transformation_mode is \"%.40s\"", coordinates);
    for (int i = 0; i < 3; i++)
        if (sizes[i] < (i < 2) || sizes[i] > MOST_SAMPLES)
            return gh_io_fail(io, GH_FORMAT, "an output of %lld x %lld bins of %lld samples a side",
                              (long long)sizes[0], (long long)sizes[1], (long long)sizes[2]);
    j->height = (int)sizes[0];
    j->width = (int)sizes[1];
    j->ratio = (int)sizes[2];
    j->scale = gh_node_float(io->node, "spatial_scale", 1);
    j->offset = strcmp(coordinates, "half_pixel") == 0 ? 0.5f : 0;
    j->largest = *mode == 'm';
    return GH_OK;
}

static gh_status infer(gh_io *io)
{
    job j;
    GH_TRY(gh_io_need(io, 0, GH_F32, 4));
    GH_TRY(gh_io_need(io, 1, GH_F32, 2));
    GH_TRY(gh_io_need(io, 2, GH_I64, 1));
    GH_TRY(read_attributes(io, &j));
    if (io->in[1].shape.dims[1] != 4 || io->in[2].shape.dims[0] != io->in[1].shape.dims[0])
        return gh_io_fail(io, GH_FORMAT, "each region needs four numbers and the number of a picture");
    io->out[0].type = GH_F32;
    io->out[0].shape =
        (gh_shape){.rank = 4, .dims = {io->in[1].shape.dims[0], io->in[0].shape.dims[1], j.height, j.width}};
    return GH_OK;
}

/* One region in pixels of the map. */
typedef struct region {
    float x, y, bin_w, bin_h;
    int samples_x, samples_y;
} region;

static bool region_of(region *r, const job *j, int at)
{
    const float *roi = j->rois + (size_t)at * 4;
    float x1 = roi[0] * j->scale - j->offset, y1 = roi[1] * j->scale - j->offset;
    float w = roi[2] * j->scale - j->offset - x1, h = roi[3] * j->scale - j->offset - y1;
    if (j->offset == 0) { /* the older rule: at least one pixel */
        w = w > 1 ? w : 1;
        h = h > 1 ? h : 1;
    }
    float sx = j->ratio ? (float)j->ratio : ceilf(w / (float)j->width);
    float sy = j->ratio ? (float)j->ratio : ceilf(h / (float)j->height);
    if (!isfinite(x1) || !isfinite(y1) || !isfinite(w) || !isfinite(h) || sx > MOST_SAMPLES ||
        sy > MOST_SAMPLES)
        return false;
    *r = (region){
        x1, y1, w / (float)j->width, h / (float)j->height, sx > 0 ? (int)sx : 0, sy > 0 ? (int)sy : 0};
    return true;
}

/* The pixels on both sides of v, and how far it is from the first; false when it lies outside. */
static bool neighbours(int at[2], float *part, float v, int size)
{
    if (size < 1 || v < -1 || v > (float)size)
        return false;
    v = v > 0 ? v : 0;
    at[0] = (int)v;
    at[1] = at[0] + 1;
    *part = v - (float)at[0];
    if (at[0] >= size - 1) {
        at[0] = at[1] = size - 1;
        *part = 0;
    }
    return true;
}

/* With `largest` the four weighted pixels compete, not their sum, as in ONNX's and ONNX Runtime's. */
static float sample(const job *j, const float *plane, float y, float x)
{
    int h = (int)j->x.dims[2], w = (int)j->x.dims[3], ys[2], xs[2];
    float py, px;
    if (!neighbours(ys, &py, y, h) || !neighbours(xs, &px, x, w))
        return 0;
    float v[4] = {(1 - py) * (1 - px) * plane[(size_t)ys[0] * (size_t)w + (size_t)xs[0]],
                  (1 - py) * px * plane[(size_t)ys[0] * (size_t)w + (size_t)xs[1]],
                  py * (1 - px) * plane[(size_t)ys[1] * (size_t)w + (size_t)xs[0]],
                  py * px * plane[(size_t)ys[1] * (size_t)w + (size_t)xs[1]]};
    if (!j->largest)
        return v[0] + v[1] + v[2] + v[3];
    float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
}

static float bin(const job *j, const float *plane, const region *r, int by, int bx)
{
    float sum = 0, most = -INFINITY;
    for (int iy = 0; iy < r->samples_y; iy++)
        for (int ix = 0; ix < r->samples_x; ix++) {
            float y = r->y + (float)by * r->bin_h + ((float)iy + 0.5f) * r->bin_h / (float)r->samples_y;
            float x = r->x + (float)bx * r->bin_w + ((float)ix + 0.5f) * r->bin_w / (float)r->samples_x;
            float v = sample(j, plane, y, x);
            sum += v;
            most = v > most ? v : most;
        }
    int count = r->samples_x * r->samples_y;
    return count == 0 ? 0 : j->largest ? most : sum / (float)count;
}

/* A unit is one channel of one region. */
static void units(const void *arg, int begin, int end)
{
    const job *j = arg;
    int channels = (int)j->x.dims[1];
    size_t plane = gh_shape_span(&j->x, 2, 4), bins = (size_t)j->height * (size_t)j->width;
    for (int u = begin; u < end; u++) {
        region r;
        bool there = region_of(&r, j, u / channels);
        size_t batch = (size_t)gh_int_at(j->batch, (size_t)(u / channels));
        const float *src = j->src + (batch * (size_t)channels + (size_t)(u % channels)) * plane;
        for (size_t b = 0; there && b < bins; b++)
            j->dst[(size_t)u * bins + b] = bin(j, src, &r, (int)b / j->width, (int)b % j->width);
    }
}

/* Regions are data: they are checked in each run. */
static gh_status run(gh_exec *x)
{
    gh_io io = {.node = x->node, .in = x->in, .nin = x->nin, .e = x->e};
    job j = {.x = x->in[0].shape,
             .src = x->in[0].data,
             .rois = x->in[1].data,
             .batch = &x->in[2],
             .dst = x->out[0].data};
    region r;
    GH_TRY(read_attributes(&io, &j));
    int count = (int)x->in[1].shape.dims[0];
    for (int i = 0; i < count; i++) {
        int64_t batch = gh_int_at(j.batch, (size_t)i);
        if (batch < 0 || batch >= j.x.dims[0] || !region_of(&r, &j, i))
            return gh_io_fail(&io, GH_ARG, "region %d is not one of a picture of the batch", i);
    }
    gh_exec_range(x, count * (int)j.x.dims[1], units, &j);
    return GH_OK;
}

const gh_op gh_ops_roi_align[] = {
    {"RoiAlign", "", 10, 15, 0, 3, 3, 1, infer, run, NULL, NULL},
    {"RoiAlign", "", 16, 0, 0, 3, 3, 1, infer, run, NULL, NULL},
};
const size_t gh_ops_roi_align_count = GH_COUNT(gh_ops_roi_align);
