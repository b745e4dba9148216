/* Functions of one number on every type that has them: Neg, Abs, Sign, Not, BitwiseNot. Integers wrap. */
#include "base/mem.h"
#include "engine/ops.h"

#include <string.h>

typedef void (*sign_row)(void *dst, const void *src, size_t n);
enum { NEG, ABS, SIGN, BIT_NOT, LOGIC_NOT, KINDS };

static const char *const names[KINDS] = {
    [NEG] = "Neg", [ABS] = "Abs", [SIGN] = "Sign", [BIT_NOT] = "BitwiseNot", [LOGIC_NOT] = "Not"};

#define ROW(name, T, expression)                                                                             \
    static void name(void *dst, const void *src, size_t n)                                                   \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            T v = ((const T *)src)[i];                                                                       \
            ((T *)dst)[i] = (T)(expression);                                                                 \
        }                                                                                                    \
    }
/* Zero turns its sign, and NaN stays NaN. */
#define FLOAT_ROWS(suffix, T)                                                                                \
    ROW(neg_##suffix, T, -v)                                                                                 \
    ROW(abs_##suffix, T, v > 0 ? v : v == 0 ? 0 : -v)                                                        \
    ROW(sign_##suffix, T, v > 0 ? 1 : v < 0 ? -1 : v)
#define SIGNED_ROWS(suffix, T)                                                                               \
    ROW(neg_##suffix, T, 0 - (uint64_t)v)                                                                    \
    ROW(abs_##suffix, T, v < 0 ? 0 - (uint64_t)v : (uint64_t)v)                                              \
    ROW(sign_##suffix, T, (v > 0) - (v < 0))                                                                 \
    ROW(not_##suffix, T, ~v)
#define UNSIGNED_ROWS(suffix, T)                                                                             \
    ROW(abs_##suffix, T, v)                                                                                  \
    ROW(sign_##suffix, T, v > 0)                                                                             \
    ROW(not_##suffix, T, ~v)

FLOAT_ROWS(f32, float)
FLOAT_ROWS(f64, double)
SIGNED_ROWS(i64, int64_t)
SIGNED_ROWS(i32, int32_t)
SIGNED_ROWS(i16, int16_t)
SIGNED_ROWS(i8, int8_t)
UNSIGNED_ROWS(u64, uint64_t)
UNSIGNED_ROWS(u32, uint32_t)
UNSIGNED_ROWS(u16, uint16_t)
UNSIGNED_ROWS(u8, uint8_t)
ROW(not_bool, uint8_t, v == 0)

#define FLOATS(s)                                                                                            \
    {                                                                                                        \
        neg_##s, abs_##s, sign_##s, NULL, NULL                                                               \
    }
#define SIGNEDS(s)                                                                                           \
    {                                                                                                        \
        neg_##s, abs_##s, sign_##s, not_##s, NULL                                                            \
    }
#define UNSIGNEDS(s)                                                                                         \
    {                                                                                                        \
        NULL, abs_##s, sign_##s, not_##s, NULL                                                               \
    }

static const sign_row rows[][KINDS] = {
    [GH_F32] = FLOATS(f32),
    [GH_F64] = FLOATS(f64),
    [GH_I64] = SIGNEDS(i64),
    [GH_I32] = SIGNEDS(i32),
    [GH_I16] = SIGNEDS(i16),
    [GH_I8] = SIGNEDS(i8),
    [GH_U64] = UNSIGNEDS(u64),
    [GH_U32] = UNSIGNEDS(u32),
    [GH_U16] = UNSIGNEDS(u16),
    [GH_U8] = UNSIGNEDS(u8),
    [GH_BOOL] = {[LOGIC_NOT] = not_bool},
};

static sign_row row_of(const gh_node *n, gh_dtype type)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(names[i], n->type) == 0)
            return (size_t)type < GH_COUNT(rows) ? rows[type][i] : NULL;
    GH_ASSERT(!"a row of this file without its kind");
    return NULL;
}

static gh_status sign_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    if (!row_of(io->node, io->in[0].type))
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not computed", gh_dtype_name(io->in[0].type));
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = io->in[0].shape};
    return GH_OK;
}

typedef struct sign_job {
    sign_row row;
    char *dst;
    const char *src;
    size_t count, size;
} sign_job;

#define UNIT 4096

static void sign_units(const void *job, int begin, int end)
{
    const sign_job *s = job;
    size_t from = (size_t)begin * UNIT, to = (size_t)end * UNIT;
    to = to < s->count ? to : s->count;
    s->row(s->dst + from * s->size, s->src + from * s->size, to - from);
}

static gh_status sign_run(gh_exec *x)
{
    sign_job s = {.row = row_of(x->node, x->in[0].type),
                  .dst = x->out[0].data,
                  .src = x->in[0].data,
                  .count = gh_shape_span(&x->out[0].shape, 0, x->out[0].shape.rank),
                  .size = gh_dtype_size(x->out[0].type)};
    gh_exec_range(x, (int)((s.count + UNIT - 1) / UNIT), sign_units, &s);
    return GH_OK;
}

#define OP(type, since)                                                                                      \
    {                                                                                                        \
        type, "", since, 0, GH_OP_INPLACE, 1, 1, 1, sign_infer, sign_run, NULL, NULL                         \
    }

const gh_op gh_ops_sign[] = {OP("Neg", 1), OP("Abs", 1), OP("Sign", 9), OP("Not", 1), OP("BitwiseNot", 18)};
const size_t gh_ops_sign_count = GH_COUNT(gh_ops_sign);
