/* One set of row functions a type, made from one body, and the table that finds them. */
#include "engine/ops/binary_rows.h"

#include <math.h>

#define T        float
#define NAME     f32
#define IS_FLOAT 1
#include "engine/ops/binary_type.inc"
#define T        double
#define NAME     f64
#define IS_FLOAT 1
#include "engine/ops/binary_type.inc"
#define T         int64_t
#define NAME      i64
#define IS_FLOAT  0
#define IS_SIGNED 1
#include "engine/ops/binary_type.inc"
#define T         int32_t
#define NAME      i32
#define IS_FLOAT  0
#define IS_SIGNED 1
#include "engine/ops/binary_type.inc"
#define T         int16_t
#define NAME      i16
#define IS_FLOAT  0
#define IS_SIGNED 1
#include "engine/ops/binary_type.inc"
#define T         int8_t
#define NAME      i8
#define IS_FLOAT  0
#define IS_SIGNED 1
#include "engine/ops/binary_type.inc"
#define T         uint64_t
#define NAME      u64
#define IS_FLOAT  0
#define IS_SIGNED 0
#include "engine/ops/binary_type.inc"
#define T         uint32_t
#define NAME      u32
#define IS_FLOAT  0
#define IS_SIGNED 0
#include "engine/ops/binary_type.inc"
#define T         uint16_t
#define NAME      u16
#define IS_FLOAT  0
#define IS_SIGNED 0
#include "engine/ops/binary_type.inc"
#define T         uint8_t
#define NAME      u8
#define IS_FLOAT  0
#define IS_SIGNED 0
#include "engine/ops/binary_type.inc"

/* A byte of a bool may be any but 0 for true, where a file says so. */
#define LOGIC(name, expression)                                                                              \
    static void name(void *dst, const void *left, const void *right, size_t n, size_t sa, size_t sb)         \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            bool a = ((const uint8_t *)left)[i * sa] != 0, b = ((const uint8_t *)right)[i * sb] != 0;        \
            ((uint8_t *)dst)[i] = (expression);                                                              \
        }                                                                                                    \
    }

LOGIC(logic_and, a &&b)
LOGIC(logic_or, a || b)
LOGIC(logic_xor, a != b)
LOGIC(logic_equal, a == b)

static const gh_binary_row rows_bool[GH_BINARY_COUNT] = {
    [GH_BINARY_AND] = logic_and,
    [GH_BINARY_OR] = logic_or,
    [GH_BINARY_XOR] = logic_xor,
    [GH_BINARY_EQUAL] = logic_equal,
};

static const gh_binary_row *const types[] = {
    [GH_F32] = rows_f32, [GH_F64] = rows_f64, [GH_I64] = rows_i64,   [GH_I32] = rows_i32,
    [GH_I16] = rows_i16, [GH_I8] = rows_i8,   [GH_U64] = rows_u64,   [GH_U32] = rows_u32,
    [GH_U16] = rows_u16, [GH_U8] = rows_u8,   [GH_BOOL] = rows_bool,
};

gh_binary_row gh_binary_row_of(gh_binary_kind kind, gh_dtype type)
{
    return (size_t)type < GH_COUNT(types) && types[type] ? types[type][kind] : NULL;
}
