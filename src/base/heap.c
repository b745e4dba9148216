/* Up and down a heap. */
#include "base/heap.h"

#include <stdint.h>
#include <string.h>

#define AT_ONCE 64 /* bytes */

static void swap(const gh_heap *h, uint8_t *items, size_t a, size_t b)
{
    uint8_t moved[AT_ONCE], *x = items + a * h->size, *y = items + b * h->size;
    for (size_t left = h->size, n; left; left -= n, x += n, y += n) {
        n = left < AT_ONCE ? left : AT_ONCE;
        memcpy(moved, x, n);
        memcpy(x, y, n);
        memcpy(y, moved, n);
    }
}

static bool before(const gh_heap *h, const uint8_t *items, size_t a, size_t b)
{
    return h->before(items + a * h->size, items + b * h->size, h->arg);
}

void gh_heap_down(const gh_heap *h, void *items, size_t n, size_t at)
{
    for (;;) {
        size_t first = at, left = 2 * at + 1;
        if (left < n && before(h, items, left, first))
            first = left;
        if (left + 1 < n && before(h, items, left + 1, first))
            first = left + 1;
        if (first == at)
            return;
        swap(h, items, at, first);
        at = first;
    }
}

void gh_heap_up(const gh_heap *h, void *items, size_t at)
{
    for (size_t up; at > 0 && before(h, items, at, up = (at - 1) / 2); at = up)
        swap(h, items, at, up);
}

void gh_heap_make(const gh_heap *h, void *items, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        gh_heap_down(h, items, n, i);
}
