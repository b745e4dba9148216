/* Field numbers of onnx.proto3 (github.com/onnx/onnx, IR version 10), shared by reader and writer; private.
 */
#ifndef GH_ENGINE_ONNX_PROTO_H
#define GH_ENGINE_ONNX_PROTO_H

#include "base/wire.h"
#include "engine/graph.h"

enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_DOC = 6, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum {
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INIT = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_INFO = 13,
    GRAPH_SPARSE = 15
};
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTR = 5, NODE_DOMAIN = 7 };
enum {
    ATTR_NAME = 1,
    ATTR_F = 2,
    ATTR_I = 3,
    ATTR_S = 4,
    ATTR_T = 5,
    ATTR_FLOATS = 7,
    ATTR_INTS = 8,
    ATTR_STRINGS = 9,
    ATTR_TYPE = 20
};
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_STRINGS = 6,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLES = 10,
    TENSOR_UINT64S = 11,
    TENSOR_DOC = 12,
    TENSOR_LOCATION = 14
};
enum {
    INFO_NAME = 1,
    INFO_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_ELEM = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_PARAM = 2
};

typedef struct gh_onnx_tensor {
    const char *name; /* borrowed from the file, not terminated */
    size_t name_len;
    gh_tensor tensor; /* elements in the file, or converted in the graph's arena */
    bool own;         /* the latter */
} gh_onnx_tensor;

/* Reads one TensorProto. float16 becomes float32. Elements stay in the file's bytes where they are raw; they
 * may be unaligned there when there are more than a few (gh_tensor_aligned tells). */
GH_MUST_CHECK gh_status gh_onnx_read_tensor(gh_onnx_tensor *out, gh_graph *g, const uint8_t *data, size_t len,
                                            gh_err *e);
/* Reads one AttributeProto into the graph's arena; its type is that of the values it holds. */
GH_MUST_CHECK gh_status gh_onnx_read_attr(gh_attr *out, gh_graph *g, const uint8_t *data, size_t len,
                                          gh_err *e);

#endif
