/* Pow: the result has the type of the base, whatever that of the exponent. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/broadcast.h"
#include "engine/ops/number.h"

#include <math.h>

static gh_status power_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, -1));
    for (int i = 0; i < 2; i++)
        if (!gh_number_type(io->in[i].type) || io->in[i].type == GH_BOOL)
            return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(io->in[i].type));
    io->out[0].type = io->in[0].type;
    return gh_io_broadcast(io, &io->out[0].shape, &io->in[0].shape, &io->in[1].shape);
}

/* Wraps; a negative exponent gives the whole part of the fraction. */
static int64_t power_int(int64_t base, int64_t exponent)
{
    uint64_t result = 1, square = (uint64_t)base;
    if (exponent < 0)
        return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    for (; exponent; exponent >>= 1, square *= square)
        result *= exponent & 1 ? square : 1;
    return (int64_t)result;
}

static void power_f32(float *dst, const float *base, const float *exponent, size_t n, size_t sb, size_t se)
{
    float e = *exponent;
    if (se == 0 && e == 2) /* squares and cubes are what networks ask for */
        for (size_t i = 0; i < n; i++)
            dst[i] = base[i * sb] * base[i * sb];
    else if (se == 0 && e == 3)
        for (size_t i = 0; i < n; i++)
            dst[i] = base[i * sb] * base[i * sb] * base[i * sb];
    else
        for (size_t i = 0; i < n; i++)
            dst[i] = powf(base[i * sb], exponent[i * se]);
}

static void power_row(gh_exec *x, size_t to, const gh_walk *w)
{
    const gh_tensor *base = &x->in[0], *exponent = &x->in[1];
    bool ints = !gh_is_float(base->type) && !gh_is_float(exponent->type);
    for (size_t i = 0; i < w->row; i++) {
        size_t b = w->at[0] + i * w->row_step[0], e = w->at[1] + i * w->row_step[1];
        if (ints)
            gh_int_store(&x->out[0], to + i, power_int(gh_int_at(base, b), gh_int_at(exponent, e)));
        else
            gh_number_store(&x->out[0], to + i, pow(gh_number_at(base, b), gh_number_at(exponent, e)));
    }
}

static gh_status power_run(gh_exec *x)
{
    const gh_shape *const shapes[] = {&x->in[0].shape, &x->in[1].shape};
    bool f32 = x->in[0].type == GH_F32 && x->in[1].type == GH_F32;
    size_t to = 0;
    gh_walk w;
    gh_walk_start(&w, &x->out[0].shape, shapes, 2);
    for (size_t r = 0; r < w.rows; r++, to += w.row, gh_walk_next(&w))
        if (f32)
            power_f32((float *)x->out[0].data + to, (const float *)x->in[0].data + w.at[0],
                      (const float *)x->in[1].data + w.at[1], w.row, w.row_step[0], w.row_step[1]);
        else
            power_row(x, to, &w);
    return GH_OK;
}

const gh_op gh_ops_power[] = {
    {"Pow", "", 7, 0, GH_OP_INPLACE, 2, 2, 1, power_infer, power_run, NULL, NULL},
};
const size_t gh_ops_power_count = GH_COUNT(gh_ops_power);
