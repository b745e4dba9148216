/* Bodies come and go by the thread of all connections, many at a time and of any size. On the heap a burst of
 * large ones would stay in the process's memory for good, between small blocks that live on; pages of their
 * own go back to the system with the request. */
#include "http/upload.h"

#include "base/mem.h"

#include <string.h>
#include <sys/mman.h>

/* Bytes from which a body has its own pages: fresh ones cost about .1 us a kilobyte. */
#define LARGE ((size_t)256 << 10)

static uint8_t *map_pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool grow_heap(gh_upload *b, size_t cap)
{
    uint8_t *data = gh_realloc(b->data, cap, 1);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

static bool grow_pages(gh_upload *b, size_t cap)
{
    if (b->mapped) {
        void *p = mremap(b->data, b->cap, cap, MREMAP_MAYMOVE);
        if (p == MAP_FAILED)
            return false;
        b->data = p;
        b->cap = cap;
        return true;
    }
    uint8_t *data = map_pages(cap);
    if (!data)
        return false;
    if (b->len > 0)
        memcpy(data, b->data, b->len);
    gh_free(b->data);
    *b = (gh_upload){.data = data, .len = b->len, .cap = cap, .mapped = true};
    return true;
}

bool gh_upload_add(gh_upload *b, const void *data, size_t len, size_t whole)
{
    size_t need;
    if (!gh_add_size(&need, b->len, len))
        return false;
    if (need > b->cap) {
        size_t cap = whole > need ? whole : need;
        if (!whole && need < SIZE_MAX / 2) /* of unknown length: in few steps */
            cap = 2 * need;
        if (!(cap < LARGE ? grow_heap(b, cap) : grow_pages(b, cap)))
            return false;
    }
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len = need;
    return true;
}

void gh_upload_free(gh_upload *b)
{
    if (b->mapped)
        munmap(b->data, b->cap);
    else
        gh_free(b->data);
    *b = (gh_upload){0};
}
