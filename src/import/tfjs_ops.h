/* Private to the TF.js importer: the table of operators, and what its rows share. A row's function reads the
 * node's inputs and attributes and sets its outputs; failure is sticky in the builder. */
#ifndef GH_IMPORT_TFJS_OPS_H
#define GH_IMPORT_TFJS_OPS_H

#include "import/nhwc.h"
#include "import/tfjs.h"
#include "import/tfjs_model.h"

typedef struct gh_tfjs_outputs {
    const gh_nhwc_value **values;
    uint32_t count;
    bool given; /* an input that was cut: what makes it does not matter */
} gh_tfjs_outputs;

typedef struct gh_tfjs_import {
    gh_tfjs_model *m;
    gh_nhwc b;
    gh_tfjs_outputs *made; /* one a node */
    gh_tfjs_ref *wanted;   /* the network's outputs */
    uint32_t nwanted;
    uint32_t *order; /* nodes that are needed, each behind its inputs */
    uint32_t norder;
    uint32_t cycle; /* a node that needs itself, or GH_TFJS_NONE */
} gh_tfjs_import;

typedef struct gh_tfjs_row {
    const char *op;
    uint32_t min, max; /* inputs */
    void (*map)(gh_tfjs_import *im, const gh_tfjs_node *n);
    const char *arg; /* ONNX's operator, where several rows share a function */
} gh_tfjs_row;

/* Each ends with a row without a function. */
extern const gh_tfjs_row gh_tfjs_rows_math[], gh_tfjs_rows_window[], gh_tfjs_rows_move[], gh_tfjs_rows_make[];

/* Input i, or NULL after recording that it is not there. */
const gh_nhwc_value *gh_tfjs_in(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i);
/* All inputs; NULL on failure. */
const gh_nhwc_value **gh_tfjs_all(gh_tfjs_import *im, const gh_tfjs_node *n);
/* Known whole numbers of input i, at most `max`; false after recording why not. */
bool gh_tfjs_get_ints(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, int64_t *out, size_t *count,
                      size_t max);
/* Input i is one whole number. */
bool gh_tfjs_get_int(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, int64_t *out);
/* Sets output 0 / output i of `count`. */
void gh_tfjs_set(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *v);
void gh_tfjs_set_at(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, uint32_t count,
                    const gh_nhwc_value *v);
/* What `fused_ops` from number `from` on make of y; their operands begin at input `arg`. */
const gh_nhwc_value *gh_tfjs_fused(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *y,
                                   size_t from, uint32_t arg);
/* A Const's elements. */
void gh_tfjs_const(gh_tfjs_import *im, const gh_tfjs_node *n);

/* Reads inputs and outputs that were asked for; marks the inputs as given. */
GH_MUST_CHECK gh_status gh_tfjs_take_cut(gh_tfjs_import *im, const gh_tfjs_cut *cut, gh_err *e);
/* Finds what the wanted outputs need, in order; names all operators that are missing in one sentence. */
GH_MUST_CHECK gh_status gh_tfjs_plan(gh_tfjs_import *im, gh_err *e);

#endif
