/* One element as a number, whatever its type. For operators that are rare or small. */
#ifndef GH_ENGINE_OPS_NUMBER_H
#define GH_ENGINE_OPS_NUMBER_H

#include "engine/tensor.h"

/* float32, float64, integers of 8 to 64 bits, bool. */
bool gh_number_type(gh_dtype type);
double gh_number_at(const gh_tensor *t, size_t i);
/* Towards zero for integers; what does not fit saturates for 32 and 64 bits and wraps for fewer. */
void gh_number_store(gh_tensor *t, size_t i, double v);
/* The same for integers and bool without a way through floating point; the low bits are kept. */
int64_t gh_int_at(const gh_tensor *t, size_t i);
void gh_int_store(gh_tensor *t, size_t i, int64_t v);
bool gh_is_float(gh_dtype type);
/* The same, but so that a larger one of uint64 is larger here, too: for comparisons within one type. */
int64_t gh_order_at(const gh_tensor *t, size_t i);

/* X(type, C type, suffix) for every number type but bool. */
#define GH_EACH_NUMBER(X)                                                                                    \
    X(GH_F32, float, f32)                                                                                    \
    X(GH_F64, double, f64)                                                                                   \
    X(GH_I64, int64_t, i64)                                                                                  \
    X(GH_I32, int32_t, i32)                                                                                  \
    X(GH_I16, int16_t, i16)                                                                                  \
    X(GH_I8, int8_t, i8)                                                                                     \
    X(GH_U64, uint64_t, u64)                                                                                 \
    X(GH_U32, uint32_t, u32)                                                                                 \
    X(GH_U16, uint16_t, u16)                                                                                 \
    X(GH_U8, uint8_t, u8)

#endif
