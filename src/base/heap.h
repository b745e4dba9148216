/* A binary heap in an array, whose root is the one that goes first: of the best k of many that come one by
 * one, the worst, which a better one takes the place of. */
#ifndef GH_BASE_HEAP_H
#define GH_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct gh_heap {
    size_t size; /* bytes of an item */
    /* True when a goes before b. */
    bool (*before)(const void *a, const void *b, const void *arg);
    const void *arg;
} gh_heap;

/* Restores the heap of n items where only the one at `at` may stand too high: after it was replaced. */
void gh_heap_down(const gh_heap *h, void *items, size_t n, size_t at);
/* The same where it may stand too low: after it was added at the end. */
void gh_heap_up(const gh_heap *h, void *items, size_t at);
/* Makes a heap of n items in any order. */
void gh_heap_make(const gh_heap *h, void *items, size_t n);

#endif
