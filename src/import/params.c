/* Taking parameters from a checkpoint, and the message about those that do not fit. */
#include "import/params.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define MAX_BYTES ((size_t)8 << 30)
#define MAX_ROOM  330 /* characters for names in a sentence; gh_err holds 507 */
#define COUNTER   "num_batches_tracked"

gh_status gh_params_open(gh_params *out, gh_weights *source, gh_err *e)
{
    gh_params p = {.source = source};
    p.missing.names.limit = p.misshapen.names.limit = p.unused.names.limit = MAX_ROOM;
    p.arena = gh_arena_new(MAX_BYTES);
    if (!p.arena)
        return gh_fail(e, GH_NOMEM, "no memory for the network's parameters");
    *out = p;
    return GH_OK;
}

void gh_params_close(gh_params *p)
{
    gh_arena_free(&p->arena);
    gh_buf_free(&p->missing.names);
    gh_buf_free(&p->misshapen.names);
    gh_buf_free(&p->unused.names);
}

/* The log gets every one; the list as many as its sentence has room for. */
static void note(gh_params_list *list, const char *why, const char *text)
{
    gh_log(GH_LOG_WARN, "%s: %s", why, text);
    if (list->count++)
        gh_buf_str(&list->names, ", ");
    gh_buf_str(&list->names, text);
}

static bool fits(const gh_shape *shape, int rank, const int64_t *dims)
{
    bool same = shape->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = dims[i] == shape->dims[i];
    return same;
}

const float *gh_params_get(gh_params *p, const char *prefix, const char *name, int rank, const int64_t *dims)
{
    char full[160], have[64], need[64], text[320];
    snprintf(full, sizeof full, "%s%c%s", prefix, p->source->separator, name);
    gh_shape wanted = gh_shape_of(rank, dims);
    gh_shape_text(&wanted, need, sizeof need);
    gh_weight *t = gh_weights_find(p->source, full);
    if (!t) {
        snprintf(text, sizeof text, "%s (%s)", full, need);
        note(&p->missing, "missing", text);
        return NULL;
    }
    t->used = true;
    if (!fits(&t->shape, rank, dims)) {
        gh_shape_text(&t->shape, have, sizeof have);
        snprintf(text, sizeof text, "%s (%s for %s)", full, have, need);
        note(&p->misshapen, "of another shape", text);
        return NULL;
    }
    float *copy = gh_arena_array(p->arena, t->count, sizeof *copy);
    if (copy)
        p->source->copy(copy, t->at);
    p->no_memory |= !copy;
    return copy;
}

static bool is_counter(const char *name)
{
    size_t len = strlen(name), end = strlen(COUNTER);
    return len >= end && strcmp(name + len - end, COUNTER) == 0;
}

static void note_unused(gh_params *p)
{
    for (size_t i = 0; i < p->source->count; i++) {
        const gh_weight *t = &p->source->items[i];
        if (!t->used && !is_counter(t->name))
            note(&p->unused, "not used", t->name);
    }
}

static void add_names(gh_buf *sentence, const char *label, const gh_params_list *list, size_t room)
{
    if (!list->count)
        return;
    bool cut = list->names.failed || list->names.len > room;
    gh_buf_printf(sentence, "%s%zu %s: ", sentence->len ? "; " : "", list->count, label);
    gh_buf_add(sentence, list->names.data, list->names.len > room ? room : list->names.len);
    gh_buf_str(sentence, cut ? "... (all in the log)" : "");
}

gh_status gh_params_check(gh_params *p, const char *what, gh_err *e)
{
    gh_buf sentence = {0};
    gh_status status = GH_OK;
    note_unused(p);
    size_t kinds = (p->missing.count > 0) + (p->misshapen.count > 0) + (p->unused.count > 0);
    size_t room = kinds ? MAX_ROOM / kinds : 0;
    add_names(&sentence, "missing", &p->missing, room);
    add_names(&sentence, "of another shape", &p->misshapen, room);
    add_names(&sentence, "not used", &p->unused, room);
    gh_buf_add(&sentence, "", 1);
    if (p->no_memory || sentence.failed)
        status = gh_fail(e, GH_NOMEM, "no memory for the parameters of %s", what);
    else if (kinds)
        status = gh_fail(e, GH_FORMAT, "the checkpoint is not one of %s; of its tensors %s", what,
                         (const char *)sentence.data);
    gh_buf_free(&sentence);
    return status;
}
