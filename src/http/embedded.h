/* Files of the project that the binary carries. */
#ifndef GH_HTTP_EMBEDDED_H
#define GH_HTTP_EMBEDDED_H

#include <stddef.h>

/* api/openapi.json, followed by a zero byte that the length does not count. */
extern const char gh_openapi_json[];
extern const size_t gh_openapi_json_len;

/* A file of src/web, the page. */
typedef struct gh_web_file {
    const char *name; /* "index.html" */
    const char *type; /* Content-Type */
    const char *bytes;
    const size_t *len;
} gh_web_file;

/* NULL: there is none of that name. */
const gh_web_file *gh_web_find(const char *name);

#endif
