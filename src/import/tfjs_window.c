/* TensorFlow's convolutions, pooling, normalisation and resizing, in both of its orders, NHWC and NCHW. */
#include "import/tfjs_ops.h"

#include <math.h>
#include <string.h>

enum { MOST_TEXT = 24 }; /* longer than any word that is known, with its zero byte */

static bool is_nchw(const gh_tfjs_node *n)
{
    char text[MOST_TEXT];
    return strcmp(gh_tfjs_text(n, "data_format", text, sizeof text), "NCHW") == 0;
}

/* Where the graph has the picture as NCHW, as the builder keeps pictures, these cost nothing. */
static const gh_nhwc_value *picture_in(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i)
{
    static const int64_t perm[] = {0, 2, 3, 1};
    const gh_nhwc_value *x = gh_tfjs_in(im, n, i);
    return is_nchw(n) && x && x->shape.rank == 4 ? gh_nhwc_transpose(&im->b, x, perm, 4) : x;
}

static void set_picture(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *y)
{
    static const int64_t perm[] = {0, 3, 1, 2};
    gh_tfjs_set(im, n, is_nchw(n) && y && y->shape.rank == 4 ? gh_nhwc_transpose(&im->b, y, perm, 4) : y);
}

/* Height and width of a list with a number for each dimension; the others have to be 1. */
static bool read_pair(gh_tfjs_import *im, const gh_tfjs_node *n, const char *name, bool needed,
                      int64_t out[2])
{
    int64_t list[4] = {1, 1, 1, 1};
    size_t count = gh_tfjs_list(n, name, list, 4);
    int height = is_nchw(n) ? 2 : 1;
    out[0] = list[height];
    out[1] = list[height + 1];
    if ((count == 4 || (count == 0 && !needed)) && list[0] == 1 && list[is_nchw(n) ? 1 : 3] == 1)
        return true;
    gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "its %s are not 4 numbers with 1 for the batch and the channels",
                 name);
    return false;
}

static bool read_padding(gh_tfjs_import *im, const gh_tfjs_node *n, gh_nhwc_window *w)
{
    char text[MOST_TEXT];
    int64_t pads[8] = {0};
    gh_tfjs_text(n, "padding", text, sizeof text);
    if (strcmp(text, "SAME") == 0 || strcmp(text, "VALID") == 0) {
        w->padding = text[0] == 'S' ? GH_NHWC_SAME : GH_NHWC_VALID;
        return true;
    }
    size_t count = gh_tfjs_list(n, "explicit_paddings", pads, 8);
    int height = is_nchw(n) ? 4 : 2, channel = is_nchw(n) ? 2 : 6;
    bool inner = !pads[0] && !pads[1] && !pads[channel] && !pads[channel + 1];
    if (strcmp(text, "EXPLICIT") != 0 || count != 8 || !inner) {
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED,
                     "its padding is \"%s\"; gharial imports SAME, VALID, and EXPLICIT of height and width",
                     text);
        return false;
    }
    w->padding = GH_NHWC_EXPLICIT;
    for (int i = 0; i < 4; i++) /* top, left, bottom, right of top, bottom, left, right */
        w->pads[i] = pads[height + 2 * (i % 2) + i / 2];
    return true;
}

static bool read_window(gh_tfjs_import *im, const gh_tfjs_node *n, gh_nhwc_window *w)
{
    return read_pair(im, n, "strides", true, w->strides) &&
           read_pair(im, n, "dilations", false, w->dilations) && read_padding(im, n, w);
}

static const gh_nhwc_value *batch_norm(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *x,
                                       uint32_t first)
{
    return gh_nhwc_batch_norm(&im->b, x, gh_tfjs_in(im, n, first), gh_tfjs_in(im, n, first + 1),
                              gh_tfjs_in(im, n, first + 2), gh_tfjs_in(im, n, first + 3),
                              gh_tfjs_real(n, "epsilon", 1e-3)); /* TensorFlow.js's default */
}

/* One fused operator; *arg moves behind its operands. */
static const gh_nhwc_value *fused(gh_tfjs_import *im, const gh_tfjs_node *n, const char *op,
                                  const gh_nhwc_value *y, uint32_t *arg)
{
    static const char *const unary[] = {"Elu", "Sigmoid", "Tanh"};
    gh_nhwc *b = &im->b;
    if (strcmp(op, "BiasAdd") == 0)
        return gh_nhwc_binary(b, y, gh_tfjs_in(im, n, (*arg)++), "Add");
    if (strcmp(op, "Prelu") == 0)
        return gh_nhwc_binary(b, y, gh_tfjs_in(im, n, (*arg)++), "PRelu");
    if (strcmp(op, "FusedBatchNorm") == 0) {
        *arg += 4;
        return batch_norm(im, n, y, *arg - 4);
    }
    if (strcmp(op, "Relu") == 0)
        return gh_nhwc_clip(b, y, 0, INFINITY);
    if (strcmp(op, "Relu6") == 0)
        return gh_nhwc_clip(b, y, 0, 6);
    if (strcmp(op, "LeakyRelu") == 0)
        return gh_nhwc_leaky_relu(b, y, (float)gh_tfjs_real(n, "leakyrelu_alpha", 0.2));
    for (size_t i = 0; i < GH_COUNT(unary); i++)
        if (strcmp(op, unary[i]) == 0)
            return gh_nhwc_unary(b, y, op);
    return gh_nhwc_fail(b, GH_UNSUPPORTED,
                        "the fused operator \"%s\"; gharial imports BiasAdd, FusedBatchNorm, Prelu, Relu, "
                        "Relu6, LeakyRelu, Elu, Sigmoid and Tanh",
                        op);
}

const gh_nhwc_value *gh_tfjs_fused(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *y,
                                   size_t from, uint32_t arg)
{
    char op[MOST_TEXT];
    for (size_t i = from; y && gh_tfjs_text_at(n, "fused_ops", i, op, sizeof op); i++)
        y = fused(im, n, op, y, &arg);
    return y;
}

static void add_conv(gh_tfjs_import *im, const gh_tfjs_node *n, gh_nhwc_filter order)
{
    gh_nhwc_window w = {.padding = GH_NHWC_SAME};
    if (!read_window(im, n, &w))
        return;
    const gh_nhwc_value *y =
        gh_nhwc_conv(&im->b, picture_in(im, n, 0), gh_tfjs_in(im, n, 1), order, NULL, &w);
    set_picture(im, n, gh_tfjs_fused(im, n, y, 0, 2));
}

static void map_conv(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    add_conv(im, n, GH_NHWC_HWIO);
}

static void map_depthwise(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    add_conv(im, n, GH_NHWC_HWIM);
}

/* Conv2DBackpropInput: the output's shape, the filter, the picture. */
static void map_conv_transpose(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t shape[4];
    size_t count = 0;
    gh_nhwc_window w = {.padding = GH_NHWC_SAME};
    if (!gh_tfjs_get_ints(im, n, 0, shape, &count, 4) || !read_window(im, n, &w))
        return;
    if (count != 4 && count != 2) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "its output shape has %zu numbers; 4 are needed", count);
        return;
    }
    const int64_t *size = count == 2 ? shape : shape + (is_nchw(n) ? 2 : 1);
    set_picture(im, n,
                gh_nhwc_conv_transpose(&im->b, picture_in(im, n, 2), gh_tfjs_in(im, n, 1), GH_NHWC_HWIO, NULL,
                                       &w, size));
}

static void map_pool(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_nhwc_window w = {.padding = GH_NHWC_SAME};
    if (read_window(im, n, &w) && read_pair(im, n, "ksize", true, w.kernel))
        set_picture(im, n, gh_nhwc_pool(&im->b, picture_in(im, n, 0), n->row->arg, &w));
}

static void map_bias(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    set_picture(im, n, gh_nhwc_binary(&im->b, picture_in(im, n, 0), gh_tfjs_in(im, n, 1), "Add"));
}

static void map_batch_norm(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    set_picture(im, n, batch_norm(im, n, picture_in(im, n, 0), 1));
}

static void resize(gh_tfjs_import *im, const gh_tfjs_node *n, bool linear)
{
    int64_t size[2];
    size_t count = 0;
    if (!gh_tfjs_get_ints(im, n, 1, size, &count, 2))
        return;
    gh_nhwc_resize_args args = {.size = size,
                                .count = count,
                                .linear = linear,
                                .align_corners = gh_tfjs_bool(n, "align_corners", false),
                                .half_pixel = gh_tfjs_bool(n, "half_pixel_centers", false)};
    gh_tfjs_set(im, n, gh_nhwc_resize(&im->b, gh_tfjs_in(im, n, 0), &args));
}

static void map_bilinear(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    resize(im, n, true);
}

static void map_nearest(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    resize(im, n, false);
}

static void map_depth_to_space(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    set_picture(im, n, gh_nhwc_depth_to_space(&im->b, picture_in(im, n, 0), gh_tfjs_int(n, "block_size", 0)));
}

const gh_tfjs_row gh_tfjs_rows_window[] = {
    {"Conv2D", 2, 2, map_conv, NULL},
    {"_FusedConv2D", 2, UINT32_MAX, map_conv, NULL},
    {"DepthwiseConv2d", 2, 2, map_depthwise, NULL},
    {"DepthwiseConv2dNative", 2, 2, map_depthwise, NULL},
    {"FusedDepthwiseConv2dNative", 2, UINT32_MAX, map_depthwise, NULL},
    {"_FusedDepthwiseConv2dNative", 2, UINT32_MAX, map_depthwise, NULL},
    {"Conv2DBackpropInput", 3, 3, map_conv_transpose, NULL},
    {"MaxPool", 1, 1, map_pool, "MaxPool"},
    {"AvgPool", 1, 1, map_pool, "AveragePool"},
    {"BiasAdd", 2, 2, map_bias, NULL},
    {"FusedBatchNorm", 5, 5, map_batch_norm, NULL},
    {"FusedBatchNormV2", 5, 5, map_batch_norm, NULL},
    {"FusedBatchNormV3", 5, 5, map_batch_norm, NULL},
    {"ResizeBilinear", 2, 2, map_bilinear, NULL},
    {"ResizeNearestNeighbor", 2, 2, map_nearest, NULL},
    {"DepthToSpace", 1, 1, map_depth_to_space, NULL},
    {0},
};
