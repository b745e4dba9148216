/* ArgMax and ArgMin: where along an axis the largest or the least element stands. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

static gh_status arg_infer(gh_io *io)
{
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    gh_shape out = io->in[0].shape;
    if (!gh_number_type(io->in[0].type) || io->in[0].type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not compared", gh_dtype_name(io->in[0].type));
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", 0), out.rank));
    if (out.dims[axis] == 0)
        return gh_io_fail(io, GH_FORMAT, "dimension %d is 0: no element is the best of it", axis);
    out.dims[axis] = 1;
    if (gh_node_int(io->node, "keepdims", 1) == 0) {
        for (int d = axis; d + 1 < out.rank; d++)
            out.dims[d] = out.dims[d + 1];
        out.rank--;
    }
    io->out[0].type = GH_I64;
    io->out[0].shape = out;
    return GH_OK;
}

/* Elements of one unit of the parallel loop. */
#define UNIT 1024

typedef struct arg_job {
    const gh_tensor *in;
    int64_t *out;
    size_t inner, side, parts; /* parts: units of one outer row */
    bool least, last;
} arg_job;

/* One more row of elements: which of them are better than the best of their place so far. */
#define SCAN(wins)                                                                                           \
    for (size_t i = 0; i < n; i++) {                                                                         \
        place[i] = src[i] wins value[i] ? (int32_t)s : place[i];                                             \
        value[i] = src[i] wins value[i] ? src[i] : value[i];                                                 \
    }

/* Places [from, to) of one outer row. The best so far stand on the stack, so that the compiler may use
 * vectors. */
#define BEST(type, T, suffix)                                                                                \
    static void best_##suffix(const arg_job *j, const void *row, int64_t *best, size_t from, size_t to)      \
    {                                                                                                        \
        T value[UNIT];                                                                                       \
        int32_t place[UNIT];                                                                                 \
        size_t n = to - from;                                                                                \
        memset(place, 0, n * sizeof *place);                                                                 \
        memcpy(value, (const T *)row + from, n * sizeof *value);                                             \
        for (size_t s = 1; s < j->side; s++) {                                                               \
            const T *src = (const T *)row + s * j->inner + from;                                             \
            if (j->least && j->last)                                                                         \
                SCAN(<=)                                                                                     \
            else if (j->least)                                                                               \
                SCAN(<)                                                                                      \
            else if (j->last)                                                                                \
                SCAN(>=)                                                                                     \
            else                                                                                             \
                SCAN(>)                                                                                      \
        }                                                                                                    \
        for (size_t i = 0; i < n; i++)                                                                       \
            best[from + i] = place[i];                                                                       \
    }
GH_EACH_NUMBER(BEST)

static void arg_units(const void *job, int begin, int end)
{
    const arg_job *j = job;
    for (int u = begin; u < end; u++) {
        size_t outer = (size_t)u / j->parts, from = (size_t)u % j->parts * UNIT, to = from + UNIT;
        const char *row = (const char *)j->in->data + outer * j->side * j->inner * gh_dtype_size(j->in->type);
        int64_t *best = j->out + outer * j->inner;
        to = to < j->inner ? to : j->inner;
        switch (j->in->type) {
#define CASE(type, T, suffix)                                                                                \
    case type:                                                                                               \
        best_##suffix(j, row, best, from, to);                                                               \
        break;
            GH_EACH_NUMBER(CASE)
        default:
            GH_ASSERT(!"refused by infer");
        }
    }
}

static gh_status arg_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape;
    int64_t a = gh_node_int(x->node, "axis", 0);
    int axis = (int)(a < 0 ? a + s->rank : a);
    arg_job j = {.in = &x->in[0],
                 .out = x->out[0].data,
                 .inner = gh_shape_span(s, axis + 1, s->rank),
                 .side = (size_t)s->dims[axis],
                 .least = strcmp(x->node->type, "ArgMin") == 0,
                 .last = gh_node_int(x->node, "select_last_index", 0) != 0};
    j.parts = (j.inner + UNIT - 1) / UNIT;
    gh_exec_range(x, (int)(gh_shape_span(s, 0, axis) * j.parts), arg_units, &j);
    return GH_OK;
}

const gh_op gh_ops_arg[] = {
    {"ArgMax", "", 1, 0, 0, 1, 1, 1, arg_infer, arg_run, NULL, NULL},
    {"ArgMin", "", 1, 0, 0, 1, 1, 1, arg_infer, arg_run, NULL, NULL},
};
const size_t gh_ops_arg_count = GH_COUNT(gh_ops_arg);
