/* Masks as replies: whether a client takes a picture, and the headers beside it. */
#ifndef GH_HTTP_MASK_H
#define GH_HTTP_MASK_H

#include "http/http.h"
#include "tasks/run.h"

/* False where the Accept header (NULL = none) prefers application/json to image/png. */
bool gh_accepts_picture(const char *accept);
/* X-Model and X-Labels: the labels by index, percent-encoded, with commas between. */
void gh_mask_headers(gh_http_reply *reply, const gh_result *r);

#endif
