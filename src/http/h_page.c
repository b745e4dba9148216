/* GET / and GET /web/{name}: the page, whose files the binary carries. */
#include "http/embedded.h"
#include "http/route.h"

/* The page loads nothing from elsewhere and runs no script but its own; pictures are blobs of its own, the
 * camera is a stream. */
#define POLICY                                                                                               \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' "       \
    "blob:; "                                                                                                \
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static void answer(const char *name, const gh_http_request *req, gh_http_reply *reply)
{
    const gh_web_file *f = gh_web_find(name);
    if (!f) {
        gh_reply_problem(reply, req, 404, "the page has no file %s", name);
        return;
    }
    reply->status = 200;
    reply->type = f->type;
    reply->fixed = f->bytes;
    reply->fixed_len = *f->len;
    gh_reply_header(reply, "Content-Security-Policy", "%s", POLICY);
    gh_reply_header(reply, "Referrer-Policy", "no-referrer");
}

void gh_h_page(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)app, (void)w;
    answer("index.html", req, reply);
}

void gh_h_web(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)app, (void)w;
    answer(req->param, req, reply);
}
