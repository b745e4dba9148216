/* Operators that only change a shape or join tensors. Known integers, of which shapes are made, are computed
 * on the way like any other constant. */
#include "import/nhwc_parts.h"

#include "base/mem.h"

#include <string.h>

const gh_nhwc_value *gh_nhwc_shape(gh_nhwc *b, const gh_nhwc_value *x)
{
    int64_t dims[GH_MAX_RANK];
    if (!gh_nhwc_ready(b, x))
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        dims[i] = x->shape.dims[i] < 0 ? GH_NHWC_BATCH : x->shape.dims[i];
    return gh_nhwc_ints(b, dims, (size_t)x->shape.rank);
}

/* Elements of all dimensions, a batch of any size counting as one picture. */
static bool count_of(size_t *out, const gh_shape *shape)
{
    gh_shape s = *shape;
    if (s.rank > 0 && s.dims[0] < 0)
        s.dims[0] = 1;
    return gh_shape_count(out, &s);
}

/* The wanted shape with its -1 replaced; a batch of any size must stay in front. */
static bool resolve(gh_nhwc *b, gh_shape *out, const gh_nhwc_value *x, const int64_t *dims, size_t rank)
{
    gh_shape s = {.rank = (int)rank};
    size_t total = 0, known = 1;
    int open = -1, opens = 0;
    bool any_batch = x->shape.rank > 0 && x->shape.dims[0] < 0;
    for (size_t i = 0; i < rank; i++) {
        s.dims[i] = i == 0 && any_batch && dims[i] == GH_NHWC_BATCH ? 1 : dims[i];
        if (dims[i] == -1) {
            open = (int)i;
            opens++;
        } else if (s.dims[i] < 0 || !gh_mul_size(&known, known, (size_t)s.dims[i])) {
            return false;
        }
    }
    if (opens > 1 || !count_of(&total, &x->shape) || (open >= 0 && (known == 0 || total % known)))
        return false;
    if (open >= 0)
        s.dims[open] = (int64_t)(total / known);
    else if (known != total)
        return false;
    if (any_batch) {
        if (rank < 1 || s.dims[0] != 1) {
            gh_nhwc_fail(b, GH_UNSUPPORTED, "it mixes the pictures of a batch");
            return false;
        }
        s.dims[0] = -1;
    }
    *out = s;
    return true;
}

static uint32_t emit_reshape(gh_nhwc *b, uint32_t from, const gh_shape *to)
{
    gh_shape s = *to;
    if (s.rank > 0 && s.dims[0] < 0)
        s.dims[0] = 0; /* as in the input */
    uint32_t in[2] = {from, gh_nhwc_emit_ints(b, "shape", s.dims, (size_t)s.rank)};
    return gh_nhwc_emit(b, "Reshape", in, 2);
}

const gh_nhwc_value *gh_nhwc_reshape(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *dims, size_t rank)
{
    gh_shape to = {.rank = 0};
    char text[96];
    if (!gh_nhwc_ready(b, x))
        return NULL;
    if (rank > GH_MAX_RANK)
        return gh_nhwc_fail(b, GH_UNSUPPORTED, "%zu dimensions come out; at most %d are supported", rank,
                            GH_MAX_RANK);
    if (!resolve(b, &to, x, dims, rank))
        return gh_nhwc_fail(b, GH_FORMAT, "%s cannot take the shape that it asks for",
                            gh_shape_text(&x->shape, text, sizeof text));
    if (gh_shape_equal(&to, &x->shape))
        return x;
    if (x->data)
        return gh_nhwc_record(b, &(gh_nhwc_value){to, x->type, x->data, GH_NONE, GH_NONE, .inner = NULL});
    bool as_is = gh_nhwc_is_image(x) && gh_nhwc_same_order(&x->shape);
    return gh_nhwc_settle(b, emit_reshape(b, as_is ? x->image : gh_nhwc_plain(b, x), &to), false);
}

/* The shape's dimensions as a reshape wants them, those marked left out. */
static size_t kept_dims(int64_t *out, const gh_shape *s, const bool *dropped)
{
    size_t n = 0;
    for (int i = 0; i < s->rank; i++)
        if (!dropped[i])
            out[n++] = s->dims[i] < 0 ? GH_NHWC_BATCH : s->dims[i];
    return n;
}

const gh_nhwc_value *gh_nhwc_squeeze(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *axes, size_t count)
{
    bool dropped[GH_MAX_RANK] = {false};
    int64_t dims[GH_MAX_RANK];
    if (!gh_nhwc_ready(b, x))
        return NULL;
    for (int i = 0; i < x->shape.rank; i++)
        dropped[i] = count == 0 && x->shape.dims[i] == 1;
    for (size_t i = 0; i < count; i++) {
        int at = 0;
        if (!gh_nhwc_axis(b, &at, axes[i], x->shape.rank))
            return NULL;
        if (x->shape.dims[at] != 1)
            return gh_nhwc_fail(b, GH_FORMAT, "dimension %d, which it drops, is %lld, not 1", at,
                                (long long)x->shape.dims[at]);
        dropped[at] = true;
    }
    size_t rank = kept_dims(dims, &x->shape, dropped);
    return gh_nhwc_reshape(b, x, dims, rank);
}

const gh_nhwc_value *gh_nhwc_expand_dims(gh_nhwc *b, const gh_nhwc_value *x, int64_t axis)
{
    const bool dropped[GH_MAX_RANK] = {false};
    int64_t dims[GH_MAX_RANK + 1];
    int at = 0;
    if (!gh_nhwc_ready(b, x) || !gh_nhwc_axis(b, &at, axis, x->shape.rank + 1))
        return NULL;
    size_t rank = kept_dims(dims, &x->shape, dropped);
    memmove(dims + at + 1, dims + at, (rank - (size_t)at) * sizeof *dims);
    dims[at] = 1;
    return gh_nhwc_reshape(b, x, dims, rank + 1);
}

/* ---- transpose ---- */

static bool check_perm(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *perm, size_t count)
{
    bool seen[GH_MAX_RANK] = {false};
    bool good = (int)count == x->shape.rank;
    for (size_t i = 0; good && i < count; i++) {
        good = perm[i] >= 0 && perm[i] < x->shape.rank && !seen[perm[i]];
        if (good)
            seen[perm[i]] = true;
    }
    if (!good)
        gh_nhwc_fail(b, GH_FORMAT, "its order of axes is not one of %d dimensions", x->shape.rank);
    return good;
}

static bool is_perm(const int64_t *perm, size_t count, const int64_t want[4])
{
    return count == 4 && memcmp(perm, want, 4 * sizeof *perm) == 0;
}

/* From and to NCHW there is nothing to do where the graph has the picture in the order that comes out. */
static const gh_nhwc_value *as_other_order(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *perm,
                                           size_t count)
{
    static const int64_t to_nchw[] = {0, 3, 1, 2}, to_nhwc[] = {0, 2, 3, 1};
    gh_nhwc_value out = {x->shape, x->type, NULL, GH_NONE, GH_NONE, .inner = NULL};
    for (size_t i = 0; i < count; i++)
        out.shape.dims[i] = x->shape.dims[perm[i]];
    if (is_perm(perm, count, to_nchw) && x->image != GH_NONE)
        out.plain = x->image;
    else if (is_perm(perm, count, to_nhwc) && x->plain != GH_NONE)
        out.image = x->plain;
    else
        return NULL;
    return gh_nhwc_record(b, &out);
}

const gh_nhwc_value *gh_nhwc_transpose(gh_nhwc *b, const gh_nhwc_value *x, const int64_t *perm, size_t count)
{
    int64_t axes[GH_MAX_RANK];
    if (!gh_nhwc_ready(b, x) || !check_perm(b, x, perm, count))
        return NULL;
    if (!x->data) {
        const gh_nhwc_value *same = as_other_order(b, x, perm, count);
        if (same || b->failed)
            return same;
    }
    bool image = !x->data && gh_nhwc_is_image(x);
    for (size_t i = 0; i < count; i++)
        axes[i] = image ? gh_nhwc_image_axis((int)perm[i]) : perm[i];
    uint32_t in = gh_nhwc_stored(b, x, image), out = gh_nhwc_emit(b, "Transpose", &in, 1);
    gh_graph_set_ints(b->graph, out, "perm", axes, count);
    return gh_nhwc_settle(b, out, false);
}

/* ---- joining ---- */

/* Pictures are joined as NCHW where one of them is stored so. */
const gh_nhwc_value *gh_nhwc_concat(gh_nhwc *b, const gh_nhwc_value *const *parts, size_t count, int64_t axis)
{
    bool image = false;
    int at = 0;
    if (b->failed)
        return NULL;
    if (count < 1 || count > GH_MAX_OPERANDS)
        return gh_nhwc_fail(b, GH_FORMAT, "it joins %zu tensors", count);
    for (size_t i = 0; i < count; i++) {
        if (!gh_nhwc_ready(b, parts[i]))
            return NULL;
        if (parts[i]->shape.rank != parts[0]->shape.rank)
            return gh_nhwc_fail(b, GH_FORMAT, "it joins tensors of %d and %d dimensions",
                                parts[0]->shape.rank, parts[i]->shape.rank);
        image |= !parts[i]->data && gh_nhwc_is_image(parts[i]);
    }
    if (!gh_nhwc_axis(b, &at, axis, parts[0]->shape.rank))
        return NULL;
    if (at == 0 && parts[0]->shape.dims[0] < 0)
        return gh_nhwc_fail(b, GH_UNSUPPORTED, "it mixes the pictures of a batch");
    uint32_t *in = gh_calloc(count, sizeof *in);
    if (!in)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory for its operands");
    for (size_t i = 0; i < count; i++)
        in[i] = gh_nhwc_stored(b, parts[i], image);
    uint32_t out = gh_nhwc_emit(b, "Concat", in, (uint32_t)count);
    gh_graph_set_int(b->graph, out, "axis", image ? gh_nhwc_image_axis(at) : at);
    gh_free(in);
    return gh_nhwc_settle(b, out, image);
}

const gh_nhwc_value *gh_nhwc_pack(gh_nhwc *b, const gh_nhwc_value *const *parts, size_t count, int64_t axis)
{
    if (b->failed)
        return NULL;
    const gh_nhwc_value **wide = gh_calloc(count + 1, sizeof *wide);
    if (!wide)
        return gh_nhwc_fail(b, GH_NOMEM, "no memory for its operands");
    for (size_t i = 0; i < count; i++)
        wide[i] = gh_nhwc_expand_dims(b, parts[i], axis);
    const gh_nhwc_value *out = gh_nhwc_concat(b, wide, count, axis);
    gh_free(wide);
    return out;
}
