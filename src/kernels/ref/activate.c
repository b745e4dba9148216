/* Element by element: activations and binary operations. */
#include "kernels/levels.h"

#include "kernels/ref/ref.h"

void gh_kernel_activate_ref(float *dst, const float *src, size_t count, gh_act act)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = ref_act(src[i], act);
}

static float combine(float a, float b, gh_binary op)
{
    switch (op) {
    case GH_ADD:
        return a + b;
    case GH_SUB:
        return a - b;
    case GH_MUL:
        return a * b;
    case GH_DIV:
        return a / b;
    case GH_MIN:
        return a < b ? a : b;
    case GH_MAX:
        return a > b ? a : b;
    }
    return a;
}

void gh_kernel_binary_ref(float *dst, const float *a, const float *b, size_t count, gh_binary op, gh_act act)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = ref_act(combine(a[i], b[i], op), act);
}
