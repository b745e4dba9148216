/* Elements of tensors as numbers of JSON. */
#include "tasks/raw.h"

#include "engine/ops/number.h"

#include <math.h>

bool gh_raw_type(gh_dtype type)
{
    return gh_number_type(type);
}

bool gh_raw_is_integer(gh_dtype type)
{
    return gh_number_type(type) && !gh_is_float(type);
}

double gh_raw_number(const gh_tensor *t, size_t i)
{
    return gh_number_at(t, i);
}

int64_t gh_raw_integer(const gh_tensor *t, size_t i)
{
    return gh_int_at(t, i);
}

bool gh_raw_store_integer(gh_tensor *t, size_t i, int64_t v)
{
    static const struct {
        int64_t least, most;
    } ranges[] = {
        [GH_BOOL] = {0, 1},
        [GH_U8] = {0, UINT8_MAX},
        [GH_I8] = {INT8_MIN, INT8_MAX},
        [GH_U16] = {0, UINT16_MAX},
        [GH_I16] = {INT16_MIN, INT16_MAX},
        [GH_U32] = {0, UINT32_MAX},
        [GH_I32] = {INT32_MIN, INT32_MAX},
        [GH_U64] = {0, INT64_MAX}, /* JSON numbers beyond it are not read */
        [GH_I64] = {INT64_MIN, INT64_MAX},
    };
    if (gh_is_float(t->type)) {
        gh_number_store(t, i, (double)v);
        return true;
    }
    if (v < ranges[t->type].least || v > ranges[t->type].most)
        return false;
    gh_int_store(t, i, v);
    return true;
}

bool gh_raw_store(gh_tensor *t, size_t i, double v)
{
    if (!gh_is_float(t->type)) /* 2^63 is the first that an int64 has not */
        return v == floor(v) && fabs(v) < 9223372036854775808.0 && gh_raw_store_integer(t, i, (int64_t)v);
    gh_number_store(t, i, v);
    return true;
}
