/* Content hashes: XXH3, 128 bits (xxhash.com). They tell equal bytes from others; they are no proof against
 * someone who makes two files alike on purpose (packages are checked by sha256, where they are fetched). */
#ifndef GH_BASE_HASH_H
#define GH_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct gh_hash {
    uint64_t high, low;
} gh_hash;

/* Characters of a hash as text, with the terminator. */
#define GH_HASH_TEXT 33

/* Of `len` bytes, which may be 0. */
gh_hash gh_hash_bytes(const void *data, size_t len);
/* The hash of `data` after everything that went into `seed`: chains hashes of parts. */
gh_hash gh_hash_more(gh_hash seed, const void *data, size_t len);
/* 32 lower-case hexadecimal digits; gives text. */
char *gh_hash_text(gh_hash hash, char text[GH_HASH_TEXT]);

#endif
