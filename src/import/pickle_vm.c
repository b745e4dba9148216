/* The bounded machine below the pickle opcodes: input, stack, marks, cells and memo. What it takes of memory
 * stays in proportion to the bytes that were read. */
#include "import/pickle_vm.h"

#include "base/mem.h"

#include <string.h>

#define MAX_CELLS (4 * GH_PICKLE_MAX_NODES)
#define MAX_NAME  256 /* bytes of a global's module or name */

gh_status gh_pkl_broken(const gh_pkl_reader *r, const char *why)
{
    return gh_fail(r->e, GH_FORMAT, "the pickle is broken at byte %zu: %s", (size_t)(r->at - r->start), why);
}

static gh_status no_memory(const gh_pkl_reader *r)
{
    return gh_fail(r->e, GH_NOMEM, "no memory to read the pickle");
}

/* Makes room for element number `count` (elements of `size` bytes). */
static bool grow(void **items, size_t *cap, size_t count, size_t size)
{
    if (count < *cap)
        return true;
    size_t want = *cap ? *cap : 64;
    while (want <= count)
        want *= 2;
    void *bigger = gh_realloc(*items, want, size);
    if (!bigger)
        return false;
    *items = bigger;
    *cap = want;
    return true;
}

gh_status gh_pkl_take(gh_pkl_reader *r, size_t n, const uint8_t **out)
{
    if ((size_t)(r->end - r->at) < n) {
        if (r->clipped)
            return gh_fail(r->e, GH_LIMIT, "the pickle is longer than the %zu MiB that gharial reads",
                           GH_PICKLE_MAX_BYTES >> 20);
        return gh_pkl_broken(r, "it ends too early");
    }
    *out = r->at;
    r->at += n;
    return GH_OK;
}

gh_status gh_pkl_uint(gh_pkl_reader *r, unsigned width, uint64_t *out)
{
    const uint8_t *b = NULL;
    GH_TRY(gh_pkl_take(r, width, &b));
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)b[i] << (8 * i);
    *out = v;
    return GH_OK;
}

gh_status gh_pkl_line(gh_pkl_reader *r, const uint8_t **text, size_t *len)
{
    size_t left = (size_t)(r->end - r->at);
    const uint8_t *newline = left ? memchr(r->at, '\n', left < MAX_NAME ? left : MAX_NAME) : NULL;
    if (!newline)
        return gh_pkl_broken(r, "a name has no end");
    *len = (size_t)(newline - r->at);
    return gh_pkl_take(r, *len + 1, text);
}

gh_status gh_pkl_push(gh_pkl_reader *r, uint32_t node)
{
    if (r->stack.count >= GH_PICKLE_MAX_NODES)
        return gh_fail(r->e, GH_LIMIT, "the pickle stacks up more than %zu values", GH_PICKLE_MAX_NODES);
    if (!grow((void **)&r->stack.items, &r->stack.cap, r->stack.count, sizeof *r->stack.items))
        return no_memory(r);
    r->stack.items[r->stack.count++] = node;
    return GH_OK;
}

gh_status gh_pkl_push_new(gh_pkl_reader *r, gh_pickle_node node)
{
    gh_pickle *p = r->p;
    if (p->nnodes >= GH_PICKLE_MAX_NODES)
        return gh_fail(r->e, GH_LIMIT, "the pickle holds more than %zu values", GH_PICKLE_MAX_NODES);
    if (!grow((void **)&p->nodes, &r->cap_nodes, p->nnodes, sizeof *p->nodes))
        return no_memory(r);
    p->nodes[p->nnodes] = node;
    GH_TRY(gh_pkl_push(r, p->nnodes));
    p->nnodes++;
    return GH_OK;
}

/* Height that the stack may be popped down to: the latest mark. */
static size_t stack_floor(const gh_pkl_reader *r)
{
    return r->marks.count ? r->marks.items[r->marks.count - 1] : 0;
}

bool gh_pkl_has(const gh_pkl_reader *r, size_t n)
{
    return r->stack.count - stack_floor(r) >= n;
}

gh_status gh_pkl_pop(gh_pkl_reader *r, uint32_t *out)
{
    if (!gh_pkl_has(r, 1))
        return gh_pkl_broken(r, "it takes a value from an empty stack");
    *out = r->stack.items[--r->stack.count];
    return GH_OK;
}

gh_status gh_pkl_peek(const gh_pkl_reader *r, size_t above, gh_pickle_kind kind, gh_pickle_node **out)
{
    if (!gh_pkl_has(r, above + 1))
        return gh_pkl_broken(r, "it takes a value from an empty stack");
    gh_pickle_node *n = &r->p->nodes[r->stack.items[r->stack.count - above - 1]];
    if (n->kind != kind)
        return gh_fail(r->e, GH_FORMAT, "the pickle is broken at byte %zu: it treats %s as %s",
                       (size_t)(r->at - r->start), gh_pickle_kind_name(n->kind), gh_pickle_kind_name(kind));
    *out = n;
    return GH_OK;
}

gh_status gh_pkl_mark(gh_pkl_reader *r)
{
    if (r->marks.count >= GH_PICKLE_MAX_NODES)
        return gh_fail(r->e, GH_LIMIT, "the pickle nests more than %zu containers", GH_PICKLE_MAX_NODES);
    if (!grow((void **)&r->marks.items, &r->marks.cap, r->marks.count, sizeof *r->marks.items))
        return no_memory(r);
    r->marks.items[r->marks.count++] = (uint32_t)r->stack.count;
    return GH_OK;
}

gh_status gh_pkl_pop_mark(gh_pkl_reader *r, size_t *height)
{
    if (!r->marks.count)
        return gh_pkl_broken(r, "there is no mark to go back to");
    *height = r->marks.items[--r->marks.count];
    return GH_OK;
}

gh_status gh_pkl_add_cell(gh_pkl_reader *r, gh_pickle_node *to, uint32_t node)
{
    gh_pickle *p = r->p;
    if (p->ncells >= MAX_CELLS)
        return gh_fail(r->e, GH_LIMIT, "the containers of the pickle hold more than %zu values", MAX_CELLS);
    if (!grow((void **)&p->cells, &r->cap_cells, p->ncells, sizeof *p->cells))
        return no_memory(r);
    p->cells[p->ncells] = (gh_pickle_cell){.node = node, .next = GH_PICKLE_NONE};
    if (to->count)
        p->cells[to->tail].next = p->ncells;
    else
        to->head = p->ncells;
    to->tail = p->ncells++;
    to->count++;
    return GH_OK;
}

gh_status gh_pkl_add_cells(gh_pkl_reader *r, gh_pickle_node *to, size_t height)
{
    for (size_t i = height; i < r->stack.count; i++)
        GH_TRY(gh_pkl_add_cell(r, to, r->stack.items[i]));
    r->stack.count = height;
    return GH_OK;
}

gh_pickle_node gh_pkl_container(gh_pickle_kind kind)
{
    return (gh_pickle_node){.kind = kind, .head = GH_PICKLE_NONE, .tail = GH_PICKLE_NONE};
}

/* Python numbers the memo in order, so an index can never pass the number of bytes read so far: what a memo
 * takes stays in proportion to the file. */
gh_status gh_pkl_set_memo(gh_pkl_reader *r, uint64_t index)
{
    if (index >= (size_t)(r->at - r->start))
        return gh_pkl_broken(r, "a memo index is out of order");
    if (!gh_pkl_has(r, 1))
        return gh_pkl_broken(r, "it keeps a value from an empty stack");
    size_t was = r->memo.cap;
    if (!grow((void **)&r->memo.items, &r->memo.cap, (size_t)index, sizeof *r->memo.items))
        return no_memory(r);
    for (size_t i = was; i < r->memo.cap; i++)
        r->memo.items[i] = GH_PICKLE_NONE;
    r->memo.count += r->memo.items[index] == GH_PICKLE_NONE;
    r->memo.items[index] = r->stack.items[r->stack.count - 1];
    return GH_OK;
}

gh_status gh_pkl_get_memo(gh_pkl_reader *r, uint64_t index)
{
    if (index >= r->memo.cap || r->memo.items[index] == GH_PICKLE_NONE)
        return gh_pkl_broken(r, "it reads a memo entry that was never set");
    return gh_pkl_push(r, r->memo.items[index]);
}

gh_status gh_pkl_open(gh_pkl_reader *out, const uint8_t *data, size_t len, gh_err *e)
{
    gh_pkl_reader r = {.start = data, .at = data, .clipped = len > GH_PICKLE_MAX_BYTES, .e = e};
    r.end = data + (r.clipped ? GH_PICKLE_MAX_BYTES : len);
    r.p = gh_calloc(1, sizeof *r.p);
    if (!r.p)
        return no_memory(&r);
    *out = r;
    return GH_OK;
}

void gh_pkl_close(gh_pkl_reader *r)
{
    gh_free(r->stack.items);
    gh_free(r->marks.items);
    gh_free(r->memo.items);
    gh_pickle_free(&r->p);
}
