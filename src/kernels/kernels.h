/* Compute kernels: pure functions on raw memory, without allocation, I/O or errors. One struct of function
 * pointers is filled from ref/ (plain C) and then overwritten by each ISA folder in rising order.
 *
 * Layouts. Plain: NCHW, row-major. Blocked: [n][ceil(c/B)][h][w][B] with B = gh_kernels.block; lanes beyond c
 * hold finite values that nobody may rely on (packed weights are zero there). All blocked pointers are
 * aligned to GH_ALIGN bytes. Sizes are elements, not bytes, unless said otherwise. */
#ifndef GH_KERNELS_H
#define GH_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Geometry of a convolution or pooling window. Padding after is implied by the output size. */
typedef struct gh_conv_shape {
    int n, ic, ih, iw;          /* input; ic counts all groups */
    int oc, oh, ow;             /* output */
    int kh, kw, sh, sw, dh, dw; /* window, stride, dilation */
    int pt, pl;                 /* padding at top and left; pixels outside read as zero */
    int groups;
} gh_conv_shape;

/* Activation fused behind an operator. */
typedef enum gh_act_kind {
    GH_ACT_NONE,
    GH_ACT_CLAMP,    /* min(max(x, lo), hi): ReLU is 0..inf, ReLU6 0..6 */
    GH_ACT_LEAKY,    /* x < 0 ? lo * x : x */
    GH_ACT_SIGMOID,  /* 1 / (1 + exp(-x)) */
    GH_ACT_HSWISH,   /* x * clamp(x / 6 + 0.5, 0, 1) (Howard et al. 2019) */
    GH_ACT_HSIGMOID, /* clamp(lo * x + hi, 0, 1) */
    GH_ACT_SILU,     /* x * sigmoid(x) */
    GH_ACT_TANH,
} gh_act_kind;

typedef struct gh_act {
    gh_act_kind kind;
    float lo, hi; /* parameters of the kind */
} gh_act;

/* One convolution to run: dst = act(conv(src, weights) + bias + residual). */
typedef struct gh_conv_job {
    gh_conv_shape shape;
    const float *src;      /* layout: the kernel's src_blocked says which */
    const float *weights;  /* as pack() left them */
    const float *bias;     /* ceil(oc/B) * B floats, or NULL */
    const float *residual; /* same layout and shape as dst, or NULL; may equal dst */
    float *dst;            /* blocked (plain for conv_plain) */
    gh_act act;
    float *scratch; /* scratch() floats of the calling thread */
    float *shared;  /* shared() floats, the same for all threads */
} gh_conv_job;

/* One algorithm for a convolution. accepts(), packed() and pack() read nothing that changes with the
 * picture's size (ih, iw, oh, ow, n, pt, pl), so that all plans of a model share one packing. */
typedef struct gh_conv_kernel {
    const char *name;
    bool src_blocked; /* false: src is plain (first layer) */
    int loss;  /* 0: only the order of sums differs from the definition; else m of Winograd's F(m x m) */
    bool bf16; /* products of bfloat16 numbers, sums in fp32 */
    /* Input pixels give windows of output; weights [ic][oc][kh][kw], pt and pl are cut off. */
    bool transposed;
    bool (*accepts)(const gh_conv_shape *s);
    double (*cost)(const gh_conv_shape *s); /* about the cycles on one thread, or NULL: where it accepts, the
                                               best */
    size_t (*packed)(const gh_conv_shape *s);                               /* floats of packed weights */
    void (*pack)(float *dst, const float *weights, const gh_conv_shape *s); /* from [oc][ic/groups][kh][kw] */
    size_t (*scratch)(const gh_conv_shape *s); /* floats a thread; may depend on size */
    size_t (*shared)(const gh_conv_shape *s);  /* floats for all threads together, or NULL: none */
    int (*units)(const gh_conv_shape *s);      /* independent pieces of work, within a stage */
    /* One past the last unit of the stage that `unit` is in: all of a stage are done before the next starts.
     * NULL: one stage. */
    int (*stage)(const gh_conv_shape *s, int unit);
    void (*run)(const gh_conv_job *job, int begin, int end); /* does units [begin, end) */
} gh_conv_kernel;

/* Dense layer: dst[m][n] = act(src[m][k] x weights + bias[n]). */
typedef struct gh_dense_kernel {
    const char *name;
    size_t (*packed)(int n, int k);
    void (*pack)(float *dst, const float *weights, int n, int k,
                 bool n_major); /* n_major: [n][k], else [k][n] */
    int (*units)(int m, int n, int k);
    void (*run)(float *dst, const float *src, const float *packed, const float *bias, gh_act act, int m,
                int n, int k, int begin,
                int end); /* units [begin, end); src and dst plain, rows contiguous */
} gh_dense_kernel;

/* Window pooling on the blocked layout; shape.oc == shape.ic, groups unused. */
typedef struct gh_pool_job {
    gh_conv_shape shape;
    const float *src;
    float *dst;
    bool count_pad; /* average: padding counts in the divisor (only pixels within pads, ONNX
                       count_include_pad) */
    int pb, pr;     /* padding at bottom and right, for count_pad */
} gh_pool_job;

/* Resizing of height and width: output pixel y, x is the sum over both axes' taps. Index and weight of tap t
 * of position i stand at [i * taps + t]. */
typedef struct gh_resize_taps {
    int in, out, taps;
    const int *index; /* 0 .. in - 1 */
    const float *weight;
} gh_resize_taps;

typedef struct gh_resize_job {
    gh_resize_taps y, x;
    const float *src;
    float *dst;
} gh_resize_job;

/* Resampling of bytes in fixed point: sample i is the sum of samples first[i] .. first[i] + count[i] - 1,
 * each times its weight, plus a half, shifted right by GH_RESAMPLE_BITS and kept within 0..255. */
enum { GH_RESAMPLE_BITS = 32 - 8 - 2 }; /* 8 bits of sample, 2 of headroom for negative lobes */

typedef struct gh_resample_taps {
    int *first, *count;
    int32_t *weight; /* `size` rows of `most` weights */
    int size, most;
} gh_resample_taps;

/* One channel of a norm, backwards: its output was clamp(a * x + b, lo, hi). */
typedef struct gh_norm_job {
    float a, b, lo, hi;
    float mean, slope, shift;
} gh_norm_job;

/* Dot products of m rows of a with n rows of b, read at each of several offsets; steps in floats. */
typedef struct gh_dots_job {
    const float *a, *b;
    const ptrdiff_t *offset;                    /* of each tap, into b */
    float *dst;                                 /* element (i, j, t) at i * dst_row + j * dst_column + t */
    size_t a_step, b_step, dst_row, dst_column; /* from one i or j to the next */
    int m, n, taps;
    size_t count; /* floats of a row */
} gh_dots_job;

typedef enum gh_binary { GH_ADD, GH_SUB, GH_MUL, GH_DIV, GH_MIN, GH_MAX } gh_binary;

/* Fields are made from list.inc, so that dispatch, declarations, tests and bench read the same list. */
typedef struct gh_kernels {
    const char *level; /* "ref", "avx2", "avx512" */
    int block;         /* B: channels in a block, 8 or 16; 8 at ref */
#define GH_KERNEL_CONV(field, what)          const gh_conv_kernel *field;
#define GH_KERNEL_DENSE(field, what)         const gh_dense_kernel *field;
#define GH_KERNEL_FN(field, ret, args, what) ret(*field) args;
#include "kernels/list.inc"
#undef GH_KERNEL_CONV
#undef GH_KERNEL_DENSE
#undef GH_KERNEL_FN
} gh_kernels;

/* Fills `k` for the flags of gh_cpu_flags(). */
void gh_kernels_init(gh_kernels *k, uint32_t cpu_flags);
/* The process's kernels: initialised once from gh_cpu_flags(), then constant. */
const gh_kernels *gh_kernels_get(void);
/* Units of to_blocked and to_plain. */
static inline int gh_layout_units(const gh_kernels *k, int n, int hw)
{
    return n * ((hw + k->block - 1) / k->block);
}
/* The first convolution kernel of `k`, in the order of list.inc, that accepts the shape, or of those that
 * tell a cost the cheapest with at most this loss, bfloat16's only where that is wanted; never NULL for
 * groups == 1 or depthwise (groups == ic == oc), NULL for other groupings. */
const gh_conv_kernel *gh_conv_choose(const gh_kernels *k, const gh_conv_shape *s, int most_loss, bool bf16);

#endif
