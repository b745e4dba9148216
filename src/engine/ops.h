/* The rows of each operator family (ops/NAME.c holds gh_ops_NAME). */
#ifndef GH_ENGINE_OPS_H
#define GH_ENGINE_OPS_H

#include "engine/op.h"

#define GH_FAMILY(name)                                                                                      \
    extern const gh_op gh_ops_##name[];                                                                      \
    extern const size_t gh_ops_##name##_count;
#include "engine/ops/families.inc"
#undef GH_FAMILY

/* Largest padding, stride, dilation or window side in pixels that we accept. */
#define GH_MAX_WINDOW 65536
/* Attribute `name`: n integers of at least `least` and at most GH_MAX_WINDOW, each `fallback` when it is
 * absent. */
GH_MUST_CHECK gh_status gh_io_list(const gh_io *io, const char *name, int64_t *values, size_t n,
                                   int64_t fallback, int64_t least);
/* Window geometry shared by convolution and pooling: attributes kernel_shape, strides, dilations, pads,
 * auto_pad and (pooling) ceil_mode. Fills everything but oc and groups; `window` is kh, kw. One spatial
 * dimension counts as height 1. pads_end receives the padding at bottom and right. */
GH_MUST_CHECK gh_status gh_window(const gh_io *io, gh_conv_shape *s, int pads_end[2], const int64_t window[2],
                                  bool ceil_mode);
/* Geometry of a Conv, of a ConvTranspose (oc counts all groups; pt and pl are cut off), and of a pooling. */
GH_MUST_CHECK gh_status gh_conv_shape_of(const gh_io *io, gh_conv_shape *s);
GH_MUST_CHECK gh_status gh_conv_transpose_shape_of(const gh_io *io, gh_conv_shape *s);
GH_MUST_CHECK gh_status gh_pool_shape_of(const gh_io *io, gh_conv_shape *s, int pads_end[2]);
/* GH_LIMIT when `floats` more of packed weights are not to be had. */
GH_MUST_CHECK gh_status gh_prepare_room(const gh_prepare *p, size_t floats);
/* Packs a convolution's constant weights into p->packed for the kernel, or for the best one when it is NULL.
 */
GH_MUST_CHECK gh_status gh_conv_pack(gh_prepare *p, const gh_conv_shape *s, const gh_conv_kernel *kernel);
/* Answers for a convolution of this shape by the kernel that p->packed was packed for. */
GH_MUST_CHECK gh_status gh_conv_accept(gh_prepare *p, const gh_conv_shape *s);
GH_MUST_CHECK gh_status gh_conv_run_blocked(gh_exec *x);
/* Runs fn(job, begin, end) over `units`, spread over the pool. */
void gh_exec_range(const gh_exec *x, int units, gh_range_fn fn, const void *job);
/* The mean over height and width of a blocked picture, to the plain layout. */
GH_MUST_CHECK gh_status gh_global_avg_run_blocked(gh_exec *x);

#endif
