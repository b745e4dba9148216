/* GET /healthz, /readyz, /version, /openapi.json: what probes and clients ask of the server itself. */
#include "base/cpu.h"
#include "http/embedded.h"
#include "http/route.h"

void gh_h_healthz(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)app, (void)req, (void)w;
    reply->status = 200;
    reply->type = "application/json";
    gh_buf_str(&reply->body, "{\"status\":\"ok\"}\n");
}

void gh_h_readyz(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)w;
    char text[600];
    const char *why = gh_app_not_ready(app, text, sizeof text);
    if (why) {
        gh_reply_problem(reply, req, 503, "%s", why);
        return;
    }
    reply->status = 200;
    reply->type = "application/json";
    gh_buf_str(&reply->body, "{\"status\":\"ready\"}\n");
}

void gh_h_version(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)app, (void)req, (void)w;
    reply->status = 200;
    reply->type = "application/json";
    gh_buf_str(&reply->body, "{\"name\":\"gharial\",\"version\":");
    gh_json_string(&reply->body, gh_version());
    gh_buf_str(&reply->body, ",\"build\":");
    gh_json_string(&reply->body, gh_build());
    gh_buf_printf(&reply->body, ",\"cpu\":\"%s\",\"cores\":%d}\n", gh_cpu_level(), gh_cpu_count());
}

void gh_h_openapi(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)app, (void)req, (void)w;
    reply->status = 200;
    reply->type = "application/json";
    reply->fixed = gh_openapi_json;
    reply->fixed_len = gh_openapi_json_len;
}
