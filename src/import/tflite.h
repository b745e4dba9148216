/* TensorFlow Lite models as graphs: pictures as NCHW, weights and activations as float32. Quantised models
 * are run on the real numbers that their integers stand for. */
#ifndef GH_IMPORT_TFLITE_H
#define GH_IMPORT_TFLITE_H

#include "engine/graph.h"

/* Maps and reads a file; weights that need no conversion stay in the mapping, which the graph keeps.
 * GH_FORMAT for bytes that lie, GH_UNSUPPORTED names every operator that gharial does not import, GH_LIMIT.
 */
GH_MUST_CHECK gh_status gh_tflite_read(gh_graph **out, const char *path, gh_err *e);
/* The same from bytes that outlive the graph. */
GH_MUST_CHECK gh_status gh_tflite_read_bytes(gh_graph **out, const uint8_t *data, size_t len, gh_err *e);

#endif
