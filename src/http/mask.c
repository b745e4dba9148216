/* Masks as replies. */
#include "http/mask.h"

#include "http/accept.h"
#include "tasks/segment.h"

#include <ctype.h>
#include <string.h>

/* Bytes of X-Labels: common proxies take 4 or 8 kB of headers in all. */
enum { MAX_LABELS = 2048 };

bool gh_accepts_picture(const char *accept)
{
    static const char *const types[] = {"image/png", "application/json"};
    return gh_accept_choose(accept, types, GH_COUNT(types)) != 1;
}

static void put_encoded(gh_buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("-._~", *c))
            gh_buf_add(out, c, 1);
        else
            gh_buf_printf(out, "%%%02X", (unsigned char)*c);
}

void gh_mask_headers(gh_http_reply *reply, const gh_result *r)
{
    const gh_manifest *m = r->model->manifest;
    gh_buf labels = {0};
    size_t whole = 0;
    for (int i = 0; i < gh_segment_classes(m) && labels.len <= MAX_LABELS; i++) {
        whole = labels.len;
        gh_buf_str(&labels, i ? "," : "");
        put_encoded(&labels, gh_segment_label(m, i));
    }
    whole = labels.len <= MAX_LABELS ? labels.len : whole;
    gh_reply_header(reply, "X-Model", "%s", m->name);
    if (!labels.failed)
        gh_reply_header(reply, "X-Labels", "%.*s", (int)whole, labels.data ? (const char *)labels.data : "");
    if (r->truncated)
        gh_reply_warn_truncated(reply);
    gh_buf_free(&labels);
}
