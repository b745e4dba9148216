/* What the parts of random networks are made with. */
#include "unit/random_maker.h"

#include "unit/random_net.h"

#include <stdio.h>

int rn_below(rn_maker *m, int n)
{
    return (int)gh_rng_below(&m->rng, (uint64_t)n);
}

bool rn_maybe(rn_maker *m)
{
    return rn_below(m, 2) == 0;
}

static const char *name_of(rn_maker *m, char *text, const char *what)
{
    snprintf(text, 32, "%s%d", what, m->names++);
    return text;
}

void rn_fill(gh_rng *rng, float *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data[i] = 4 * gh_rng_float(rng) - 2;
}

uint32_t rn_constant(rn_maker *m, gh_shape shape, float centre, float spread)
{
    char name[32];
    float *data = NULL;
    size_t count = 0;
    uint32_t id = gh_graph_const_f32(m->g, name_of(m, name, "w"), shape, &data);
    if (id == GH_NONE || !gh_shape_count(&count, &shape))
        return GH_NONE;
    for (size_t i = 0; i < count; i++)
        data[i] = centre + spread * (2 * gh_rng_float(&m->rng) - 1);
    return id;
}

uint32_t rn_vector(rn_maker *m, int n, float centre, float spread)
{
    return rn_constant(m, gh_shape_of(1, (int64_t[]){n}), centre, spread);
}

uint32_t rn_ints(rn_maker *m, const int64_t *values, int n)
{
    char name[32];
    return gh_graph_const(m->g, name_of(m, name, "i"), GH_I64, gh_shape_of(1, (int64_t[]){n}), values, true);
}

uint32_t rn_op(rn_maker *m, const char *type, const uint32_t *in, uint32_t n)
{
    char name[32];
    return gh_graph_op(m->g, type, name_of(m, name, "n"), in, n);
}

void rn_node(rn_maker *m, const char *type, const uint32_t *in, uint32_t n, const uint32_t *out,
             uint32_t nout)
{
    char name[32];
    gh_graph_node(m->g, type, name_of(m, name, "n"), in, n, out, nout);
}

uint32_t rn_op1(rn_maker *m, const char *type, uint32_t a)
{
    return rn_op(m, type, &a, 1);
}

uint32_t rn_op2(rn_maker *m, const char *type, uint32_t a, uint32_t b)
{
    uint32_t in[2] = {a, b};
    return rn_op(m, type, in, 2);
}

rn_map rn_keep(rn_maker *m, rn_map v)
{
    if (m->nmaps < RN_MOST)
        m->maps[m->nmaps++] = v;
    return v;
}

rn_map rn_pick(rn_maker *m)
{
    int back = rn_below(m, m->nmaps < 4 || rn_maybe(m) ? m->nmaps : 4);
    return m->maps[m->nmaps - 1 - back];
}

uint32_t rn_scalar(rn_maker *m, float value)
{
    return rn_constant(m, gh_shape_of(0, NULL), value, 0);
}

uint32_t rn_op3(rn_maker *m, const char *type, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t in[3] = {a, b, c};
    return rn_op(m, type, in, 3);
}

uint32_t rn_typed(rn_maker *m, uint32_t value, gh_dtype type)
{
    if (value != GH_NONE)
        m->g->values[value].type = type;
    return value;
}

uint32_t rn_cast(rn_maker *m, uint32_t value, gh_dtype to)
{
    value = rn_op1(m, "Cast", value);
    gh_graph_set_int(m->g, value, "to", to);
    return rn_typed(m, value, to);
}

/* The network's input is exact, so there always is one. */
rn_map rn_pick_exact(rn_maker *m)
{
    rn_map v = rn_pick(m);
    for (int i = m->nmaps - 1; i >= 0 && !v.exact; i--)
        v = m->maps[i].exact && (i == 0 || rn_maybe(m)) ? m->maps[i] : v;
    return v.exact ? v : m->maps[0];
}

rn_map rn_pick_like(rn_maker *m, rn_map v)
{
    for (int i = m->nmaps - 1; i >= 0; i--) {
        rn_map o = m->maps[i];
        if (o.c == v.c && o.h == v.h && o.w == v.w && o.id != v.id && rn_maybe(m))
            return o;
    }
    return v;
}

int rn_side(rn_map v, int axis)
{
    return axis == 1 ? v.c : axis == 2 ? v.h : v.w;
}

rn_map rn_with_side(rn_map v, int axis, int side)
{
    *(axis == 1 ? &v.c : axis == 2 ? &v.h : &v.w) = side;
    return v;
}
