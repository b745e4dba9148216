/* For the tables of TFLite operators and nets in tests: tensors, constants and options in short, and the
 * constants. Only tables include it. */
#ifndef GH_TEST_TFLITE_ROWS_H
#define GH_TEST_TFLITE_ROWS_H

#include "import/tflite_model.h"
#include "unit/tflite_case.h"

/* Numbers that float32 holds exactly, and bytes; 0.02, 0.01, 0.05; three times 0. */
extern const float tf_numbers[64], tf_slices[3];
extern const uint8_t tf_octets[54];
extern const int64_t tf_zeros[3];

#define DIMS(...) .rank = sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t), .dims = {__VA_ARGS__}
/* A computed tensor, and constants: of the table `numbers` from `at` on; of whole numbers. */
#define T(...)                                                                                               \
    {                                                                                                        \
        DIMS(__VA_ARGS__)                                                                                    \
    }
#define C(at, bytes_, ...)                                                                                   \
    {                                                                                                        \
        DIMS(__VA_ARGS__), .data = tf_numbers + (at), .bytes = 4 * (bytes_)                                  \
    }
#define I(...)                                                                                               \
    {                                                                                                        \
        .type = GH_TFL_INT32, .rank = 1, .dims = {sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)},       \
        .data = (const int32_t[]){__VA_ARGS__}, .bytes = sizeof((int32_t[]){__VA_ARGS__})                    \
    }
/* Quantised: by one scale and zero point, or by one a slice along `axis_`. */
#define Q(type_, scale_, zero_, ...)                                                                         \
    {                                                                                                        \
        .type = GH_TFL_##type_, DIMS(__VA_ARGS__), .scale = (const float[]){scale_},                         \
        .zero = (const int64_t[]){zero_}, .nscale = 1                                                        \
    }
#define QC(type_, scale_, zero_, bytes_, ...)                                                                \
    {                                                                                                        \
        .type = GH_TFL_##type_, DIMS(__VA_ARGS__), .scale = (const float[]){scale_},                         \
        .zero = (const int64_t[]){zero_}, .nscale = 1, .data = tf_octets, .bytes = (bytes_)                  \
    }
#define QSLICES(axis_, bytes_, ...)                                                                          \
    {                                                                                                        \
        .type = GH_TFL_INT8, DIMS(__VA_ARGS__), .scale = tf_slices, .zero = tf_zeros, .nscale = 3,           \
        .axis = (axis_), .data = tf_octets, .bytes = (bytes_)                                                \
    }
#define B(v)                                                                                                 \
    {                                                                                                        \
        1, v                                                                                                 \
    }
#define N(v)                                                                                                 \
    {                                                                                                        \
        4, v                                                                                                 \
    }
#define F(v)                                                                                                 \
    {                                                                                                        \
        FB_FLOAT, v                                                                                          \
    }
#define NONE                                                                                                 \
    {                                                                                                        \
        0, 0                                                                                                 \
    }

enum { SAME, VALID };
enum { NOACT, RELU, RELU_N1, RELU6 };

/* Padding, strides, window, activation, in the order of Pool2DOptions. */
#define POOL(pad, stride, width, height, act)                                                                \
    {                                                                                                        \
        B(pad), N(stride), N(stride), N(width), N(height), B(act)                                            \
    }
#define CONV(pad, stride_w, stride_h, act, dil_w, dil_h)                                                     \
    {                                                                                                        \
        B(pad), N(stride_w), N(stride_h), B(act), N(dil_w), N(dil_h)                                         \
    }
#define DEPTHWISE(pad, stride, times, act, dil)                                                              \
    {                                                                                                        \
        B(pad), N(stride), N(stride), N(times), B(act), N(dil), N(dil)                                       \
    }

#define OP(name_, code_, kind_, nin_, nout_)                                                                 \
    .name = (name_), .code = (code_), .kind = (kind_), .nin = (nin_), .nout = (nout_)

#endif
