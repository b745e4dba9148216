/* Base64 (RFC 4648, both alphabets), as clients write pictures into JSON. */
#ifndef GH_HTTP_BASE64_H
#define GH_HTTP_BASE64_H

#include "base/status.h"

#include <stdint.h>

/* Decodes text[0..len), with or without a "data:...;base64," prefix, into dst, which holds at least
 * len / 4 * 3 + 3 bytes and may be the text itself. White space is skipped, padding may be missing, the
 * URL-safe alphabet is taken too. GH_ARG says what is wrong at which character. */
GH_MUST_CHECK gh_status gh_base64_decode(size_t *out_len, uint8_t *dst, const char *text, size_t len,
                                         gh_err *e);

#endif
