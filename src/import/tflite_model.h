/* A TFLite file as tables of tensors and operators, checked against one another and still in TFLite's own
 * terms. The numbers are those of TensorFlow's tensorflow/lite/schema/schema.fbs (schema version 3). */
#ifndef GH_IMPORT_TFLITE_MODEL_H
#define GH_IMPORT_TFLITE_MODEL_H

#include "base/arena.h"
#include "engine/tensor.h"
#include "import/flatbuf.h"

/* TensorType; those that gharial reads. */
enum {
    GH_TFL_FLOAT32 = 0,
    GH_TFL_FLOAT16 = 1,
    GH_TFL_INT32 = 2,
    GH_TFL_UINT8 = 3,
    GH_TFL_INT64 = 4,
    GH_TFL_BOOL = 6,
    GH_TFL_INT16 = 7,
    GH_TFL_INT8 = 9,
    GH_TFL_INT4 = 17,
};

/* BuiltinOperator; those that the reader itself must know. The others stand in the table of operators. */
enum { GH_TFL_DEQUANTIZE = 6, GH_TFL_CUSTOM = 32, GH_TFL_QUANTIZE = 114, GH_TFL_DENSIFY = 124 };

#define GH_TFL_ABSENT UINT32_MAX /* an optional input that was left out */

typedef struct gh_tfl_tensor {
    const char *name; /* unique */
    int type;
    gh_shape shape;
    size_t count;        /* elements */
    const uint8_t *data; /* a constant's elements, of any alignment; else NULL */
    gh_fb_vector scale;  /* float; none: not quantised; one; or one a slice along `axis` */
    gh_fb_vector zero;   /* int64: as many, or none for 0 */
    int axis;
    bool written;  /* a graph input, a constant, or the output of an operator seen so far */
    bool unpacked; /* the file has the elements in another form: `data` dies with the model */
} gh_tfl_tensor;

typedef struct gh_tfl_op {
    int code;
    const char *custom; /* "" unless code is GH_TFL_CUSTOM */
    uint32_t *inputs, *outputs;
    uint32_t ninputs, noutputs;
    gh_fb_table options;
    gh_fb_vector custom_options; /* bytes */
} gh_tfl_op;

typedef struct gh_tfl_model {
    gh_fb fb;
    gh_arena *arena;
    gh_tfl_tensor *tensors;
    gh_tfl_op *ops; /* in order of execution; without those that only unpack a constant */
    uint32_t *inputs, *outputs;
    uint32_t ntensors, nops, ninputs, noutputs;
} gh_tfl_model;

/* Reads the first subgraph. `data` outlives the model. GH_FORMAT for bytes that lie, GH_UNSUPPORTED for what
 * gharial does not read (weights outside of the FlatBuffer, variables), GH_LIMIT. */
GH_MUST_CHECK gh_status gh_tfl_open(gh_tfl_model **out, const uint8_t *data, size_t size, gh_err *e);
void gh_tfl_free(gh_tfl_model **model);

/* Writes t->count floats at dst: half precision widened, quantised numbers (q - zero) * scale. */
GH_MUST_CHECK gh_status gh_tfl_floats(float *dst, const gh_tfl_tensor *t, gh_err *e);
/* Copies a constant of whole numbers (int32, int64), at most `max` of them. */
GH_MUST_CHECK gh_status gh_tfl_ints(int64_t *dst, uint32_t *count, uint32_t max, const gh_tfl_tensor *t,
                                    gh_err *e);

/* "float32", ...: as users read it. */
const char *gh_tfl_type_name(int type);
/* "CONV_2D", or CUSTOM and its name; gives `text`. */
const char *gh_tfl_op_name(const gh_tfl_op *op, char *text, size_t size);

#endif
