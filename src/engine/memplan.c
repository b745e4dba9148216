/* Memory planning, greedy by size. Placed buffers are kept in order of their offsets, so that one walk finds
 * the lowest gap between those that live at the same time. */
#include "engine/memplan.h"

#include "base/mem.h"

#include <stdlib.h>

/* Above this many buffers the quadratic search would take too long to load: each then gets a place of its
 * own. */
#define MOST_SEARCHED 8192

static size_t align_up(size_t bytes)
{
    return (bytes + GH_ALIGN - 1) & ~(size_t)(GH_ALIGN - 1);
}

static int larger_first(const void *a, const void *b)
{
    const gh_buffer *x = *(gh_buffer *const *)a, *y = *(gh_buffer *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool overlap(const gh_buffer *a, const gh_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Inserts `b` at the lowest gap that holds it; gives its end. */
static size_t place(gh_buffer **placed, uint32_t n, gh_buffer *b)
{
    size_t size = align_up(b->bytes), at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!overlap(placed[i], b))
            continue;
        if (placed[i]->offset >= at + size)
            break;
        size_t end = placed[i]->offset + align_up(placed[i]->bytes);
        at = end > at ? end : at;
    }
    b->offset = at;
    uint32_t i = n;
    while (i > 0 && placed[i - 1]->offset > at) {
        placed[i] = placed[i - 1];
        i--;
    }
    placed[i] = b;
    return at + size;
}

gh_status gh_memplan(size_t *total, gh_buffer *buffers, uint32_t count, gh_err *e)
{
    size_t end = 0;
    if (count > MOST_SEARCHED) {
        for (uint32_t i = 0; i < count; i++) {
            buffers[i].offset = end;
            end += align_up(buffers[i].bytes);
        }
        *total = end;
        return GH_OK;
    }
    gh_buffer **order = gh_calloc(2 * (size_t)count + 1, sizeof *order), **placed = order + count;
    if (!order)
        return gh_fail(e, GH_NOMEM, "no memory for a plan");
    for (uint32_t i = 0; i < count; i++)
        order[i] = &buffers[i];
    qsort(order, count, sizeof *order, larger_first);
    for (uint32_t i = 0; i < count; i++) {
        size_t reach = place(placed, i, order[i]);
        end = reach > end ? reach : end;
    }
    gh_free(order);
    *total = end;
    return GH_OK;
}
