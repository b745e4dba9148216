/* Rows of unit length, for heads and rules that compare directions: in memory and as ONNX nodes. */
#ifndef GH_TRAIN_HEADS_COSINE_H
#define GH_TRAIN_HEADS_COSINE_H

#include "train/heads/standard.h"

/* Rows shorter than this become (nearly) zero instead of noise. */
#define GH_LEAST_LENGTH 1e-6f

/* Rows standardised by `s` (NULL = as they are) and brought to unit length; may be in place. */
void gh_unit_rows(float *unit, const float *x, const gh_standard *s, size_t n, size_t width);
/* Unit rows of the weighted class means of unit rows: classes x width. A class without weight keeps a zero
 * row and present[c] false. GH_NOMEM. */
GH_MUST_CHECK gh_status gh_prototypes(float *prototypes, bool *present, const gh_rows *rows,
                                      const gh_standard *s, gh_pool *pool, gh_err *e);

/* The same as nodes on `value` (N x width), their names beginning with `prefix`. */
uint32_t gh_export_unit_rows(gh_graph *g, const char *prefix, uint32_t value, const gh_standard *s);
/* Reduces axis 1 of a rank 2 value; axes are an input from opset 18 on and an attribute before. */
uint32_t gh_export_reduce(gh_graph *g, const char *type, const char *name, uint32_t value, bool keep);

#endif
