/* The operators that the TFLite importer maps, each on its own: float32 ones here by family, then quantised
 * ones. Dimensions of a picture differ from one another, so that an exchanged order shows. */
#include "unit/tflite_rows.h"

#include "base/mem.h"

#include <string.h>

const float tf_numbers[64] = {
    0.5f,     -1.25f,   2,       0.75f,    -0.5f,   1.5f,     -2.25f,  0.125f,   1,        -0.75f,
    0.25f,    -1.5f,    1.75f,   -0.25f,   -1,      0.625f,   2.5f,    -2,       0.375f,   1.25f,
    -0.125f,  0.875f,   -1.75f,  3,        -0.625f, 1.125f,   -2.5f,   0.0625f,  -3,       2.25f,
    -0.375f,  1.375f,   -1.125f, 0.3125f,  2.75f,   -0.875f,  1.625f,  -0.1875f, -1.375f,  0.6875f,
    0.4375f,  -2.75f,   1.875f,  -0.3125f, 0.9375f, -1.625f,  2.125f,  -0.5625f, 0.1875f,  -1.875f,
    0.8125f,  -0.0625f, 2.375f,  -2.125f,  0.5625f, -0.6875f, 1.0625f, -1.0625f, -0.4375f, 1.6875f,
    0.03125f, -2.0625f, 1.4375f, -0.9375f,
};
static const float positive[] = {0.5f, 2, 1.5f, 4};
const uint8_t tf_octets[54] = {
    3,  250, 17,  200, 96,  129, 128, 127, 64,  33,  255, 0,   5,   90,  180, 210, 77, 141,
    12, 99,  160, 222, 45,  8,   111, 190, 135, 70,  1,   254, 100, 30,  150, 60,  20, 240,
    85, 118, 175, 50,  205, 10,  140, 66,  230, 120, 25,  95,  185, 215, 40,  155, 75, 245,
};
const float tf_slices[3] = {0.02f, 0.01f, 0.05f};
static const float bias_slices[3] = {0.001f, 0.0005f, 0.0025f};
static const float one_bias[3] = {0.001f, 0.001f, 0.001f};
const int64_t tf_zeros[3] = {0, 0, 0};
static const int32_t biases[3] = {400, -800, 120};

/* Biases are int32 with the scales of input times weights. */
#define QBIAS(scale_, n)                                                                                     \
    {                                                                                                        \
        .type = GH_TFL_INT32, DIMS(n), .scale = scale_, .zero = tf_zeros, .nscale = (n) == 3 ? 3 : 1,        \
        .data = biases, .bytes = 4 * (n)                                                                     \
    }
const tf_case tf_cases[] = {
    /* windows */
    {OP("CONV_2D same, stride 2", 3, 1, 3, 1),
     .tensors = {T(1, 6, 5, 3), C(0, 54, 2, 3, 3, 3), C(4, 2, 2), T(1, 3, 3, 2)},
     .options = CONV(SAME, 2, 2, RELU6, 1, 1)},
    {OP("CONV_2D valid, strides 1 and 2", 3, 1, 3, 1),
     .tensors = {T(1, 6, 5, 3), C(0, 36, 2, 2, 3, 3), C(4, 2, 2), T(1, 3, 3, 2)},
     .options = CONV(VALID, 1, 2, NOACT, 1, 1)},
    {OP("CONV_2D dilated", 3, 1, 3, 1),
     .tensors = {T(1, 6, 7, 1), C(0, 18, 2, 3, 3, 1), C(9, 2, 2), T(1, 6, 7, 2)},
     .options = CONV(SAME, 1, 1, NOACT, 2, 2)},
    {OP("CONV_2D in groups", 3, 1, 3, 1),
     .tensors = {T(1, 3, 5, 4), C(0, 32, 4, 2, 2, 2), C(9, 4, 4), T(1, 3, 5, 4)},
     .options = CONV(SAME, 1, 1, RELU_N1, 1, 1)},
    {OP("DEPTHWISE_CONV_2D times 2", 4, 2, 3, 1),
     .tensors = {T(1, 5, 6, 3), C(0, 54, 1, 3, 3, 6), C(5, 6, 6), T(1, 3, 3, 6)},
     .options = DEPTHWISE(SAME, 2, 2, RELU, 1)},
    {OP("DEPTHWISE_CONV_2D dilated", 4, 2, 2, 1),
     .tensors = {T(1, 7, 6, 3), C(0, 27, 1, 3, 3, 3), T(1, 3, 2, 3)},
     .options = DEPTHWISE(VALID, 1, 1, NOACT, 2)},
    {OP("TRANSPOSE_CONV same, stride 2", 67, 49, 3, 1),
     .tensors = {I(1, 6, 8, 2), C(0, 54, 2, 3, 3, 3), T(1, 3, 4, 3), T(1, 6, 8, 2)},
     .options = {B(SAME), N(2), N(2), B(NOACT)}},
    {OP("TRANSPOSE_CONV same, odd size", 67, 49, 4, 1),
     .tensors = {I(1, 5, 7, 2), C(0, 54, 2, 3, 3, 3), T(1, 3, 4, 3), C(7, 2, 2), T(1, 5, 7, 2)},
     .options = {B(SAME), N(2), N(2), B(RELU)}},
    {OP("TRANSPOSE_CONV valid, stride 2", 67, 49, 3, 1),
     .tensors = {I(1, 7, 9, 2), C(0, 54, 2, 3, 3, 3), T(1, 3, 4, 3), T(1, 7, 9, 2)},
     .options = {B(VALID), N(2), N(2), B(NOACT)}},
    {OP("TRANSPOSE_CONV stride over kernel", 67, 49, 3, 1),
     .tensors = {I(1, 6, 12, 1), C(0, 12, 1, 2, 2, 3), T(1, 2, 4, 3), T(1, 6, 12, 1)},
     .options = {B(SAME), N(3), N(3), B(NOACT)}},
    {OP("TRANSPOSE_CONV valid, stride over kernel", 67, 49, 3, 1),
     .tensors = {I(1, 6, 12, 1), C(0, 12, 1, 2, 2, 3), T(1, 2, 4, 3), T(1, 6, 12, 1)},
     .options = {B(VALID), N(3), N(3), B(NOACT)}},
    {OP("TRANSPOSE_CONV even kernel", 67, 49, 3, 1),
     .tensors = {I(1, 6, 10, 2), C(0, 48, 2, 4, 2, 3), T(1, 3, 5, 3), T(1, 6, 10, 2)},
     .options = {B(SAME), N(2), N(2), B(NOACT)}},
    {OP("MAX_POOL_2D same", 17, 5, 1, 1), .tensors = {T(1, 5, 8, 3), T(1, 3, 4, 3)},
     .options = POOL(SAME, 2, 3, 2, NOACT)},
    {OP("MAX_POOL_2D valid", 17, 5, 1, 1), .tensors = {T(1, 5, 6, 3), T(1, 3, 5, 3)},
     .options = POOL(VALID, 1, 2, 3, RELU)},
    {OP("AVERAGE_POOL_2D same", 1, 5, 1, 1), .tensors = {T(1, 5, 8, 3), T(1, 3, 4, 3)},
     .options = POOL(SAME, 2, 3, 3, NOACT)},
    {OP("AVERAGE_POOL_2D valid", 1, 5, 1, 1), .tensors = {T(1, 5, 6, 3), T(1, 2, 3, 3)},
     .options = POOL(VALID, 2, 2, 3, NOACT)},
    {OP("RESIZE_BILINEAR", 23, 15, 2, 1), .tensors = {T(1, 3, 4, 3), I(5, 7), T(1, 5, 7, 3)},
     .options = {NONE, NONE, B(0), B(0)}},
    {OP("RESIZE_BILINEAR half pixel", 23, 15, 2, 1), .tensors = {T(1, 3, 4, 3), I(5, 7), T(1, 5, 7, 3)},
     .options = {NONE, NONE, B(0), B(1)}},
    {OP("RESIZE_BILINEAR half pixel, smaller", 23, 15, 2, 1),
     .tensors = {T(1, 5, 7, 3), I(3, 4), T(1, 3, 4, 3)}, .options = {NONE, NONE, B(0), B(1)}},
    {OP("RESIZE_BILINEAR corners", 23, 15, 2, 1), .tensors = {T(1, 3, 4, 3), I(5, 9), T(1, 5, 9, 3)},
     .options = {NONE, NONE, B(1), B(0)}},
    {OP("RESIZE_NEAREST_NEIGHBOR", 97, 74, 2, 1), .tensors = {T(1, 3, 4, 3), I(5, 7), T(1, 5, 7, 3)},
     .options = {B(0), B(0)}},
    {OP("RESIZE_NEAREST_NEIGHBOR smaller", 97, 74, 2, 1), .tensors = {T(1, 5, 7, 3), I(3, 4), T(1, 3, 4, 3)},
     .options = {B(0), B(0)}},
    {OP("RESIZE_NEAREST_NEIGHBOR half pixel", 97, 74, 2, 1),
     .tensors = {T(1, 3, 4, 3), I(5, 7), T(1, 5, 7, 3)}, .options = {B(0), B(1)}},
    {OP("RESIZE_NEAREST_NEIGHBOR half pixel, smaller", 97, 74, 2, 1),
     .tensors = {T(1, 6, 8, 3), I(3, 4), T(1, 3, 4, 3)}, .options = {B(0), B(1)}},
    {OP("RESIZE_NEAREST_NEIGHBOR corners", 97, 74, 2, 1), .tensors = {T(1, 3, 4, 3), I(5, 7), T(1, 5, 7, 3)},
     .options = {B(1), B(0)}},
    {OP("DEPTH_TO_SPACE", 5, 94, 1, 1), .tensors = {T(1, 2, 3, 8), T(1, 4, 6, 2)}, .options = {N(2)}},
    {OP("DEPTH_TO_SPACE of a picture", 5, 94, 1, 1), .tensors = {T(1, 2, 3, 4), T(1, 4, 6, 1)},
     .options = {N(2)}},
    {OP("SPACE_TO_DEPTH", 26, 19, 1, 1), .tensors = {T(1, 4, 6, 2), T(1, 2, 3, 8)}, .options = {N(2)}},
    {OP("SPACE_TO_DEPTH of a picture", 26, 19, 1, 1), .tensors = {T(1, 4, 6, 3), T(1, 2, 3, 12)},
     .options = {N(2)}},

    /* moving elements */
    {OP("PAD", 34, 22, 2, 1),
     .tensors =
         {T(1, 2, 5, 3),
          {.type = GH_TFL_INT32, DIMS(4, 2), .data = (const int32_t[]){0, 0, 1, 2, 0, 1, 0, 0}, .bytes = 32},
          T(1, 5, 6, 3)}},
    {OP("PAD of channels", 34, 22, 2, 1),
     .tensors =
         {T(1, 2, 4, 3),
          {.type = GH_TFL_INT32, DIMS(4, 2), .data = (const int32_t[]){0, 0, 0, 1, 1, 0, 2, 1}, .bytes = 32},
          T(1, 3, 5, 6)}},
    {OP("PADV2", 60, 43, 3, 1),
     .tensors =
         {T(1, 2, 5, 3),
          {.type = GH_TFL_INT32, DIMS(4, 2), .data = (const int32_t[]){0, 0, 1, 0, 0, 1, 0, 0}, .bytes = 32},
          C(16, 1, 1),
          T(1, 3, 6, 3)}},
    {OP("MIRROR_PAD reflect", 100, 77, 2, 1),
     .tensors =
         {T(1, 3, 4, 3),
          {.type = GH_TFL_INT32, DIMS(4, 2), .data = (const int32_t[]){0, 0, 1, 2, 3, 1, 0, 0}, .bytes = 32},
          T(1, 6, 8, 3)},
     .options = {B(0)}},
    {OP("MIRROR_PAD symmetric", 100, 77, 2, 1),
     .tensors =
         {T(1, 3, 4, 3),
          {.type = GH_TFL_INT32, DIMS(4, 2), .data = (const int32_t[]){0, 0, 1, 0, 1, 1, 0, 0}, .bytes = 32},
          T(1, 4, 6, 3)},
     .options = {B(1)}},
    {OP("CONCATENATION of channels", 2, 10, 3, 1),
     .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 1), C(0, 20, 1, 2, 5, 2), T(1, 2, 5, 6)},
     .options = {N(-1), B(NOACT)}},
    {OP("CONCATENATION of rows", 2, 10, 2, 1), .tensors = {T(1, 2, 5, 3), T(1, 4, 5, 3), T(1, 6, 5, 3)},
     .options = {N(1), B(NOACT)}},
    {OP("PACK", 83, 59, 2, 1), .tensors = {T(2, 3), T(2, 3), T(2, 2, 3)}, .options = {N(2), N(1)}},
    {OP("UNPACK", 88, 64, 1, 2), .tensors = {T(3, 2, 4), T(3, 4), T(3, 4)}, .options = {N(2), N(1)}},
    {OP("SPLIT of channels", 49, 35, 2, 2), .tensors = {I(3), T(1, 3, 5, 4), T(1, 3, 5, 2), T(1, 3, 5, 2)},
     .options = {N(2)}},
    {OP("SPLIT of columns", 49, 35, 2, 3),
     .tensors = {I(-2), T(1, 4, 6, 3), T(1, 4, 2, 3), T(1, 4, 2, 3), T(1, 4, 2, 3)}, .options = {N(3)}},
    {OP("SPLIT_V", 102, 79, 3, 2), .tensors = {T(1, 3, 5, 4), I(3, -1), I(2), T(1, 3, 3, 4), T(1, 3, 2, 4)},
     .options = {N(2)}},
    {OP("SLICE", 65, 48, 3, 1), .tensors = {T(1, 4, 5, 3), I(0, 1, 2, 1), I(1, 2, -1, 2), T(1, 2, 3, 2)}},
    {OP("STRIDED_SLICE", 45, 32, 4, 1),
     .tensors = {T(1, 4, 7, 3), I(0, 1, 5, 0), I(1, 4, 0, 3), I(1, 2, -2, 1), T(1, 2, 3, 3)},
     .options = {N(9), N(9), N(0), N(0), N(0)}},
    {OP("STRIDED_SLICE drops an axis", 45, 32, 4, 1),
     .tensors = {T(1, 4, 5, 3), I(0, -1, 0, 1), I(1, 0, 5, 3), I(1, 1, 2, 1), T(1, 3, 2)},
     .options = {N(1), N(13), N(0), N(0), N(2)}},
    {OP("STRIDED_SLICE of the last elements", 45, 32, 4, 1),
     .tensors = {T(2, 5, 4), I(0, -2), I(0, 0), I(1, 1), T(2, 5, 2)},
     .options = {N(0), N(2), N(1), N(0), N(0)}},
    {OP("GATHER", 36, 23, 2, 1), .tensors = {T(1, 3, 5, 3), I(4, 0, 0, 1), T(1, 3, 4, 3)}, .options = {N(2)}},
    {OP("RESHAPE", 22, 17, 2, 1), .tensors = {T(1, 2, 5, 3), I(5, -1), T(5, 6)}},
    {OP("RESHAPE by option", 22, 17, 1, 1), .tensors = {T(1, 2, 5, 3), T(3, 10)},
     .ints = (const int32_t[]){3, 10}, .nints = 2},
    {OP("SQUEEZE", 43, 30, 1, 1), .tensors = {T(1, 4, 1, 3), T(1, 4, 3)}, .ints = (const int32_t[]){2},
     .nints = 1},
    {OP("SQUEEZE of all", 43, 30, 1, 1), .tensors = {T(1, 4, 1, 3), T(4, 3)}},
    {OP("EXPAND_DIMS", 70, 52, 2, 1), .tensors = {T(2, 3), I(-1), T(2, 3, 1)}},
    {OP("TRANSPOSE", 39, 26, 2, 1), .tensors = {T(1, 2, 5, 3), I(0, 2, 1, 3), T(1, 5, 2, 3)}},
    {OP("TRANSPOSE to channels first", 39, 26, 2, 1),
     .tensors = {T(1, 2, 5, 3), I(0, 3, 1, 2), T(1, 3, 2, 5)}},

    /* element by element */
    {OP("PRELU", 54, 0, 2, 1), .tensors = {T(1, 2, 5, 3), C(0, 3, 1, 1, 3), T(1, 2, 5, 3)}},
    {OP("PRELU a pixel", 54, 0, 2, 1), .tensors = {T(1, 2, 5, 3), C(0, 30, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("ADD a channel", 0, 11, 2, 1), .tensors = {T(1, 2, 5, 3), C(0, 3, 3), T(1, 2, 5, 3)},
     .options = {B(RELU6)}},
    {OP("ADD of two pictures", 0, 11, 2, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3), T(1, 2, 5, 3)},
     .options = {B(RELU_N1)}},
    {OP("MUL by one pixel", 18, 21, 2, 1), .tensors = {T(1, 2, 5, 3), T(1, 1, 1, 3), T(1, 2, 5, 3)},
     .options = {B(NOACT)}},
    {OP("SUB from a constant", 41, 28, 2, 1), .tensors = {C(2, 1, 1), T(1, 2, 5, 3), T(1, 2, 5, 3)},
     .options = {B(NOACT)}},
    {OP("SUB of rows", 41, 28, 2, 1), .tensors = {T(1, 2, 5, 3), C(0, 15, 5, 3), T(1, 2, 5, 3)},
     .options = {B(RELU)}},
    {OP("DIV", 42, 29, 2, 1),
     .tensors = {T(1, 2, 5, 4), {DIMS(4), .data = positive, .bytes = 16}, T(1, 2, 5, 4)},
     .options = {B(NOACT)}},
    {OP("MINIMUM", 57, 39, 2, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("MINIMUM with a number", 57, 39, 2, 1), .tensors = {T(1, 2, 5, 3), C(3, 1, 1), T(1, 2, 5, 3)}},
    {OP("MAXIMUM a channel", 55, 39, 2, 1), .tensors = {T(1, 2, 5, 3), C(0, 3, 3), T(1, 2, 5, 3)}},
    {OP("SQUARED_DIFFERENCE", 99, 76, 2, 1), .tensors = {T(1, 2, 5, 3), C(1, 3, 1, 1, 1, 3), T(1, 2, 5, 3)}},
    {OP("POW", 78, 56, 2, 1), .tensors = {T(2, 3), C(2, 1, 1), T(2, 3)}},
    {OP("ADD_N", 106, 82, 3, 1), .tensors = {T(2, 3), T(2, 3), C(3, 6, 2, 3), T(2, 3)}},
    {OP("LEAKY_RELU", 98, 75, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}, .options = {F(0.125)}},
    {OP("RELU_N1_TO_1", 20, 0, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("RELU6", 21, 0, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("HARD_SWISH", 117, 91, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("LOGISTIC", 14, 0, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("TANH", 28, 0, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("ELU", 111, 0, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("EXP", 47, 33, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("ABS", 101, 78, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("NEG", 59, 42, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("FLOOR", 8, 0, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("CEIL", 104, 0, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("ROUND", 116, 0, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("SIGN", 158, 123, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("SIN", 66, 0, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("COS", 108, 84, 1, 1), .tensors = {T(2, 5), T(2, 5)}},
    {OP("SQUARE", 92, 66, 1, 1), .tensors = {T(2, 5), T(2, 5)}},

    /* over axes */
    {OP("SOFTMAX", 25, 9, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}, .options = {F(1)}},
    {OP("SOFTMAX of sharper logits", 25, 9, 1, 1), .tensors = {T(2, 5), T(2, 5)}, .options = {F(1.5)}},
    {OP("LOG_SOFTMAX", 50, 36, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("MEAN of pixels", 40, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(1, 2), T(1, 3)}, .options = {B(0)}},
    {OP("MEAN that keeps", 40, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(1, 2), T(1, 1, 1, 3)},
     .options = {B(1)}},
    {OP("MEAN of channels", 40, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(-1), T(1, 2, 5)}, .options = {B(0)}},
    {OP("SUM", 74, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(2), T(1, 2, 3)}, .options = {B(0)}},
    {OP("REDUCE_MAX", 82, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(3), T(1, 2, 5, 1)}, .options = {B(1)}},
    {OP("REDUCE_MIN", 89, 27, 2, 1), .tensors = {T(1, 2, 5, 3), I(1), T(1, 5, 3)}, .options = {B(0)}},
    {OP("L2_NORMALIZATION", 11, 12, 1, 1), .tensors = {T(1, 2, 5, 3), T(1, 2, 5, 3)}, .options = {B(NOACT)}},
    {OP("FULLY_CONNECTED", 9, 8, 3, 1), .tensors = {T(2, 5), C(0, 15, 3, 5), C(4, 3, 3), T(2, 3)},
     .options = {B(RELU), B(0), B(0)}},
    {OP("FULLY_CONNECTED of a picture", 9, 8, 2, 1), .tensors = {T(1, 2, 5, 3), C(0, 60, 2, 30), T(1, 2)},
     .options = {B(NOACT)}},
    {OP("FULLY_CONNECTED that keeps", 9, 8, 3, 1),
     .tensors = {T(2, 3, 5), C(0, 15, 3, 5), C(4, 3, 3), T(2, 3, 3)}, .options = {B(NOACT), B(0), B(1)}},

    /* quantised */
    {OP("DEQUANTIZE", GH_TFL_DEQUANTIZE, 38, 1, 1),
     .tensors = {Q(UINT8, 0.05f, 100, 1, 2, 5, 3), T(1, 2, 5, 3)}},
    {OP("QUANTIZE", GH_TFL_QUANTIZE, 89, 1, 1), .tensors = {T(1, 2, 5, 3), Q(INT8, 0.05f, -10, 1, 2, 5, 3)},
     .tolerance = 0.051f},
    {OP("CONV_2D int8, a scale a channel", 3, 1, 3, 1),
     .tensors = {Q(INT8, 0.05f, 3, 1, 4, 5, 3), QSLICES(0, 36, 3, 2, 2, 3), QBIAS(bias_slices, 3),
                 Q(INT8, 0.1f, -128, 1, 4, 5, 3)},
     .options = CONV(SAME, 1, 1, RELU, 1, 1), .tolerance = 0.11f},
    {OP("CONV_2D uint8", 3, 1, 3, 1),
     .tensors = {Q(UINT8, 0.05f, 120, 1, 4, 5, 3), QC(UINT8, 0.02f, 128, 54, 2, 3, 3, 3), QBIAS(one_bias, 2),
                 Q(UINT8, 0.2f, 0, 1, 2, 3, 2)},
     .options = CONV(SAME, 2, 2, NOACT, 1, 1), .tolerance = 0.21f},
    {OP("DEPTHWISE_CONV_2D int8, a scale a channel", 4, 2, 3, 1),
     .tensors = {Q(INT8, 0.05f, 3, 1, 4, 5, 3), QSLICES(3, 27, 1, 3, 3, 3), QBIAS(bias_slices, 3),
                 Q(INT8, 1, -20, 1, 4, 5, 3)},
     .options = DEPTHWISE(SAME, 1, 1, NOACT, 1), .tolerance = 1.01f},
    {OP("DEPTHWISE_CONV_2D uint8", 4, 2, 3, 1),
     .tensors = {Q(UINT8, 0.05f, 120, 1, 4, 5, 3), QC(UINT8, 0.02f, 100, 27, 1, 3, 3, 3), QBIAS(one_bias, 3),
                 Q(UINT8, 0.5f, 90, 1, 4, 5, 3)},
     .options = DEPTHWISE(SAME, 1, 1, NOACT, 1), .tolerance = 0.51f},
    {OP("FULLY_CONNECTED int8", 9, 8, 3, 1),
     .tensors = {Q(INT8, 0.05f, -5, 2, 5), QC(INT8, 0.02f, 0, 15, 3, 5), QBIAS(one_bias, 3),
                 Q(INT8, 0.5f, 4, 2, 3)},
     .options = {B(NOACT), B(0), B(0)}, .tolerance = 0.51f},
    {OP("ADD int8", 0, 11, 2, 1),
     .tensors = {Q(INT8, 0.05f, 3, 1, 2, 5, 3), Q(INT8, 0.04f, -7, 1, 2, 5, 3),
                 Q(INT8, 0.08f, 0, 1, 2, 5, 3)},
     .options = {B(NOACT)}, .tolerance = 0.081f},
    {OP("MUL uint8", 18, 21, 2, 1),
     .tensors = {Q(UINT8, 0.05f, 128, 1, 2, 5, 3), Q(UINT8, 0.04f, 110, 1, 2, 5, 3),
                 Q(UINT8, 0.25f, 128, 1, 2, 5, 3)},
     .options = {B(NOACT)}, .tolerance = 0.26f},
    {OP("AVERAGE_POOL_2D int8", 1, 5, 1, 1),
     .tensors = {Q(INT8, 0.05f, 3, 1, 5, 8, 3), Q(INT8, 0.05f, 3, 1, 3, 4, 3)},
     .options = POOL(SAME, 2, 3, 3, NOACT), .tolerance = 0.051f},
    {OP("LOGISTIC int8", 14, 0, 1, 1), .tensors = {Q(INT8, 0.05f, 3, 2, 5), Q(INT8, 0.00390625f, -128, 2, 5)},
     .tolerance = 0.0040f},
    {OP("SOFTMAX uint8", 25, 9, 1, 1), .tensors = {Q(UINT8, 0.05f, 3, 2, 5), Q(UINT8, 0.00390625f, 0, 2, 5)},
     .options = {F(1)}, .tolerance = 0.0040f},
    {OP("CONCATENATION int8", 2, 10, 2, 1),
     .tensors = {Q(INT8, 0.05f, 3, 1, 2, 5, 3), Q(INT8, 0.05f, 3, 1, 2, 5, 1), Q(INT8, 0.05f, 3, 1, 2, 5, 4)},
     .options = {N(3), B(NOACT)}, .tolerance = 0.051f},
};
const size_t tf_ncases = GH_COUNT(tf_cases);

void tf_case_file(tf_file *f, tf_op *op, const tf_case *c)
{
    *op = (tf_op){
        .code = c->code, .kind = c->kind, .nin = c->nin, .nout = c->nout, .ints = c->ints, .nints = c->nints};
    *f =
        (tf_file){.tensors = c->tensors, .ntensors = c->nin + c->nout, .ops = op, .nops = 1, .nout = c->nout};
    for (size_t i = 0; i < c->nin; i++) {
        op->in[i] = (int32_t)i;
        if (!c->tensors[i].data)
            f->in[f->nin++] = (int32_t)i;
    }
    for (size_t i = 0; i < c->nout; i++)
        f->out[i] = op->out[i] = (int32_t)(c->nin + i);
    memcpy(op->options, c->options, sizeof op->options);
    op->noptions = c->kind ? GH_COUNT(op->options) : 0;
}

float tf_case_x(const tf_tensor *t, size_t number, size_t i)
{
    float x = (float)((i * 29 + number * 17 + 5) % 64) / 8 - 4;
    if (!t->scale)
        return x;
    int64_t least = t->type == GH_TFL_INT8 ? -128 : 0;
    int64_t q = least + (int64_t)((i * 71 + number * 37 + 9) % 256);
    return (float)((double)(q - t->zero[0]) * (double)t->scale[0]);
}
