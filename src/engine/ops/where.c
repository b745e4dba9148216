/* Where: elements of one tensor or of another, as a third says, of any type and with broadcasting. */
#include "engine/ops.h"
#include "engine/ops/broadcast.h"

static gh_status where_infer(gh_io *io)
{
    GH_TRY(gh_io_need(io, 0, GH_BOOL, -1));
    GH_TRY(gh_io_need(io, 1, GH_UNKNOWN, -1));
    GH_TRY(gh_io_need(io, 2, io->in[1].type, -1));
    io->out[0].type = io->in[1].type;
    return gh_io_broadcast_all(io, &io->out[0].shape, 0, 3);
}

#define CHOOSE(T)                                                                                            \
    for (size_t i = 0; i < w->row; i++)                                                                      \
    ((T *)dst)[i] =                                                                                          \
        choice[i * w->row_step[0]] ? ((const T *)a)[i * w->row_step[1]] : ((const T *)b)[i * w->row_step[2]]

static void choose_row(void *dst, const uint8_t *choice, const void *a, const void *b, size_t size,
                       const gh_walk *w)
{
    switch (size) {
    case 1:
        CHOOSE(uint8_t);
        break;
    case 2:
        CHOOSE(uint16_t);
        break;
    case 4:
        CHOOSE(uint32_t);
        break;
    default:
        CHOOSE(uint64_t);
    }
}

static gh_status where_run(gh_exec *x)
{
    const gh_shape *const shapes[] = {&x->in[0].shape, &x->in[1].shape, &x->in[2].shape};
    size_t size = gh_dtype_size(x->out[0].type);
    char *dst = x->out[0].data;
    gh_walk w;
    gh_walk_start(&w, &x->out[0].shape, shapes, 3);
    for (size_t r = 0; r < w.rows; r++, dst += w.row * size, gh_walk_next(&w))
        choose_row(dst, (const uint8_t *)x->in[0].data + w.at[0],
                   (const char *)x->in[1].data + w.at[1] * size, (const char *)x->in[2].data + w.at[2] * size,
                   size, &w);
    return GH_OK;
}

const gh_op gh_ops_where[] = {
    {"Where", "", 9, 0, GH_OP_INPLACE, 3, 3, 1, where_infer, where_run, NULL, NULL},
};
const size_t gh_ops_where_count = sizeof gh_ops_where / sizeof *gh_ops_where;
