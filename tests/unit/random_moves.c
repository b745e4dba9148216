/* Parts of random networks that move elements: slices, pads, tiles, gathers, scatters, tops, reshapes. */
#include "base/mem.h"
#include "unit/random_maker.h"

/* Sides stay under these, so that networks stay small. */
#define MOST_CHANNELS 40
#define MOST_SIDE     24

static bool fits(rn_map v)
{
    return v.c <= MOST_CHANNELS && v.h <= MOST_SIDE && v.w <= MOST_SIDE;
}

static rn_map named(rn_map v, uint32_t id)
{
    v.id = id;
    return v;
}

static int some_axis(rn_maker *m)
{
    return 1 + rn_below(m, 3);
}

/* An axis as ONNX counts it, perhaps from the end. */
static int64_t spelled(rn_maker *m, int axis)
{
    return rn_maybe(m) ? axis : axis - 4;
}

static rn_map slice(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = some_axis(m), side = rn_side(v, axis), step = 1 + rn_below(m, 3) / 2;
    int from = rn_below(m, side), to = from + 1 + rn_below(m, side - from);
    bool back = rn_below(m, 4) == 0;
    int64_t start = back ? to - 1 : from, end = back ? from - 1 : to;
    if (back && end < 0)
        end = INT64_MIN;
    else if (!back && to == side && rn_maybe(m))
        end = INT64_MAX;
    uint32_t in[5] = {v.id, rn_ints(m, &start, 1), rn_ints(m, &end, 1),
                      rn_ints(m, (int64_t[]){spelled(m, axis)}, 1),
                      rn_ints(m, (int64_t[]){back ? -step : step}, 1)};
    v = rn_with_side(v, axis, (to - from - 1) / step + 1);
    return rn_keep(m, named(v, rn_op(m, "Slice", in, 5)));
}

static rn_map pad(rn_maker *m)
{
    static const char *const modes[] = {"constant", "reflect", "edge"};
    rn_map v = rn_pick(m), out = v;
    int mode = rn_below(m, 3);
    int64_t pads[8] = {0};
    for (int axis = 2; axis < 4; axis++) {
        int most = mode == 1 ? rn_side(v, axis) : 4;
        pads[axis] = rn_below(m, most < 4 ? most : 4);
        pads[axis + 4] = rn_below(m, most < 4 ? most : 4);
        out = rn_with_side(out, axis, rn_side(v, axis) + (int)(pads[axis] + pads[axis + 4]));
    }
    if (!fits(out))
        return v;
    uint32_t p = rn_ints(m, pads, 8);
    out.id =
        mode == 0 && rn_maybe(m) ? rn_op3(m, "Pad", v.id, p, rn_scalar(m, 0.5f)) : rn_op2(m, "Pad", v.id, p);
    gh_graph_set_string(m->g, out.id, "mode", modes[mode]);
    return rn_keep(m, out);
}

static rn_map transpose(rn_maker *m)
{
    static const int64_t perms[][4] = {{0, 1, 3, 2}, {0, 2, 1, 3}, {0, 3, 2, 1}, {0, 2, 3, 1}, {0, 3, 1, 2}};
    const int64_t *perm = perms[rn_below(m, 5)];
    rn_map v = rn_pick(m), out = v;
    for (int axis = 1; axis < 4; axis++)
        out = rn_with_side(out, axis, rn_side(v, (int)perm[axis]));
    out.id = rn_op1(m, "Transpose", v.id);
    gh_graph_set_ints(m->g, out.id, "perm", perm, 4);
    return rn_keep(m, out);
}

static rn_map tile(rn_maker *m)
{
    rn_map v = rn_pick(m), out = v;
    int64_t repeats[4] = {1, 1, 1, 1};
    int axis = some_axis(m);
    repeats[axis] = 1 + rn_below(m, 3);
    out = rn_with_side(v, axis, rn_side(v, axis) * (int)repeats[axis]);
    if (!fits(out))
        return v;
    return rn_keep(m, named(out, rn_op2(m, "Tile", v.id, rn_ints(m, repeats, 4))));
}

static uint32_t shape_of(rn_maker *m, uint32_t v)
{
    return rn_typed(m, rn_op1(m, "Shape", v), GH_I64);
}

/* One row or column spread to the whole size again, by a shape that is computed. */
static rn_map expand(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = some_axis(m);
    uint32_t in[4] = {v.id, rn_ints(m, (int64_t[]){0}, 1), rn_ints(m, (int64_t[]){1}, 1),
                      rn_ints(m, (int64_t[]){axis}, 1)};
    uint32_t one = rn_op(m, "Slice", in, 4);
    return rn_keep(m, named(v, rn_op2(m, "Expand", one, shape_of(m, v.id))));
}

/* Constant indices below `side`, some of them counted from the end; int64 or int32. `apart`: the n of one
 * line along `axis` differ. */
static uint32_t indices(rn_maker *m, int rank, const int64_t *dims, int side, int axis, bool apart,
                        bool wide_only)
{
    int64_t wide[MOST_CHANNELS * MOST_SIDE * MOST_SIDE * 2];
    int32_t narrow[GH_COUNT(wide)];
    size_t count = 1, inner = 1;
    for (int d = 0; d < rank; d++) {
        count *= (size_t)dims[d];
        inner *= d > axis ? (size_t)dims[d] : 1;
    }
    GH_ASSERT(count <= GH_COUNT(wide));
    int turn = rn_below(m, side);
    for (size_t i = 0; i < count; i++) {
        int index = apart ? ((int)(i / inner % (size_t)dims[axis]) + turn) % side : rn_below(m, side);
        wide[i] = rn_below(m, 4) ? index : index - side;
        narrow[i] = (int32_t)wide[i];
    }
    bool i32 = !wide_only && rn_below(m, 3) == 0;
    return gh_graph_const(m->g, "", i32 ? GH_I32 : GH_I64, gh_shape_of(rank, dims),
                          i32 ? (const void *)narrow : (const void *)wide, true);
}

static rn_map gather(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = some_axis(m), n = 1 + rn_below(m, 12);
    uint32_t out =
        rn_op2(m, "Gather", v.id, indices(m, 1, (int64_t[]){n}, rn_side(v, axis), 0, false, false));
    gh_graph_set_int(m->g, out, "axis", spelled(m, axis));
    return rn_keep(m, named(rn_with_side(v, axis, n), out));
}

static rn_map gather_elements(rn_maker *m)
{
    rn_map v = rn_pick(m), out = v;
    int axis = some_axis(m);
    for (int a = 1; a < 4; a++)
        out = rn_with_side(out, a, 1 + rn_below(m, a == axis ? 12 : rn_side(v, a)));
    int64_t dims[] = {m->n, out.c, out.h, out.w};
    out.id = rn_op2(m, "GatherElements", v.id, indices(m, 4, dims, rn_side(v, axis), axis, false, false));
    gh_graph_set_int(m->g, out.id, "axis", spelled(m, axis));
    return rn_keep(m, out);
}

/* Whole planes by batch and channel, or by channel within each batch. */
static rn_map gather_nd(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int k = 1 + rn_below(m, 12);
    uint32_t out = rn_op2(m, "GatherND", v.id, indices(m, 3, (int64_t[]){m->n, k, 1}, v.c, 1, false, true));
    gh_graph_set_int(m->g, out, "batch_dims", 1);
    return rn_keep(m, named(rn_with_side(v, 1, k), out));
}

/* How updates are combined; min and max came with opset 18. NULL: they replace. */
static const char *reduction(rn_maker *m)
{
    static const char *const names[] = {"add", "mul", "min", "max"};
    int kind = rn_below(m, m->opset < 16 ? 1 : m->opset < 18 ? 3 : 5);
    return kind ? names[kind - 1] : NULL;
}

static rn_map scatter_elements(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = some_axis(m);
    int64_t dims[] = {m->n, v.c, v.h, v.w};
    const char *how = reduction(m);
    for (int a = 1; a < 4; a++)
        dims[a] = 1 + rn_below(m, (int)dims[a]);
    uint32_t index = indices(m, 4, dims, rn_side(v, axis), axis, !how, false);
    uint32_t out = rn_op3(m, "ScatterElements", v.id, index, rn_constant(m, gh_shape_of(4, dims), 0.25f, 1));
    gh_graph_set_int(m->g, out, "axis", spelled(m, axis));
    if (how)
        gh_graph_set_string(m->g, out, "reduction", how);
    v.exact = v.exact && !how;
    return rn_keep(m, named(v, out));
}

/* Whole planes of the first pictures. */
static rn_map scatter_nd(rn_maker *m)
{
    rn_map v = rn_pick(m);
    const char *how = reduction(m);
    int k = 1 + rn_below(m, v.c);
    int64_t pairs[2 * MOST_CHANNELS], dims[] = {k, v.h, v.w};
    if (v.c > MOST_CHANNELS)
        return v;
    for (int i = 0; i < k; i++) {
        pairs[2 * i] = 0;
        pairs[2 * i + 1] = how ? rn_below(m, v.c) : (i + 1) % v.c - (i % 2 ? v.c : 0);
    }
    uint32_t index = gh_graph_const(m->g, "", GH_I64, gh_shape_of(2, (int64_t[]){k, 2}), pairs, true);
    uint32_t out = rn_op3(m, "ScatterND", v.id, index, rn_constant(m, gh_shape_of(3, dims), 0.25f, 1));
    if (how)
        gh_graph_set_string(m->g, out, "reduction", how);
    v.exact = v.exact && !how;
    return rn_keep(m, named(v, out));
}

/* The values, and now and then the places as an output of the network. */
static rn_map top_k(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = some_axis(m), k = 1 + rn_below(m, rn_side(v, axis));
    uint32_t in[2] = {v.id, rn_ints(m, (int64_t[]){k}, 1)}, out[2];
    out[0] = gh_graph_value(m->g, "", GH_F32, (gh_shape){.rank = -1});
    out[1] = gh_graph_value(m->g, "", GH_I64, (gh_shape){.rank = -1});
    rn_node(m, "TopK", in, 2, out, 2);
    gh_graph_set_int(m->g, out[0], "axis", spelled(m, axis));
    gh_graph_set_int(m->g, out[0], "largest", rn_maybe(m));
    if (v.exact)
        gh_graph_output(m->g, out[1]);
    return rn_keep(m, named(rn_with_side(v, axis, k), out[0]));
}

/* To a row and back, both shapes computed from the shape of the picture. */
static rn_map reshape(rn_maker *m)
{
    rn_map v = rn_pick(m);
    uint32_t shape = shape_of(m, v.id);
    uint32_t first = rn_typed(m, rn_op2(m, "Gather", shape, rn_ints(m, (int64_t[]){0}, 1)), GH_I64);
    uint32_t both = rn_typed(m, rn_op2(m, "Concat", first, rn_ints(m, (int64_t[]){-1}, 1)), GH_I64);
    gh_graph_set_int(m->g, both, "axis", 0);
    uint32_t row = rn_op1(m, rn_maybe(m) ? "Neg" : "Abs", rn_op2(m, "Reshape", v.id, both));
    return rn_keep(m, named(v, rn_op2(m, "Reshape", row, shape)));
}

/* A ramp along the width and a constant, both made from the shape, added. */
static rn_map ramp(rn_maker *m)
{
    rn_map v = rn_pick(m);
    uint32_t shape = shape_of(m, v.id);
    int64_t zero = 0, one = 1, three = 3;
    uint32_t at[3];
    int64_t *const values[] = {&zero, &one, &three};
    for (int i = 0; i < 3; i++)
        at[i] = gh_graph_const(m->g, "", GH_I64, gh_shape_of(0, NULL), values[i], true);
    uint32_t width = rn_typed(m, rn_op2(m, "Gather", shape, at[2]), GH_I64);
    uint32_t range = rn_typed(m, rn_op3(m, "Range", at[0], width, at[1]), GH_I64);
    range = rn_op2(m, "Mul", rn_cast(m, range, GH_F32), rn_scalar(m, 0.0625f));
    uint32_t fill = rn_op1(m, "ConstantOfShape", shape);
    v.exact = false;
    return rn_keep(m, named(v, rn_op2(m, "Add", rn_op2(m, "Add", v.id, range), fill)));
}

static rn_map split(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int axis = some_axis(m), side = rn_side(v, axis), first = 1 + rn_below(m, side);
    uint32_t in[2] = {v.id}, out[2];
    if (first == side)
        return v;
    in[1] = rn_ints(m, (int64_t[]){first, side - first}, 2);
    for (int i = 0; i < 2; i++)
        out[i] = gh_graph_value(m->g, "", GH_F32, (gh_shape){.rank = -1});
    rn_node(m, "Split", in, 2, out, 2);
    gh_graph_set_int(m->g, out[0], "axis", spelled(m, axis));
    rn_keep(m, named(rn_with_side(v, axis, side - first), out[1]));
    return rn_keep(m, named(rn_with_side(v, axis, first), out[0]));
}

static rn_map trilu(rn_maker *m)
{
    rn_map v = rn_pick(m);
    int64_t k = rn_below(m, 7) - 3;
    if (m->opset < 14)
        return v;
    v.id = rn_op2(m, "Trilu", v.id, gh_graph_const(m->g, "", GH_I64, gh_shape_of(0, NULL), &k, true));
    gh_graph_set_int(m->g, v.id, "upper", rn_maybe(m));
    return rn_keep(m, v);
}

static rn_map squeeze(rn_maker *m)
{
    rn_map v = rn_pick(m);
    uint32_t axes = rn_ints(m, (int64_t[]){1, -1}, 2);
    uint32_t wide = rn_op1(m, "Abs", rn_op2(m, "Unsqueeze", v.id, axes));
    return rn_keep(m, named(v, rn_op2(m, "Squeeze", wide, axes)));
}

static rn_map blocks(rn_maker *m)
{
    rn_map v = rn_pick(m), out = v;
    bool deep = v.c % 4 == 0 && v.h <= MOST_SIDE / 2 && v.w <= MOST_SIDE / 2;
    if (!deep && (v.h % 2 || v.w % 2 || v.c > MOST_CHANNELS / 4))
        return v;
    out = deep ? (rn_map){0, v.c / 4, v.h * 2, v.w * 2, v.exact}
               : (rn_map){0, v.c * 4, v.h / 2, v.w / 2, v.exact};
    out.id = rn_op1(m, deep ? "DepthToSpace" : "SpaceToDepth", v.id);
    gh_graph_set_int(m->g, out.id, "blocksize", 2);
    if (deep && rn_maybe(m))
        gh_graph_set_string(m->g, out.id, "mode", "CRD");
    return rn_keep(m, out);
}

static rn_map resize(rn_maker *m)
{
    static const char *const coordinates[] = {"half_pixel", "asymmetric", "align_corners",
                                              "pytorch_half_pixel"};
    static const char *const modes[] = {"linear", "nearest", "cubic"};
    rn_map v = rn_pick(m), out = v;
    int mode = rn_below(m, 3);
    out.h = 1 + rn_below(m, MOST_SIDE);
    out.w = rn_maybe(m) ? v.w : 1 + rn_below(m, MOST_SIDE);
    uint32_t in[4] = {v.id, GH_NONE, GH_NONE, rn_ints(m, (int64_t[]){m->n, v.c, out.h, out.w}, 4)};
    out.id = rn_op(m, "Resize", in, 4);
    gh_graph_set_string(m->g, out.id, "mode", modes[mode]);
    gh_graph_set_string(m->g, out.id, "coordinate_transformation_mode",
                        mode == 1 ? "asymmetric" : coordinates[rn_below(m, 4)]);
    if (mode == 1)
        gh_graph_set_string(m->g, out.id, "nearest_mode", "floor");
    out.exact = v.exact && mode == 1;
    return rn_keep(m, out);
}

static rn_map conv_transpose(rn_maker *m)
{
    rn_map v = rn_pick(m), out = v;
    int stride = 1 + rn_below(m, 2), kernel = stride + rn_below(m, 3), pad = rn_below(m, stride);
    out.c = 1 + rn_below(m, 8);
    out.h = (v.h - 1) * stride + kernel - 2 * pad;
    out.w = (v.w - 1) * stride + kernel - 2 * pad;
    if (out.h < 1 || out.w < 1 || !fits(out))
        return v;
    out.id =
        rn_op2(m, "ConvTranspose", v.id,
               rn_constant(m, gh_shape_of(4, (int64_t[]){v.c, out.c, kernel, kernel}), 0, 1.5f / (float)v.c));
    gh_graph_set_ints(m->g, out.id, "strides", (int64_t[]){stride, stride}, 2);
    gh_graph_set_ints(m->g, out.id, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    out.exact = false;
    return rn_keep(m, out);
}

const rn_part rn_moves[] = {
    slice,         pad,   transpose, tile, expand, gather, gather_elements, gather_nd, scatter_elements,
    scatter_nd,    top_k, reshape,   ramp, split,  trilu,  squeeze,         blocks,    resize,
    conv_transpose};
const int rn_moves_count = GH_COUNT(rn_moves);
