/* Gradients of operators that move elements. Concat and Split are each other's. Of the others the operator
 * itself says what moves where: run once on the elements' own numbers, it gives the map that gradients go
 * back along. */
#include "train/tape/grad.h"

#include <string.h>

/* ---- Concat, Split ---- */

typedef struct strip_job {
    const gh_grad_exec *x;
    const gh_tensor *parts;
    uint32_t nparts;
    float *whole; /* rows of all parts one after the other */
    bool to_parts;
    int axis;
    size_t row; /* floats of a row of the whole */
} strip_job;

/* Units are rows: indices before the axis. Parts without memory are skipped, or read as zero. */
static void strip_units(const void *arg, int begin, int end)
{
    const strip_job *j = arg;
    for (int u = begin; u < end; u++) {
        float *whole = j->whole + (size_t)u * j->row;
        for (uint32_t i = 0; i < j->nparts; i++) {
            const gh_tensor *t = &j->parts[i];
            size_t n = gh_shape_span(&t->shape, j->axis, t->shape.rank);
            float *part = t->data ? (float *)t->data + (size_t)u * n : NULL;
            if (part && n)
                memcpy(j->to_parts ? part : whole, j->to_parts ? whole : part, n * sizeof(float));
            else if (!j->to_parts)
                memset(whole, 0, n * sizeof(float));
            whole += n;
        }
    }
}

static void run_strips(strip_job *j, const gh_shape *whole, int64_t axis)
{
    j->axis = (int)(axis < 0 ? axis + whole->rank : axis);
    j->row = gh_shape_span(whole, j->axis, whole->rank);
    gh_grad_for(j->x, (int)gh_shape_span(whole, 0, j->axis), strip_units, j);
}

static gh_status concat_forward(gh_grad_exec *x)
{
    strip_job j = {.x = x, .parts = x->in, .nparts = x->nin, .whole = x->out[0].data};
    if (x->out[0].type != GH_F32)
        return gh_fail(x->e, GH_UNSUPPORTED, "node \"%s\" (Concat): training joins float32 tensors only",
                       x->node->name);
    run_strips(&j, &x->out[0].shape, gh_node_int(x->node, "axis", 1));
    return GH_OK;
}

static gh_status concat_backward(gh_grad_exec *x)
{
    strip_job j = {.x = x, .parts = x->din, .nparts = x->nin, .whole = x->dout[0].data, .to_parts = true};
    gh_tensor parts[32];
    for (uint32_t i = 0; i < x->nin; i++) { /* shapes of parts whose gradients are not wanted count, too */
        parts[i] = x->in[i];
        parts[i].data = x->din[i].data;
    }
    j.parts = parts;
    run_strips(&j, &x->out[0].shape, gh_node_int(x->node, "axis", 1));
    return GH_OK;
}

static gh_status split_backward(gh_grad_exec *x)
{
    gh_tensor parts[32];
    strip_job j = {.x = x, .parts = parts, .nparts = x->nout, .whole = x->din[0].data};
    for (uint32_t i = 0; i < x->nout; i++) {
        parts[i] = x->out[i];
        parts[i].data = x->dout[i].data;
    }
    if (j.whole)
        run_strips(&j, &x->in[0].shape, gh_node_int(x->node, "axis", 0));
    return GH_OK;
}

/* ---- by a map ---- */

/* Saved: whether the map is made, then for each output element 1 + where it comes from, 0 where it is a
 * constant. */
enum { HEAD = 16 };

static size_t map_saved(const gh_io *io)
{
    return (HEAD + gh_shape_span(&io->out[0].shape, 0, io->out[0].shape.rank)) * sizeof(int32_t);
}

static size_t map_scratch(const gh_io *io, int threads)
{
    (void)threads;
    return gh_shape_span(&io->in[0].shape, 0, io->in[0].shape.rank);
}

static gh_status make_map(gh_grad_exec *x, int32_t *map)
{
    gh_tensor in[5], out = x->out[0];
    int32_t none = 0, *numbers = (int32_t *)(void *)x->scratch;
    size_t count = gh_grad_count(&x->in[0]);
    if (x->nin > GH_COUNT(in))
        return gh_fail(x->e, GH_UNSUPPORTED, "node \"%s\" (%s) has too many inputs", x->node->name,
                       x->node->type);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (int32_t)i + 1;
    memcpy(in, x->in, x->nin * sizeof *in);
    in[0].type = out.type = GH_I32;
    in[0].data = numbers;
    out.data = map + HEAD;
    if (x->node->type[0] == 'P' && x->nin > 2 && in[2].type != GH_UNKNOWN) {
        in[2].type = GH_I32; /* what a Pad fills with */
        in[2].data = &none;
    }
    GH_TRY(gh_op_eval(x->node, in, &out, x->e));
    map[0] = 1;
    return GH_OK;
}

static gh_status map_backward(gh_grad_exec *x)
{
    int32_t *map = x->saved;
    const float *dy = x->dout[0].data;
    float *dx = x->din[0].data;
    size_t count = gh_grad_count(&x->out[0]);
    if (!dx)
        return GH_OK;
    if (!map[0])
        GH_TRY(make_map(x, map));
    memset(dx, 0, gh_grad_count(&x->in[0]) * sizeof *dx);
    for (size_t i = 0; i < count; i++)
        if (map[HEAD + i])
            dx[map[HEAD + i] - 1] += dy[i];
    return GH_OK;
}

#define MAP(type)                                                                                            \
    {                                                                                                        \
        type, GH_GRAD_CHEAP, 0, 0, NULL, NULL, map_backward, map_saved, map_scratch                          \
    }

const gh_grad gh_grads_move[] = {
    {"Concat", GH_GRAD_CHEAP, 0, 0, NULL, concat_forward, concat_backward, NULL, NULL},
    {"Split", 0, 0, 0, NULL, NULL, split_backward, NULL, NULL},
    MAP("Slice"),
    MAP("Transpose"),
    MAP("Pad"),
    MAP("DepthToSpace"),
    MAP("SpaceToDepth"),
};
const size_t gh_grads_move_count = GH_COUNT(gh_grads_move);
