/* Named tensors, sorted by name. */
#include "import/weights.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

gh_status gh_weights_open(gh_weights *out, size_t count, gh_err *e)
{
    gh_weight *items = gh_calloc(count + 1, sizeof *items);
    if (!items)
        return gh_fail(e, GH_NOMEM, "no memory for the names of %zu tensors", count);
    *out = (gh_weights){.items = items, .count = count, .separator = '.'};
    return GH_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gh_weight *)a)->name, ((const gh_weight *)b)->name);
}

void gh_weights_sort(gh_weights *w)
{
    qsort(w->items, w->count, sizeof *w->items, by_name);
}

void gh_weights_close(gh_weights *w)
{
    gh_free(w->items);
    *w = (gh_weights){0};
}

gh_weight *gh_weights_find(const gh_weights *w, const char *name)
{
    const gh_weight key = {.name = name};
    return bsearch(&key, w->items, w->count, sizeof *w->items, by_name);
}
