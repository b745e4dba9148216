/* For tests: TFLite operators with shapes, options and constants; golden_tflite.inc has what TensorFlow's own
 * interpreter computes from the very bytes that tf_write gives. */
#ifndef GH_TEST_TFLITE_CASE_H
#define GH_TEST_TFLITE_CASE_H

#include "unit/tflite_file.h"

#define TF_CASE_MOST 512 /* elements of any tensor */

typedef struct tf_case {
    const char *name;
    int code, kind; /* BuiltinOperator, BuiltinOptions */
    size_t nin, nout;
    tf_tensor tensors[6]; /* inputs, then outputs; what has no data is an input of the file */
    fb_field options[9];
    const int32_t *ints; /* option 0 as a vector */
    size_t nints;
    float tolerance; /* 0 = 1e-5 of 1 + |value|; of quantised operators one step of the output */
} tf_case;

extern const tf_case tf_cases[];
extern const size_t tf_ncases;

/* The file of a case; `op` is the memory of its one operator. */
void tf_case_file(tf_file *f, tf_op *op, const tf_case *c);

/* Several operators that meet as converters put them together; golden_tflite_nets.inc. */
typedef struct tf_net {
    const char *name;
    tf_file file;
} tf_net;

extern const tf_net tf_nets[];
extern const size_t tf_nnets;

/* Element i of input `number`: eighths between -4 and 4 (of a quantised input the integers' values). */
float tf_case_x(const tf_tensor *t, size_t number, size_t i);

#endif
