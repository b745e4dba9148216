/* What the kernel tests share: levels, guarded buffers, seeded data, layouts, and comparison with a reference
 * made in double precision on plain NCHW tensors, which shares no code with src/kernels. */
#ifndef GH_TEST_KERNELS_SUPPORT_H
#define GH_TEST_KERNELS_SUPPORT_H

#include "base/rng.h"
#include "kernels/kernels.h"

#include <check.h>

/* Fills the kernels of level `index` (0 = ref and upwards); false when this machine has no such level. */
bool kt_level(gh_kernels *k, int index);
#define KT_EACH_LEVEL(k) for (int level_ = 0; kt_level(&(k), level_); level_++)

/* A buffer of floats, aligned to GH_ALIGN, with canaries on both sides. */
typedef struct kt_buf {
    float *p;
    size_t count;
    void *base;
} kt_buf;

/* Filled with NaN, so that what a kernel forgot to write is seen. */
kt_buf kt_new(size_t count);
/* Uniform in -1 .. 1. */
kt_buf kt_random(gh_rng *rng, size_t count);
/* Fails the test when a canary changed; frees. */
void kt_free(kt_buf *b, const char *what);
/* An input of exactly `count` floats with nothing behind it, for the address sanitizer; free with gh_free. */
float *kt_exact(const float *src, size_t count);

int kt_blocks(int c, int block);
/* Plain [n][c][hw] to blocked; lanes beyond c get junk that nobody may rely on. */
void kt_block(float *dst, const float *src, int n, int c, int hw, int block);
/* Element [image][channel][i] of a blocked tensor. */
float kt_at(const float *blocked, int c, int hw, int block, int image, int channel, int i);

/* A copy, rounded to bfloat16 (to the nearest, ties to even) when the kernel rounds; free with gh_free. */
float *kt_as_multiplied(const kt_buf *b, bool bf16);

/* Activations in every kind and with odd parameters. */
extern const gh_act kt_acts[];
extern const int kt_act_count;
double kt_act(double x, gh_act act);
/* Largest slope of the activation: how much an error before it can grow. */
double kt_slope(gh_act act);

/* want[i] = bias + residual + sum of products, before activation; mag[i] = sum of their absolute values. Any
 * of bias and residual may be NULL. Plain NCHW, weights [oc][ic/groups][kh][kw]. */
void kt_conv(double *want, double *mag, const gh_conv_shape *s, const float *src, const float *weights,
             const float *bias, const float *residual);
/* Most that a correct kernel may differ after `terms` products of total size `mag`. */
double kt_tolerance(double mag, double terms, gh_act act);

/* Cuts 0 .. n-1 into ranges at random and calls fn for each, in mixed order. */
void kt_ranges(gh_rng *rng, int n, void (*fn)(void *arg, int begin, int end), void *arg);

#endif
