/* A table from names to numbers, for readers: open addressing over borrowed strings. */
#ifndef GH_ENGINE_SYMBOLS_H
#define GH_ENGINE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gh_symbol {
    const char *name; /* borrowed, need not be terminated; NULL = free slot */
    size_t len;
    uint32_t id;
} gh_symbol;

typedef struct gh_symbols {
    gh_symbol *slots;
    size_t cap, count; /* cap is a power of two */
} gh_symbols;

void gh_symbols_free(gh_symbols *t);
/* The number of a name, or UINT32_MAX. */
uint32_t gh_symbols_find(const gh_symbols *t, const char *name, size_t len);
/* Adds a name that is not there yet; false when memory is short. */
bool gh_symbols_add(gh_symbols *t, const char *name, size_t len, uint32_t id);

#endif
