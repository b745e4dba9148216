/* Telling whether text is UTF-8. */
#ifndef GH_BASE_UTF8_H
#define GH_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed sequence that text begins with, 0 when it is none (or at the end). */
size_t gh_utf8_length(const char *text);
bool gh_utf8_ok(const char *text);

#endif
