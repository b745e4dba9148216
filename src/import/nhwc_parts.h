/* Private to the NHWC builder: how values are stored, and how a node is added and checked. */
#ifndef GH_IMPORT_NHWC_PARTS_H
#define GH_IMPORT_NHWC_PARTS_H

#include "import/nhwc.h"

/* True when building goes on and all operands are there. */
bool gh_nhwc_ready(const gh_nhwc *b, const gh_nhwc_value *x);
/* True when the graph has the value as NCHW only: operators then work on it as it is. */
bool gh_nhwc_is_image(const gh_nhwc_value *v);
/* Which axis of NCHW an axis of NHWC is. */
int gh_nhwc_image_axis(int axis);
gh_shape gh_nhwc_image_shape(const gh_shape *nhwc);
/* True when a picture's elements stand in the same places in both orders: one colour, or one pixel. */
bool gh_nhwc_same_order(const gh_shape *nhwc);
/* Copies elements with axes permuted: axis i of dst is axis perm[i] of `shape`. */
void gh_nhwc_permute(float *dst, const float *src, const gh_shape *shape, const int *perm);

/* The graph's value in TensorFlow's order / as NCHW (rank 4), made on demand. GH_NONE on failure. */
uint32_t gh_nhwc_plain(gh_nhwc *b, const gh_nhwc_value *v);
uint32_t gh_nhwc_image(gh_nhwc *b, const gh_nhwc_value *v);
/* The one of both that `image` asks for. */
uint32_t gh_nhwc_stored(gh_nhwc *b, const gh_nhwc_value *v, bool image);

/* "name/suffix" of the operator at hand, in the arena. */
const char *gh_nhwc_named(gh_nhwc *b, const char *suffix);
/* A node on graph values, named like the operator at hand; attributes may follow, then gh_nhwc_settle. */
uint32_t gh_nhwc_emit(gh_nhwc *b, const char *type, const uint32_t *inputs, uint32_t count);
/* Constants of the graph. */
uint32_t gh_nhwc_emit_floats(gh_nhwc *b, const char *suffix, gh_shape shape, const float *data, bool copy);
uint32_t gh_nhwc_emit_ints(gh_nhwc *b, const char *suffix, const int64_t *ints, size_t count);
/* Infers the node that makes `value`; computes it where all its inputs are constants. The result is stored as
 * NCHW where `image` says so. */
const gh_nhwc_value *gh_nhwc_settle(gh_nhwc *b, uint32_t value, bool image);
/* A writable copy of a record, for what is known about it besides. */
gh_nhwc_value *gh_nhwc_record(gh_nhwc *b, const gh_nhwc_value *like);

/* Joins Mul, Add and Sub of constants a channel to the Conv before them. */
GH_MUST_CHECK gh_status gh_nhwc_fuse(gh_graph *g, gh_err *e);

#endif
