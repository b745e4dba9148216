/* Tiny models for tests: 8 x 8 pixels in, the mean colour decides between red, green, blue and dark.
 * Everything asserts on failure. */
#ifndef GH_TEST_TINY_H
#define GH_TEST_TINY_H

#include "base/buf.h"
#include "engine/graph.h"

#include <check.h>

#define TINY_SIDE    8
#define TINY_CLASSES 4

/* A new folder below /tmp for one test; tiny_remove takes it away with all that it holds. */
void tiny_setup(void);
void tiny_remove(void);
/* "folder/name" in one of a few static buffers. */
const char *tiny_path(const char *name);
void tiny_file(const char *name, const void *data, size_t len);
void tiny_text(const char *name, const char *text);

/* The network: global average pool, then a dense layer; logits[c] = 8 * channel c - 2 for the colours, 1 for
 * dark, on values 0..1. */
gh_graph *tiny_graph(void);
/* Writes the network as an ONNX file. */
void tiny_onnx(const char *name);
/* Its manifest, with `more` (", \"key\": value" or "") before the closing brace. */
const char *tiny_manifest(const char *name, const char *more);
/* A whole model folder. */
void tiny_model(const char *name, const char *more);
/* The score that the network gives class `c` for a picture of one colour (levels 0..255). */
double tiny_score(int c, int red, int green, int blue);
/* Appends a PNG of one colour. */
void tiny_png(gh_buf *out, int width, int height, int red, int green, int blue);
/* The same as a file. */
void tiny_picture(const char *name, int width, int height, int red, int green, int blue);

#endif
