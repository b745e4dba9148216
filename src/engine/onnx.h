/* ONNX files in and out (onnx.proto3, IR version 3 to 10). */
#ifndef GH_ENGINE_ONNX_H
#define GH_ENGINE_ONNX_H

#include "engine/graph.h"

/* Largest model file in bytes (protobuf's own limit). */
#define GH_MAX_MODEL_BYTES ((size_t)2 << 30)

/* Maps and reads a file; float32 weights stay in the mapping where they are aligned. */
GH_MUST_CHECK gh_status gh_onnx_read(gh_graph **out, const char *path, gh_err *e);
/* Reads bytes that outlive the graph. */
GH_MUST_CHECK gh_status gh_onnx_read_bytes(gh_graph **out, const uint8_t *data, size_t len, gh_err *e);
/* Writes the graph as an ONNX model, atomically. Nodes carry no fused activation and no layout. */
GH_MUST_CHECK gh_status gh_onnx_write(const gh_graph *g, const char *path, gh_err *e);

#endif
