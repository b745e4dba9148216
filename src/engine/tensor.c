/* Element types and shapes: names, sizes, checked counts. */
#include "engine/tensor.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Those beyond GH_U64 are only named, for messages. */
static const struct {
    const char *name;
    size_t size;
} types[] = {
    [GH_UNKNOWN] = {"unknown", 0}, [GH_F32] = {"float32", 4}, [GH_U8] = {"uint8", 1},
    [GH_I8] = {"int8", 1},         [GH_U16] = {"uint16", 2},  [GH_I16] = {"int16", 2},
    [GH_I32] = {"int32", 4},       [GH_I64] = {"int64", 8},   [GH_STRING] = {"string", 0},
    [GH_BOOL] = {"bool", 1},       [GH_F16] = {"float16", 2}, [GH_F64] = {"float64", 8},
    [GH_U32] = {"uint32", 4},      [GH_U64] = {"uint64", 8},  [14] = {"complex64", 0},
    [15] = {"complex128", 0},      [16] = {"bfloat16", 0},    [17] = {"float8e4m3fn", 0},
    [18] = {"float8e4m3fnuz", 0},  [19] = {"float8e5m2", 0},  [20] = {"float8e5m2fnuz", 0},
    [21] = {"uint4", 0},           [22] = {"int4", 0},
};

size_t gh_dtype_size(gh_dtype type)
{
    return (size_t)type < GH_COUNT(types) ? types[type].size : 0;
}

const char *gh_dtype_name(gh_dtype type)
{
    return (size_t)type < GH_COUNT(types) ? types[type].name : "unknown";
}

gh_shape gh_shape_of(int rank, const int64_t *dims)
{
    gh_shape shape = {.rank = rank};
    GH_ASSERT(rank <= GH_MAX_RANK);
    for (int i = 0; i < rank; i++)
        shape.dims[i] = dims[i];
    return shape;
}

bool gh_shape_known(const gh_shape *shape)
{
    if (shape->rank < 0)
        return false;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 0)
            return false;
    return true;
}

bool gh_shape_equal(const gh_shape *a, const gh_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool gh_shape_count(size_t *out, const gh_shape *shape)
{
    size_t count = 1;
    if (!gh_shape_known(shape))
        return false;
    for (int i = 0; i < shape->rank; i++)
        if (!gh_mul_size(&count, count, (size_t)shape->dims[i]))
            return false;
    *out = count;
    return true;
}

bool gh_tensor_aligned(const gh_tensor *t)
{
    size_t size = gh_dtype_size(t->type);
    return size && (uintptr_t)t->data % size == 0;
}

char *gh_shape_text(const gh_shape *shape, char *text, size_t size)
{
    size_t at = 0;
    GH_ASSERT(size > 0);
    text[0] = 0;
    if (shape->rank < 0)
        snprintf(text, size, "?");
    if (shape->rank == 0)
        snprintf(text, size, "scalar");
    for (int i = 0; i < shape->rank && at < size; i++) {
        const char *x = i ? "x" : "";
        int n = shape->dims[i] < 0 ? snprintf(text + at, size - at, "%s?", x)
                                   : snprintf(text + at, size - at, "%s%lld", x, (long long)shape->dims[i]);
        at += (size_t)n;
    }
    return text;
}
