/* TFLite's convolutions, pooling and resizing. Numbers of operators and option fields are those of
 * schema.fbs.
 */
#include "import/tflite_ops.h"

/* Padding of schema.fbs, and TfLitePadding of TensorFlow's C structures, which custom options hold. */
enum { SAME, VALID };
enum { STRUCT_SAME = 1, STRUCT_VALID = 2 };

static const gh_nhwc_value *bias_of(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i)
{
    return gh_tfl_has(op, i) ? gh_tfl_in(im, op, i) : NULL;
}

/* Padding and strides, which all windows have in the same fields. */
static gh_nhwc_window read_window(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t padding = gh_fb_int(&op->options, 0, 1, SAME);
    if (padding != SAME && padding != VALID)
        gh_nhwc_fail(&im->b, GH_FORMAT, "its padding is of kind %lld; there are SAME (0) and VALID (1)",
                     (long long)padding);
    return (gh_nhwc_window){
        .strides = {gh_fb_int(&op->options, 2, 4, 0), gh_fb_int(&op->options, 1, 4, 0)},
        .padding = padding == SAME ? GH_NHWC_SAME : GH_NHWC_VALID,
    };
}

/* Option `field` is the fused activation; the dilations, width first, stand behind it. */
static void add_conv(gh_tfl_import *im, const gh_tfl_op *op, gh_nhwc_filter order, unsigned field)
{
    gh_nhwc_window w = read_window(im, op);
    w.dilations[1] = gh_fb_int(&op->options, field + 1, 4, 1);
    w.dilations[0] = gh_fb_int(&op->options, field + 2, 4, 1);
    gh_tfl_set_act(
        im, op,
        gh_nhwc_conv(&im->b, gh_tfl_in(im, op, 0), gh_tfl_in(im, op, 1), order, bias_of(im, op, 2), &w),
        field);
}

static void map_conv(gh_tfl_import *im, const gh_tfl_op *op)
{
    add_conv(im, op, GH_NHWC_OHWI, 3);
}

/* The multiplier follows from the filter's shape; its option is not needed. */
static void map_depthwise(gh_tfl_import *im, const gh_tfl_op *op)
{
    add_conv(im, op, GH_NHWC_1HWO, 4);
}

static void map_pool(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_nhwc_window w = read_window(im, op);
    w.kernel[0] = gh_fb_int(&op->options, 4, 4, 0);
    w.kernel[1] = gh_fb_int(&op->options, 3, 4, 0);
    gh_tfl_set_act(im, op, gh_nhwc_pool(&im->b, gh_tfl_in(im, op, 0), gh_tfl_find(op)->arg, &w), 5);
}

/* Inputs: the output's shape, the filter (out, height, width, in), the picture, a bias. */
static void map_transpose_conv(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t shape[4];
    size_t count = 0;
    gh_nhwc_window w = read_window(im, op);
    if (!gh_tfl_get_ints(im, op, 0, shape, &count, 4))
        return;
    if (count != 4) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "its output shape has %zu numbers; 4 are needed", count);
        return;
    }
    gh_tfl_set_act(im, op,
                   gh_nhwc_conv_transpose(&im->b, gh_tfl_in(im, op, 2), gh_tfl_in(im, op, 1), GH_NHWC_OHWI,
                                          bias_of(im, op, 3), &w, shape + 1),
                   3);
}

/* Number i of a C structure of int32. */
static int64_t struct_int(const gh_tfl_op *op, uint32_t i)
{
    uint32_t bits = 0;
    for (uint32_t k = 0; k < 4; k++)
        bits |= (uint32_t)op->custom_options.data[4 * i + k] << 8 * k;
    return (int32_t)bits;
}

/* Height or width behind a transposed convolution, as TensorFlow has it; -1 when it is out of bounds. */
static int64_t grown(int64_t size, int64_t kernel, int64_t stride, bool same)
{
    if (size < 0 || size > 1 << 20 || kernel > 1 << 20 || stride < 1 || stride > 1 << 10)
        return -1;
    return size * stride + (same || kernel <= stride ? 0 : kernel - stride);
}

/* MediaPipe's transposed convolution with a bias; its options are TfLiteTransposeConvParams: padding, stride
 * of width, stride of height. */
static void map_transpose_conv_bias(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0), *filter = gh_tfl_in(im, op, 1);
    if (!x || !filter)
        return;
    int64_t padding = op->custom_options.count >= 12 ? struct_int(op, 0) : 0;
    if ((padding != STRUCT_SAME && padding != STRUCT_VALID) || x->shape.rank != 4 ||
        filter->shape.rank != 4) {
        gh_nhwc_fail(
            &im->b, GH_FORMAT,
            "its options are %u bytes with padding %lld; 12 bytes with padding 1 or 2, a picture and "
            "a filter of 4 dimensions are needed",
            op->custom_options.count, (long long)padding);
        return;
    }
    bool same = padding == STRUCT_SAME;
    gh_nhwc_window w = {.strides = {struct_int(op, 2), struct_int(op, 1)},
                        .padding = same ? GH_NHWC_SAME : GH_NHWC_VALID};
    int64_t size[2] = {grown(x->shape.dims[1], filter->shape.dims[1], w.strides[0], same),
                       grown(x->shape.dims[2], filter->shape.dims[2], w.strides[1], same)};
    if (size[0] < 0 || size[1] < 0) {
        gh_nhwc_fail(&im->b, GH_LIMIT, "its strides are %lld and %lld; 1 to 1024 are accepted",
                     (long long)w.strides[0], (long long)w.strides[1]);
        return;
    }
    gh_tfl_set(im, op, 0,
               gh_nhwc_conv_transpose(&im->b, x, filter, GH_NHWC_OHWI, bias_of(im, op, 2), &w, size));
}

static void resize(gh_tfl_import *im, const gh_tfl_op *op, bool linear, unsigned field)
{
    int64_t size[2];
    size_t count = 0;
    if (!gh_tfl_get_ints(im, op, 1, size, &count, 2))
        return;
    gh_nhwc_resize_args args = {.size = size,
                                .count = count,
                                .linear = linear,
                                .align_corners = gh_fb_int(&op->options, field, 1, 0) != 0,
                                .half_pixel = gh_fb_int(&op->options, field + 1, 1, 0) != 0};
    gh_tfl_set(im, op, 0, gh_nhwc_resize(&im->b, gh_tfl_in(im, op, 0), &args));
}

static void map_bilinear(gh_tfl_import *im, const gh_tfl_op *op)
{
    resize(im, op, true, 2);
}

static void map_nearest(gh_tfl_import *im, const gh_tfl_op *op)
{
    resize(im, op, false, 0);
}

static void map_depth_to_space(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t block = gh_fb_int(&op->options, 0, 4, 0);
    gh_tfl_set(im, op, 0, gh_nhwc_depth_to_space(&im->b, gh_tfl_in(im, op, 0), block));
}

static void map_space_to_depth(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t block = gh_fb_int(&op->options, 0, 4, 0);
    gh_tfl_set(im, op, 0, gh_nhwc_space_to_depth(&im->b, gh_tfl_in(im, op, 0), block));
}

const gh_tfl_row gh_tfl_rows_window[] = {
    {3, 2, 3, map_conv, NULL, NULL},
    {4, 2, 3, map_depthwise, NULL, NULL},
    {1, 1, 1, map_pool, "AveragePool", NULL},
    {17, 1, 1, map_pool, "MaxPool", NULL},
    {67, 3, 4, map_transpose_conv, NULL, NULL},
    {GH_TFL_CUSTOM, 2, 3, map_transpose_conv_bias, NULL, "Convolution2DTransposeBias"},
    {23, 2, 2, map_bilinear, NULL, NULL},
    {97, 2, 2, map_nearest, NULL, NULL},
    {5, 1, 1, map_depth_to_space, NULL, NULL},
    {26, 1, 1, map_space_to_depth, NULL, NULL},
    {0},
};
