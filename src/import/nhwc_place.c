/* Operators that take elements from, or put them to, other places: slices, padding, resizing. */
#include "import/nhwc_parts.h"

#include "engine/ops.h"

#include <math.h>
#include <string.h>

static bool keeps_image(const gh_nhwc_value *x)
{
    return !x->data && gh_nhwc_is_image(x);
}

/* A Slice over the first `rank` axes of TensorFlow's order. */
static const gh_nhwc_value *emit_slice(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *begin,
                                       const int64_t *end, const int64_t *step, size_t rank)
{
    int64_t axes[GH_MAX_RANK], from[GH_MAX_RANK], to[GH_MAX_RANK], by[GH_MAX_RANK];
    bool image = keeps_image(x);
    size_t n = 0;
    for (size_t i = 0; i < rank; i++) {
        int64_t dim = x->shape.dims[i];
        if (step[i] == 1 && begin[i] == 0 && (end[i] == dim || dim < 0))
            continue; /* the whole axis */
        if (dim < 0)
            return gh_nhwc_fail(b, GH_UNSUPPORTED, "it parts a batch of any size");
        axes[n] = image ? gh_nhwc_image_axis((int)i) : (int64_t)i;
        from[n] = begin[i];
        to[n] = end[i];
        by[n++] = step[i];
    }
    if (n == 0)
        return x;
    uint32_t in[5] = {gh_nhwc_stored(b, x, image), gh_nhwc_emit_ints(b, "begin", from, n),
                      gh_nhwc_emit_ints(b, "end", to, n), gh_nhwc_emit_ints(b, "axes", axes, n),
                      gh_nhwc_emit_ints(b, "steps", by, n)};
    return gh_nhwc_settle(b, gh_nhwc_emit(b, "Slice", in, 5), image);
}

const gh_nhwc_value *gh_nhwc_slice(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *begin,
                                   const int64_t *sizes, size_t rank)
{
    int64_t end[GH_MAX_RANK], step[GH_MAX_RANK];
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if ((int)rank != x->shape.rank)
        return gh_nhwc_fail(b, GH_FORMAT, "%zu places for %d dimensions", rank, x->shape.rank);
    for (size_t i = 0; i < rank; i++) {
        int64_t dim = x->shape.dims[i];
        step[i] = 1;
        end[i] = sizes[i] < 0 ? dim : 0;
        if (dim < 0 && begin[i] == 0 && (sizes[i] < 0 || sizes[i] == GH_NHWC_BATCH))
            continue;
        if (begin[i] < 0 || begin[i] > dim || sizes[i] < -1 || (sizes[i] >= 0 && sizes[i] > dim - begin[i]))
            return gh_nhwc_fail(b, GH_FORMAT, "%lld elements from %lld on are not in a dimension of %lld",
                                (long long)sizes[i], (long long)begin[i], (long long)dim);
        if (sizes[i] >= 0)
            end[i] = begin[i] + sizes[i];
    }
    return emit_slice(b, x, begin, end, step, rank);
}

const gh_nhwc_value *gh_nhwc_part(gh_nhwc *b, const gh_nhwc_value *x, int axis, int64_t begin, int64_t count)
{
    int64_t begins[GH_MAX_RANK] = {0}, sizes[GH_MAX_RANK];
    if (!gh_nhwc_ready(b, x))
        return NULL;
    for (int i = 0; i < GH_MAX_RANK; i++)
        sizes[i] = -1;
    begins[axis] = begin;
    sizes[axis] = count;
    return gh_nhwc_slice(b, x, begins, sizes, (size_t)x->shape.rank);
}

/* ---- TensorFlow's StridedSlice, one axis after the other ---- */
typedef struct strided {
    int64_t begin[GH_MAX_RANK], end[GH_MAX_RANK], step[GH_MAX_RANK]; /* of each input dimension */
    int64_t out[GH_MAX_RANK + GH_MAX_RANK]; /* 1 = new axis, 0 = input's, -1 = dropped */
    size_t marks;
    int rank; /* input dimensions dealt with */
} strided;

static bool bit(int64_t mask, size_t i)
{
    return (mask >> i & 1) != 0;
}

static void whole_axis(strided *t, const gh_shape *s)
{
    t->begin[t->rank] = 0;
    t->end[t->rank] = s->dims[t->rank];
    t->step[t->rank] = 1;
    t->rank++;
    t->out[t->marks++] = 0;
}

/* Bounds counted from the end where negative, and held to the dimension. */
static int64_t bound(int64_t at, int64_t dim, int64_t step)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? dim : dim - 1;
    at = at < 0 ? at + dim : at;
    return at < low ? low : at > high ? high : at;
}

static bool one_axis(gh_nhwc *b, strided *t, const gh_shape *s, const gh_nhwc_strided *a, size_t i)
{
    int64_t dim = s->dims[t->rank], step = a->strides[i];
    bool shrink = bit(a->shrink_axis_mask, i), open = bit(a->begin_mask, i) && bit(a->end_mask, i);
    if (step == 0 || (shrink && step < 0)) {
        gh_nhwc_fail(b, GH_FORMAT, "a stride of %lld", (long long)step);
        return false;
    }
    if (dim < 0) {
        if (open && step == 1 && !shrink) {
            whole_axis(t, s);
            return true;
        }
        gh_nhwc_fail(b, GH_UNSUPPORTED, "it parts a batch of any size");
        return false;
    }
    int64_t begin = a->begin[i] < 0 ? a->begin[i] + dim : a->begin[i];
    if (shrink && (begin < 0 || begin >= dim)) {
        gh_nhwc_fail(b, GH_FORMAT, "element %lld of a dimension of %lld", (long long)a->begin[i],
                     (long long)dim);
        return false;
    }
    t->begin[t->rank] = shrink                  ? begin
                        : bit(a->begin_mask, i) ? (step > 0 ? 0 : dim - 1)
                                                : bound(a->begin[i], dim, step);
    t->end[t->rank] = shrink                ? begin + 1
                      : bit(a->end_mask, i) ? (step > 0 ? dim : -1)
                                            : bound(a->end[i], dim, step);
    if (t->end[t->rank] < 0) /* ONNX counts from the end: before the first element */
        t->end[t->rank] = -dim - 1;
    t->step[t->rank] = shrink ? 1 : step;
    t->rank++;
    t->out[t->marks++] = shrink ? -1 : 0;
    return true;
}

/* Walks the places of the specification over the dimensions; the ellipsis stands for those left over. */
static bool plan_axes(gh_nhwc *b, strided *t, const gh_shape *s, const gh_nhwc_strided *a)
{
    int spoken = 0;
    for (size_t i = 0; i < a->count; i++)
        spoken += !bit(a->new_axis_mask, i) && !bit(a->ellipsis_mask, i);
    if (spoken > s->rank) {
        gh_nhwc_fail(b, GH_FORMAT, "%d places for %d dimensions", spoken, s->rank);
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (bit(a->ellipsis_mask, i)) {
            for (int k = s->rank - spoken; k > 0; k--)
                whole_axis(t, s);
            spoken = s->rank;
        } else if (bit(a->new_axis_mask, i)) {
            t->out[t->marks++] = 1;
        } else if (!one_axis(b, t, s, a, i)) {
            return false;
        }
    }
    while (t->rank < s->rank)
        whole_axis(t, s);
    return true;
}

const gh_nhwc_value *gh_nhwc_strided_slice(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_strided *a)
{
    strided t = {.rank = 0};
    int64_t dims[2 * GH_MAX_RANK];
    size_t rank = 0;
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (a->count > GH_MAX_RANK)
        return gh_nhwc_fail(b, GH_UNSUPPORTED, "%zu places; at most %d are supported", a->count, GH_MAX_RANK);
    if (!plan_axes(b, &t, &x->shape, a))
        return NULL;
    const gh_nhwc_value *v = emit_slice(b, x, t.begin, t.end, t.step, (size_t)t.rank);
    if (!v)
        return NULL;
    bool same = true;
    for (size_t i = 0, from = 0; i < t.marks; i++) {
        int64_t dim = t.out[i] == 1 ? 1 : v->shape.dims[from++];
        same &= t.out[i] == 0;
        if (t.out[i] >= 0)
            dims[rank++] = dim < 0 ? GH_NHWC_BATCH : dim;
    }
    return same ? v : gh_nhwc_reshape(b, v, dims, rank);
}

const gh_nhwc_value *gh_nhwc_gather(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *indices,
                                    int64_t axis)
{
    int at = 0;
    if (!gh_nhwc_ready(b, x) || !indices || !gh_nhwc_axis(b, &at, axis, x->shape.rank))
        return NULL;
    if (at == 0 && x->shape.dims[0] < 0)
        return gh_nhwc_fail(b, GH_UNSUPPORTED, "it mixes the pictures of a batch");
    bool image = keeps_image(x) && indices->shape.rank == 1;
    uint32_t in[2] = {gh_nhwc_stored(b, x, image), gh_nhwc_plain(b, indices)};
    uint32_t out = gh_nhwc_emit(b, "Gather", in, 2);
    gh_graph_set_int(b->graph, out, "axis", image ? gh_nhwc_image_axis(at) : at);
    return gh_nhwc_settle(b, out, image);
}

/* ---- padding ---- */

/* A zero padding of height and width is remembered, for the convolution behind it to take over. */
static const gh_nhwc_value *remember_pads(gh_nhwc *b, const gh_nhwc_value *out, const gh_nhwc_value *x,
                                          const int64_t *pads)
{
    gh_nhwc_value *v = out ? gh_nhwc_record(b, out) : NULL;
    if (!v)
        return NULL;
    v->inner = x;
    v->padded = true;
    for (int i = 0; i < 2; i++) {
        v->pads[i] = pads[2 + 2 * i];
        v->pads[2 + i] = pads[3 + 2 * i];
    }
    return v;
}

const gh_nhwc_value *gh_nhwc_pad(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *pads, size_t rank,
                                 const char *mode, float value)
{
    int64_t flat[2 * GH_MAX_RANK];
    bool simple = strcmp(mode, "constant") == 0;
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if ((int)rank != x->shape.rank)
        return gh_nhwc_fail(b, GH_FORMAT, "padding of %zu dimensions for %d", rank, x->shape.rank);
    bool image = keeps_image(x);
    bool zero = simple && value == 0 && image && !pads[0] && !pads[1] && !pads[6] && !pads[7];
    for (size_t i = 0; i < rank; i++) {
        size_t at = image ? (size_t)gh_nhwc_image_axis((int)i) : i;
        for (size_t side = 0; side < 2; side++) {
            int64_t pad = pads[2 * i + side];
            if (pad < 0 || pad > GH_MAX_WINDOW || (pad && x->shape.dims[i] < 0))
                return gh_nhwc_fail(b, GH_FORMAT, "padding of %lld", (long long)pad);
            flat[at + side * rank] = pad;
        }
    }
    uint32_t in[3] = {gh_nhwc_stored(b, x, image), gh_nhwc_emit_ints(b, "pads", flat, 2 * rank), GH_NONE};
    if (simple && value != 0)
        in[2] = gh_nhwc_emit_floats(b, "value", gh_shape_of(0, NULL), &value, true);
    uint32_t out = gh_nhwc_emit(b, "Pad", in, in[2] == GH_NONE ? 2 : 3);
    gh_graph_set_string(b->graph, out, "mode", mode);
    const gh_nhwc_value *v = gh_nhwc_settle(b, out, image);
    return zero ? remember_pads(b, v, x, pads) : v;
}

/* ONNX's modes do not repeat the edge; by one pixel that is its mode "edge". */
const gh_nhwc_value *gh_nhwc_mirror_pad(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *pads, size_t rank,
                                        bool symmetric)
{
    int64_t most = 0;
    for (size_t i = 0; i < 2 * rank; i++)
        most = pads[i] > most ? pads[i] : most;
    if (symmetric && most > 1)
        return gh_nhwc_fail(b, GH_UNSUPPORTED,
                            "it mirrors SYMMETRIC by %lld; gharial imports REFLECT, and SYMMETRIC by 1",
                            (long long)most);
    return gh_nhwc_pad(b, x, pads, rank, symmetric ? "edge" : "reflect", 0);
}

/* ---- resizing ---- */

/* A factor that gives this size when multiplied and rounded down, as ONNX does. */
static float factor_of(int64_t to, int64_t from)
{
    float factor = (float)to / (float)from;
    while ((int64_t)floorf((float)from * factor) < to)
        factor = nextafterf(factor, INFINITY);
    return factor;
}

static void set_resize(gh_nhwc *b, uint32_t out, const gh_nhwc_resize_args *a)
{
    const char *places = a->align_corners ? "align_corners" : a->half_pixel ? "half_pixel" : "asymmetric";
    gh_graph_set_string(b->graph, out, "mode", a->linear ? "linear" : "nearest");
    gh_graph_set_string(b->graph, out, "coordinate_transformation_mode", places);
    /* The nearest: rounded down as it is; half up where pixels or corners are centred. */
    if (!a->linear)
        gh_graph_set_string(b->graph, out, "nearest_mode",
                            a->align_corners || a->half_pixel ? "round_prefer_ceil" : "floor");
}

const gh_nhwc_value *gh_nhwc_resize(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_resize_args *a)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (x->shape.rank != 4 || x->shape.dims[1] < 1 || x->shape.dims[2] < 1)
        return gh_nhwc_fail(b, GH_FORMAT, "its input is not a picture of 4 dimensions");
    if (a->count != 2)
        return gh_nhwc_fail(b, GH_FORMAT, "its size has %zu numbers; 2 are needed", a->count);
    const int64_t height = a->size[0], width = a->size[1];
    if (height < 1 || width < 1 || height > GH_MAX_WINDOW || width > GH_MAX_WINDOW)
        return gh_nhwc_fail(b, GH_FORMAT, "a size of %lldx%lld; 1 to %d pixels are accepted",
                            (long long)width, (long long)height, GH_MAX_WINDOW);
    if (height == x->shape.dims[1] && width == x->shape.dims[2])
        return x;
    float factors[4] = {1, 1, factor_of(height, x->shape.dims[1]), factor_of(width, x->shape.dims[2])};
    uint32_t scales = gh_nhwc_emit_floats(b, "scales", gh_shape_of(1, (int64_t[]){4}), factors, true);
    uint32_t in[3] = {gh_nhwc_image(b, x), GH_NONE, scales};
    uint32_t out = gh_nhwc_emit(b, "Resize", in, 3);
    set_resize(b, out, a);
    return gh_nhwc_settle(b, out, true);
}

/* TensorFlow numbers channels by row, column and depth, which is ONNX's DCR. */
const gh_nhwc_value *gh_nhwc_depth_to_space(gh_nhwc *b, const gh_nhwc_value *x, int64_t size)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    uint32_t in = gh_nhwc_image(b, x), out = gh_nhwc_emit(b, "DepthToSpace", &in, 1);
    gh_graph_set_int(b->graph, out, "blocksize", size);
    gh_graph_set_string(b->graph, out, "mode", "DCR");
    return gh_nhwc_settle(b, out, true);
}

const gh_nhwc_value *gh_nhwc_space_to_depth(gh_nhwc *b, const gh_nhwc_value *x, int64_t size)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    uint32_t in = gh_nhwc_image(b, x), out = gh_nhwc_emit(b, "SpaceToDepth", &in, 1);
    gh_graph_set_int(b->graph, out, "blocksize", size);
    return gh_nhwc_settle(b, out, true);
}
