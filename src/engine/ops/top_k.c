/* TopK: the k largest or least elements along an axis and where they stood, best first; of equal ones the
 * earlier comes first, and NaN counts as larger than every number. The places are a heap in the output
 * itself, so that a run needs no memory. */
#include "base/mem.h"
#include "engine/ops.h"
#include "engine/ops/number.h"

#include <string.h>

/* k is an attribute before opset 10, input 1 since. */
static gh_status k_of(const gh_io *io, int64_t *k)
{
    size_t count;
    *k = gh_node_int(io->node, "k", -1);
    if (io->node->op->since < 10)
        return GH_OK;
    GH_TRY(gh_io_need(io, 1, GH_I64, -1));
    GH_TRY(gh_io_ints(io, 1, k, &count, 1));
    return count == 1 ? GH_OK : gh_io_fail(io, GH_FORMAT, "input 1 must hold one number");
}

static gh_status top_k_infer(gh_io *io)
{
    const gh_shape *s = &io->in[0].shape;
    int64_t k;
    int axis;
    GH_TRY(gh_io_need(io, 0, GH_UNKNOWN, -1));
    GH_TRY(k_of(io, &k));
    GH_TRY(gh_io_axis(io, &axis, gh_node_int(io->node, "axis", -1), s->rank));
    if (!gh_number_type(io->in[0].type) || io->in[0].type == GH_BOOL)
        return gh_io_fail(io, GH_UNSUPPORTED, "%s is not compared", gh_dtype_name(io->in[0].type));
    if (k < 0 || k > s->dims[axis])
        return gh_io_fail(io, GH_FORMAT, "the best %lld of %lld elements", (long long)k,
                          (long long)s->dims[axis]);
    if (io->nout != 2)
        return gh_io_fail(io, GH_UNSUPPORTED, "gharial gives values and indices, two outputs");
    io->out[0] = (gh_tensor){.type = io->in[0].type, .shape = *s};
    io->out[0].shape.dims[axis] = k;
    io->out[1] = (gh_tensor){.type = GH_I64, .shape = io->out[0].shape};
    return GH_OK;
}

typedef bool (*compare)(const void *row, size_t a, size_t b);

#define MORE(type, T, suffix)                                                                                \
    static bool more_##suffix(const void *row, size_t a, size_t b)                                           \
    {                                                                                                        \
        T x = ((const T *)row)[a], y = ((const T *)row)[b];                                                  \
        return x > y || (x != x && y == y);                                                                  \
    }
GH_EACH_NUMBER(MORE)

static compare compare_of(gh_dtype type)
{
    switch (type) {
#define CASE(type, T, suffix)                                                                                \
    case type:                                                                                               \
        return more_##suffix;
        GH_EACH_NUMBER(CASE)
    default:
        GH_ASSERT(!"refused by infer");
        return NULL;
    }
}

/* One row of n elements and the heap of its k best places; both lie `step` elements apart. The root is the
 * worst of those kept. */
typedef struct heap {
    const void *row;
    int64_t *place;
    size_t step, n, k;
    compare more;
    bool largest;
} heap;

/* True when element a comes before element b. */
static bool ahead(const heap *h, int64_t a, int64_t b)
{
    size_t at = (size_t)a * h->step, bt = (size_t)b * h->step;
    if (h->largest ? h->more(h->row, at, bt) : h->more(h->row, bt, at))
        return true;
    if (h->largest ? h->more(h->row, bt, at) : h->more(h->row, at, bt))
        return false;
    return a < b;
}

/* Lets place `v` sink from slot `at` of the first `count` slots. */
static void sink(const heap *h, size_t at, size_t count, int64_t v)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && ahead(h, h->place[child * h->step], h->place[(child + 1) * h->step]))
            child++;
        if (!ahead(h, v, h->place[child * h->step]))
            break;
        h->place[at * h->step] = h->place[child * h->step];
    }
    h->place[at * h->step] = v;
}

static void select_row(const heap *h)
{
    for (size_t i = 0; i < h->k; i++)
        h->place[i * h->step] = (int64_t)i;
    for (size_t i = h->k / 2; i-- > 0;)
        sink(h, i, h->k, h->place[i * h->step]);
    for (size_t i = h->k; i < h->n; i++)
        if (ahead(h, (int64_t)i, h->place[0]))
            sink(h, 0, h->k, (int64_t)i);
    for (size_t last = h->k; last-- > 1;) { /* the worst goes to the end */
        int64_t worst = h->place[0];
        sink(h, 0, last, h->place[last * h->step]);
        h->place[last * h->step] = worst;
    }
}

static gh_status top_k_run(gh_exec *x)
{
    const gh_shape *s = &x->in[0].shape, *out = &x->out[0].shape;
    int64_t a = gh_node_int(x->node, "axis", -1);
    int axis = (int)(a < 0 ? a + s->rank : a);
    size_t outer = gh_shape_span(s, 0, axis), inner = gh_shape_span(s, axis + 1, s->rank);
    size_t size = gh_dtype_size(x->in[0].type);
    heap h = {.step = inner,
              .n = (size_t)s->dims[axis],
              .k = (size_t)out->dims[axis],
              .more = compare_of(x->in[0].type),
              .largest = gh_node_int(x->node, "largest", 1) != 0};
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            size_t to = o * h.k * inner + i;
            const char *row = (const char *)x->in[0].data + (o * h.n * inner + i) * size;
            h.row = row;
            h.place = (int64_t *)x->out[1].data + to;
            select_row(&h);
            for (size_t k = 0; k < h.k; k++)
                memcpy((char *)x->out[0].data + (to + k * inner) * size,
                       row + (size_t)h.place[k * inner] * inner * size, size);
        }
    return GH_OK;
}

const gh_op gh_ops_top_k[] = {
    {"TopK", "", 1, 9, 0, 1, 1, 2, top_k_infer, top_k_run, NULL, NULL},
    {"TopK", "", 10, 0, 0, 2, 2, 2, top_k_infer, top_k_run, NULL, NULL},
};
const size_t gh_ops_top_k_count = GH_COUNT(gh_ops_top_k);
