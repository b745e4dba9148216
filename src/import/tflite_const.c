/* Constants of a TFLite file as the float32 and int64 that an ONNX graph takes. */
#include "base/half.h"
#include "import/tflite_model.h"

#include <string.h>

static uint64_t read_bits(const uint8_t *p, unsigned bytes)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < bytes; i++)
        bits |= (uint64_t)p[i] << 8 * i;
    return bits;
}

/* Element i of a type of whole numbers; int4 has two a byte, the lower bits first. */
static int64_t whole(const gh_tfl_tensor *t, size_t i)
{
    switch (t->type) {
    case GH_TFL_INT4:
        return (int8_t)(uint8_t)(t->data[i / 2] << (i % 2 ? 0 : 4)) >> 4;
    case GH_TFL_INT8:
        return (int8_t)t->data[i];
    case GH_TFL_INT16:
        return (int16_t)read_bits(t->data + 2 * i, 2);
    case GH_TFL_INT32:
        return (int32_t)read_bits(t->data + 4 * i, 4);
    case GH_TFL_INT64:
        return (int64_t)read_bits(t->data + 8 * i, 8);
    default: /* uint8, bool */
        return t->data[i];
    }
}

static float real(const gh_tfl_tensor *t, size_t i)
{
    if (t->type == GH_TFL_FLOAT16)
        return gh_half_to_float((uint16_t)read_bits(t->data + 2 * i, 2));
    uint32_t bits = (uint32_t)read_bits(t->data + 4 * i, 4);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Product of the dimensions behind `axis`. */
static size_t inner_count(const gh_tfl_tensor *t)
{
    size_t n = 1;
    for (int i = t->axis + 1; i < t->shape.rank; i++)
        n *= (size_t)t->shape.dims[i];
    return n;
}

static void dequantise(float *dst, const gh_tfl_tensor *t)
{
    bool slices = t->scale.count > 1;
    size_t inner = slices ? inner_count(t) : 1;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t slice = slices ? (uint32_t)(i / inner % t->scale.count) : 0;
        int64_t zero = t->zero.count ? gh_fb_int_at(&t->zero, t->zero.count > 1 ? slice : 0) : 0;
        double scale = t->scale.count ? gh_fb_float_at(&t->scale, slice) : 1.0;
        dst[i] = (float)(((double)whole(t, i) - (double)zero) * scale);
    }
}

gh_status gh_tfl_floats(float *dst, const gh_tfl_tensor *t, gh_err *e)
{
    switch (t->type) {
    case GH_TFL_FLOAT32:
    case GH_TFL_FLOAT16:
        for (size_t i = 0; i < t->count; i++)
            dst[i] = real(t, i);
        return GH_OK;
    case GH_TFL_INT4:
    case GH_TFL_INT8:
    case GH_TFL_UINT8:
    case GH_TFL_INT16:
    case GH_TFL_INT32:
    case GH_TFL_INT64:
        dequantise(dst, t);
        return GH_OK;
    default:
        return gh_fail(e, GH_UNSUPPORTED,
                       "tensor \"%s\" is %s; gharial reads weights of float32, float16, int4, int8, uint8, "
                       "int16, int32 and int64",
                       t->name, gh_tfl_type_name(t->type));
    }
}

gh_status gh_tfl_ints(int64_t *dst, uint32_t *count, uint32_t max, const gh_tfl_tensor *t, gh_err *e)
{
    if (!t->data)
        return gh_fail(e, GH_UNSUPPORTED,
                       "tensor \"%s\" is computed where gharial needs to know it: a shape, an axis or a "
                       "padding",
                       t->name);
    if ((t->type != GH_TFL_INT32 && t->type != GH_TFL_INT64) || t->count > max)
        return gh_fail(e, GH_FORMAT,
                       "tensor \"%s\" has %zu numbers of %s; up to %u of int32 or int64 are needed", t->name,
                       t->count, gh_tfl_type_name(t->type), max);
    for (size_t i = 0; i < t->count; i++)
        dst[i] = whole(t, i);
    *count = (uint32_t)t->count;
    return GH_OK;
}
