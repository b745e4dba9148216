/* Element types, shapes and tensors. */
#ifndef GH_ENGINE_TENSOR_H
#define GH_ENGINE_TENSOR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GH_MAX_RANK 8

/* The numbers are ONNX's TensorProto.DataType. */
typedef enum gh_dtype {
    GH_UNKNOWN = 0,
    GH_F32 = 1,
    GH_U8 = 2,
    GH_I8 = 3,
    GH_U16 = 4,
    GH_I16 = 5,
    GH_I32 = 6,
    GH_I64 = 7,
    GH_STRING = 8,
    GH_BOOL = 9,
    GH_F16 = 10,
    GH_F64 = 11,
    GH_U32 = 12,
    GH_U64 = 13,
} gh_dtype;

/* rank -1: unknown. A dimension of -1: not fixed in the model (batch, height, width), fixed in a plan. */
typedef struct gh_shape {
    int rank;
    int64_t dims[GH_MAX_RANK];
} gh_shape;

/* `data` is borrowed: whoever made the tensor says who owns it. Rows are contiguous, row-major. */
typedef struct gh_tensor {
    gh_dtype type;
    gh_shape shape;
    void *data;
} gh_tensor;

/* Bytes of one element; 0 for GH_UNKNOWN and GH_STRING. */
size_t gh_dtype_size(gh_dtype type);
/* "float32", "int64", ... as users read it. */
const char *gh_dtype_name(gh_dtype type);
gh_shape gh_shape_of(int rank, const int64_t *dims);
/* True when rank and every dimension are known. */
bool gh_shape_known(const gh_shape *shape);
bool gh_shape_equal(const gh_shape *a, const gh_shape *b);
/* Number of elements of a known shape, checked: false on overflow or when it is not known. */
bool gh_shape_count(size_t *out, const gh_shape *shape);
/* True when `data` is aligned for its element type; large weights in a mapped file may not be. */
bool gh_tensor_aligned(const gh_tensor *t);
/* Writes "1x3x224x224" ("?" for an unknown dimension) into `text`, always terminated; returns text. */
char *gh_shape_text(const gh_shape *shape, char *text, size_t size);

#endif
