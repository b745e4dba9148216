/* From a view of any type and strides to contiguous floats. */
#include "base/half.h"
#include "import/torch_storage.h"

#include <string.h>

/* n elements, `step` bytes apart. Data may be of any alignment, hence the copies. */
#define ROW(from, name, convert)                                                                             \
    static void name(float *dst, const uint8_t *src, size_t n, size_t step)                                  \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++, src += step) {                                                        \
            from v;                                                                                          \
            memcpy(&v, src, sizeof v);                                                                       \
            dst[i] = convert(v);                                                                             \
        }                                                                                                    \
    }

static float bfloat16(uint16_t v)
{
    uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

ROW(float, row_f32, (float))
ROW(double, row_f64, (float))
ROW(uint16_t, row_f16, gh_half_to_float)
ROW(uint16_t, row_bf16, bfloat16)
ROW(int64_t, row_i64, (float))
ROW(int32_t, row_i32, (float))
ROW(int16_t, row_i16, (float))
ROW(int8_t, row_i8, (float))
ROW(uint8_t, row_u8, (float))

static void (*const rows[])(float *dst, const uint8_t *src, size_t n, size_t step) = {
    [GH_TORCH_F32] = row_f32, [GH_TORCH_F64] = row_f64, [GH_TORCH_F16] = row_f16, [GH_TORCH_BF16] = row_bf16,
    [GH_TORCH_I64] = row_i64, [GH_TORCH_I32] = row_i32, [GH_TORCH_I16] = row_i16, [GH_TORCH_I8] = row_i8,
    [GH_TORCH_U8] = row_u8,   [GH_TORCH_BOOL] = row_u8,
};

void gh_torch_copy_f32(float *dst, const gh_torch_tensor *t)
{
    int last = t->shape.rank - 1;
    int64_t at[GH_MAX_RANK] = {0};
    size_t size = gh_torch_type_size(t->type);
    size_t n = last < 0 ? 1 : (size_t)t->shape.dims[last];
    size_t step = last < 0 ? size : (size_t)t->strides[last] * size;
    for (size_t done = 0; done < t->count; done += n) {
        size_t offset = 0;
        for (int i = 0; i < last; i++)
            offset += (size_t)(at[i] * t->strides[i]);
        rows[t->type](dst + done, t->data + offset * size, n, step);
        for (int i = last - 1; i >= 0 && ++at[i] == t->shape.dims[i]; i--)
            at[i] = 0;
    }
}
