/* The ONNX project's nine "light" networks: whole classifiers whose weights all have one value. */
#ifndef GH_TEST_ONNX_LIGHT_H
#define GH_TEST_ONNX_LIGHT_H

#include <stdbool.h>

extern const char *const ol_names[];
extern const int ol_count;

/* Runs one in folder `dir` with the kernels of this process; `text` receives what it took, or what differs.
 */
bool ol_run(const char *dir, const char *name, char *text, int size);

#endif
