/* TFLite's element by element operators, dense layers and reductions. Numbers of operators and option fields
 * are those of schema.fbs. */
#include "import/tflite_ops.h"

#include <math.h>

static void map_identity(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set(im, op, 0, gh_tfl_in(im, op, 0));
}

static void map_unary(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set(im, op, 0, gh_nhwc_unary(&im->b, gh_tfl_in(im, op, 0), gh_tfl_find(op)->arg));
}

static void clip(gh_tfl_import *im, const gh_tfl_op *op, float lo, float hi)
{
    gh_tfl_set(im, op, 0, gh_nhwc_clip(&im->b, gh_tfl_in(im, op, 0), lo, hi));
}

static void map_relu(gh_tfl_import *im, const gh_tfl_op *op)
{
    clip(im, op, 0, INFINITY);
}

static void map_relu6(gh_tfl_import *im, const gh_tfl_op *op)
{
    clip(im, op, 0, 6);
}

static void map_relu_n1(gh_tfl_import *im, const gh_tfl_op *op)
{
    clip(im, op, -1, 1);
}

static void map_relu_01(gh_tfl_import *im, const gh_tfl_op *op)
{
    clip(im, op, 0, 1);
}

static void map_leaky_relu(gh_tfl_import *im, const gh_tfl_op *op)
{
    float alpha = gh_fb_float(&op->options, 0, 0);
    gh_tfl_set(im, op, 0, gh_nhwc_leaky_relu(&im->b, gh_tfl_in(im, op, 0), alpha));
}

static void map_rsqrt(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set(im, op, 0, gh_nhwc_rsqrt(&im->b, gh_tfl_in(im, op, 0)));
}

static void map_square(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0);
    gh_tfl_set(im, op, 0, gh_nhwc_binary(&im->b, x, x, "Mul"));
}

static const gh_nhwc_value *binary(gh_tfl_import *im, const gh_tfl_op *op, const char *type)
{
    return gh_nhwc_binary(&im->b, gh_tfl_in(im, op, 0), gh_tfl_in(im, op, 1), type);
}

/* With a fused activation in option 0. */
static void map_arithmetic(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set_act(im, op, binary(im, op, gh_tfl_find(op)->arg), 0);
}

static void map_binary(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set(im, op, 0, binary(im, op, gh_tfl_find(op)->arg));
}

static void map_squared_difference(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value *d = binary(im, op, "Sub");
    gh_tfl_set(im, op, 0, gh_nhwc_binary(&im->b, d, d, "Mul"));
}

static void map_add_n(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value *sum = gh_tfl_in(im, op, 0);
    for (uint32_t i = 1; i < op->ninputs; i++)
        sum = gh_nhwc_binary(&im->b, sum, gh_tfl_in(im, op, i), "Add");
    gh_tfl_set(im, op, 0, sum);
}

static void map_softmax(gh_tfl_import *im, const gh_tfl_op *op)
{
    float beta = gh_fb_float(&op->options, 0, 0); /* as the schema has it; converters write 1 */
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0);
    if (beta != 1)
        x = gh_nhwc_binary(&im->b, x, gh_tfl_scalar(im, beta), "Mul");
    gh_tfl_set(im, op, 0, gh_nhwc_softmax(&im->b, x, -1));
}

static void map_log_softmax(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set(im, op, 0, gh_nhwc_log_softmax(&im->b, gh_tfl_in(im, op, 0), -1));
}

static void map_l2_norm(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0);
    gh_nhwc *b = &im->b;
    if (!x)
        return;
    const gh_nhwc_value *sum =
        gh_nhwc_reduce(b, gh_nhwc_binary(b, x, x, "Mul"), "ReduceSum", (int64_t[]){-1}, 1, true);
    /* the least length of TensorFlow's kernel, 1e-6, squared */
    const gh_nhwc_value *length = gh_nhwc_unary(b, gh_nhwc_clip(b, sum, 1e-12f, INFINITY), "Sqrt");
    gh_tfl_set_act(im, op, gh_nhwc_binary(b, x, length, "Div"), 0);
}

static void map_reduce(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t axes[GH_MAX_RANK];
    size_t count = 0;
    if (!gh_tfl_get_ints(im, op, 1, axes, &count, GH_MAX_RANK))
        return;
    bool keep = gh_fb_int(&op->options, 0, 1, 0) != 0;
    gh_tfl_set(im, op, 0,
               gh_nhwc_reduce(&im->b, gh_tfl_in(im, op, 0), gh_tfl_find(op)->arg, axes, count, keep));
}

/* The product over the last dimensions of x: x as rows of `in` numbers. */
static const gh_nhwc_value *rows_of(gh_tfl_import *im, const gh_nhwc_value *x, int64_t in)
{
    bool rows = x && x->shape.rank == 2 && x->shape.dims[1] == in;
    return rows ? x : gh_nhwc_reshape(&im->b, x, (int64_t[]){-1, in}, 2);
}

static void map_dense(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0), *w = gh_tfl_in(im, op, 1);
    if (!x || !w)
        return;
    if (gh_fb_int(&op->options, 1, 1, 0) != 0 || w->shape.rank != 2) {
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED,
                     "its weights have %d dimensions or are shuffled; gharial imports plain ones of 2",
                     w->shape.rank);
        return;
    }
    const gh_nhwc_value *y = gh_nhwc_dense(&im->b, rows_of(im, x, w->shape.dims[1]), w,
                                           gh_tfl_has(op, 2) ? gh_tfl_in(im, op, 2) : NULL, true);
    if (gh_fb_int(&op->options, 2, 1, 0) && x->shape.rank != 2) { /* keep the dimensions in front */
        int64_t dims[GH_MAX_RANK];
        for (int i = 0; i < x->shape.rank; i++)
            dims[i] = x->shape.dims[i] < 0 ? GH_NHWC_BATCH : x->shape.dims[i];
        if (x->shape.rank)
            dims[x->shape.rank - 1] = w->shape.dims[0];
        y = gh_nhwc_reshape(&im->b, y, dims, (size_t)x->shape.rank);
    }
    gh_tfl_set_act(im, op, y, 0);
}

static void map_cast(gh_tfl_import *im, const gh_tfl_op *op)
{
    int type = im->m->tensors[op->outputs[0]].type;
    gh_dtype to = type == GH_TFL_FLOAT32 ? GH_F32 : type == GH_TFL_INT32 ? GH_I32 : GH_I64;
    if (type != GH_TFL_FLOAT32 && type != GH_TFL_INT32 && type != GH_TFL_INT64)
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED,
                     "it casts to %s; gharial imports casts to float32, int32 and int64",
                     gh_tfl_type_name(type));
    gh_tfl_set(im, op, 0, gh_nhwc_cast(&im->b, gh_tfl_in(im, op, 0), to));
}

const gh_tfl_row gh_tfl_rows_math[] = {
    {0, 2, 2, map_arithmetic, "Add", NULL},
    {18, 2, 2, map_arithmetic, "Mul", NULL},
    {41, 2, 2, map_arithmetic, "Sub", NULL},
    {42, 2, 2, map_arithmetic, "Div", NULL},
    {55, 2, 2, map_binary, "Max", NULL},
    {57, 2, 2, map_binary, "Min", NULL},
    {78, 2, 2, map_binary, "Pow", NULL},
    {54, 2, 2, map_binary, "PRelu", NULL},
    {99, 2, 2, map_squared_difference, NULL, NULL},
    {106, 1, UINT32_MAX, map_add_n, NULL, NULL},
    {GH_TFL_DEQUANTIZE, 1, 1, map_identity, NULL, NULL},
    {GH_TFL_QUANTIZE, 1, 1, map_identity, NULL, NULL},
    {80, 1, 1, map_identity, NULL, NULL}, /* FAKE_QUANT */
    {19, 1, 1, map_relu, NULL, NULL},
    {20, 1, 1, map_relu_n1, NULL, NULL},
    {21, 1, 1, map_relu6, NULL, NULL},
    {152, 1, 1, map_relu_01, NULL, NULL},
    {98, 1, 1, map_leaky_relu, NULL, NULL},
    {14, 1, 1, map_unary, "Sigmoid", NULL},
    {28, 1, 1, map_unary, "Tanh", NULL},
    {117, 1, 1, map_unary, "HardSwish", NULL},
    {111, 1, 1, map_unary, "Elu", NULL},
    {47, 1, 1, map_unary, "Exp", NULL},
    {73, 1, 1, map_unary, "Log", NULL},
    {75, 1, 1, map_unary, "Sqrt", NULL},
    {101, 1, 1, map_unary, "Abs", NULL},
    {59, 1, 1, map_unary, "Neg", NULL},
    {8, 1, 1, map_unary, "Floor", NULL},
    {104, 1, 1, map_unary, "Ceil", NULL},
    {116, 1, 1, map_unary, "Round", NULL},
    {158, 1, 1, map_unary, "Sign", NULL},
    {66, 1, 1, map_unary, "Sin", NULL},
    {108, 1, 1, map_unary, "Cos", NULL},
    {76, 1, 1, map_rsqrt, NULL, NULL},
    {92, 1, 1, map_square, NULL, NULL},
    {25, 1, 1, map_softmax, NULL, NULL},
    {50, 1, 1, map_log_softmax, NULL, NULL},
    {11, 1, 1, map_l2_norm, NULL, NULL},
    {40, 2, 2, map_reduce, "ReduceMean", NULL},
    {74, 2, 2, map_reduce, "ReduceSum", NULL},
    {82, 2, 2, map_reduce, "ReduceMax", NULL},
    {89, 2, 2, map_reduce, "ReduceMin", NULL},
    {9, 2, 3, map_dense, NULL, NULL},
    {53, 1, 1, map_cast, NULL, NULL},
    {0},
};
