/* Convolutions and pooling. Filters are put into ONNX's order once; TensorFlow's SAME becomes explicit
 * padding, since the size of the input is known. */
#include "import/nhwc_parts.h"

#include "engine/ops.h"

static bool plausible(const int64_t v[2], int64_t least)
{
    return v[0] >= least && v[1] >= least && v[0] <= GH_MAX_WINDOW && v[1] <= GH_MAX_WINDOW;
}

/* Defaults filled in and bounds checked; false after recording why not. */
static bool check_window(gh_nhwc *b, gh_nhwc_window *w)
{
    for (int i = 0; i < 2; i++) {
        w->strides[i] = w->strides[i] ? w->strides[i] : 1;
        w->dilations[i] = w->dilations[i] ? w->dilations[i] : 1;
    }
    if (plausible(w->kernel, 1) && plausible(w->strides, 1) && plausible(w->dilations, 1) &&
        (w->padding != GH_NHWC_EXPLICIT || (plausible(w->pads, 0) && plausible(w->pads + 2, 0))))
        return true;
    gh_nhwc_fail(b, GH_FORMAT, "window, strides, dilations or padding are not within 1 (0) and %d pixels",
                 GH_MAX_WINDOW);
    return false;
}

/* SAME: ceil(size / stride) pixels come out, an odd pixel of padding goes behind. */
static void resolve_padding(gh_nhwc_window *w, const gh_shape *in)
{
    for (int i = 0; i < 2; i++) {
        int64_t size = in->dims[1 + i], reach = (w->kernel[i] - 1) * w->dilations[i] + 1;
        int64_t out = (size + w->strides[i] - 1) / w->strides[i];
        int64_t total = (out - 1) * w->strides[i] + reach - size;
        if (w->padding == GH_NHWC_SAME) {
            w->pads[i] = total > 0 ? total / 2 : 0;
            w->pads[2 + i] = total > 0 ? total - total / 2 : 0;
        } else if (w->padding == GH_NHWC_VALID) {
            w->pads[i] = w->pads[2 + i] = 0;
        }
    }
    w->padding = GH_NHWC_EXPLICIT;
}

static void set_window(gh_nhwc *b, uint32_t value, const gh_nhwc_window *w, bool dilates)
{
    gh_graph *g = b->graph;
    gh_graph_set_ints(g, value, "kernel_shape", w->kernel, 2);
    gh_graph_set_ints(g, value, "strides", w->strides, 2);
    gh_graph_set_ints(g, value, "pads", w->pads, 4);
    if (dilates)
        gh_graph_set_ints(g, value, "dilations", w->dilations, 2);
}

static bool need_picture(gh_nhwc *b, const gh_nhwc_value *x)
{
    char text[96];
    if (x->shape.rank == 4 && x->type == GH_F32)
        return true;
    gh_nhwc_fail(b, GH_FORMAT, "its input is %s %s; a float32 picture of 4 dimensions is needed",
                 gh_dtype_name(x->type), gh_shape_text(&x->shape, text, sizeof text));
    return false;
}

static bool need_filter(gh_nhwc *b, const gh_nhwc_value *filter)
{
    if (!filter->data)
        gh_nhwc_fail(b, GH_UNSUPPORTED, "its weights are not constant");
    else if (filter->shape.rank != 4 || filter->type != GH_F32)
        gh_nhwc_fail(b, GH_FORMAT, "its weights are not float32 of 4 dimensions");
    return !b->failed;
}

/* Weights with axes permuted, as a constant of `shape`. */
static uint32_t emit_filter(gh_nhwc *b, const gh_nhwc_value *filter, const int *perm, gh_shape shape)
{
    float *data = NULL;
    uint32_t value = gh_graph_const_f32(b->graph, gh_nhwc_named(b, "weights"), shape, &data);
    if (data)
        gh_nhwc_permute(data, filter->data, &filter->shape, perm);
    return value;
}

/* Where a filter's dimensions stand: kernel height and width, and how it becomes out, in, height, width. */
static const struct {
    int height;
    int perm[4];
} orders[] = {
    [GH_NHWC_HWIO] = {0, {3, 2, 0, 1}},
    [GH_NHWC_HWIM] = {0, {2, 3, 0, 1}},
    [GH_NHWC_OHWI] = {1, {0, 3, 1, 2}},
    [GH_NHWC_1HWO] = {1, {3, 0, 1, 2}},
};

/* The filter in ONNX's order, and how many groups its input is parted into. */
static uint32_t place_filter(gh_nhwc *b, const gh_nhwc_value *filter, gh_nhwc_filter order, int64_t channels,
                             int64_t *groups)
{
    gh_shape s = {.rank = 4};
    for (int i = 0; i < 4; i++)
        s.dims[i] = filter->shape.dims[orders[order].perm[i]];
    if (order == GH_NHWC_HWIM) {
        s.dims[0] *= s.dims[1];
        s.dims[1] = 1;
    }
    bool fits = s.dims[1] >= 1 && channels % s.dims[1] == 0;
    if (order == GH_NHWC_HWIM)
        fits = filter->shape.dims[2] == channels;
    if (!fits) {
        gh_nhwc_fail(b, GH_FORMAT, "its weights do not fit the %lld channels of its input",
                     (long long)channels);
        return GH_NONE;
    }
    *groups = channels / s.dims[1];
    return emit_filter(b, filter, orders[order].perm, s);
}

/* A rank 1 constant, or GH_NONE where there is no bias. */
static uint32_t place_bias(gh_nhwc *b, const gh_nhwc_value *bias)
{
    return bias ? gh_nhwc_plain(b, bias) : GH_NONE;
}

const gh_nhwc_value *gh_nhwc_conv(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *filter,
                                  gh_nhwc_filter order, const gh_nhwc_value *bias,
                                  const gh_nhwc_window *window)
{
    gh_nhwc_window w = *window;
    int64_t groups = 1;
    if (!gh_nhwc_ready(b, x) || !filter || !need_picture(b, x) || !need_filter(b, filter))
        return NULL;
    w.kernel[0] = filter->shape.dims[orders[order].height];
    w.kernel[1] = filter->shape.dims[orders[order].height + 1];
    if (!check_window(b, &w))
        return NULL;
    if (w.padding == GH_NHWC_VALID && x->padded) { /* the padding before it becomes its own */
        for (int i = 0; i < 4; i++)
            w.pads[i] = x->pads[i];
        w.padding = GH_NHWC_EXPLICIT;
        x = x->inner;
    }
    resolve_padding(&w, &x->shape);
    uint32_t in[3] = {gh_nhwc_image(b, x), place_filter(b, filter, order, x->shape.dims[3], &groups),
                      place_bias(b, bias)};
    uint32_t out = gh_nhwc_emit(b, "Conv", in, bias ? 3 : 2);
    set_window(b, out, &w, true);
    gh_graph_set_int(b->graph, out, "group", groups);
    return gh_nhwc_settle(b, out, true);
}

/* Padding of the convolution whose gradient this is: what of its reach the wanted size does not need. A size
 * beyond the reach is made up behind. */
static bool transpose_padding(gh_nhwc *b, gh_nhwc_window *w, const gh_shape *in, const int64_t size[2],
                              int64_t beyond[2])
{
    for (int i = 0; i < 2; i++) {
        int64_t reach = (in->dims[1 + i] - 1) * w->strides[i] + (w->kernel[i] - 1) * w->dilations[i] + 1;
        int64_t total = size[i] < 1 ? reach : reach - size[i];
        bool explicitly = w->padding == GH_NHWC_EXPLICIT;
        int64_t before = explicitly ? w->pads[i] : total > 0 ? total / 2 : 0, after = total - before;
        if (size[i] < 1 || after < -w->strides[i] || after > GH_MAX_WINDOW || before > reach) {
            gh_nhwc_fail(b, GH_FORMAT, "%lld pixels cannot come out of %lld", (long long)size[i],
                         (long long)in->dims[1 + i]);
            return false;
        }
        w->pads[i] = before;
        w->pads[2 + i] = after > 0 ? after : 0;
        beyond[i] = after < 0 ? -after : 0;
    }
    return true;
}

const gh_nhwc_value *gh_nhwc_conv_transpose(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *filter,
                                            gh_nhwc_filter order, const gh_nhwc_value *bias,
                                            const gh_nhwc_window *window, const int64_t size[2])
{
    static const int tf[] = {3, 2, 0, 1}, lite[] = {3, 0, 1, 2}; /* to in, out, height, width */
    const int *perm = order == GH_NHWC_OHWI ? lite : tf;
    gh_nhwc_window w = *window;
    int64_t beyond[2] = {0, 0};
    gh_shape s = {.rank = 4};
    if (!gh_nhwc_ready(b, x) || !filter || !need_picture(b, x) || !need_filter(b, filter))
        return NULL;
    for (int i = 0; i < 4; i++)
        s.dims[i] = filter->shape.dims[perm[i]];
    w.kernel[0] = s.dims[2];
    w.kernel[1] = s.dims[3];
    if (!check_window(b, &w) || !transpose_padding(b, &w, &x->shape, size, beyond))
        return NULL;
    uint32_t in[3] = {gh_nhwc_image(b, x), emit_filter(b, filter, perm, s), place_bias(b, bias)};
    uint32_t out = gh_nhwc_emit(b, "ConvTranspose", in, bias ? 3 : 2);
    set_window(b, out, &w, true);
    if (beyond[0] || beyond[1])
        gh_graph_set_ints(b->graph, out, "output_padding", beyond, 2);
    return gh_nhwc_settle(b, out, true);
}

const gh_nhwc_value *gh_nhwc_pool(gh_nhwc *b, const gh_nhwc_value *x, const char *type,
                                  const gh_nhwc_window *window)
{
    gh_nhwc_window w = *window;
    if (!gh_nhwc_ready(b, x) || !need_picture(b, x) || !check_window(b, &w))
        return NULL;
    resolve_padding(&w, &x->shape);
    uint32_t in = gh_nhwc_image(b, x);
    uint32_t out = gh_nhwc_emit(b, type, &in, 1);
    set_window(b, out, &w, false);
    return gh_nhwc_settle(b, out, true);
}
