/* TFLite's operators that move elements or change shapes. Numbers of operators and option fields are those of
 * schema.fbs. */
#include "import/tflite_ops.h"

/* NULL after recording that there is no memory. */
static const gh_nhwc_value **all_inputs(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value **all = gh_arena_array(im->b.arena, op->ninputs, sizeof *all);
    if (!all)
        gh_nhwc_fail(&im->b, GH_NOMEM, "no memory for its inputs");
    for (uint32_t i = 0; all && i < op->ninputs; i++)
        all[i] = gh_tfl_in(im, op, i);
    return all;
}

static void map_concat(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value **parts = all_inputs(im, op);
    if (!parts)
        return;
    int64_t axis = gh_fb_int(&op->options, 0, 4, 0);
    gh_tfl_set_act(im, op, gh_nhwc_concat(&im->b, parts, op->ninputs, axis), 1);
}

static void map_pack(gh_tfl_import *im, const gh_tfl_op *op)
{
    const gh_nhwc_value **parts = all_inputs(im, op);
    if (!parts)
        return;
    gh_tfl_set(im, op, 0, gh_nhwc_pack(&im->b, parts, op->ninputs, gh_fb_int(&op->options, 1, 4, 0)));
}

/* Axis and number of outputs of a split; false after recording what is wrong. */
static bool split_axis(gh_tfl_import *im, const gh_tfl_op *op, uint32_t axis_input, const gh_nhwc_value *x,
                       int *axis)
{
    int64_t number = 0;
    size_t count = 0;
    if (!x || !gh_tfl_get_ints(im, op, axis_input, &number, &count, 1))
        return false;
    if (count != 1)
        gh_nhwc_fail(&im->b, GH_FORMAT, "its axis has no number");
    return count == 1 && gh_nhwc_axis(&im->b, axis, number, x->shape.rank);
}

static void map_split(gh_tfl_import *im, const gh_tfl_op *op)
{
    int axis = 0;
    const gh_nhwc_value *x = gh_tfl_in(im, op, 1);
    if (!split_axis(im, op, 0, x, &axis))
        return;
    int64_t whole = x->shape.dims[axis];
    if (whole < 0 || whole % op->noutputs) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "%lld elements cannot be split in %u equal parts", (long long)whole,
                     op->noutputs);
        return;
    }
    int64_t each = whole / op->noutputs;
    for (uint32_t i = 0; i < op->noutputs; i++) {
        im->b.name = im->m->tensors[op->outputs[i]].name;
        gh_tfl_set(im, op, i, gh_nhwc_part(&im->b, x, axis, i * each, each));
    }
}

/* Inputs: what to split, the sizes (one may be -1), the axis. */
static void map_split_v(gh_tfl_import *im, const gh_tfl_op *op)
{
    enum { MOST = 256 };
    int axis = 0;
    int64_t sizes[MOST], sum = 0, at = 0;
    size_t count = 0;
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0);
    if (!split_axis(im, op, 2, x, &axis) || !gh_tfl_get_ints(im, op, 1, sizes, &count, MOST))
        return;
    int64_t whole = x->shape.dims[axis];
    bool sound = count == op->noutputs && whole >= 0;
    for (size_t i = 0; i < count && sound; i++) {
        sound = sizes[i] >= -1 && sizes[i] <= whole;
        sum += sizes[i] < 0 ? 0 : sizes[i];
    }
    if (!sound || sum > whole) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "%zu sizes for %u outputs do not split %lld elements", count,
                     op->noutputs, (long long)whole);
        return;
    }
    for (uint32_t i = 0; i < op->noutputs; i++) {
        int64_t size = sizes[i] < 0 ? whole - sum : sizes[i];
        im->b.name = im->m->tensors[op->outputs[i]].name;
        gh_tfl_set(im, op, i, gh_nhwc_part(&im->b, x, axis, at, size));
        at += size;
    }
}

static void map_unpack(gh_tfl_import *im, const gh_tfl_op *op)
{
    int axis = 0;
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0);
    if (!x || !gh_nhwc_axis(&im->b, &axis, gh_fb_int(&op->options, 1, 4, 0), x->shape.rank))
        return;
    if (x->shape.dims[axis] != op->noutputs) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "%lld elements are unpacked into %u outputs",
                     (long long)x->shape.dims[axis], op->noutputs);
        return;
    }
    for (uint32_t i = 0; i < op->noutputs; i++) {
        im->b.name = im->m->tensors[op->outputs[i]].name;
        gh_tfl_set(im, op, i,
                   gh_nhwc_squeeze(&im->b, gh_nhwc_part(&im->b, x, axis, i, 1), (int64_t[]){axis}, 1));
    }
}

static void map_slice(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t begin[GH_MAX_RANK], sizes[GH_MAX_RANK];
    size_t nbegin = 0, nsizes = 0;
    const gh_nhwc_value *x = gh_tfl_in(im, op, 0);
    if (!x || !gh_tfl_get_ints(im, op, 1, begin, &nbegin, GH_MAX_RANK) ||
        !gh_tfl_get_ints(im, op, 2, sizes, &nsizes, GH_MAX_RANK))
        return;
    if (nbegin != nsizes)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it begins at %zu places and has %zu sizes", nbegin, nsizes);
    gh_tfl_set(im, op, 0, gh_nhwc_slice(&im->b, x, begin, sizes, nbegin));
}

static void map_strided_slice(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_nhwc_strided s = {
        .begin_mask = gh_fb_int(&op->options, 0, 4, 0),
        .end_mask = gh_fb_int(&op->options, 1, 4, 0),
        .ellipsis_mask = gh_fb_int(&op->options, 2, 4, 0),
        .new_axis_mask = gh_fb_int(&op->options, 3, 4, 0),
        .shrink_axis_mask = gh_fb_int(&op->options, 4, 4, 0),
    };
    size_t nend = 0, nstrides = 0;
    if (!gh_tfl_get_ints(im, op, 1, s.begin, &s.count, GH_MAX_RANK) ||
        !gh_tfl_get_ints(im, op, 2, s.end, &nend, GH_MAX_RANK) ||
        !gh_tfl_get_ints(im, op, 3, s.strides, &nstrides, GH_MAX_RANK))
        return;
    if (nend != s.count || nstrides != s.count || gh_fb_int(&op->options, 5, 1, 0)) {
        gh_nhwc_fail(
            &im->b, GH_UNSUPPORTED,
            "it has %zu begins, %zu ends and %zu strides, or ends that are offsets; gharial imports as "
            "many of each, all from the start",
            s.count, nend, nstrides);
        return;
    }
    gh_tfl_set(im, op, 0, gh_nhwc_strided_slice(&im->b, gh_tfl_in(im, op, 0), &s));
}

static void map_gather(gh_tfl_import *im, const gh_tfl_op *op)
{
    if (gh_fb_int(&op->options, 1, 4, 0) != 0)
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "it gathers in batches; gharial imports one batch");
    gh_tfl_set(
        im, op, 0,
        gh_nhwc_gather(&im->b, gh_tfl_in(im, op, 0), gh_tfl_in(im, op, 1), gh_fb_int(&op->options, 0, 4, 0)));
}

/* The new shape is an input, or in old files an option, or that of the output. */
static void map_reshape(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t dims[GH_MAX_RANK];
    size_t count = 0;
    gh_fb_vector option = gh_fb_vec(&op->options, 0, 4);
    if (gh_tfl_has(op, 1)) {
        if (!gh_tfl_get_ints(im, op, 1, dims, &count, GH_MAX_RANK))
            return;
    } else if (option.count && option.count <= GH_MAX_RANK) {
        for (; count < option.count; count++)
            dims[count] = gh_fb_int_at(&option, (uint32_t)count);
    } else {
        const gh_shape *shape = &im->m->tensors[op->outputs[0]].shape;
        for (; count < (size_t)shape->rank; count++)
            dims[count] = shape->dims[count];
    }
    gh_tfl_set(im, op, 0, gh_nhwc_reshape(&im->b, gh_tfl_in(im, op, 0), dims, count));
}

static void map_squeeze(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t axes[GH_MAX_RANK];
    gh_fb_vector option = gh_fb_vec(&op->options, 0, 4);
    if (option.count > GH_MAX_RANK) {
        gh_nhwc_fail(&im->b, GH_FORMAT, "it squeezes %u dimensions", option.count);
        return;
    }
    for (uint32_t i = 0; i < option.count; i++)
        axes[i] = gh_fb_int_at(&option, i);
    gh_tfl_set(im, op, 0, gh_nhwc_squeeze(&im->b, gh_tfl_in(im, op, 0), axes, option.count));
}

static void map_expand_dims(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t axis = 0;
    size_t count = 0;
    if (gh_tfl_get_ints(im, op, 1, &axis, &count, 1) && count == 1)
        gh_tfl_set(im, op, 0, gh_nhwc_expand_dims(&im->b, gh_tfl_in(im, op, 0), axis));
    else
        gh_nhwc_fail(&im->b, GH_FORMAT, "its axis has no number");
}

static void map_transpose(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t perm[GH_MAX_RANK];
    size_t count = 0;
    if (gh_tfl_get_ints(im, op, 1, perm, &count, GH_MAX_RANK))
        gh_tfl_set(im, op, 0, gh_nhwc_transpose(&im->b, gh_tfl_in(im, op, 0), perm, count));
}

static void map_shape(gh_tfl_import *im, const gh_tfl_op *op)
{
    gh_tfl_set(im, op, 0, gh_nhwc_shape(&im->b, gh_tfl_in(im, op, 0)));
}

/* Before and after of each dimension; false after recording what is wrong. */
static bool read_pads(gh_tfl_import *im, const gh_tfl_op *op, int64_t *pads, size_t *rank)
{
    size_t count = 0;
    if (!gh_tfl_get_ints(im, op, 1, pads, &count, 2 * GH_MAX_RANK))
        return false;
    if (count % 2)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it has %zu paddings; two a dimension are needed", count);
    *rank = count / 2;
    return count % 2 == 0;
}

static void map_pad(gh_tfl_import *im, const gh_tfl_op *op)
{
    int64_t pads[2 * GH_MAX_RANK];
    size_t rank = 0;
    float value = 0;
    const gh_tfl_tensor *fill = gh_tfl_tensor_of(im, op, 2);
    if (!read_pads(im, op, pads, &rank))
        return;
    if (fill && (!fill->data || fill->count != 1)) {
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "what it pads with is not one constant");
        return;
    }
    gh_status status = fill ? gh_tfl_floats(&value, fill, im->b.e) : GH_OK;
    if (status != GH_OK)
        im->b.failed = status;
    gh_tfl_set(im, op, 0, gh_nhwc_pad(&im->b, gh_tfl_in(im, op, 0), pads, rank, "constant", value));
}

static void map_mirror_pad(gh_tfl_import *im, const gh_tfl_op *op)
{
    enum { REFLECT, SYMMETRIC };
    int64_t pads[2 * GH_MAX_RANK], mode = gh_fb_int(&op->options, 0, 1, REFLECT);
    size_t rank = 0;
    if (!read_pads(im, op, pads, &rank))
        return;
    if (mode != REFLECT && mode != SYMMETRIC)
        gh_nhwc_fail(&im->b, GH_FORMAT, "it mirrors in mode %lld; there are REFLECT (0) and SYMMETRIC (1)",
                     (long long)mode);
    gh_tfl_set(im, op, 0, gh_nhwc_mirror_pad(&im->b, gh_tfl_in(im, op, 0), pads, rank, mode == SYMMETRIC));
}

const gh_tfl_row gh_tfl_rows_move[] = {
    {2, 1, UINT32_MAX, map_concat, NULL, NULL},
    {83, 1, UINT32_MAX, map_pack, NULL, NULL},
    {49, 2, 2, map_split, NULL, NULL},
    {102, 3, 3, map_split_v, NULL, NULL},
    {88, 1, 1, map_unpack, NULL, NULL},
    {65, 3, 3, map_slice, NULL, NULL},
    {45, 4, 4, map_strided_slice, NULL, NULL},
    {36, 2, 2, map_gather, NULL, NULL},
    {22, 1, 2, map_reshape, NULL, NULL},
    {43, 1, 1, map_squeeze, NULL, NULL},
    {70, 2, 2, map_expand_dims, NULL, NULL},
    {39, 2, 2, map_transpose, NULL, NULL},
    {77, 1, 1, map_shape, NULL, NULL},
    {34, 2, 2, map_pad, NULL, NULL},
    {60, 3, 3, map_pad, NULL, NULL},
    {100, 2, 2, map_mirror_pad, NULL, NULL},
    {0},
};
