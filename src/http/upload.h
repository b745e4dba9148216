/* The bytes of a request's body. */
#ifndef GH_HTTP_UPLOAD_H
#define GH_HTTP_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gh_upload {
    uint8_t *data;
    size_t len, cap;
    bool mapped; /* `data` is pages of its own, not of the heap */
} gh_upload;

/* Appends; `whole` = bytes that the body will have in all, 0 = unknown. False, and nothing changed: memory is
 * short. */
bool gh_upload_add(gh_upload *b, const void *data, size_t len, size_t whole);
void gh_upload_free(gh_upload *b);

#endif
