/* Comparison of tensors, element by element. */
#include "onnx/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool near(double got, double want)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= 1e-7 + 1e-3 * fabs(want);
}

/* Elements of tensors read from files may be unaligned. */
static double float_at(const gh_tensor *t, size_t i)
{
    float f;
    double d;
    if (t->type == GH_F64) {
        memcpy(&d, (const char *)t->data + i * sizeof d, sizeof d);
        return d;
    }
    memcpy(&f, (const char *)t->data + i * sizeof f, sizeof f);
    return f;
}

static bool same_element(const gh_tensor *got, const gh_tensor *want, size_t i)
{
    size_t size = gh_dtype_size(got->type);
    if (got->type == GH_F32 || got->type == GH_F64)
        return near(float_at(got, i), float_at(want, i));
    return memcmp((const char *)got->data + i * size, (const char *)want->data + i * size, size) == 0;
}

static void describe(const gh_tensor *got, const gh_tensor *want, size_t i, char *why, int size)
{
    if (got->type == GH_F32 || got->type == GH_F64)
        snprintf(why, (size_t)size, "element %zu is %.9g, not %.9g", i, float_at(got, i), float_at(want, i));
    else
        snprintf(why, (size_t)size, "element %zu of type %s differs", i, gh_dtype_name(got->type));
}

bool oc_same(const gh_tensor *got, const gh_tensor *want, char *why, int size)
{
    char a[96], b[96];
    size_t count = 0;
    if (got->type != want->type || !gh_shape_equal(&got->shape, &want->shape)) {
        snprintf(why, (size_t)size, "%s %s came, not %s %s", gh_dtype_name(got->type),
                 gh_shape_text(&got->shape, a, sizeof a), gh_dtype_name(want->type),
                 gh_shape_text(&want->shape, b, sizeof b));
        return false;
    }
    if (!gh_shape_count(&count, &got->shape))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_element(got, want, i)) {
            describe(got, want, i, why, size);
            return false;
        }
    return true;
}
