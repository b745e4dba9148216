/* TensorFlow's operators element by element, dense layers, reductions, constants and inputs. */
#include "import/tfjs_ops.h"

#include <math.h>
#include <string.h>

static void map_identity(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_tfjs_in(im, n, 0));
}

static void map_identity_n(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    for (uint32_t i = 0; i < n->ninputs; i++)
        gh_tfjs_set_at(im, n, i, n->ninputs, gh_tfjs_in(im, n, i));
}

static void map_placeholder(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_shape shape = {.rank = 0};
    gh_dtype type = gh_tfjs_type(n, "dtype");
    if (type != GH_F32 && type != GH_I64)
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "the input is neither of float32 nor of whole numbers");
    else if (!gh_tfjs_shape(&shape, n, "shape"))
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED,
                     "the input has no shape in the file; name one by --inputs NAME=1x224x224x3");
    gh_tfjs_set(im, n, gh_nhwc_input(&im->b, n->name, type, shape));
}

static void map_unary(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_nhwc_unary(&im->b, gh_tfjs_in(im, n, 0), n->row->arg));
}

static void map_relu(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_nhwc_clip(&im->b, gh_tfjs_in(im, n, 0), 0, INFINITY));
}

static void map_relu6(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_nhwc_clip(&im->b, gh_tfjs_in(im, n, 0), 0, 6));
}

static void map_leaky_relu(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    float alpha = (float)gh_tfjs_real(n, "alpha", 0.2);
    gh_tfjs_set(im, n, gh_nhwc_leaky_relu(&im->b, gh_tfjs_in(im, n, 0), alpha));
}

static void map_rsqrt(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_nhwc_rsqrt(&im->b, gh_tfjs_in(im, n, 0)));
}

static void map_square(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 0);
    gh_tfjs_set(im, n, gh_nhwc_binary(&im->b, x, x, "Mul"));
}

static const gh_nhwc_value *binary(gh_tfjs_import *im, const gh_tfjs_node *n, const char *type)
{
    return gh_nhwc_binary(&im->b, gh_tfjs_in(im, n, 0), gh_tfjs_in(im, n, 1), type);
}

static void map_binary(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, binary(im, n, n->row->arg));
}

static void map_floor_div(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 0);
    if (x && x->type != GH_F32)
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it divides whole numbers; gharial imports it for float32");
    gh_tfjs_set(im, n, gh_nhwc_unary(&im->b, binary(im, n, "Div"), "Floor"));
}

static void map_squared_difference(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value *d = binary(im, n, "Sub");
    gh_tfjs_set(im, n, gh_nhwc_binary(&im->b, d, d, "Mul"));
}

static void map_add_n(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value *sum = gh_tfjs_in(im, n, 0);
    for (uint32_t i = 1; i < n->ninputs; i++)
        sum = gh_nhwc_binary(&im->b, sum, gh_tfjs_in(im, n, i), "Add");
    gh_tfjs_set(im, n, sum);
}

/* ClipByValue(x, least, most), TensorFlow.js's own. */
static void map_clip(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value *least = gh_nhwc_binary(&im->b, gh_tfjs_in(im, n, 0), gh_tfjs_in(im, n, 1), "Max");
    gh_tfjs_set(im, n, gh_nhwc_binary(&im->b, least, gh_tfjs_in(im, n, 2), "Min"));
}

static void map_cast(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_dtype to = gh_tfjs_type(n, "DstT");
    if (to != GH_F32 && to != GH_I64)
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it casts to neither float32 nor whole numbers");
    gh_tfjs_set(im, n, gh_nhwc_cast(&im->b, gh_tfjs_in(im, n, 0), to));
}

static void map_softmax(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_nhwc_softmax(&im->b, gh_tfjs_in(im, n, 0), -1));
}

static void map_reduce(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t axes[GH_MAX_RANK];
    size_t count = 0;
    bool keep = gh_tfjs_bool(n, "keep_dims", false);
    if (gh_tfjs_get_ints(im, n, 1, axes, &count, GH_MAX_RANK))
        gh_tfjs_set(im, n, gh_nhwc_reduce(&im->b, gh_tfjs_in(im, n, 0), n->row->arg, axes, count, keep));
}

/* MatMul and _FusedMatMul: a bias that follows at once becomes the layer's own. */
static void map_matmul(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    char first[24];
    bool bias = gh_tfjs_text_at(n, "fused_ops", 0, first, sizeof first) && strcmp(first, "BiasAdd") == 0;
    if (gh_tfjs_bool(n, "transpose_a", false)) {
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it multiplies the transposed of its first input");
        return;
    }
    const gh_nhwc_value *y =
        gh_nhwc_dense(&im->b, gh_tfjs_in(im, n, 0), gh_tfjs_in(im, n, 1), bias ? gh_tfjs_in(im, n, 2) : NULL,
                      gh_tfjs_bool(n, "transpose_b", false));
    gh_tfjs_set(im, n, gh_tfjs_fused(im, n, y, bias, bias ? 3 : 2));
}

static void map_batch_matmul(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    if (gh_tfjs_bool(n, "adj_x", false) || gh_tfjs_bool(n, "adj_y", false))
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it multiplies transposed matrices");
    gh_tfjs_set(im, n, gh_nhwc_dense(&im->b, gh_tfjs_in(im, n, 0), gh_tfjs_in(im, n, 1), NULL, false));
}

const gh_tfjs_row gh_tfjs_rows_math[] = {
    {"Const", 0, 0, gh_tfjs_const, NULL},
    {"Placeholder", 0, 0, map_placeholder, NULL},
    {"PlaceholderWithDefault", 1, 1, map_placeholder, NULL},
    {"Identity", 1, 1, map_identity, NULL},
    {"IdentityN", 1, UINT32_MAX, map_identity_n, NULL},
    {"StopGradient", 1, 1, map_identity, NULL},
    {"Snapshot", 1, 1, map_identity, NULL},
    {"Add", 2, 2, map_binary, "Add"},
    {"AddV2", 2, 2, map_binary, "Add"},
    {"AddN", 1, UINT32_MAX, map_add_n, NULL},
    {"Sub", 2, 2, map_binary, "Sub"},
    {"Mul", 2, 2, map_binary, "Mul"},
    {"RealDiv", 2, 2, map_binary, "Div"},
    {"Div", 2, 2, map_binary, "Div"},
    {"FloorDiv", 2, 2, map_floor_div, NULL},
    {"Maximum", 2, 2, map_binary, "Max"},
    {"Minimum", 2, 2, map_binary, "Min"},
    {"Pow", 2, 2, map_binary, "Pow"},
    {"Prelu", 2, 2, map_binary, "PRelu"},
    {"SquaredDifference", 2, 2, map_squared_difference, NULL},
    {"ClipByValue", 3, 3, map_clip, NULL},
    {"Relu", 1, 1, map_relu, NULL},
    {"Relu6", 1, 1, map_relu6, NULL},
    {"LeakyRelu", 1, 1, map_leaky_relu, NULL},
    {"Elu", 1, 1, map_unary, "Elu"},
    {"Sigmoid", 1, 1, map_unary, "Sigmoid"},
    {"Tanh", 1, 1, map_unary, "Tanh"},
    {"Exp", 1, 1, map_unary, "Exp"},
    {"Log", 1, 1, map_unary, "Log"},
    {"Sqrt", 1, 1, map_unary, "Sqrt"},
    {"Abs", 1, 1, map_unary, "Abs"},
    {"Neg", 1, 1, map_unary, "Neg"},
    {"Floor", 1, 1, map_unary, "Floor"},
    {"Ceil", 1, 1, map_unary, "Ceil"},
    {"Reciprocal", 1, 1, map_unary, "Reciprocal"},
    {"Round", 1, 1, map_unary, "Round"},
    {"Sign", 1, 1, map_unary, "Sign"},
    {"Sin", 1, 1, map_unary, "Sin"},
    {"Cos", 1, 1, map_unary, "Cos"},
    {"Tan", 1, 1, map_unary, "Tan"},
    {"Asin", 1, 1, map_unary, "Asin"},
    {"Acos", 1, 1, map_unary, "Acos"},
    {"Atan", 1, 1, map_unary, "Atan"},
    {"Sinh", 1, 1, map_unary, "Sinh"},
    {"Cosh", 1, 1, map_unary, "Cosh"},
    {"Softplus", 1, 1, map_unary, "Softplus"},
    {"Selu", 1, 1, map_unary, "Selu"},
    {"Erf", 1, 1, map_unary, "Erf"},
    {"Rsqrt", 1, 1, map_rsqrt, NULL},
    {"Square", 1, 1, map_square, NULL},
    {"Cast", 1, 1, map_cast, NULL},
    {"Softmax", 1, 1, map_softmax, NULL},
    {"Mean", 2, 2, map_reduce, "ReduceMean"},
    {"Sum", 2, 2, map_reduce, "ReduceSum"},
    {"Max", 2, 2, map_reduce, "ReduceMax"},
    {"Min", 2, 2, map_reduce, "ReduceMin"},
    {"Prod", 2, 2, map_reduce, "ReduceProd"},
    {"MatMul", 2, 2, map_matmul, NULL},
    {"_FusedMatMul", 2, UINT32_MAX, map_matmul, NULL},
    {"BatchMatMul", 2, 2, map_batch_matmul, NULL},
    {"BatchMatMulV2", 2, 2, map_batch_matmul, NULL},
    {0},
};
