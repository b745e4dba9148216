/* Checked allocation over plain malloc (no headers of ours, so that AddressSanitizer and Valgrind see every
 * block), with counters and one fault-injection hook for the tests. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20) /* of x86-64, and of arm64 with pages of 4 KB */

static atomic_uint_fast64_t process_allocs;
static _Thread_local uint64_t thread_allocs;
static _Thread_local int64_t fail_in = -1; /* allocations until the one that fails; -1 = off */

/* Counts the allocation; false when it has to fail. No object may be larger than PTRDIFF_MAX. */
static bool permit(size_t size)
{
    if (size > PTRDIFF_MAX - GH_ALIGN)
        return false;
    if (fail_in == 0) {
        fail_in = -1;
        return false;
    }
    if (fail_in > 0)
        fail_in--;
    thread_allocs++;
    atomic_fetch_add_explicit(&process_allocs, 1, memory_order_relaxed);
    return true;
}

void *gh_alloc(size_t size)
{
    return permit(size) ? malloc(size ? size : 1) : NULL;
}

void *gh_calloc(size_t n, size_t size)
{
    size_t total;
    if (!gh_mul_size(&total, n, size) || !permit(total))
        return NULL;
    return calloc(total ? total : 1, 1);
}

void *gh_realloc(void *p, size_t n, size_t size)
{
    size_t total;
    if (!gh_mul_size(&total, n, size) || !permit(total))
        return NULL;
    return realloc(p, total ? total : 1);
}

void *gh_table_grow(void *table, uint32_t count, uint32_t more, uint32_t *cap, size_t size)
{
    if (count + more <= *cap)
        return table;
    uint32_t want = (count + more) * 2 + 64;
    void *bigger = gh_realloc(table, want, size);
    if (bigger)
        *cap = want;
    return bigger;
}

void *gh_alloc_aligned(size_t size)
{
    if (!permit(size))
        return NULL;
    void *p = NULL;
    return posix_memalign(&p, GH_ALIGN, size ? size : 1) == 0 ? p : NULL;
}

/* Only pages that lie wholly inside are asked for, so that no more memory is used than with small ones. */
void *gh_alloc_streamed(size_t size)
{
    if (size < LARGE_PAGE)
        return gh_alloc_aligned(size);
    if (!permit(size))
        return NULL;
    void *p = NULL;
    if (posix_memalign(&p, LARGE_PAGE, size))
        return NULL;
    madvise(p, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE); /* where it fails, small pages do */
    return p;
}

void gh_free(void *p)
{
    free(p);
}

char *gh_strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = gh_alloc(size);
    if (copy)
        memcpy(copy, s, size);
    return copy;
}

bool gh_mul_size(size_t *out, size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool gh_add_size(size_t *out, size_t a, size_t b)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

void gh_mem_fail_after(int64_t n)
{
    fail_in = n < 0 ? -1 : n;
}

uint64_t gh_mem_thread_allocs(void)
{
    return thread_allocs;
}

uint64_t gh_mem_allocs(void)
{
    return atomic_load_explicit(&process_allocs, memory_order_relaxed);
}
