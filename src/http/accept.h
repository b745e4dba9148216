/* The Accept header (RFC 9110, section 12.5.1): what kind of answer a client prefers. */
#ifndef GH_HTTP_ACCEPT_H
#define GH_HTTP_ACCEPT_H

#include <stddef.h>

/* How welcome the media type is, 0 (not at all) to 1000: the q of the most specific range that it fits. No
 * header, NULL or empty, welcomes everything. A range that cannot be read counts for nothing. */
int gh_accept_weight(const char *accept, const char *type);
/* Which of the n types is most welcome; of those that are as welcome the one that the header names most
 * exactly, then the first. n: none of them is welcome. */
size_t gh_accept_choose(const char *accept, const char *const *types, size_t n);

#endif
