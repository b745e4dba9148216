/* TensorFlow's operators, which see pictures as NHWC, written into a graph that sees them as NCHW: shared by
 * the importers of TF.js and TFLite. A value knows TensorFlow's shape of a tensor and in which of the two
 * orders the graph has it; a change of order becomes a Transpose only where neither a constant nor a view
 * will do.
 *
 * Failure is sticky, as in gh_graph: a function that fails records why and returns NULL, later ones given the
 * builder do nothing, gh_nhwc_finish tells the status. NULL values may be passed on. Every node is checked by
 * its operator's own shape inference at once, so that whatever the file says, wrong shapes end here. */
#ifndef GH_IMPORT_NHWC_H
#define GH_IMPORT_NHWC_H

#include "base/arena.h"
#include "engine/graph.h"
#include "engine/passes/passes.h"

/* Where known integers make a shape: the batch, which is not known. */
#define GH_NHWC_BATCH (-0x7fffffffLL)

typedef struct gh_nhwc_value gh_nhwc_value;
struct gh_nhwc_value {
    gh_shape shape; /* in TensorFlow's order; dims[0] may be -1, a batch of any size, all others are known */
    gh_dtype type;  /* known integers are always GH_I64 */
    const void *data;      /* the elements in TensorFlow's order where they are known, else NULL */
    uint32_t plain, image; /* in the graph, in TensorFlow's order and (rank 4) as NCHW; GH_NONE = not there */
    const gh_nhwc_value *inner; /* what a zero padding or a clip before this one was given, or NULL */
    int64_t pads[4];            /* top, left, bottom, right of that padding */
    float lo, hi;               /* of that clip */
    bool padded, clipped;
};

typedef struct gh_nhwc {
    gh_graph *graph;
    gh_arena *arena;  /* values and what is computed while building */
    const char *name; /* of the operator at hand, set by the importer: names its nodes and its sentences */
    gh_budget budget; /* of folding */
    gh_status failed;
    gh_err *e;
} gh_nhwc;

/* Builds into `g`, which stays the caller's. */
GH_MUST_CHECK gh_status gh_nhwc_open(gh_nhwc *out, gh_graph *g, gh_err *e);
void gh_nhwc_close(gh_nhwc *b);
/* Joins constant factors and addends to convolutions, drops what no output needs, makes names unique. */
GH_MUST_CHECK gh_status gh_nhwc_finish(gh_nhwc *b);
/* Records a sentence about the operator at hand; gives NULL. */
const gh_nhwc_value *gh_nhwc_fail(gh_nhwc *b, gh_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A graph input. Rank 4 is taken as NHWC and becomes NCHW, unless only the second dimension can be colours.
 */
const gh_nhwc_value *gh_nhwc_input(gh_nhwc *b, const char *name, gh_dtype type, gh_shape shape);
/* A graph output of that name; rank 4 comes out as NCHW. */
void gh_nhwc_output(gh_nhwc *b, const gh_nhwc_value *v, const char *name);
/* A constant; GH_F32 elements are borrowed where `copy` is false, integers are always copied (and become
 * GH_I64, as GH_BOOL, GH_U8 and GH_I32 do). */
const gh_nhwc_value *gh_nhwc_const(gh_nhwc *b, gh_dtype type, gh_shape shape, const void *data, bool copy);
const gh_nhwc_value *gh_nhwc_ints(gh_nhwc *b, const int64_t *ints, size_t count);
/* Known integers of a value (at most `max`); false after recording that they are not known. */
bool gh_nhwc_get_ints(gh_nhwc *b, const gh_nhwc_value *v, int64_t *out, size_t *count, size_t max);
/* Axis counted from the end where negative; false after recording that it is out of range. */
bool gh_nhwc_axis(gh_nhwc *b, int *out, int64_t axis, int rank);

/* ---- windows ---- */
typedef enum gh_nhwc_padding { GH_NHWC_SAME, GH_NHWC_VALID, GH_NHWC_EXPLICIT } gh_nhwc_padding;
/* Height first. `kernel` is read for pooling only; 0 in `dilations` and `strides` means 1. */
typedef struct gh_nhwc_window {
    int64_t kernel[2], strides[2], dilations[2];
    gh_nhwc_padding padding;
    int64_t pads[4]; /* EXPLICIT: top, left, bottom, right */
} gh_nhwc_window;
/* Order of a filter's dimensions: H W in-of-a-group out; depthwise H W in multiplier; TFLite's out H W in,
 * and its depthwise 1 H W out. */
typedef enum gh_nhwc_filter { GH_NHWC_HWIO, GH_NHWC_HWIM, GH_NHWC_OHWI, GH_NHWC_1HWO } gh_nhwc_filter;

/* Filters are constants; `bias` (rank 1) may be left out by passing the very value NULL. */
const gh_nhwc_value *gh_nhwc_conv(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *filter,
                                  gh_nhwc_filter order, const gh_nhwc_value *bias, const gh_nhwc_window *w);
/* The filter is H W out in (order HWIO: TensorFlow's gradient of a convolution) or out H W in (OHWI);
 * `size` is the output's height and width. */
const gh_nhwc_value *gh_nhwc_conv_transpose(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *filter,
                                            gh_nhwc_filter order, const gh_nhwc_value *bias,
                                            const gh_nhwc_window *w, const int64_t size[2]);
/* `type` is MaxPool or AveragePool; padding is not counted. */
const gh_nhwc_value *gh_nhwc_pool(gh_nhwc *b, const gh_nhwc_value *x, const char *type,
                                  const gh_nhwc_window *w);

/* ---- element by element; `type` is ONNX's name of the operator ---- */
const gh_nhwc_value *gh_nhwc_unary(gh_nhwc *b, const gh_nhwc_value *x, const char *type);
/* -INFINITY and INFINITY mean no bound. ReLU is (0, INFINITY). */
const gh_nhwc_value *gh_nhwc_clip(gh_nhwc *b, const gh_nhwc_value *x, float lo, float hi);
const gh_nhwc_value *gh_nhwc_rsqrt(gh_nhwc *b, const gh_nhwc_value *x);
const gh_nhwc_value *gh_nhwc_leaky_relu(gh_nhwc *b, const gh_nhwc_value *x, float alpha);
/* Add, Sub, Mul, Div, Min, Max, Pow, PRelu with broadcasting. A bias is an Add. */
const gh_nhwc_value *gh_nhwc_binary(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *y,
                                    const char *type);
/* (x - mean) / sqrt(variance + epsilon) * gamma + beta, all constants a channel. */
const gh_nhwc_value *gh_nhwc_batch_norm(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *gamma,
                                        const gh_nhwc_value *beta, const gh_nhwc_value *mean,
                                        const gh_nhwc_value *variance, double epsilon);
const gh_nhwc_value *gh_nhwc_cast(gh_nhwc *b, const gh_nhwc_value *x, gh_dtype to);

/* ---- dense, reductions ---- */
/* x [rows, in] by a constant [in, out] (or [out, in] with `transposed`), plus `bias` unless it is NULL. */
const gh_nhwc_value *gh_nhwc_dense(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *weights,
                                   const gh_nhwc_value *bias, bool transposed);
const gh_nhwc_value *gh_nhwc_softmax(gh_nhwc *b, const gh_nhwc_value *x, int64_t axis);
const gh_nhwc_value *gh_nhwc_log_softmax(gh_nhwc *b, const gh_nhwc_value *x, int64_t axis);
/* ReduceMean, ReduceSum, ReduceMax, ReduceMin. */
const gh_nhwc_value *gh_nhwc_reduce(gh_nhwc *b, const gh_nhwc_value *x, const char *type, const int64_t *axes,
                                    size_t count, bool keep);

/* ---- shapes and places ---- */
/* The shape as known integers, the batch as GH_NHWC_BATCH. */
const gh_nhwc_value *gh_nhwc_shape(gh_nhwc *b, const gh_nhwc_value *x);
/* `dims` may hold one -1, and GH_NHWC_BATCH in front. */
const gh_nhwc_value *gh_nhwc_reshape(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *dims, size_t rank);
/* Without axes (count 0) every dimension of 1 goes. */
const gh_nhwc_value *gh_nhwc_squeeze(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *axes, size_t count);
const gh_nhwc_value *gh_nhwc_expand_dims(gh_nhwc *b, const gh_nhwc_value *x, int64_t axis);
const gh_nhwc_value *gh_nhwc_transpose(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *perm, size_t count);
const gh_nhwc_value *gh_nhwc_concat(gh_nhwc *b, const gh_nhwc_value *const *parts, size_t count,
                                    int64_t axis);
/* Stacks along a new axis. */
const gh_nhwc_value *gh_nhwc_pack(gh_nhwc *b, const gh_nhwc_value *const *parts, size_t count, int64_t axis);
/* Begin and count of each dimension; a count of -1 goes to the end. */
const gh_nhwc_value *gh_nhwc_slice(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *begin,
                                   const int64_t *sizes, size_t rank);
/* `count` elements from `begin` on along one axis. */
const gh_nhwc_value *gh_nhwc_part(gh_nhwc *b, const gh_nhwc_value *x, int axis, int64_t begin, int64_t count);
/* TensorFlow's StridedSlice: begin, end and stride of each place, and its masks. */
typedef struct gh_nhwc_strided {
    size_t count; /* of begin, end, strides */
    int64_t begin[GH_MAX_RANK], end[GH_MAX_RANK], strides[GH_MAX_RANK];
    int64_t begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask;
} gh_nhwc_strided;
const gh_nhwc_value *gh_nhwc_strided_slice(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_strided *s);
/* Elements `indices` (known) along the axis. */
const gh_nhwc_value *gh_nhwc_gather(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_value *indices,
                                    int64_t axis);
/* `pads` holds before and after of each dimension in turn; `mode` is ONNX's: constant, reflect, edge. */
const gh_nhwc_value *gh_nhwc_pad(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *pads, size_t rank,
                                 const char *mode, float value);
/* TensorFlow's MirrorPad: REFLECT, or `symmetric`, which repeats the edge itself too. */
const gh_nhwc_value *gh_nhwc_mirror_pad(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *pads, size_t rank,
                                        bool symmetric);
typedef struct gh_nhwc_resize_args {
    const int64_t *size; /* height, width */
    size_t count;        /* how many the file says; other than 2 is refused */
    bool linear;         /* else the nearest */
    bool half_pixel, align_corners;
} gh_nhwc_resize_args;
const gh_nhwc_value *gh_nhwc_resize(gh_nhwc *b, const gh_nhwc_value *x, const gh_nhwc_resize_args *args);
/* Depth to space (and back) by `size`, in TensorFlow's order of channels. */
const gh_nhwc_value *gh_nhwc_depth_to_space(gh_nhwc *b, const gh_nhwc_value *x, int64_t size);
const gh_nhwc_value *gh_nhwc_space_to_depth(gh_nhwc *b, const gh_nhwc_value *x, int64_t size);

#endif
