/* Functions of two operands on one row, for every element type. */
#ifndef GH_ENGINE_OPS_BINARY_ROWS_H
#define GH_ENGINE_OPS_BINARY_ROWS_H

#include "engine/tensor.h"

typedef enum gh_binary_kind {
    GH_BINARY_ADD,
    GH_BINARY_SUB,
    GH_BINARY_MUL,
    GH_BINARY_DIV,
    GH_BINARY_MIN,
    GH_BINARY_MAX,
    GH_BINARY_FMOD, /* with the sign of the dividend */
    GH_BINARY_MOD,  /* with the sign of the divisor; integers only */
    GH_BINARY_EQUAL,
    GH_BINARY_LESS,
    GH_BINARY_GREATER,
    GH_BINARY_LESS_EQUAL,
    GH_BINARY_GREATER_EQUAL,
    GH_BINARY_AND, /* of bool */
    GH_BINARY_OR,
    GH_BINARY_XOR,
    GH_BINARY_BIT_AND,
    GH_BINARY_BIT_OR,
    GH_BINARY_BIT_XOR,
    GH_BINARY_SHIFT_LEFT,
    GH_BINARY_SHIFT_RIGHT,
    GH_BINARY_COUNT
} gh_binary_kind;

/* dst[i] = left[i * sa] op right[i * sb] for n elements; dst may equal either of them where its step is 1. */
typedef void (*gh_binary_row)(void *dst, const void *left, const void *right, size_t n, size_t sa, size_t sb);

/* NULL when the operation does not apply to the type. */
gh_binary_row gh_binary_row_of(gh_binary_kind kind, gh_dtype type);

#endif
