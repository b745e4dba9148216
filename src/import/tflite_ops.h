/* Private to the TFLite importer: the table of operators, and what its rows share. A row's function reads the
 * operator's inputs and options and sets its outputs; failure is sticky in the builder. */
#ifndef GH_IMPORT_TFLITE_OPS_H
#define GH_IMPORT_TFLITE_OPS_H

#include "import/nhwc.h"
#include "import/tflite_model.h"

typedef struct gh_tfl_import {
    const gh_tfl_model *m;
    gh_nhwc b;
    const gh_nhwc_value **values; /* one a tensor; NULL until it is made */
    double room;                  /* floats that constants may yet take */
} gh_tfl_import;

typedef struct gh_tfl_row {
    int code;
    uint32_t min, max; /* inputs */
    void (*map)(gh_tfl_import *im, const gh_tfl_op *op);
    const char *arg;    /* ONNX's operator, where several rows share a function */
    const char *custom; /* name, where code is GH_TFL_CUSTOM */
} gh_tfl_row;

/* Ends with a row without a function. */
extern const gh_tfl_row gh_tfl_rows_math[], gh_tfl_rows_window[], gh_tfl_rows_move[];
const gh_tfl_row *gh_tfl_find(const gh_tfl_op *op);

/* Input i, or NULL when it was left out. */
const gh_nhwc_value *gh_tfl_in(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i);
bool gh_tfl_has(const gh_tfl_op *op, uint32_t i);
const gh_tfl_tensor *gh_tfl_tensor_of(const gh_tfl_import *im, const gh_tfl_op *op, uint32_t i);
/* Known whole numbers of input i, at most `max`; false after recording why not. */
bool gh_tfl_get_ints(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i, int64_t *out, size_t *count,
                     size_t max);
void gh_tfl_set(gh_tfl_import *im, const gh_tfl_op *op, uint32_t i, const gh_nhwc_value *v);
/* Sets output 0 after the fused activation in option `field`. */
void gh_tfl_set_act(gh_tfl_import *im, const gh_tfl_op *op, const gh_nhwc_value *v, unsigned field);
/* A constant of one float, to be used in float arithmetic. */
const gh_nhwc_value *gh_tfl_scalar(gh_tfl_import *im, float f);

#endif
