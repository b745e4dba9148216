/* Gradients of Add, Sub, Mul and Div with broadcasting, of ReduceMean and ReduceSum. */
#include "engine/ops/broadcast.h"
#include "train/tape/grad.h"

#include <string.h>

/* The derivative of a op b by operand `side`. */
static inline float slope(char op, int side, float a, float b)
{
    switch (op) {
    case 'M': /* Mul */
        return side ? a : b;
    case 'D': /* Div */
        return side ? -a / (b * b) : 1 / b;
    case 'S': /* Sub */
        return side ? -1.0f : 1.0f;
    default:
        return 1;
    }
}

typedef struct binary_job {
    const gh_grad_exec *x;
    char op;
    int side;
    gh_shape out, shapes[2];  /* of one unit */
    size_t step[2], out_step; /* elements from one unit to the next */
} binary_job;

/* Units are pictures, where every operand has its own, else there is one. Rows that repeat the operand are
 * summed in double. */
static void binary_units(const void *arg, int begin, int end)
{
    const binary_job *j = arg;
    const gh_grad_exec *x = j->x;
    for (int u = begin; u < end; u++) {
        const float *a = x->in[0].data, *b = x->in[1].data;
        const float *dy = (const float *)x->dout[0].data + (size_t)u * j->out_step;
        float *dx = (float *)x->din[j->side].data + (size_t)u * j->step[j->side];
        a = a ? a + (size_t)u * j->step[0] : NULL;
        b = b ? b + (size_t)u * j->step[1] : NULL;
        gh_walk w;
        gh_walk_start(&w, &j->out, (const gh_shape *[]){&j->shapes[0], &j->shapes[1]}, 2);
        memset(dx, 0, gh_shape_span(&j->shapes[j->side], 0, j->shapes[j->side].rank) * sizeof *dx);
        for (size_t r = 0; r < w.rows; r++, dy += w.row, gh_walk_next(&w)) {
            size_t sa = w.row_step[0], sb = w.row_step[1], at = w.at[j->side];
            double sum = 0;
            bool repeats = w.row_step[j->side] == 0;
            for (size_t i = 0; i < w.row; i++) {
                float g =
                    dy[i] * slope(j->op, j->side, a ? a[w.at[0] + i * sa] : 0, b ? b[w.at[1] + i * sb] : 0);
                if (repeats)
                    sum += g;
                else
                    dx[at + i] += g;
            }
            if (repeats)
                dx[at] += (float)sum;
        }
    }
}

static gh_shape without_first(const gh_shape *s)
{
    gh_shape rest = {.rank = s->rank - 1};
    memcpy(rest.dims, s->dims + 1, (size_t)rest.rank * sizeof *rest.dims);
    return rest;
}

static gh_status binary_backward(gh_grad_exec *x)
{
    const gh_shape *out = &x->out[0].shape, *a = &x->in[0].shape, *b = &x->in[1].shape;
    bool apart = out->rank > 1 && a->rank == out->rank && b->rank == out->rank &&
                 a->dims[0] == out->dims[0] && b->dims[0] == out->dims[0];
    if (x->opset < 7 && !gh_shape_equal(a, b))
        return gh_fail(x->e, GH_UNSUPPORTED, "node \"%s\" (%s): training wants opset 7 or later",
                       x->node->name, x->node->type);
    for (int side = 0; side < 2; side++) {
        binary_job j = {.x = x, .op = x->node->type[0], .side = side, .out = *out, .shapes = {*a, *b}};
        if (!x->din[side].data)
            continue;
        if (apart) {
            j.out = without_first(out);
            j.shapes[0] = without_first(a);
            j.shapes[1] = without_first(b);
            j.out_step = gh_shape_span(&j.out, 0, j.out.rank);
            j.step[0] = gh_shape_span(&j.shapes[0], 0, j.shapes[0].rank);
            j.step[1] = gh_shape_span(&j.shapes[1], 0, j.shapes[1].rank);
        }
        gh_grad_for(x, apart ? (int)out->dims[0] : 1, binary_units, &j);
    }
    return GH_OK;
}

static void needs_product(const gh_node *n, uint32_t wanted, uint32_t *in, uint32_t *out)
{
    bool divides = n->type[0] == 'D';
    (void)out;
    if (wanted & 1)
        *in |= 2;
    if (wanted & 2)
        *in |= divides ? 3 : 1;
}

/* ---- ReduceMean, ReduceSum ---- */

/* The input's shape with 1 where it was reduced. */
static gh_status kept_shape(const gh_grad_exec *x, gh_shape *kept)
{
    gh_io io = gh_grad_io(x);
    const gh_attr *a = gh_node_attr(x->node, "axes");
    int64_t axes[GH_MAX_RANK];
    size_t n = 0;
    *kept = x->in[0].shape;
    if (gh_has(&io, 1))
        GH_TRY(gh_io_ints(&io, 1, axes, &n, GH_MAX_RANK));
    for (; a && a->type == GH_ATTR_INTS && n < a->count && n < GH_MAX_RANK; n++)
        axes[n] = a->ints[n];
    bool all = n == 0 && gh_node_int(x->node, "noop_with_empty_axes", 0) == 0;
    for (int d = 0; d < kept->rank && all; d++)
        kept->dims[d] = 1;
    for (size_t i = 0; i < n; i++) {
        int axis;
        GH_TRY(gh_io_axis(&io, &axis, axes[i], kept->rank));
        kept->dims[axis] = 1;
    }
    return GH_OK;
}

static gh_status reduce_backward(gh_grad_exec *x)
{
    gh_shape kept;
    gh_walk w;
    float *dx = x->din[0].data;
    const float *dy = x->dout[0].data;
    GH_TRY(kept_shape(x, &kept));
    if (!dx)
        return GH_OK;
    float factor = x->node->type[6] == 'S'
                       ? 1
                       : (float)gh_shape_span(&kept, 0, kept.rank) / (float)gh_grad_count(&x->in[0]);
    gh_walk_start(&w, &x->in[0].shape, (const gh_shape *[]){&kept}, 1);
    for (size_t r = 0; r < w.rows; r++, dx += w.row, gh_walk_next(&w))
        for (size_t i = 0; i < w.row; i++)
            dx[i] = factor * dy[w.at[0] + i * w.row_step[0]];
    return GH_OK;
}

const gh_grad gh_grads_binary[] = {
    {"Add", GH_GRAD_CHEAP | GH_GRAD_PASS | GH_GRAD_WITH_LEARNT, 3, 0, NULL, NULL, binary_backward, NULL,
     NULL},
    {"Sub", GH_GRAD_CHEAP | GH_GRAD_WITH_LEARNT, 3, 0, NULL, NULL, binary_backward, NULL, NULL},
    {"Mul", GH_GRAD_CHEAP | GH_GRAD_WITH_LEARNT, 3, 0, needs_product, NULL, binary_backward, NULL, NULL},
    {"Div", GH_GRAD_CHEAP | GH_GRAD_WITH_LEARNT, 3, 0, needs_product, NULL, binary_backward, NULL, NULL},
    {"ReduceMean", 0, 0, 0, NULL, NULL, reduce_backward, NULL, NULL},
    {"ReduceSum", 0, 0, 0, NULL, NULL, reduce_backward, NULL, NULL},
};
const size_t gh_grads_binary_count = GH_COUNT(gh_grads_binary);
