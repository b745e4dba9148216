/* Convolutions of bfloat16 numbers, emulated: weights and input are rounded, the rest is what the kernels of
 * fp32 do.
 */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

#include <string.h>

/* To the nearest bfloat16 number, ties to even. */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static size_t scratch(const gh_conv_shape *s)
{
    return (size_t)s->n * ref_blocks(s->ic) * s->ih * s->iw * BLOCK;
}

static void pack_with(const gh_conv_kernel *fp32, float *dst, const float *weights, const gh_conv_shape *s)
{
    size_t count = fp32->packed(s);
    fp32->pack(dst, weights, s);
    for (size_t i = 0; i < count; i++)
        dst[i] = rounded(dst[i]);
}

static void run_with(const gh_conv_kernel *fp32, const gh_conv_job *given, int begin, int end)
{
    gh_conv_job job = *given;
    size_t count = scratch(&job.shape);
    for (size_t i = 0; i < count; i++)
        job.scratch[i] = rounded(job.src[i]);
    job.src = job.scratch;
    fp32->run(&job, begin, end);
}

#define EMULATE(row, fp32, turned)                                                                           \
    static bool accepts_##row(const gh_conv_shape *s)                                                        \
    {                                                                                                        \
        return fp32.accepts(s);                                                                              \
    }                                                                                                        \
    static size_t packed_##row(const gh_conv_shape *s)                                                       \
    {                                                                                                        \
        return fp32.packed(s);                                                                               \
    }                                                                                                        \
    static void pack_##row(float *dst, const float *weights, const gh_conv_shape *s)                         \
    {                                                                                                        \
        pack_with(&fp32, dst, weights, s);                                                                   \
    }                                                                                                        \
    static int units_##row(const gh_conv_shape *s)                                                           \
    {                                                                                                        \
        return fp32.units(s);                                                                                \
    }                                                                                                        \
    static void run_##row(const gh_conv_job *job, int begin, int end)                                        \
    {                                                                                                        \
        run_with(&fp32, job, begin, end);                                                                    \
    }                                                                                                        \
    const gh_conv_kernel gh_kernel_##row##_ref = {                                                           \
        .name = #row "_ref",                                                                                 \
        .src_blocked = true,                                                                                 \
        .bf16 = true,                                                                                        \
        .transposed = turned,                                                                                \
        .accepts = accepts_##row,                                                                            \
        .packed = packed_##row,                                                                              \
        .pack = pack_##row,                                                                                  \
        .scratch = scratch,                                                                                  \
        .units = units_##row,                                                                                \
        .run = run_##row,                                                                                    \
    };
EMULATE(conv_bf16, gh_kernel_conv_direct_ref, false)
EMULATE(conv_transpose_bf16, gh_kernel_conv_transpose_ref, true)
