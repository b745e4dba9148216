/* Weights that a TFLite file stores sparse, made dense. The tables SparsityParameters and DimensionMetadata
 * of schema.fbs describe a tree: a level for each dimension, in the order of traversal, then one for each
 * dimension of the blocks; a level has all of its places (dense) or those that a list names (CSR). Stored are
 * the elements at the leaves that are there, one after the other. */
#include "import/tflite_sparse.h"

#include "engine/op.h"

#include <string.h>

enum { MAX_LEVELS = 2 * GH_MAX_RANK };
enum { DENSE, CSR };
enum { VECTOR_NONE, VECTOR_INT32, VECTOR_UINT16, VECTOR_UINT8 };

typedef struct level {
    int format, dim;
    int64_t size;          /* places */
    size_t step;           /* elements of the dense tensor from one place to the next */
    gh_fb_vector from, at; /* CSR: where each parent's places begin in `at`, and which they are */
    int64_t node, now,
        end; /* while walking: the parent's number, the place at hand, the last one's successor */
} level;

typedef struct tree {
    const gh_tfl_tensor *t;
    level levels[MAX_LEVELS];
    int rank, count; /* dimensions; levels */
} tree;

static gh_status lies(const tree *s, const char *what, gh_err *e)
{
    return gh_fail(e, GH_FORMAT, "tensor \"%s\" is stored sparse, but %s", s->t->name, what);
}

/* A union of vectors of three widths. */
static gh_fb_vector read_vector(const gh_fb_table *metadata, unsigned field)
{
    static const uint32_t widths[] = {[VECTOR_INT32] = 4, [VECTOR_UINT16] = 2, [VECTOR_UINT8] = 1};
    int64_t type = gh_fb_int(metadata, field, 1, VECTOR_NONE);
    gh_fb_table vector = gh_fb_child(metadata, field + 1);
    if (type < VECTOR_INT32 || type > VECTOR_UINT8)
        return (gh_fb_vector){0};
    return gh_fb_vec(&vector, 0, widths[type]);
}

/* Small numbers have no sign. */
static int64_t number(const gh_fb_vector *v, int64_t i)
{
    int64_t n = gh_fb_int_at(v, (uint32_t)i);
    return v->width == 4 ? n : n & ((1 << 8 * v->width) - 1);
}

/* Which dimension each level is of: first those of the tensor in some order, then those of the blocks. */
static gh_status read_order(tree *s, const gh_fb_table *sparsity, gh_err *e)
{
    gh_fb_vector order = gh_fb_vec(sparsity, 0, 4), map = gh_fb_vec(sparsity, 1, 4);
    bool seen[MAX_LEVELS] = {false};
    s->rank = s->t->shape.rank;
    if (order.count > MAX_LEVELS || order.count != (uint32_t)s->rank + map.count)
        return lies(s, "its order of traversal does not fit its dimensions and blocks", e);
    s->count = (int)order.count;
    for (int i = 0; i < s->count; i++) {
        int64_t dim = gh_fb_int_at(&order, (uint32_t)i);
        bool block = i >= s->rank;
        if (dim < (block ? s->rank : 0) || dim >= (block ? s->count : s->rank) || seen[dim])
            return lies(s, "its order of traversal does not name each dimension once", e);
        seen[dim] = true;
        if (block)
            dim = gh_fb_int_at(&map, (uint32_t)(dim - s->rank));
        if (dim < 0 || dim >= s->rank)
            return lies(s, "its blocks are of a dimension that it does not have", e);
        s->levels[i].dim = (int)dim;
    }
    return GH_OK;
}

static gh_status read_levels(tree *s, const gh_fb_table *sparsity, gh_err *e)
{
    gh_fb_vector all = gh_fb_vec(sparsity, 2, 4);
    if (all.count != (uint32_t)s->count)
        return lies(s, "not each of its levels is described", e);
    for (int i = 0; i < s->count; i++) {
        level *l = &s->levels[i];
        gh_fb_table metadata = gh_fb_table_at(&all, (uint32_t)i);
        l->format = (int)gh_fb_int(&metadata, 0, 1, DENSE);
        l->size = gh_fb_int(&metadata, 1, 4, 0);
        if (l->format == CSR) {
            l->from = read_vector(&metadata, 2);
            l->at = read_vector(&metadata, 4);
        }
        if (l->format != DENSE && (l->format != CSR || i >= s->rank))
            return lies(s, "one of its levels is neither dense nor a list, or a block is a list", e);
    }
    return gh_fb_check(sparsity->fb, e);
}

/* Places of each level, and how far apart they are in the dense tensor: a dimension with blocks counts
 * blocks. */
static gh_status measure(tree *s, gh_err *e)
{
    int64_t blocks[GH_MAX_RANK];
    for (int d = 0; d < s->rank; d++)
        blocks[d] = 1;
    for (int i = s->count - 1; i >= 0; i--) {
        level *l = &s->levels[i];
        int64_t dim = s->t->shape.dims[l->dim], places = dim / blocks[l->dim];
        if (i >= s->rank && (l->size < 1 || l->size > dim || blocks[l->dim] > dim / l->size))
            return lies(s, "a block is larger than the tensor", e);
        l->step = gh_shape_span(&s->t->shape, l->dim + 1, s->rank) * (size_t)blocks[l->dim];
        if (i >= s->rank) {
            blocks[l->dim] *= l->size;
            continue;
        }
        if (dim % blocks[l->dim] || (l->format == DENSE && l->size != places))
            return lies(s, "its levels do not fit its shape", e);
        l->size = places;
    }
    return GH_OK;
}

/* Begins the places of a node; false when the lists lie. Those of a list rise, so none is there twice. */
static bool enter(level *l, int64_t node)
{
    l->node = node;
    l->now = 0;
    l->end = l->size;
    if (l->format == DENSE)
        return true;
    if (node + 1 >= l->from.count)
        return false;
    l->now = number(&l->from, node);
    l->end = number(&l->from, node + 1);
    if (l->now < 0 || l->end < l->now || l->end > l->at.count)
        return false;
    for (int64_t i = l->now; i < l->end; i++) {
        int64_t place = number(&l->at, i);
        if (place < 0 || place >= l->size || (i > l->now && place <= number(&l->at, i - 1)))
            return false;
    }
    return true;
}

static size_t offset_of(const tree *s)
{
    size_t offset = 0;
    for (int i = 0; i < s->count; i++) {
        const level *l = &s->levels[i];
        offset += l->step * (size_t)(l->format == CSR ? number(&l->at, l->now) : l->now);
    }
    return offset;
}

/* The child's number: places of all parents before it are counted. */
static int64_t child_of(const level *l)
{
    return l->format == CSR ? l->now : l->node * l->size + l->now;
}

static gh_status walk(tree *s, uint8_t *dense, const uint8_t *stored, size_t count, size_t width, gh_err *e)
{
    size_t used = 0;
    int at = 0;
    bool sound = enter(&s->levels[0], 0);
    while (sound && at >= 0) {
        level *l = &s->levels[at];
        if (l->now >= l->end) { /* back to the parent, and on to its next place */
            if (--at >= 0)
                s->levels[at].now++;
        } else if (at + 1 < s->count) {
            sound = enter(&s->levels[++at], child_of(l));
        } else {
            sound = used < count;
            if (sound)
                memcpy(dense + offset_of(s) * width, stored + used++ * width, width);
            l->now++;
        }
    }
    return sound && used == count ? GH_OK : lies(s, "its lists of places do not fit its numbers", e);
}

gh_status gh_tfl_densify(uint8_t *dense, const gh_tfl_tensor *t, const gh_fb_table *sparsity,
                         const gh_fb_vector *stored, size_t width, gh_err *e)
{
    tree s = {.t = t};
    GH_TRY(read_order(&s, sparsity, e));
    if (s.count == 0 || t->count == 0)
        return lies(&s, "it has no elements", e);
    GH_TRY(read_levels(&s, sparsity, e));
    GH_TRY(measure(&s, e));
    if (stored->count % width)
        return lies(&s, "its bytes are no whole numbers", e);
    return walk(&s, dense, stored->data, stored->count / width, width, e);
}
