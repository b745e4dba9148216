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

/* Floats of the input. */
static size_t scratch(const gh_conv_shape *s)
{
    return (size_t)s->n * ref_blocks(s->ic) * s->ih * s->iw * BLOCK;
}

static size_t scratch_plain(const gh_conv_shape *s)
{
    return (size_t)s->n * s->ic * s->ih * s->iw;
}

/* Strides that the vectors' kernel has, too. */
static bool is_first(const gh_conv_shape *s)
{
    return s->sw == 2 && s->dw == 1;
}

static bool is_any(const gh_conv_shape *s)
{
    (void)s;
    return true;
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
    size_t count = fp32->src_blocked ? scratch(&job.shape) : scratch_plain(&job.shape);
    for (size_t i = 0; i < count; i++)
        job.scratch[i] = rounded(job.src[i]);
    job.src = job.scratch;
    fp32->run(&job, begin, end);
}

#define EMULATE(row, fp32, turned, blocked, room, fits)                                                      \
    static bool accepts_##row(const gh_conv_shape *s)                                                        \
    {                                                                                                        \
        return fp32.accepts(s) && fits(s);                                                                   \
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
        .src_blocked = blocked,                                                                              \
        .bf16 = true,                                                                                        \
        .transposed = turned,                                                                                \
        .accepts = accepts_##row,                                                                            \
        .packed = packed_##row,                                                                              \
        .pack = pack_##row,                                                                                  \
        .scratch = room,                                                                                     \
        .units = units_##row,                                                                                \
        .run = run_##row,                                                                                    \
    };
EMULATE(conv_first_bf16, gh_kernel_conv_first_ref, false, false, scratch_plain, is_first)
EMULATE(conv_bf16, gh_kernel_conv_direct_ref, false, true, scratch, is_any)
EMULATE(conv_transpose_bf16, gh_kernel_conv_transpose_ref, true, true, scratch, is_any)
