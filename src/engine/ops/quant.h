/* What the quantised operators share: a real number is (q - zero) * scale. */
#ifndef GH_ENGINE_OPS_QUANT_H
#define GH_ENGINE_OPS_QUANT_H

#include "engine/op.h"

/* uint8 or int8. */
static inline bool gh_is_byte(gh_dtype type)
{
    return type == GH_U8 || type == GH_I8;
}
/* Element i of a row of bytes. */
static inline int gh_byte_at(const gh_tensor *t, size_t i)
{
    return t->type == GH_I8 ? ((const int8_t *)t->data)[i] : ((const uint8_t *)t->data)[i];
}
/* Stores round(v) + zero: halves to the even neighbour; what does not fit the type saturates, NaN is 0. */
void gh_quant_store(gh_tensor *t, size_t i, float v, int zero);
/* Input i is left out, or holds one value or `count` of the type. */
GH_MUST_CHECK gh_status gh_quant_param(const gh_io *io, uint32_t i, gh_dtype type, int64_t count);
/* Value at of a parameter: the only one where it has one; 0 where the input is left out. */
int gh_quant_zero(const gh_exec *x, uint32_t input, size_t at);
float gh_quant_scale(const gh_exec *x, uint32_t input, size_t at);

#endif
