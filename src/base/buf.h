/* A growable byte buffer with a sticky failure: append at will, check once at the end. */
#ifndef GH_BASE_BUF_H
#define GH_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gh_buf {
    uint8_t *data; /* owned; NULL while empty */
    size_t len, cap;
    size_t limit; /* largest len in bytes; 0 = none */
    bool failed;  /* memory ran out or the limit was reached; later appends do nothing */
} gh_buf;

/* Frees the bytes; what is left is empty, has not failed and has the same limit. */
void gh_buf_free(gh_buf *buf);
bool gh_buf_reserve(gh_buf *buf, size_t more);
void gh_buf_add(gh_buf *buf, const void *data, size_t len);
void gh_buf_str(gh_buf *buf, const char *s);
/* Appends the bytes in base64 (RFC 4648), padded. */
void gh_buf_base64(gh_buf *buf, const void *data, size_t len);
void gh_buf_printf(gh_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
