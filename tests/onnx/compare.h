/* Comparison of a tensor with the one that the vectors give. */
#ifndef GH_TEST_ONNX_COMPARE_H
#define GH_TEST_ONNX_COMPARE_H

#include "engine/tensor.h"

/* True when type, shape and elements agree: floats to within 1e-7 + 1e-3 * |expected|, the bounds of the ONNX
 * project's own runner; all else exactly. `why` receives the first difference. */
bool oc_same(const gh_tensor *got, const gh_tensor *want, char *why, int size);

#endif
