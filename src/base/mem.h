/* Checked allocation. All heap memory of gharial's own comes from here, so that tests can count allocations
 * and make any one of them fail. */
#ifndef GH_BASE_MEM_H
#define GH_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cache-line alignment of everything that SIMD kernels touch, in bytes. */
#define GH_ALIGN 64

/* Uninitialised bytes, or NULL. size 0 gives a valid pointer of one byte. */
void *gh_alloc(size_t size);
/* n * size zeroed bytes, or NULL when memory is short or the product overflows. */
void *gh_calloc(size_t n, size_t size);
/* Grows or shrinks to n * size bytes; on failure NULL, and `p` stays valid. */
void *gh_realloc(void *p, size_t n, size_t size);
/* Room for `more` items of `size` bytes behind the first `count` of a table with room for *cap: the table,
 * moved and *cap raised where it had to grow; on failure NULL, and `table` stays valid. */
void *gh_table_grow(void *table, uint32_t count, uint32_t more, uint32_t *cap, size_t size);
/* Bytes aligned to GH_ALIGN; freed with gh_free. */
void *gh_alloc_aligned(size_t size);
/* The same for what is read from end to end again and again, as packed weights are: on large pages, where the
 * system has them, so that a core finds and fetches ahead more of it. */
void *gh_alloc_streamed(size_t size);
void gh_free(void *p);
char *gh_strdup(const char *s);

/* Products and sums of sizes that come from files: false on overflow, *out untouched. */
bool gh_mul_size(size_t *out, size_t a, size_t b);
bool gh_add_size(size_t *out, size_t a, size_t b);

/* Tests: the calling thread's n-th allocation from now (0 = the next) fails, once; -1 switches off. */
void gh_mem_fail_after(int64_t n);
/* Allocations made so far by the calling thread / by the whole process. */
uint64_t gh_mem_thread_allocs(void);
uint64_t gh_mem_allocs(void);

#endif
