/* What the engine's tests share: running a graph, and writing ONNX bytes field by field, so that a test can
 * also write what no writer would. */
#ifndef GH_TEST_NETS_H
#define GH_TEST_NETS_H

#include "base/rng.h"
#include "engine/net.h"
#include "engine/onnx.h"
#include "engine/onnx_proto.h"

#include <check.h>

/* Fails the test unless the status is GH_OK, with the sentence of `e`. */
#define NT_OK(status, e) ck_assert_msg((status) == GH_OK, "%s", (e).text)
/* Fails the test unless `status` is `want` and the sentence holds `part`. */
void nt_refused(gh_status status, gh_status want, const gh_err *e, const char *part);

/* A net with one plan bound to a session. */
typedef struct nt_run {
    gh_net *net;
    gh_plan *plan;
    gh_session *session;
} nt_run;

/* Takes over the graph. `shapes` NULL: those that the inputs declare. On failure nothing is left to close. */
GH_MUST_CHECK gh_status nt_open(nt_run *out, gh_graph **g, unsigned passes, const gh_shape *shapes,
                                gh_pool *pool, gh_err *e);
void nt_close(nt_run *r);
/* Fills every input from the seed and runs; fails the test when that fails. */
void nt_run_seeded(nt_run *r, uint64_t seed);
/* A copy of output i, freed with gh_free, and its number of elements. Only float32. */
float *nt_copy_output(const nt_run *r, size_t i, size_t *count);
/* Largest |a - b| / (1 + |b|); a NaN on one side only counts as infinite. */
double nt_difference(const float *a, const float *b, size_t count);
/* All outputs of both agree in type, shape, and to within `most` by nt_difference. */
void nt_same_outputs(const nt_run *a, const nt_run *b, double most, const char *what);

/* A shape of n x 3 x h x w. */
gh_shape nt_size(int64_t n, int64_t h, int64_t w);
/* Three convolutions, a residual, a pool and a dense layer to 5 numbers, for pictures of any size. */
gh_graph *nt_free_graph(void);
/* Its net with all passes. */
gh_net *nt_free_net(void);
/* A session on the net's plan for this size; the net stays the caller's. */
nt_run nt_bind(gh_net *net, gh_shape s);
void nt_unbind(nt_run *r);

/* ONNX bytes. Lists of names end with NULL. */
void nt_put_node(gh_buf *graph, const char *type, const char *name, const char *const *in,
                 const char *const *out);
void nt_put_info(gh_buf *graph, uint32_t number, const char *name, gh_dtype type, int rank,
                 const int64_t *dims);
void nt_put_tensor(gh_buf *graph, uint32_t number, const char *name, int64_t type, int rank,
                   const int64_t *dims, const void *raw, size_t len);
/* Wraps a graph into a model of this opset. */
void nt_put_model(gh_buf *model, const gh_buf *graph, int64_t opset);
/* Reads a model from a copy that ends exactly where the bytes end, for the address sanitizer; the copy lives
 * until nt_forget. */
typedef struct nt_bytes {
    uint8_t *data;
    gh_graph *graph;
} nt_bytes;
gh_status nt_read(nt_bytes *out, const void *data, size_t len, gh_err *e);
void nt_forget(nt_bytes *b);

#define NT_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NT_DIMS(...) ((const int64_t[]){__VA_ARGS__})

#endif
