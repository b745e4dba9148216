/* The route table and its search. */
#include "http/route.h"

#include <stdio.h>
#include <string.h>

const gh_route gh_routes[] = {
    {"GET", "/", gh_h_page, GH_ROUTE_OPEN | GH_ROUTE_QUIET},
    {"GET", "/web/{name}", gh_h_web, GH_ROUTE_OPEN | GH_ROUTE_QUIET},
    {"POST", "/classify", gh_h_classify, GH_ROUTE_WORK},
    {"POST", "/localize", gh_h_localize, GH_ROUTE_WORK},
    {"POST", "/segment", gh_h_segment, GH_ROUTE_WORK},
    {"POST", "/embed", gh_h_embed, GH_ROUTE_WORK},
    {"GET", "/models", gh_h_models, 0},
    {"GET", "/models/{name}", gh_h_model, 0},
    {"GET", "/healthz", gh_h_healthz, GH_ROUTE_OPEN | GH_ROUTE_QUIET},
    {"GET", "/readyz", gh_h_readyz, GH_ROUTE_OPEN | GH_ROUTE_QUIET},
    {"GET", "/version", gh_h_version, GH_ROUTE_OPEN},
    {"GET", "/openapi.json", gh_h_openapi, 0},
    {"GET", "/metrics", gh_h_metrics, GH_ROUTE_QUIET},
    {"POST", "/v1/vision/detection", gh_h_compat_detection, GH_ROUTE_WORK | GH_ROUTE_COMPAT},
    {"POST", "/v1/vision/face", gh_h_compat_face, GH_ROUTE_WORK | GH_ROUTE_COMPAT},
    {"GET", "/v2", gh_h_v2, 0},
    {"GET", "/v2/health/live", gh_h_healthz, GH_ROUTE_OPEN | GH_ROUTE_QUIET},
    {"GET", "/v2/health/ready", gh_h_readyz, GH_ROUTE_OPEN | GH_ROUTE_QUIET},
    {"GET", "/v2/models/{name}", gh_h_v2_model, 0},
    {"GET", "/v2/models/{name}/ready", gh_h_v2_model_ready, 0},
    {"POST", "/v2/models/{name}/infer", gh_h_v2_infer, GH_ROUTE_WORK | GH_ROUTE_TENSORS},
};
const size_t gh_nroutes = GH_COUNT(gh_routes);

/* True when the path fits the pattern; a {part} is copied into `param`, cut to its size. */
static bool path_fits(const char *pattern, const char *path, char *param, size_t size)
{
    while (*pattern && *pattern != '{') {
        if (*pattern++ != *path++)
            return false;
    }
    if (!*pattern)
        return *path == 0;
    size_t len = strcspn(path, "/");
    const char *rest = strchr(pattern, '}') + 1;
    if (len == 0 || strcmp(rest, path + len) != 0)
        return false;
    snprintf(param, size, "%.*s", (int)(len < size ? len : size), path);
    return true;
}

static void allow_method(char *allow, size_t size, const char *method)
{
    size_t at = strlen(allow);
    snprintf(allow + at, size - at, "%s%s%s", at ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const gh_route *gh_route_find(const char *method, const char *path, char *param, size_t param_size,
                              char *allow, size_t allow_size, int *status)
{
    const gh_route *found = NULL;
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    allow[0] = 0;
    for (size_t i = 0; i < gh_nroutes; i++) {
        if (!path_fits(gh_routes[i].path, path, param, param_size))
            continue;
        allow_method(allow, allow_size, gh_routes[i].method);
        if (strcmp(gh_routes[i].method, wanted) == 0)
            found = &gh_routes[i];
    }
    bool exists = allow[0] != 0;
    if (exists)
        allow_method(allow, allow_size, "OPTIONS");
    *status = found ? 200 : !exists ? 404 : strcmp(method, "OPTIONS") == 0 ? 204 : 405;
    return found;
}

void gh_route_list(char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < gh_nroutes && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s %s", i ? ", " : "", gh_routes[i].method,
                               gh_routes[i].path);
}
