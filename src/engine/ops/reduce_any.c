/* The Reduce operators on float64, integers and bool. Integers add up in 64 bits and keep the low ones; what
 * has a fraction (norms, logarithms) is computed in float64 and cut off. */
#include "engine/ops/number.h"
#include "engine/ops/reduce.h"

#include <math.h>

static double add_float(gh_reduction kind, double sum, double v, double shift)
{
    switch (kind) {
    case GH_REDUCE_PROD:
        return sum * v;
    case GH_REDUCE_L1:
        return sum + fabs(v);
    case GH_REDUCE_L2:
    case GH_REDUCE_SQUARES:
        return sum + v * v;
    case GH_REDUCE_LOG_EXP:
        return sum + exp(v - shift);
    case GH_REDUCE_MAX:
        return v > sum || isnan(v) ? v : sum;
    case GH_REDUCE_MIN:
        return v < sum || isnan(v) ? v : sum;
    default:
        return sum + v;
    }
}

static double sum_floats(const gh_reduce *r, gh_reduction kind, size_t at, double shift)
{
    double sum = gh_reduce_start(kind);
    for (size_t i = 0; i < r->rows; i++) {
        size_t from = at + gh_reduce_offset(&r->inner, i);
        for (size_t k = 0; k < r->row; k++)
            sum = add_float(kind, sum, gh_number_at(r->in, from + k * r->row_step), shift);
    }
    return sum;
}

/* Integers as bits of 64, so that they wrap. */
static uint64_t add_int(gh_reduction kind, uint64_t sum, uint64_t v)
{
    switch (kind) {
    case GH_REDUCE_PROD:
        return sum * v;
    case GH_REDUCE_L1:
        return sum + ((int64_t)v < 0 ? 0 - v : v);
    case GH_REDUCE_SQUARES:
        return sum + v * v;
    default:
        return sum + v;
    }
}

static uint64_t sum_ints(const gh_reduce *r, size_t at)
{
    gh_reduction kind = r->kind == GH_REDUCE_L1 && r->in->type == GH_U64 ? GH_REDUCE_SUM : r->kind;
    uint64_t sum = kind == GH_REDUCE_PROD;
    for (size_t i = 0; i < r->rows; i++) {
        size_t from = at + gh_reduce_offset(&r->inner, i);
        for (size_t k = 0; k < r->row; k++)
            sum = add_int(kind, sum, (uint64_t)gh_int_at(r->in, from + k * r->row_step));
    }
    return sum;
}

/* The end of the type's range, which is the largest or the least of no elements. */
static int64_t end_of_range(gh_dtype type, bool high)
{
    bool is_signed = type == GH_I8 || type == GH_I16 || type == GH_I32 || type == GH_I64;
    int bits = 8 * (int)gh_dtype_size(type);
    if (type == GH_BOOL)
        return high;
    if (!is_signed)
        return high ? (int64_t)(UINT64_MAX >> (64 - bits)) : 0;
    return high ? (int64_t)(UINT64_MAX >> (65 - bits)) : -(int64_t)(UINT64_MAX >> (65 - bits)) - 1;
}

static int64_t extreme_int(const gh_reduce *r, size_t at)
{
    bool most = r->kind == GH_REDUCE_MAX;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < r->rows; i++) {
        size_t from = at + gh_reduce_offset(&r->inner, i);
        for (size_t k = 0; k < r->row; k++) {
            size_t here = from + k * r->row_step;
            int64_t v = gh_order_at(r->in, here), have = best == SIZE_MAX ? 0 : gh_order_at(r->in, best);
            if (best == SIZE_MAX || (most ? v > have : v < have))
                best = here;
        }
    }
    return best == SIZE_MAX ? end_of_range(r->in->type, !most) : gh_int_at(r->in, best);
}

static bool has_fraction(gh_reduction kind)
{
    return kind == GH_REDUCE_L2 || kind == GH_REDUCE_LOG || kind == GH_REDUCE_LOG_EXP ||
           kind == GH_REDUCE_MEAN;
}

void gh_reduce_any_units(const void *job, int begin, int end)
{
    const gh_reduce *r = job;
    for (int i = begin; i < end; i++) {
        size_t at = gh_reduce_offset(&r->kept, (size_t)i);
        if (gh_is_float(r->in->type) || has_fraction(r->kind)) {
            double shift = r->kind == GH_REDUCE_LOG_EXP ? sum_floats(r, GH_REDUCE_MAX, at, 0) : 0;
            shift = isfinite(shift) ? shift : 0;
            double sum = sum_floats(r, r->kind, at, shift);
            gh_number_store(r->out, (size_t)i, gh_reduce_end(r->kind, sum, r->terms, shift));
        } else if (r->kind == GH_REDUCE_MAX || r->kind == GH_REDUCE_MIN) {
            gh_int_store(r->out, (size_t)i, extreme_int(r, at));
        } else {
            gh_int_store(r->out, (size_t)i, (int64_t)sum_ints(r, at));
        }
    }
}
