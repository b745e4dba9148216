/* Elements of every number type: one row a type. */
#include "engine/ops/number.h"

/* Towards zero; what does not fit saturates, where C leaves it undefined. */
static int64_t to_int(double v, double low, double high)
{
    if (v != v)
        return 0;
    return v <= low ? (int64_t)low : v >= high ? (high >= 0x1p63 ? INT64_MAX : (int64_t)high) : (int64_t)v;
}

/* What is read as a number is stored with its low bits. */
#define EACH_TYPE(X)                                                                                         \
    X(GH_I64, int64_t, to_int(v, -0x1p63, 0x1p63))                                                           \
    X(GH_I32, int32_t, to_int(v, INT32_MIN, INT32_MAX))                                                      \
    X(GH_I16, int16_t, to_int(v, -0x1p63, 0x1p63))                                                           \
    X(GH_I8, int8_t, to_int(v, -0x1p63, 0x1p63))                                                             \
    X(GH_U64, uint64_t,                                                                                      \
      v >= 0x1p64   ? UINT64_MAX                                                                             \
      : v >= 0x1p63 ? (uint64_t)v                                                                            \
                    : (uint64_t)to_int(v, -0x1p63, 0x1p63))                                                  \
    X(GH_U32, uint32_t, v >= 0x1p32 ? UINT32_MAX : to_int(v, -0x1p63, 0x1p63))                               \
    X(GH_U16, uint16_t, to_int(v, -0x1p63, 0x1p63))                                                          \
    X(GH_U8, uint8_t, to_int(v, -0x1p63, 0x1p63))

bool gh_is_float(gh_dtype type)
{
    return type == GH_F32 || type == GH_F64;
}

bool gh_number_type(gh_dtype type)
{
    return (type >= GH_F32 && type <= GH_I64) || type == GH_BOOL || type == GH_F64 || type == GH_U32 ||
           type == GH_U64;
}

double gh_number_at(const gh_tensor *t, size_t i)
{
    switch (t->type) {
    case GH_F32:
        return ((const float *)t->data)[i];
    case GH_F64:
        return ((const double *)t->data)[i];
    case GH_U64:
        return (double)((const uint64_t *)t->data)[i];
    default:
        return (double)gh_int_at(t, i);
    }
}

int64_t gh_int_at(const gh_tensor *t, size_t i)
{
    switch (t->type) {
#define READ(type, T, from)                                                                                  \
    case type:                                                                                               \
        return (int64_t)((const T *)t->data)[i];
        EACH_TYPE(READ)
    default:
        return ((const uint8_t *)t->data)[i] != 0;
    }
}

int64_t gh_order_at(const gh_tensor *t, size_t i)
{
    int64_t v = gh_int_at(t, i);
    return t->type == GH_U64 ? v ^ INT64_MIN : v;
}

void gh_int_store(gh_tensor *t, size_t i, int64_t v)
{
    switch (t->type) {
#define STORE_INT(type, T, from)                                                                             \
    case type:                                                                                               \
        ((T *)t->data)[i] = (T)v;                                                                            \
        break;
        EACH_TYPE(STORE_INT)
    default:
        ((uint8_t *)t->data)[i] = v != 0;
    }
}

void gh_number_store(gh_tensor *t, size_t i, double v)
{
    switch (t->type) {
    case GH_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case GH_F64:
        ((double *)t->data)[i] = v;
        break;
#define STORE(type, T, from)                                                                                 \
    case type:                                                                                               \
        ((T *)t->data)[i] = (T)(from);                                                                       \
        break;
        EACH_TYPE(STORE)
    default:
        ((uint8_t *)t->data)[i] = v != 0;
    }
}
