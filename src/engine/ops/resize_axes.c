/* Geometry of Resize (opset 10 to 21) and Upsample: scales or sizes, regions, coordinates, filters. The
 * formulas are those of the operators' text in ONNX; the scale of an axis may be a fraction of a pixel off.
 */
#include "engine/ops/resize.h"

#include <math.h>
#include <string.h>

/* More input positions for one output position are refused. */
#define MOST_TAPS 65536

typedef enum coordinates {
    HALF_PIXEL,
    HALF_PIXEL_SYMMETRIC,
    PYTORCH_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_CROP_AND_RESIZE,
    TF_HALF_PIXEL_FOR_NN,
} coordinates;

static const char *const coordinate_names[] = {
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",   "align_corners",
    "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn",
};

/* SIMPLE is that of opset 10 and of Upsample: down, but up where the axis shrinks (as ONNX Runtime has it).
 */
typedef enum rounding { PREFER_FLOOR, PREFER_CEIL, FLOOR, CEIL, SIMPLE } rounding;

static const char *const rounding_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
static const char *const filter_names[] = {"nearest", "linear", "cubic"};
static const char *const policy_names[] = {"stretch", "not_larger", "not_smaller"};

static gh_status choice(const gh_io *io, int *out, const char *name, const char *const *names, size_t count)
{
    const char *s = gh_node_string(io->node, name, names[0]);
    for (size_t i = 0; i < count; i++)
        if (strcmp(s, names[i]) == 0) {
            *out = (int)i;
            return GH_OK;
        }
    return gh_io_fail(io, GH_UNSUPPORTED, "%s \"%.40s\" is not known", name, s);
}

static gh_status read_modes(const gh_io *io, gh_resize *r)
{
    const char *mode = gh_node_string(io->node, "mode", "nearest");
    int filter = GH_RESIZE_LINEAR;
    if (strcmp(mode, "bilinear") != 0) /* its name in the first opsets */
        GH_TRY(choice(io, &filter, "mode", filter_names, GH_COUNT(filter_names)));
    r->filter = (gh_resize_filter)filter;
    if (io->node->op->since < 11) {
        r->coordinates = ASYMMETRIC;
        r->rounding = SIMPLE;
        return GH_OK;
    }
    GH_TRY(choice(io, &r->coordinates, "coordinate_transformation_mode", coordinate_names,
                  GH_COUNT(coordinate_names)));
    GH_TRY(choice(io, &r->rounding, "nearest_mode", rounding_names, GH_COUNT(rounding_names)));
    r->crops = r->coordinates == TF_CROP_AND_RESIZE;
    r->cubic = gh_node_float(io->node, "cubic_coeff_a", -0.75f);
    r->extrapolation = gh_node_float(io->node, "extrapolation_value", 0);
    r->antialias = gh_node_int(io->node, "antialias", 0) != 0 && r->filter != GH_RESIZE_NEAREST;
    r->exclude_outside = gh_node_int(io->node, "exclude_outside", 0) != 0;
    return GH_OK;
}

/* Which axes scales, sizes and regions are given for: all, or those that the attribute names. */
static gh_status read_axes(const gh_io *io, int *axes, size_t *count)
{
    const gh_attr *a = gh_node_attr(io->node, "axes");
    bool seen[GH_MAX_RANK] = {false};
    int rank = io->in[0].shape.rank;
    *count = a ? a->count : (size_t)rank;
    if (a && (a->type != GH_ATTR_INTS || a->count > (size_t)rank))
        return gh_io_fail(io, GH_FORMAT, "attribute axes must hold at most %d integers", rank);
    for (size_t i = 0; i < *count; i++) {
        GH_TRY(gh_io_axis(io, &axes[i], a ? a->ints[i] : (int64_t)i, rank));
        if (seen[axes[i]])
            return gh_io_fail(io, GH_FORMAT, "axis %d is named twice", axes[i]);
        seen[axes[i]] = true;
    }
    return GH_OK;
}

/* Floats of input i, which must be `count` (0: it is absent or empty, as exporters leave it). */
static gh_status floats(const gh_io *io, uint32_t i, const char *what, const float **out, size_t *count)
{
    *count = 0;
    *out = NULL;
    if (!gh_has(io, i))
        return GH_OK;
    const gh_tensor *t = &io->in[i];
    if (!gh_shape_count(count, &t->shape) || *count == 0)
        return GH_OK;
    GH_TRY(gh_io_need(io, i, GH_F32, 1));
    if (!t->data)
        return gh_io_fail(io, GH_UNSUPPORTED, "its %s, which decide a shape, depend on the data", what);
    *out = t->data;
    return GH_OK;
}

static gh_status set_scale(const gh_io *io, gh_resize_axis *a, float scale, bool crop)
{
    if (!(scale > 0) || scale > 1e6f)
        return gh_io_fail(io, GH_FORMAT, "a scale of %g", (double)scale);
    float resized = (float)a->in * scale; /* in float, so that 1.3 times 10 is 13 for us as for others */
    a->scale = (double)scale;
    a->resized = a->scale * (double)a->in;
    double side = floor(crop ? (double)resized * (a->to - a->from) : (double)resized);
    if (!(side >= 0) || side > (double)INT32_MAX)
        return gh_io_fail(io, GH_FORMAT, "a scale of %g makes %lld pixels %g", (double)scale,
                          (long long)a->in, side);
    a->out = (int64_t)side;
    return GH_OK;
}

/* An output side of a policy that keeps the aspect ratio: one scale for all axes that are named. */
static double common_scale(const gh_resize *r, const int64_t *sizes, const int *axes, size_t n, bool larger)
{
    double scale = larger ? 0 : INFINITY;
    for (size_t i = 0; i < n; i++) {
        double s = (double)sizes[i] / (double)r->axes[axes[i]].in;
        scale = (larger ? s > scale : s < scale) ? s : scale;
    }
    return scale;
}

static gh_status set_sizes(const gh_io *io, gh_resize *r, uint32_t input, const int *axes, size_t n)
{
    int64_t sizes[GH_MAX_RANK];
    size_t count;
    int policy = 0;
    GH_TRY(gh_io_ints(io, input, sizes, &count, GH_MAX_RANK));
    if (count != n)
        return gh_io_fail(io, GH_FORMAT, "%zu sizes for %zu axes", count, n);
    GH_TRY(choice(io, &policy, "keep_aspect_ratio_policy", policy_names, GH_COUNT(policy_names)));
    for (size_t i = 0; i < n; i++)
        if (sizes[i] < 0 || sizes[i] > INT32_MAX || (policy && r->axes[axes[i]].in == 0))
            return gh_io_fail(io, GH_FORMAT, "a size of %lld", (long long)sizes[i]);
    double scale = common_scale(r, sizes, axes, n, policy == 2);
    for (size_t i = 0; i < n; i++) {
        gh_resize_axis *a = &r->axes[axes[i]];
        double side = policy ? floor(scale * (double)a->in + 0.5) : (double)sizes[i];
        if (!(side <= (double)INT32_MAX))
            return gh_io_fail(io, GH_FORMAT, "an output side of %g", side);
        a->out = (int64_t)side;
        a->scale = policy ? scale : a->in ? side / (double)a->in : 1;
        a->resized = side;
    }
    return GH_OK;
}

static gh_status set_scales(const gh_io *io, gh_resize *r, const float *scales, size_t count, const int *axes,
                            size_t n)
{
    if (count != n)
        return gh_io_fail(io, GH_FORMAT, "%zu scales for %zu axes", count, n);
    for (size_t i = 0; i < n; i++)
        GH_TRY(set_scale(io, &r->axes[axes[i]], scales[i], r->crops));
    return GH_OK;
}

/* Scales are an attribute in Upsample 7, input 1 up to opset 10, and input 2 behind the regions since. */
static gh_status read_sides(const gh_io *io, gh_resize *r)
{
    const gh_attr *attribute = gh_node_attr(io->node, "scales");
    const float *scales, *region = NULL;
    int axes[GH_MAX_RANK], since = io->node->op->since;
    size_t n, count, regions = 0;
    GH_TRY(read_axes(io, axes, &n));
    if (since < 9) {
        if (!attribute || attribute->type != GH_ATTR_FLOATS)
            return gh_io_fail(io, GH_FORMAT, "attribute scales is missing");
        return set_scales(io, r, attribute->floats, attribute->count, axes, n);
    }
    if (r->crops)
        GH_TRY(floats(io, 1, "regions", &region, &regions));
    if (r->crops && regions != 2 * n)
        return gh_io_fail(io, GH_FORMAT, "its regions must hold %zu numbers", 2 * n);
    for (size_t i = 0; i < n && region; i++) {
        r->axes[axes[i]].from = (double)region[i];
        r->axes[axes[i]].to = (double)region[i + n];
    }
    GH_TRY(floats(io, since < 11 ? 1 : 2, "scales", &scales, &count));
    if (scales)
        return set_scales(io, r, scales, count, axes, n);
    if (since < 11 || !gh_has(io, 3))
        return gh_io_fail(io, GH_FORMAT, "it has neither scales nor sizes");
    return set_sizes(io, r, 3, axes, n);
}

/* How far the filter reaches in input pixels to each side of where an output pixel falls. */
static double support(const gh_resize *r, const gh_resize_axis *a)
{
    double radius = r->filter == GH_RESIZE_CUBIC ? 2 : 1;
    return r->antialias && a->scale < 1 ? radius / a->scale : radius;
}

/* First tap, counted from the pixel at or before where an output pixel falls. */
static double first_tap(const gh_resize *r, const gh_resize_axis *a)
{
    return floor(-support(r, a)) + 1;
}

static gh_status set_taps(const gh_io *io, const gh_resize *r, gh_resize_axis *a)
{
    a->same = a->in == a->out && fabs(a->resized - (double)a->in) < 1e-3 &&
              r->coordinates != TF_HALF_PIXEL_FOR_NN && (!r->crops || (a->from == 0 && a->to == 1));
    double taps = a->same || r->filter == GH_RESIZE_NEAREST ? 1 : 2 - 2 * first_tap(r, a);
    if (taps > MOST_TAPS)
        return gh_io_fail(io, GH_LIMIT, "each output pixel would be made of %g; at most %d are accepted",
                          taps, MOST_TAPS);
    if (a->out > 0 && a->in == 0)
        return gh_io_fail(io, GH_FORMAT, "there is no pixel to make %lld of", (long long)a->out);
    if (!isfinite(a->from) || !isfinite(a->to) || fabs(a->from) > 1e6 || fabs(a->to) > 1e6)
        return gh_io_fail(io, GH_FORMAT, "a region from %g to %g", a->from, a->to);
    a->taps = (int64_t)taps;
    return GH_OK;
}

gh_status gh_resize_read(const gh_io *io, gh_resize *r)
{
    const gh_shape *in = &io->in[0].shape;
    *r = (gh_resize){.rank = in->rank};
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    for (int d = 0; d < in->rank; d++)
        r->axes[d] = (gh_resize_axis){.in = in->dims[d],
                                      .out = in->dims[d],
                                      .scale = 1,
                                      .resized = (double)in->dims[d],
                                      .from = 0,
                                      .to = 1};
    GH_TRY(read_modes(io, r));
    GH_TRY(read_sides(io, r));
    for (int d = 0; d < in->rank; d++)
        GH_TRY(set_taps(io, r, &r->axes[d]));
    return GH_OK;
}

/* Where output pixel `o` falls on the input axis. In float, as other runtimes have it: half a pixel is then
 * the same half for all. */
static float coordinate(const gh_resize *r, const gh_resize_axis *a, float o)
{
    float in = (float)a->in, out = (float)a->out, scale = (float)a->scale;
    float half = (o + 0.5f) / scale - 0.5f, from = (float)a->from, to = (float)a->to;
    float resized = (float)a->resized;
    switch ((coordinates)r->coordinates) {
    case HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - out / resized) + half;
    case PYTORCH_HALF_PIXEL:
        return a->out > 1 ? half : 0;
    case ALIGN_CORNERS:
        return resized == 1 || a->out == 1 ? 0 : o * (in - 1) / (resized - 1);
    case ASYMMETRIC:
        return o / scale;
    case TF_CROP_AND_RESIZE:
        return a->out > 1 ? from * (in - 1) + o * (to - from) * (in - 1) / (out - 1)
                          : 0.5f * (from + to) * (in - 1);
    case TF_HALF_PIXEL_FOR_NN:
        return (o + 0.5f) / scale;
    default:
        return half;
    }
}

static double nearest(const gh_resize *r, const gh_resize_axis *a, double x)
{
    switch ((rounding)r->rounding) {
    case PREFER_CEIL:
        return floor(x + 0.5);
    case FLOOR:
        return floor(x);
    case CEIL:
        return ceil(x);
    case SIMPLE:
        return a->scale < 1 ? ceil(x) : floor(x);
    default:
        return ceil(x - 0.5);
    }
}

/* Keys' kernel (1981) with the parameter a, or a triangle. */
static double filter(const gh_resize *r, double x)
{
    double a = (double)r->cubic;
    x = fabs(x);
    if (r->filter == GH_RESIZE_LINEAR)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double raw_weight(const gh_resize *r, const gh_resize_axis *a, const gh_resize_at *at, int64_t tap)
{
    int64_t index = at->base + tap;
    double narrow = r->antialias && a->scale < 1 ? a->scale : 1;
    if (r->exclude_outside && (index < 0 || index >= a->in))
        return 0;
    return filter(r, narrow * ((double)tap - at->ratio));
}

gh_resize_at gh_resize_locate(const gh_resize *r, const gh_resize_axis *a, int64_t out)
{
    gh_resize_at at = {.base = out, .sum = 1};
    if (a->same)
        return at;
    double x = (double)coordinate(r, a, (float)out), last = (double)a->in - 1,
           far = last + (double)a->taps + 2;
    at.outside = r->crops && (x < 0 || x > last);
    x = x < -far ? -far : x > far ? far : x; /* beyond, every tap is the edge */
    if (r->filter == GH_RESIZE_NEAREST) {
        at.base = (int64_t)nearest(r, a, x);
        return at;
    }
    double first = floor(x) + first_tap(r, a);
    at.base = (int64_t)first;
    at.ratio = x - first;
    at.sum = 0;
    for (int64_t k = 0; k < a->taps; k++)
        at.sum += raw_weight(r, a, &at, k);
    return at;
}

int64_t gh_resize_index(const gh_resize_axis *a, const gh_resize_at *at, int64_t tap)
{
    int64_t i = at->base + tap;
    return i < 0 ? 0 : i >= a->in ? a->in - 1 : i;
}

float gh_resize_weight(const gh_resize *r, const gh_resize_axis *a, const gh_resize_at *at, int64_t tap)
{
    if (a->same || r->filter == GH_RESIZE_NEAREST)
        return 1;
    return at->sum == 0 ? 0 : (float)(raw_weight(r, a, at, tap) / at->sum);
}
