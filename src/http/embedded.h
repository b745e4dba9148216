/* Files of the project that the binary carries. */
#ifndef GH_HTTP_EMBEDDED_H
#define GH_HTTP_EMBEDDED_H

#include <stddef.h>

/* api/openapi.json, followed by a zero byte that the length does not count. */
extern const char gh_openapi_json[];
extern const size_t gh_openapi_json_len;

#endif
