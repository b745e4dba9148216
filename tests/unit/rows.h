/* Training rows for tests, and running what a head exports. */
#ifndef GH_TEST_ROWS_H
#define GH_TEST_ROWS_H

#include "train/head.h"

typedef struct blobs {
    gh_rows rows;
    float *x;
    uint32_t *label;
} blobs;

/* n rows in normal clouds, one a class in turn; the centres lie `apart` standard deviations away from 0. */
blobs blobs_new(size_t n, size_t width, uint32_t classes, float apart, uint64_t seed);
void blobs_free(blobs *b);

/* Share of the rows whose best score is their label's. */
double accuracy_of(const gh_rows *rows, const float *scores);

typedef uint32_t (*exporter)(gh_graph *g, const void *what, uint32_t features, float temperature);

/* Builds a network of opset `opset` (0 = the usual one) from the exporter and runs n rows through it, with
 * all passes and with none: both must agree. The caller frees the scores (n x columns; columns 0: a vector).
 */
float *run_export(exporter fn, const void *what, const float *x, size_t n, size_t width, uint32_t columns,
                  float temperature, int64_t opset);
/* The bytes of the exported ONNX file; the caller frees them. */
unsigned char *export_bytes(size_t *len, exporter fn, const void *what, size_t width, uint32_t columns);

#endif
