/* Open addressing with linear probing, at most half full. */
#include "engine/symbols.h"

#include "base/mem.h"

#include <string.h>

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash(const char *name, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 0x100000001b3u;
    return h ^ (h >> 32);
}

void gh_symbols_free(gh_symbols *t)
{
    gh_free(t->slots);
    *t = (gh_symbols){0};
}

static gh_symbol *slot(const gh_symbols *t, const char *name, size_t len)
{
    size_t at = hash(name, len) & (t->cap - 1);
    while (t->slots[at].name && (t->slots[at].len != len || memcmp(t->slots[at].name, name, len) != 0))
        at = (at + 1) & (t->cap - 1);
    return &t->slots[at];
}

uint32_t gh_symbols_find(const gh_symbols *t, const char *name, size_t len)
{
    if (!t->cap)
        return UINT32_MAX;
    const gh_symbol *s = slot(t, name, len);
    return s->name ? s->id : UINT32_MAX;
}

static bool rehash(gh_symbols *t)
{
    gh_symbols bigger = {.cap = t->cap ? t->cap * 2 : 256, .count = t->count};
    bigger.slots = gh_calloc(bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].name)
            *slot(&bigger, t->slots[i].name, t->slots[i].len) = t->slots[i];
    gh_free(t->slots);
    *t = bigger;
    return true;
}

bool gh_symbols_add(gh_symbols *t, const char *name, size_t len, uint32_t id)
{
    if (t->count * 2 >= t->cap && !rehash(t))
        return false;
    *slot(t, name, len) = (gh_symbol){name, len, id};
    t->count++;
    return true;
}
