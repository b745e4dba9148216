/* k x k convolution of bfloat16 numbers, emulated: weights and input are rounded, the rest is conv_direct's.
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

static bool accepts(const gh_conv_shape *s)
{
    return gh_kernel_conv_direct_ref.accepts(s);
}

static size_t packed(const gh_conv_shape *s)
{
    return gh_kernel_conv_direct_ref.packed(s);
}

static void pack(float *dst, const float *weights, const gh_conv_shape *s)
{
    size_t count = packed(s);
    gh_kernel_conv_direct_ref.pack(dst, weights, s);
    for (size_t i = 0; i < count; i++)
        dst[i] = rounded(dst[i]);
}

static size_t scratch(const gh_conv_shape *s)
{
    return (size_t)s->n * ref_blocks(s->ic) * s->ih * s->iw * BLOCK;
}

static int units(const gh_conv_shape *s)
{
    return gh_kernel_conv_direct_ref.units(s);
}

static void run(const gh_conv_job *given, int begin, int end)
{
    gh_conv_job job = *given;
    size_t count = scratch(&job.shape);
    for (size_t i = 0; i < count; i++)
        job.scratch[i] = rounded(job.src[i]);
    job.src = job.scratch;
    gh_kernel_conv_direct_ref.run(&job, begin, end);
}

const gh_conv_kernel gh_kernel_conv_bf16_ref = {
    .name = "conv_bf16_ref",
    .src_blocked = true,
    .bf16 = true,
    .accepts = accepts,
    .packed = packed,
    .pack = pack,
    .scratch = scratch,
    .units = units,
    .run = run,
};
