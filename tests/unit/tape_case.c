/* Small graphs to be trained. */
#include "unit/tape_case.h"

#include "base/mem.h"
#include "engine/op.h"

#include <math.h>

tc_graph tc_new(uint64_t seed)
{
    tc_graph t;
    gh_err e = {0};
    NT_OK(gh_graph_new(&t.g, &e), e);
    gh_rng_seed(&t.rng, seed);
    return t;
}

uint32_t tc_input(tc_graph *t, int rank, const int64_t *dims)
{
    return gh_graph_input(t->g, "", GH_F32, gh_shape_of(rank, dims));
}

uint32_t tc_random(tc_graph *t, int rank, const int64_t *dims, float lo, float hi)
{
    float *data = NULL;
    gh_shape s = gh_shape_of(rank, dims);
    uint32_t v = gh_graph_const_f32(t->g, "", s, &data);
    for (size_t i = 0; data && i < gh_shape_span(&s, 0, rank); i++)
        data[i] = lo + (hi - lo) * gh_rng_float(&t->rng);
    return v;
}

uint32_t tc_ints(tc_graph *t, int n, const int64_t *values)
{
    return gh_graph_const(t->g, "", GH_I64, gh_shape_of(1, (int64_t[]){n}), values, true);
}

uint32_t tc_floats(tc_graph *t, int n, const float *values)
{
    return gh_graph_const(t->g, "", GH_F32, gh_shape_of(1, (int64_t[]){n}), values, true);
}

uint32_t tc_op(tc_graph *t, const char *type, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t in[] = {a, b, c}, n = 3;
    while (n > 0 && in[n - 1] == GH_NONE)
        n--;
    return gh_graph_op(t->g, type, "", in, n);
}

uint32_t tc_conv(tc_graph *t, uint32_t x, int64_t ic, int64_t oc, int64_t k, int64_t stride, int64_t groups)
{
    float reach = 1.5f / sqrtf((float)(ic / groups * k * k));
    uint32_t w = tc_random(t, 4, (int64_t[]){oc, ic / groups, k, k}, -reach, reach);
    uint32_t y = tc_op(t, "Conv", x, w, tc_random(t, 1, &oc, -0.5f, 0.5f));
    gh_graph_set_ints(t->g, y, "strides", (int64_t[]){stride, stride}, 2);
    gh_graph_set_ints(t->g, y, "pads", (int64_t[]){k / 2, k / 2, k / 2, k / 2}, 4);
    gh_graph_set_int(t->g, y, "group", groups);
    return y;
}

uint32_t tc_norm(tc_graph *t, uint32_t x, int64_t channels)
{
    uint32_t in[] = {x, tc_random(t, 1, &channels, 0.5f, 1.5f), tc_random(t, 1, &channels, -0.5f, 0.5f),
                     tc_random(t, 1, &channels, -0.5f, 0.5f), tc_random(t, 1, &channels, 0.5f, 1.5f)};
    return gh_graph_op(t->g, "BatchNormalization", "", in, 5);
}

gh_tape *tc_tape(tc_graph *t, gh_tape_options o)
{
    gh_tape *tape = NULL;
    gh_shape shapes[8];
    gh_err e = {0};
    NT_OK(gh_graph_check(t->g, &e), e);
    for (uint32_t i = 0; i < t->g->ninputs; i++)
        shapes[i] = t->g->values[t->g->inputs[i]].shape;
    o.inputs = shapes;
    NT_OK(gh_tape_new(&tape, t->g, &o, &e), e);
    return tape;
}

void tc_fill(tc_graph *t, gh_tape *tape, uint64_t seed)
{
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < t->g->ninputs; i++) {
        const gh_shape *s = &t->g->values[t->g->inputs[i]].shape;
        for (size_t k = 0; k < gh_shape_span(s, 0, s->rank); k++)
            gh_tape_input(tape, i)[k] = 2 * gh_rng_float(&rng) - 1;
    }
}

double tc_step(tc_graph *t, gh_tape *tape, uint64_t seed)
{
    gh_err e = {0};
    gh_rng rng;
    double sum = 0;
    gh_rng_seed(&rng, seed);
    NT_OK(gh_tape_forward(tape, true, &e), e);
    for (uint32_t i = 0; i < t->g->noutputs; i++) {
        const gh_tensor *y = gh_tape_output(tape, i);
        float *dy = gh_tape_output_gradient(tape, i);
        for (size_t k = 0; dy && k < gh_shape_span(&y->shape, 0, y->shape.rank); k++) {
            ck_assert(dy[k] == 0);
            dy[k] = 2 * gh_rng_float(&rng) - 1;
            sum += (double)dy[k] * ((const float *)y->data)[k];
        }
    }
    NT_OK(gh_tape_backward(tape, &e), e);
    return sum;
}
