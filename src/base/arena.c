/* Arena: a list of zeroed blocks, each twice as large as the one before up to a cap. What does not fit into a
 * quarter of the next block gets a block of its own, so that little is left unused at the ends of blocks. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIRST_BLOCK = 4096, LAST_BLOCK = 1 << 20, ALIGN = 16 };

typedef struct block {
    struct block *next;
    size_t used, size; /* bytes of `data` */
    _Alignas(ALIGN) unsigned char data[];
} block;

struct gh_arena {
    block *head;       /* the block that small objects come from, then all others */
    size_t used;       /* bytes handed out, each object rounded up to ALIGN */
    size_t limit;      /* largest value of used */
    size_t next_block; /* bytes */
};

gh_arena *gh_arena_new(size_t limit)
{
    gh_arena *arena = gh_calloc(1, sizeof *arena);
    if (arena) {
        arena->limit = limit;
        arena->next_block = FIRST_BLOCK;
    }
    return arena;
}

void gh_arena_free(gh_arena **arena)
{
    if (!*arena)
        return;
    for (block *b = (*arena)->head, *next; b; b = next) {
        next = b->next;
        gh_free(b);
    }
    gh_free(*arena);
    *arena = NULL;
}

/* malloc aligns to 16 on the 64-bit systems that we run on, and so does the flexible member. */
static block *block_new(size_t size)
{
    size_t total;
    if (!gh_add_size(&total, sizeof(block), size))
        return NULL;
    block *b = gh_calloc(1, total);
    if (b)
        b->size = size;
    return b;
}

/* A block of its own goes behind the head, which keeps serving small objects. */
static void *own_block(gh_arena *arena, size_t size)
{
    block *b = block_new(size);
    if (!b)
        return NULL;
    b->used = size;
    block **at = arena->head ? &arena->head->next : &arena->head;
    b->next = *at;
    *at = b;
    return b->data;
}

static bool add_block(gh_arena *arena)
{
    block *b = block_new(arena->next_block);
    if (!b)
        return false;
    b->next = arena->head;
    arena->head = b;
    if (arena->next_block < LAST_BLOCK)
        arena->next_block *= 2;
    return true;
}

void *gh_arena_alloc(gh_arena *arena, size_t size)
{
    size_t need;
    if (!gh_add_size(&need, size ? size : 1, ALIGN - 1))
        return NULL;
    need &= ~(size_t)(ALIGN - 1);
    if (need > arena->limit - arena->used)
        return NULL;
    block *b = arena->head;
    void *p;
    if (b && need <= b->size - b->used) {
        p = b->data + b->used;
        b->used += need;
    } else if (need > arena->next_block / 4) {
        p = own_block(arena, need);
    } else {
        if (!add_block(arena))
            return NULL;
        p = arena->head->data;
        arena->head->used = need;
    }
    if (p)
        arena->used += need;
    return p;
}

void *gh_arena_array(gh_arena *arena, size_t n, size_t size)
{
    size_t total;
    return gh_mul_size(&total, n, size) ? gh_arena_alloc(arena, total) : NULL;
}

char *gh_arena_string(gh_arena *arena, const char *s, size_t len)
{
    size_t total;
    if (!gh_add_size(&total, len, 1))
        return NULL;
    char *copy = gh_arena_alloc(arena, total);
    if (copy && len)
        memcpy(copy, s, len); /* the arena's bytes are zero, so it ends with one */
    return copy;
}

void gh_arena_give_back(void *p, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)p, end = begin + size;
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

size_t gh_arena_used(const gh_arena *arena)
{
    return arena->used;
}
