/* Private to the TFLite reader: weights stored sparse. */
#ifndef GH_IMPORT_TFLITE_SPARSE_H
#define GH_IMPORT_TFLITE_SPARSE_H

#include "import/tflite_model.h"

/* Puts the stored elements, `width` bytes each, to their places in `dense`, which is zeroed and has room for
 * the tensor. GH_FORMAT when the description lies. */
GH_MUST_CHECK gh_status gh_tfl_densify(uint8_t *dense, const gh_tfl_tensor *t, const gh_fb_table *sparsity,
                                       const gh_fb_vector *stored, size_t width, gh_err *e);

#endif
