/* Arena: many small objects that die together. Blocks grow geometrically up to a limit in bytes, so that a
 * hostile file cannot take more than its reader allows. */
#ifndef GH_BASE_ARENA_H
#define GH_BASE_ARENA_H

#include <stddef.h>

typedef struct gh_arena gh_arena;

/* A new arena that hands out at most `limit` bytes in all, or NULL when memory is short. */
gh_arena *gh_arena_new(size_t limit);
void gh_arena_free(gh_arena **arena);
/* Zeroed bytes, aligned to 16, or NULL (memory short or limit reached). */
void *gh_arena_alloc(gh_arena *arena, size_t size);
/* n * size with overflow checked. */
void *gh_arena_array(gh_arena *arena, size_t n, size_t size);
/* Copies `len` bytes and ends them with a zero byte. */
char *gh_arena_string(gh_arena *arena, const char *s, size_t len);
/* Gives memory of an arena back to the system before its end: the whole pages of it, whose bytes become zero.
 */
void gh_arena_give_back(void *p, size_t size);
/* Bytes handed out so far. */
size_t gh_arena_used(const gh_arena *arena);

#endif
