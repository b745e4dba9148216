/* A model as tensors in, tensors out, without a picture: for clients that preprocess themselves (Open
 * Inference Protocol). Of a head the road is its body's input to the head's outputs. */
#ifndef GH_TASKS_RAW_H
#define GH_TASKS_RAW_H

#include "tasks/run.h"

/* What a model takes: a name, a type, a shape with -1 where it is free. Names are borrowed from the model. A
 * pipeline has neither inputs nor outputs. */
size_t gh_raw_inputs(const gh_model *m);
size_t gh_raw_outputs(const gh_model *m);
const gh_value *gh_raw_input(const gh_model *m, size_t i);
const gh_value *gh_raw_output(const gh_model *m, size_t i);

/* Outputs of one run; the data is owned. */
typedef struct gh_raw_result {
    gh_tensor *outputs;
    size_t count;
    double infer_ms;
} gh_raw_result;

/* `inputs`: one tensor for each of the model's inputs, in its order, of its type, with shapes that fit
 * (GH_ARG says which does not); data is copied. `max_bytes` limits the memory of activations (GH_LIMIT). The
 * caller frees *out with gh_raw_free. */
GH_MUST_CHECK gh_status gh_raw_run(gh_raw_result *out, gh_worker *w, gh_model *m, const gh_tensor *inputs,
                                   size_t max_bytes, gh_err *e);
void gh_raw_free(gh_raw_result *r);

/* Whether elements of the type can be given and taken at all; and whether they are integers or bool. */
bool gh_raw_type(gh_dtype type);
bool gh_raw_is_integer(gh_dtype type);
/* One element as a number, of 64-bit integers the nearest double; and one of an integer type exactly. */
double gh_raw_number(const gh_tensor *t, size_t i);
int64_t gh_raw_integer(const gh_tensor *t, size_t i);
/* Stores it when it fits the type: integers exactly and in range, bool 0 or 1; false otherwise. */
bool gh_raw_store(gh_tensor *t, size_t i, double v);
bool gh_raw_store_integer(gh_tensor *t, size_t i, int64_t v);

#endif
