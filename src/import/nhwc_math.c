/* Operators element by element, which keep the order a picture is stored in, and those over one axis. */
#include "import/nhwc_parts.h"

#include <math.h>
#include <string.h>

static const gh_nhwc_value *one_in(gh_nhwc *b, const gh_nhwc_value *x, const char *type, bool image)
{
    uint32_t in = gh_nhwc_stored(b, x, image);
    return gh_nhwc_settle(b, gh_nhwc_emit(b, type, &in, 1), image);
}

static bool keeps_image(const gh_nhwc_value *x)
{
    return !x->data && gh_nhwc_is_image(x);
}

const gh_nhwc_value *gh_nhwc_unary(gh_nhwc *b, const gh_nhwc_value *x, const char *type)
{
    return gh_nhwc_ready(b, x) ? one_in(b, x, type, keeps_image(x)) : NULL;
}

static uint32_t emit_scalar(gh_nhwc *b, const char *suffix, float value)
{
    return gh_nhwc_emit_floats(b, suffix, gh_shape_of(0, NULL), &value, true);
}

static float within(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* The clip before this one becomes part of it. */
const gh_nhwc_value *gh_nhwc_clip(gh_nhwc *b, const gh_nhwc_value *x, float lo, float hi)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (!(lo <= hi))
        return gh_nhwc_fail(b, GH_FORMAT, "its limits are %g and %g", (double)lo, (double)hi);
    if (x->clipped) {
        float first_lo = x->lo, first_hi = x->hi;
        x = x->inner;
        float both_lo = within(first_lo, lo, hi), both_hi = within(first_hi, lo, hi);
        lo = both_lo;
        hi = both_hi;
    }
    bool image = keeps_image(x), relu = lo == 0 && isinf(hi);
    uint32_t in[3] = {gh_nhwc_stored(b, x, image), GH_NONE, GH_NONE};
    if (!relu && !isinf(lo))
        in[1] = emit_scalar(b, "min", lo);
    if (!relu && !isinf(hi))
        in[2] = emit_scalar(b, "max", hi);
    uint32_t out = gh_nhwc_emit(b, relu ? "Relu" : "Clip", in, relu ? 1 : isinf(hi) ? 2 : 3);
    const gh_nhwc_value *v = gh_nhwc_settle(b, out, image);
    gh_nhwc_value *clip = v ? gh_nhwc_record(b, v) : NULL;
    if (clip) {
        clip->inner = x;
        clip->clipped = true;
        clip->lo = lo;
        clip->hi = hi;
    }
    return clip;
}

const gh_nhwc_value *gh_nhwc_rsqrt(gh_nhwc *b, const gh_nhwc_value *x)
{
    const float one = 1;
    return gh_nhwc_binary(b, gh_nhwc_const(b, GH_F32, gh_shape_of(0, NULL), &one, true),
                          gh_nhwc_unary(b, x, "Sqrt"), "Div");
}

const gh_nhwc_value *gh_nhwc_leaky_relu(gh_nhwc *b, const gh_nhwc_value *x, float alpha)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    bool image = keeps_image(x);
    uint32_t in = gh_nhwc_stored(b, x, image), out = gh_nhwc_emit(b, "LeakyRelu", &in, 1);
    gh_graph_set_float(b->graph, out, "alpha", alpha);
    return gh_nhwc_settle(b, out, image);
}

/* ---- two operands ---- */

static bool single(const gh_nhwc_value *v)
{
    size_t count;
    return v->data && gh_shape_count(&count, &v->shape) && count == 1;
}

/* An operand beside a picture, with dimensions of 1 put in front as broadcasting does. */
static uint32_t beside_image(gh_nhwc *b, const gh_nhwc_value *v)
{
    gh_shape wide = {.rank = 4, .dims = {1, 1, 1, 1}};
    int rank = v->shape.rank;
    if (single(v)) {
        GH_ASSERT(v->type == GH_F32 || v->type == GH_I64);
        return gh_graph_const(b->graph, gh_nhwc_named(b, "const"), v->type, gh_shape_of(0, NULL), v->data,
                              false);
    }
    if (rank == 4)
        return gh_nhwc_image(b, v);
    if (rank > 0 && v->shape.dims[0] < 0) {
        gh_nhwc_fail(b, GH_UNSUPPORTED, "a batch would meet another axis of a picture");
        return GH_NONE;
    }
    for (int i = 0; i < rank; i++)
        wide.dims[4 - rank + i] = v->shape.dims[i];
    const gh_nhwc_value *as_wide = gh_nhwc_reshape(b, v, wide.dims, 4);
    return as_wide ? gh_nhwc_image(b, as_wide) : GH_NONE;
}

/* ONNX has no Min and Max that a clip does better: one bound becomes one. */
static const gh_nhwc_value *as_clip(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *y, bool least)
{
    const gh_nhwc_value *bound = single(y) ? y : x, *of = single(y) ? x : y;
    float limit = *(const float *)bound->data;
    return least ? gh_nhwc_clip(b, of, -INFINITY, limit) : gh_nhwc_clip(b, of, limit, INFINITY);
}

static bool bounds(const gh_nhwc_value *bound, const gh_nhwc_value *of)
{
    return single(bound) && bound->type == GH_F32 && bound->shape.rank <= of->shape.rank;
}

const gh_nhwc_value *gh_nhwc_binary(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *y,
                                    const char *type)
{
    if (!gh_nhwc_ready(b, x) || !y)
        return NULL;
    bool least = strcmp(type, "Min") == 0;
    if ((least || strcmp(type, "Max") == 0) && !(x->data && y->data) && (bounds(x, y) || bounds(y, x)))
        return as_clip(b, x, y, least);
    bool image = (keeps_image(x) || keeps_image(y)) && x->shape.rank <= 4 && y->shape.rank <= 4;
    uint32_t in[2] = {image ? beside_image(b, x) : gh_nhwc_plain(b, x),
                      image ? beside_image(b, y) : gh_nhwc_plain(b, y)};
    return gh_nhwc_settle(b, gh_nhwc_emit(b, type, in, 2), image);
}

/* ---- batch normalisation: a factor and an addend, which gh_nhwc_finish joins to a convolution ---- */

static bool need_channels(gh_nhwc *b, const gh_nhwc_value *v, size_t channels)
{
    size_t count = 0;
    bool good = v && v->data && v->type == GH_F32 && gh_shape_count(&count, &v->shape) && count == channels;
    if (!good)
        gh_nhwc_fail(b, GH_FORMAT, "its parameters are not float32 constants, one of each a channel (%zu)",
                     channels);
    return good;
}

const gh_nhwc_value *gh_nhwc_batch_norm(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *gamma,
                                        const gh_nhwc_value *beta, const gh_nhwc_value *mean,
                                        const gh_nhwc_value *variance, double epsilon)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (x->shape.rank < 2)
        return gh_nhwc_fail(b, GH_FORMAT, "its input has fewer than 2 dimensions");
    size_t n = (size_t)x->shape.dims[x->shape.rank - 1];
    if (!need_channels(b, gamma, n) || !need_channels(b, beta, n) || !need_channels(b, mean, n) ||
        !need_channels(b, variance, n))
        return NULL;
    float *factor = gh_arena_array(b->graph->arena, n + 1, sizeof *factor);
    float *addend = gh_arena_array(b->graph->arena, n + 1, sizeof *addend);
    if (!factor || !addend)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory for its parameters");
    for (size_t i = 0; i < n; i++) {
        double scale = ((const float *)gamma->data)[i] / sqrt(((const float *)variance->data)[i] + epsilon);
        factor[i] = (float)scale;
        addend[i] = (float)(((const float *)beta->data)[i] - ((const float *)mean->data)[i] * scale);
    }
    gh_shape shape = gh_shape_of(1, (int64_t[]){(int64_t)n});
    x = gh_nhwc_binary(b, x, gh_nhwc_const(b, GH_F32, shape, factor, false), "Mul");
    return gh_nhwc_binary(b, x, gh_nhwc_const(b, GH_F32, shape, addend, false), "Add");
}

const gh_nhwc_value *gh_nhwc_cast(gh_nhwc *b, const gh_nhwc_value *x, gh_dtype to)
{
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (x->data && to == GH_I32) /* known integers are kept as int64 */
        to = GH_I64;
    if (x->type == to)
        return x;
    bool image = keeps_image(x);
    uint32_t in = gh_nhwc_stored(b, x, image), out = gh_nhwc_emit(b, "Cast", &in, 1);
    gh_graph_set_int(b->graph, out, "to", to);
    return gh_nhwc_settle(b, out, image);
}

/* ---- dense, softmax, reductions ---- */

const gh_nhwc_value *gh_nhwc_dense(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *weights,
                                   const gh_nhwc_value *bias, bool transposed)
{
    if (!gh_nhwc_ready(b, x) || !weights)
        return NULL;
    uint32_t in[3] = {gh_nhwc_plain(b, x), gh_nhwc_plain(b, weights),
                      bias ? gh_nhwc_plain(b, bias) : GH_NONE};
    bool gemm = x->shape.rank == 2 && weights->shape.rank == 2;
    if (!gemm && (bias || transposed))
        return gh_nhwc_fail(b, GH_UNSUPPORTED, "a dense layer on %d and %d dimensions; 2 and 2 are supported",
                            x->shape.rank, weights->shape.rank);
    uint32_t out = gh_nhwc_emit(b, gemm ? "Gemm" : "MatMul", in, bias ? 3 : 2);
    if (transposed)
        gh_graph_set_int(b->graph, out, "transB", 1);
    return gh_nhwc_settle(b, out, false);
}

static const gh_nhwc_value *over_axis(gh_nhwc *b, const gh_nhwc_value *x, const char *type, int64_t axis)
{
    int at = 0;
    if (!gh_nhwc_ready(b, x) || !gh_nhwc_axis(b, &at, axis, x->shape.rank))
        return NULL;
    bool image = keeps_image(x);
    uint32_t in = gh_nhwc_stored(b, x, image), out = gh_nhwc_emit(b, type, &in, 1);
    gh_graph_set_int(b->graph, out, "axis", image ? gh_nhwc_image_axis(at) : at);
    return gh_nhwc_settle(b, out, image);
}

const gh_nhwc_value *gh_nhwc_softmax(gh_nhwc *b, const gh_nhwc_value *x, int64_t axis)
{
    return over_axis(b, x, "Softmax", axis);
}

const gh_nhwc_value *gh_nhwc_log_softmax(gh_nhwc *b, const gh_nhwc_value *x, int64_t axis)
{
    return over_axis(b, x, "LogSoftmax", axis);
}

/* Reduced axes stay as 1 in the node; where they should go, a reshape (a view, as a rule) drops them. */
const gh_nhwc_value *gh_nhwc_reduce(gh_nhwc *b, const gh_nhwc_value *x, const char *type, const int64_t *axes,
                                    size_t count, bool keep)
{
    int64_t places[GH_MAX_RANK], left[GH_MAX_RANK];
    bool gone[GH_MAX_RANK] = {false};
    size_t rank = 0;
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (count < 1 || count > GH_MAX_RANK)
        return gh_nhwc_fail(b, GH_UNSUPPORTED, "it reduces %zu axes; 1 to %d are supported", count,
                            GH_MAX_RANK);
    bool image = keeps_image(x);
    for (size_t i = 0; i < count; i++) {
        int at = 0;
        if (!gh_nhwc_axis(b, &at, axes[i], x->shape.rank))
            return NULL;
        if (at == 0 && x->shape.dims[0] < 0)
            return gh_nhwc_fail(b, GH_UNSUPPORTED, "it mixes the pictures of a batch");
        gone[at] = true;
        places[i] = image ? gh_nhwc_image_axis(at) : at;
    }
    bool by_input = strcmp(type, "ReduceSum") == 0; /* since opset 13 */
    uint32_t in[2] = {gh_nhwc_stored(b, x, image), GH_NONE};
    if (by_input)
        in[1] = gh_nhwc_emit_ints(b, "axes", places, count);
    uint32_t out = gh_nhwc_emit(b, type, in, by_input ? 2 : 1);
    if (!by_input)
        gh_graph_set_ints(b->graph, out, "axes", places, count);
    const gh_nhwc_value *v = gh_nhwc_settle(b, out, image);
    if (keep || !v)
        return v;
    for (int i = 0; i < x->shape.rank; i++)
        if (!gone[i])
            left[rank++] = i || v->shape.dims[0] >= 0 ? v->shape.dims[i] : GH_NHWC_BATCH;
    return gh_nhwc_reshape(b, v, left, rank);
}
