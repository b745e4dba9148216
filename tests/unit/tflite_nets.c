/* Nets of a few operators, where the two orders of a picture, folded shapes and joined operators meet. */
#include "unit/tflite_rows.h"

#include "base/mem.h"

#define ROW(code_, kind_, ...)                                                                               \
    .code = (code_), .kind = (kind_), .options = {__VA_ARGS__}, .noptions = (kind_) ? 9 : 0
#define IN(...)  .nin = sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t), .in = {__VA_ARGS__}
#define OUT(...) .nout = sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t), .out = {__VA_ARGS__}
#define NET(name_, tensors_, ops_, in_, out_)                                                                \
    {                                                                                                        \
        name_,                                                                                               \
        {                                                                                                    \
            .tensors = tensors_, .ntensors = GH_COUNT(tensors_), .ops = ops_, .nops = GH_COUNT(ops_),        \
            .in = {in_}, .nin = 1, .out = {out_}, .nout = 1                                                  \
        }                                                                                                    \
    }

/* A classifier: convolution, depthwise with a residual, pooling to one pixel, dense layer, softmax. */
static const tf_tensor classifier[] = {
    T(1, 6, 5, 3), C(0, 36, 4, 1, 3, 3), C(4, 4, 4),    T(1, 6, 5, 4), C(9, 36, 1, 3, 3, 4),
    C(20, 4, 4),   T(1, 6, 5, 4),        T(1, 6, 5, 4), T(1, 1, 1, 4), I(-1, 4),
    T(1, 4),       C(30, 12, 3, 4),      C(40, 3, 3),   T(1, 3),       T(1, 3),
};
static const tf_op classifier_ops[] = {
    {ROW(3, 1, B(SAME), N(1), N(1), B(RELU6), N(1), N(1)), IN(0, 1, 2), OUT(3)},
    {ROW(4, 2, B(SAME), N(1), N(1), N(1), B(RELU), N(1), N(1)), IN(3, 4, 5), OUT(6)},
    {ROW(0, 11, B(NOACT)), IN(6, 3), OUT(7)},
    {ROW(1, 5, B(VALID), N(1), N(1), N(5), N(6), B(NOACT)), IN(7), OUT(8)},
    {ROW(22, 17), IN(8, 9), OUT(10)},
    {ROW(9, 8, B(NOACT)), IN(10, 11, 12), OUT(13)},
    {ROW(25, 9, F(0.125)), IN(13), OUT(14)},
};

/* Halves of the channels go apart and come together again; then TensorFlow's order of all numbers. */
static const tf_tensor halves[] = {
    T(1, 3, 5, 3), C(0, 12, 4, 1, 1, 3), C(4, 4, 4),    T(1, 3, 5, 4), I(3),     T(1, 3, 5, 2), T(1, 3, 5, 2),
    T(1, 3, 5, 2), T(1, 3, 5, 4),        I(0, 2, 1, 3), T(1, 5, 3, 4), I(6, 10), T(6, 10),
};
static const tf_op halves_ops[] = {
    {ROW(3, 1, B(SAME), N(1), N(1), B(NOACT), N(1), N(1)), IN(0, 1, 2), OUT(3)},
    {ROW(49, 35, N(2)), IN(4, 3), OUT(5, 6)},
    {ROW(17, 5, B(SAME), N(1), N(1), N(3), N(3), B(NOACT)), IN(5), OUT(7)},
    {ROW(2, 10, N(3)), IN(6, 7), OUT(8)},
    {ROW(39, 26), IN(8, 9), OUT(10)},
    {ROW(22, 17), IN(10, 11), OUT(12)},
};

/* Squeeze and excitation, with the channels' factor behind a sigmoid. */
static const tf_tensor squeeze[] = {
    T(1, 4, 5, 3),       I(1, 2),     T(1, 1, 1, 3), C(0, 6, 2, 1, 1, 3), C(4, 2, 2),    T(1, 1, 1, 2),
    C(9, 6, 3, 1, 1, 2), C(20, 3, 3), T(1, 1, 1, 3), T(1, 1, 1, 3),       T(1, 4, 5, 3),
};
static const tf_op squeeze_ops[] = {
    {ROW(40, 27, B(1)), IN(0, 1), OUT(2)},
    {ROW(3, 1, B(SAME), N(1), N(1), B(RELU), N(1), N(1)), IN(2, 3, 4), OUT(5)},
    {ROW(3, 1, B(VALID), N(1), N(1), B(NOACT), N(1), N(1)), IN(5, 6, 7), OUT(8)},
    {ROW(14, 0), IN(8), OUT(9)},
    {ROW(18, 21, B(NOACT)), IN(0, 9), OUT(10)},
};

/* Flattening by a shape that is computed: SHAPE, its first number, PACK, RESHAPE. */
static const tf_tensor flatten[] = {
    T(1, 2, 5, 3),
    {.type = GH_TFL_INT32, DIMS(4)},
    I(0),
    I(1),
    I(1),
    {.type = GH_TFL_INT32, .rank = 0},
    {.type = GH_TFL_INT32, .rank = 0, .data = (const int32_t[]){30}, .bytes = 4},
    {.type = GH_TFL_INT32, DIMS(2)},
    T(1, 30),
};
static const tf_op flatten_ops[] = {
    {ROW(77, 55, B(2)), IN(0), OUT(1)},
    {ROW(45, 32, N(0), N(0), N(0), N(0), N(1)), IN(1, 2, 3, 4), OUT(5)},
    {ROW(83, 59, N(2), N(0)), IN(5, 6), OUT(7)},
    {ROW(22, 17), IN(0, 7), OUT(8)},
};

/* Weights kept as int8, a scale a channel; a padding that the convolution takes over, and a factor and an
 * addend a channel behind it. */
static const tf_tensor padded[] = {
    T(1, 5, 6, 3),
    {.type = GH_TFL_INT32, DIMS(4, 2), .data = (const int32_t[]){0, 0, 1, 2, 2, 1, 0, 0}, .bytes = 32},
    T(1, 8, 9, 3),
    QSLICES(0, 54, 3, 3, 2, 3),
    T(3, 3, 2, 3),
    C(4, 3, 3),
    T(1, 3, 4, 3),
    C(9, 3, 3),
    T(1, 3, 4, 3),
    C(20, 3, 1, 1, 1, 3),
    T(1, 3, 4, 3),
    C(16, 1, 1),
    T(1, 3, 4, 3),
    C(25, 1, 1),
    T(1, 3, 4, 3),
};
static const tf_op padded_ops[] = {
    {ROW(34, 22), IN(0, 1), OUT(2)},
    {ROW(GH_TFL_DEQUANTIZE, 38), IN(3), OUT(4)},
    {ROW(3, 1, B(VALID), N(2), N(2), B(NOACT), N(1), N(1)), IN(2, 4, 5), OUT(6)},
    {ROW(18, 21, B(NOACT)), IN(6, 7), OUT(8)},
    {ROW(0, 11, B(NOACT)), IN(8, 9), OUT(10)},
    {ROW(57, 39), IN(10, 11), OUT(12)},
    {ROW(55, 39), IN(12, 13), OUT(14)},
};

/* Channels become columns, and a picture of another shape goes on through windows. */
static const tf_tensor reshaped[] = {
    T(1, 3, 4, 3), I(1, 3, 2, 6), T(1, 3, 2, 6), C(0, 12, 2, 1, 1, 6), C(4, 2, 2),  T(1, 3, 2, 2),
    I(5, 4),       T(1, 5, 4, 2), I(1),          T(1, 4, 2),           C(30, 2, 2), T(1, 4, 2),
};
static const tf_op reshaped_ops[] = {
    {ROW(22, 17), IN(0, 1), OUT(2)},
    {ROW(3, 1, B(SAME), N(1), N(1), B(NOACT), N(1), N(1)), IN(2, 3, 4), OUT(5)},
    {ROW(23, 15, NONE, NONE, B(0), B(1)), IN(5, 6), OUT(7)},
    {ROW(40, 27, B(0)), IN(7, 8), OUT(9)},
    {ROW(41, 28, B(RELU_N1)), IN(9, 10), OUT(11)},
};

/* Roots and logarithms of numbers above 0, and whole numbers. */
static const tf_tensor roots[] = {T(2, 5), T(2, 5), C(0, 1, 1),
                                  T(2, 5), T(2, 5), T(2, 5),
                                  T(2, 5), T(2, 5), {.type = GH_TFL_INT32, DIMS(2, 5)},
                                  T(2, 5)};
static const tf_op roots_ops[] = {
    {ROW(92, 66), IN(0), OUT(1)}, {ROW(0, 11, B(NOACT)), IN(1, 2), OUT(3)},
    {ROW(76, 0), IN(3), OUT(4)},  {ROW(75, 0), IN(3), OUT(5)},
    {ROW(73, 0), IN(5), OUT(6)},  {ROW(0, 11, B(NOACT)), IN(4, 6), OUT(7)},
    {ROW(53, 37), IN(5), OUT(8)}, {ROW(53, 37), IN(8), OUT(9)},
};

const tf_net tf_nets[] = {
    NET("classifier", classifier, classifier_ops, 0, 14),
    NET("halves of the channels", halves, halves_ops, 0, 12),
    NET("squeeze and excitation", squeeze, squeeze_ops, 0, 10),
    NET("flattened by a computed shape", flatten, flatten_ops, 0, 8),
    NET("padding and int8 weights of a convolution", padded, padded_ops, 0, 14),
    NET("channels become columns", reshaped, reshaped_ops, 0, 11),
    NET("roots and logarithms", roots, roots_ops, 0, 7),
    NET("whole numbers", roots, roots_ops, 0, 9),
};
const size_t tf_nnets = GH_COUNT(tf_nets);
