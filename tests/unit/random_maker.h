/* A random network in the making: what its parts (random_net.c, random_moves.c, random_math.c) share. */
#ifndef GH_TEST_RANDOM_MAKER_H
#define GH_TEST_RANDOM_MAKER_H

#include "base/rng.h"
#include "engine/graph.h"

#define RN_MOST 96

/* A picture-shaped value: n x c x h x w of float32. One is exact when every runtime gives the same bits, so
 * that comparisons and indices may be made of it. */
typedef struct rn_map {
    uint32_t id;
    int c, h, w;
    bool exact;
} rn_map;

typedef struct rn_maker {
    gh_graph *g;
    gh_rng rng;
    unsigned flags;
    int n, names, opset;
    rn_map maps[RN_MOST];
    int nmaps;
} rn_maker;

/* A part adds nodes and gives a value made by them, or an older one where it does not apply. */
typedef rn_map (*rn_part)(rn_maker *m);
extern const rn_part rn_moves[], rn_math[];
extern const int rn_moves_count, rn_math_count;

int rn_below(rn_maker *m, int n);
bool rn_maybe(rn_maker *m);
/* A constant with elements in centre +- spread. */
uint32_t rn_constant(rn_maker *m, gh_shape shape, float centre, float spread);
uint32_t rn_vector(rn_maker *m, int n, float centre, float spread);
uint32_t rn_scalar(rn_maker *m, float value);
/* A constant row of int64. */
uint32_t rn_ints(rn_maker *m, const int64_t *values, int n);
/* Nodes of one output, of type float32 unless it is said. */
uint32_t rn_op(rn_maker *m, const char *type, const uint32_t *in, uint32_t n);
uint32_t rn_op1(rn_maker *m, const char *type, uint32_t a);
uint32_t rn_op2(rn_maker *m, const char *type, uint32_t a, uint32_t b);
uint32_t rn_op3(rn_maker *m, const char *type, uint32_t a, uint32_t b, uint32_t c);
void rn_node(rn_maker *m, const char *type, const uint32_t *in, uint32_t n, const uint32_t *out,
             uint32_t nout);
/* The value is of that type: needed where it becomes an output of the network. */
uint32_t rn_typed(rn_maker *m, uint32_t value, gh_dtype type);
uint32_t rn_cast(rn_maker *m, uint32_t value, gh_dtype to);
/* Keeps a value for later parts to read. */
rn_map rn_keep(rn_maker *m, rn_map v);
/* A value made before, rather a late one; an exact one; one of the same size as `v`, perhaps itself. */
rn_map rn_pick(rn_maker *m);
rn_map rn_pick_exact(rn_maker *m);
rn_map rn_pick_like(rn_maker *m, rn_map v);
/* Sides 1 to 3 of a map by number. */
int rn_side(rn_map v, int axis);
rn_map rn_with_side(rn_map v, int axis, int side);

#endif
