/* Training rows for tests, and running what a head exports. */
#ifndef GH_TEST_ROWS_H
#define GH_TEST_ROWS_H

#include "train/heads/head.h"

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

/* A head of the table with what made it. */
typedef struct fitted {
    const gh_head_type *type;
    gh_head *head;
} fitted;

/* Small settings, so that every head is fast. */
gh_fit_options quick(gh_pool *pool);
/* Fits, or fails the test. */
gh_head *fit(const gh_head_type *t, const gh_rows *rows, const gh_fit_options *o);
/* The i-th head of the table; the last one is knn with neighbours. */
#define HEADS 5
fitted fit_nth(int i, const gh_rows *rows, gh_pool *pool);
/* Scores of n rows; the caller frees them. */
float *predict(const gh_head_type *t, const gh_head *h, const float *x, size_t n, gh_pool *pool);
/* An exporter; `what` is a fitted. */
uint32_t export_fitted(gh_graph *g, const void *what, uint32_t features, float temperature);

#endif
