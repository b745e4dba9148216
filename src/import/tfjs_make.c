/* TensorFlow's operators that make a tensor of known numbers: shapes and coordinates, which converters leave
 * in a graph where they did not fold them. */
#include "import/tfjs_ops.h"

#include <math.h>
#include <string.h>

#define MOST ((size_t)1 << 22) /* elements that one operator may make */

/* Space for a tensor of this shape; NULL after recording why not. */
static void *space(gh_tfjs_import *im, const gh_shape *shape, gh_dtype type, size_t *count)
{
    if (!gh_shape_count(count, shape) || *count > MOST) {
        gh_nhwc_fail(&im->b, GH_LIMIT, "it makes more than %zu elements", MOST);
        return NULL;
    }
    void *data = gh_arena_array(im->b.graph->arena, *count + 1, gh_dtype_size(type));
    if (!data)
        gh_nhwc_fail(&im->b, GH_NOMEM, "no memory for its result");
    return data;
}

static void set_made(gh_tfjs_import *im, const gh_tfjs_node *n, gh_dtype type, gh_shape shape,
                     const void *data)
{
    gh_tfjs_set(im, n, gh_nhwc_const(&im->b, type, shape, data, false));
}

/* One known number, of either type; NULL after recording that it is not. */
static const gh_nhwc_value *one_number(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i)
{
    size_t count = 0;
    const gh_nhwc_value *v = gh_tfjs_in(im, n, i);
    if (v && v->data && gh_shape_count(&count, &v->shape) && count == 1)
        return v;
    return v ? gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "input %u is not one number known before a run", i)
             : NULL;
}

static bool known_shape(gh_tfjs_import *im, const gh_tfjs_node *n, uint32_t i, gh_shape *out)
{
    int64_t dims[GH_MAX_RANK];
    size_t rank = 0;
    if (!gh_tfjs_get_ints(im, n, i, dims, &rank, GH_MAX_RANK))
        return false;
    for (size_t k = 0; k < rank; k++)
        if (dims[k] < 0) {
            gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "its shape is not known before a run");
            return false;
        }
    *out = gh_shape_of((int)rank, dims);
    return true;
}

/* Fill(shape, number). */
static void map_fill(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    gh_shape shape;
    size_t count = 0;
    const gh_nhwc_value *v = one_number(im, n, 1);
    if (!v || !known_shape(im, n, 0, &shape))
        return;
    size_t size = gh_dtype_size(v->type);
    char *data = space(im, &shape, v->type, &count);
    if (!data)
        return;
    for (size_t i = 0; i < count; i++)
        memcpy(data + i * size, v->data, size);
    set_made(im, n, v->type, shape, data);
}

static double number(const gh_nhwc_value *v)
{
    return v->type == GH_F32 ? (double)*(const float *)v->data : (double)*(const int64_t *)v->data;
}

/* Range(from, to, step). */
static void map_range(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    const gh_nhwc_value *from = one_number(im, n, 0), *to = one_number(im, n, 1),
                        *step = one_number(im, n, 2);
    if (!from || !to || !step)
        return;
    double begin = number(from), by = number(step), times = ceil((number(to) - begin) / by);
    if (by == 0 || !(times <= (double)MOST)) { /* a NaN, too */
        gh_nhwc_fail(&im->b, GH_LIMIT, "it makes more than %zu elements", MOST);
        return;
    }
    size_t count = 0;
    gh_shape shape = gh_shape_of(1, (int64_t[]){times > 0 ? (int64_t)times : 0});
    void *data = space(im, &shape, from->type, &count);
    for (size_t i = 0; data && i < count; i++) {
        double v = begin + (double)i * by;
        if (from->type == GH_F32)
            ((float *)data)[i] = (float)v;
        else
            ((int64_t *)data)[i] = v >= -0x1p53 && v <= 0x1p53 ? (int64_t)v : 0;
    }
    if (data)
        set_made(im, n, from->type, shape, data);
}

static void map_zeros(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    size_t count = 0;
    const gh_nhwc_value *x = gh_tfjs_in(im, n, 0);
    if (!x)
        return;
    if (x->shape.rank > 0 && x->shape.dims[0] < 0) {
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "its shape is not known before a run");
        return;
    }
    void *data = space(im, &x->shape, x->type, &count); /* zeroed */
    if (data)
        set_made(im, n, x->type, x->shape, data);
}

/* SparseToDense(places, shape, numbers, the number elsewhere) of one dimension, which is how old converters
 * insert a 1 into a shape. */
static void map_sparse(gh_tfjs_import *im, const gh_tfjs_node *n)
{
    int64_t at[GH_MAX_RANK], to[GH_MAX_RANK], other = 0, out[GH_MAX_RANK];
    size_t nat = 0, nto = 0;
    gh_shape shape;
    if (!gh_tfjs_get_ints(im, n, 0, at, &nat, GH_MAX_RANK) || !known_shape(im, n, 1, &shape) ||
        !gh_tfjs_get_ints(im, n, 2, to, &nto, GH_MAX_RANK) || !gh_tfjs_get_int(im, n, 3, &other))
        return;
    bool sound = shape.rank == 1 && shape.dims[0] <= GH_MAX_RANK && (nto == nat || nto == 1);
    for (size_t i = 0; i < nat && sound; i++)
        sound = at[i] >= 0 && at[i] < shape.dims[0];
    if (!sound) {
        gh_nhwc_fail(&im->b, GH_UNSUPPORTED, "gharial imports it for shapes of at most %d dimensions",
                     GH_MAX_RANK);
        return;
    }
    for (int64_t i = 0; i < shape.dims[0]; i++)
        out[i] = other;
    for (size_t i = 0; i < nat; i++)
        out[at[i]] = to[nto == 1 ? 0 : i];
    gh_tfjs_set(im, n, gh_nhwc_ints(&im->b, out, (size_t)shape.dims[0]));
}

const gh_tfjs_row gh_tfjs_rows_make[] = {
    {"Fill", 2, 2, map_fill, NULL},
    {"Range", 3, 3, map_range, NULL},
    {"ZerosLike", 1, 1, map_zeros, NULL},
    {"SparseToDense", 4, 4, map_sparse, NULL},
    {0},
};
