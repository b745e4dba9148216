/* TensorFlow's operators that move elements or change shapes. */
#include "import/tfjs_ops.h"

#include <string.h>

static void map_concat(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t axis = 0;
    bool first = strcmp(n->op, "Concat") == 0; /* the axis stands in front, else behind */
    const gh_nhwc_value **all = gh_tfjs_all(im, n);
    if (all && gh_tfjs_get_int(im, n, first ? 0 : n->ninputs - 1, &axis))
        gh_tfjs_set(im, n, gh_nhwc_concat(&im->b, all + first, n->ninputs - 1, axis));
}

static void map_pack(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value **all = gh_tfjs_all(im, n);
    if (all)
        gh_tfjs_set(im, n, gh_nhwc_pack(&im->b, all, n->ninputs, gh_tfjs_int(n, "axis", 0)));
}

/* Parts of the given sizes, one an output; with `drop` (sizes of 1) without that axis. */
static void set_parts(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *x, int axis,
                      const int64_t *sizes, size_t count, bool drop)
{
    int64_t at = 0;
    for (size_t i = 0; i < count && !im->b.failed; i++) {
        const gh_nhwc_value *part = gh_nhwc_part(&im->b, x, axis, at, sizes[i]);
        gh_tfjs_set_at(im, n, (uint32_t)i, (uint32_t)count,
                       drop ? gh_nhwc_squeeze(&im->b, part, (int64_t[]){axis}, 1) : part);
        at += sizes[i];
    }
}

enum { MOST_PARTS = 256 };

/* `count` equal parts. */
static void split_evenly(gh_tfjs_import *im, const gh_tfjs_node *n, const gh_nhwc_value *x, int axis,
                         int64_t count, bool drop)
{
    int64_t sizes[MOST_PARTS], whole = x->shape.dims[axis];
    if (count < 1 || count > MOST_PARTS || whole < 0 || whole % count || (drop && whole != count)) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "%lld elements cannot be split in %lld equal parts", (long long)whole,
                     (long long)count);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        sizes[i] = whole / count;
    set_parts(im, n, x, axis, sizes, (size_t)count, drop);
}

/* The axis, what to split. */
static void map_split(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t number = 0;
    int axis = 0;
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 1);
    if (x && gh_tfjs_get_int(im, n, 0, &number) && gh_nhwc_axis(&im->b, &axis, number, x->shape.rank))
        split_evenly(im, n, x, axis, gh_tfjs_int(n, "num_split", 0), false);
}

static void map_unpack(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int axis = 0;
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 0);
    if (x && gh_nhwc_axis(&im->b, &axis, gh_tfjs_int(n, "axis", 0), x->shape.rank))
        split_evenly(im, n, x, axis, gh_tfjs_int(n, "num", 0), true);
}

/* What to split, the sizes (one may be -1), the axis. */
static void map_split_v(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t sizes[MOST_PARTS], number = 0, sum = 0;
    size_t count = 0;
    int axis = 0;
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 0);
    if (!x || !gh_tfjs_get_ints(im, n, 1, sizes, &count, MOST_PARTS) || !gh_tfjs_get_int(im, n, 2, &number) ||
        !gh_nhwc_axis(&im->b, &axis, number, x->shape.rank))
        return;
    int64_t whole = x->shape.dims[axis];
    bool sound = count > 0 && whole >= 0;
    for (size_t i = 0; i < count && sound; i++) {
        sound = sizes[i] >= -1 && sizes[i] <= whole;
        sum += sizes[i] < 0 ? 0 : sizes[i];
    }
    for (size_t i = 0; i < count && sound; i++)
        sizes[i] = sizes[i] < 0 ? whole - sum : sizes[i];
    if (!sound || sum > whole)
        gh_nhwc_fail(&im->b, GH_FORMAT, "its %zu sizes do not split %lld elements", count, (long long)whole);
    set_parts(im, n, x, axis, sizes, count, false);
}

static void map_slice(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t begin[GH_MAX_RANK], sizes[GH_MAX_RANK];
    size_t nbegin = 0, nsizes = 0;
    if (!gh_tfjs_get_ints(im, n, 1, begin, &nbegin, GH_MAX_RANK) ||
        !gh_tfjs_get_ints(im, n, 2, sizes, &nsizes, GH_MAX_RANK))
        return;
    if (nbegin != nsizes)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it begins at %zu places and has %zu sizes", nbegin, nsizes);
    gh_tfjs_set(im, n, gh_nhwc_slice(&im->b, gh_tfjs_in(im, n, 0), begin, sizes, nbegin));
}

static void map_strided_slice(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_nhwc_strided s = {
        .begin_mask = gh_tfjs_int(n, "begin_mask", 0),
        .end_mask = gh_tfjs_int(n, "end_mask", 0),
        .ellipsis_mask = gh_tfjs_int(n, "ellipsis_mask", 0),
        .new_axis_mask = gh_tfjs_int(n, "new_axis_mask", 0),
        .shrink_axis_mask = gh_tfjs_int(n, "shrink_axis_mask", 0),
    };
    size_t nend = 0, nstrides = 0;
    if (!gh_tfjs_get_ints(im, n, 1, s.begin, &s.count, GH_MAX_RANK) ||
        !gh_tfjs_get_ints(im, n, 2, s.end, &nend, GH_MAX_RANK) ||
        !gh_tfjs_get_ints(im, n, 3, s.strides, &nstrides, GH_MAX_RANK))
        return;
    if (nend != s.count || nstrides != s.count)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it has %zu begins, %zu ends and %zu strides", s.count, nend,
                     nstrides);
    gh_tfjs_set(im, n, gh_nhwc_strided_slice(&im->b, gh_tfjs_in(im, n, 0), &s));
}

/* Gather, and GatherV2, whose axis is an input. */
static void map_gather(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t axis = 0;
    if (n->ninputs > 2 && !gh_tfjs_get_int(im, n, 2, &axis))
        return;
    if (gh_tfjs_int(n, "batch_dims", 0))
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it gathers in batches; gharial imports one batch");
    gh_tfjs_set(im, n, gh_nhwc_gather(&im->b, gh_tfjs_in(im, n, 0), gh_tfjs_in(im, n, 1), axis));
}

static void map_reshape(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t dims[GH_MAX_RANK];
    size_t count = 0;
    if (gh_tfjs_get_ints(im, n, 1, dims, &count, GH_MAX_RANK))
        gh_tfjs_set(im, n, gh_nhwc_reshape(&im->b, gh_tfjs_in(im, n, 0), dims, count));
}

static void map_squeeze(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t axes[GH_MAX_RANK];
    size_t count = gh_tfjs_list(n, "squeeze_dims", axes, GH_MAX_RANK);
    if (!count)
        count = gh_tfjs_list(n, "axis", axes, GH_MAX_RANK); /* as the operator had it at first */
    if (count > GH_MAX_RANK)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it squeezes %zu dimensions", count);
    else
        gh_tfjs_set(im, n, gh_nhwc_squeeze(&im->b, gh_tfjs_in(im, n, 0), axes, count));
}

static void map_expand_dims(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t axis = 0;
    if (gh_tfjs_get_int(im, n, 1, &axis))
        gh_tfjs_set(im, n, gh_nhwc_expand_dims(&im->b, gh_tfjs_in(im, n, 0), axis));
}

static void map_transpose(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t perm[GH_MAX_RANK];
    size_t count = 0;
    if (gh_tfjs_get_ints(im, n, 1, perm, &count, GH_MAX_RANK))
        gh_tfjs_set(im, n, gh_nhwc_transpose(&im->b, gh_tfjs_in(im, n, 0), perm, count));
}

static void map_shape(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_tfjs_set(im, n, gh_nhwc_shape(&im->b, gh_tfjs_in(im, n, 0)));
}

/* Each dimension as often as its number says. */
static void map_tile(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t times[GH_MAX_RANK];
    size_t count = 0;
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 0);
    if (!x || !gh_tfjs_get_ints(im, n, 1, times, &count, GH_MAX_RANK))
        return;
    if ((int)count != x->shape.rank)
        gh_nhwc_fail(&im->b, GH_FORMAT, "%zu numbers for %d dimensions", count, x->shape.rank);
    for (size_t axis = 0; axis < count && !im->b.failed; axis++) {
        const gh_nhwc_value *copies[MOST_PARTS];
        if (times[axis] < 1 || times[axis] > MOST_PARTS) {
            gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it repeats %lld times; 1 to %d are accepted",
                         (long long)times[axis], MOST_PARTS);
            return;
        }
        for (int64_t i = 0; i < times[axis]; i++)
            copies[i] = x;
        if (times[axis] > 1)
            x = gh_nhwc_concat(&im->b, copies, (size_t)times[axis], (int64_t)axis);
    }
    gh_tfjs_set(im, n, x);
}

/* Before and after of each dimension; false after recording what is wrong. */
static bool read_pads(gh_tfjs_import *im, const gh_tfjs_node *n, int64_t *pads, size_t *rank)
{
    size_t count = 0;
    if (!gh_tfjs_get_ints(im, n, 1, pads, &count, 2 * GH_MAX_RANK))
        return false;
    if (count % 2)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it has %zu paddings; two a dimension are needed", count);
    *rank = count / 2;
    return count % 2 == 0;
}

/* Pad, and PadV2, which brings the number to pad with. */
static void map_pad(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t pads[2 * GH_MAX_RANK];
    size_t rank = 0, one = 0;
    float value = 0;
    if (!read_pads(im, n, pads, &rank))
        return;
    if (n->ninputs > 2) {
        const gh_nhwc_value *fill = gh_tfjs_in(im, n, 2);
        if (!fill || !fill->data || fill->type != GH_F32 || !gh_shape_count(&one, &fill->shape) || one != 1) {
            gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "what it pads with is not one constant");
            return;
        }
        value = *(const float *)fill->data;
    }
    gh_tfjs_set(im, n, gh_nhwc_pad(&im->b, gh_tfjs_in(im, n, 0), pads, rank, "constant", value));
}

static void map_mirror_pad(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t pads[2 * GH_MAX_RANK];
    size_t rank = 0;
    char mode[16];
    gh_tfjs_text(n, "mode", mode, sizeof mode);
    bool symmetric = strcmp(mode, "SYMMETRIC") == 0;
    if (!symmetric && strcmp(mode, "REFLECT") != 0)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it mirrors in mode \"%s\"; there are REFLECT and SYMMETRIC", mode);
    if (read_pads(im, n, pads, &rank))
        gh_tfjs_set(im, n, gh_nhwc_mirror_pad(&im->b, gh_tfjs_in(im, n, 0), pads, rank, symmetric));
}

const gh_tfjs_row gh_tfjs_rows_move[] = {
    {"ConcatV2", 2, UINT32_MAX, map_concat, NULL},
    {"Concat", 2, UINT32_MAX, map_concat, NULL},
    {"Pack", 1, UINT32_MAX, map_pack, NULL},
    {"Split", 2, 2, map_split, NULL},
    {"SplitV", 3, 3, map_split_v, NULL},
    {"Unpack", 1, 1, map_unpack, NULL},
    {"Slice", 3, 3, map_slice, NULL},
    {"StridedSlice", 4, 4, map_strided_slice, NULL},
    {"Gather", 2, 2, map_gather, NULL},
    {"GatherV2", 2, 3, map_gather, NULL},
    {"Reshape", 2, 2, map_reshape, NULL},
    {"Squeeze", 1, 1, map_squeeze, NULL},
    {"ExpandDims", 2, 2, map_expand_dims, NULL},
    {"Transpose", 2, 2, map_transpose, NULL},
    {"Shape", 1, 1, map_shape, NULL},
    {"Tile", 2, 2, map_tile, NULL},
    {"Pad", 2, 2, map_pad, NULL},
    {"PadV2", 3, 3, map_pad, NULL},
    {"MirrorPad", 2, 2, map_mirror_pad, NULL},
    {0},
};
