/* POST /embed: the feature vector of a picture, for search and for heads of the client's own. */
#include "http/route.h"
#include "http/task.h"

static gh_status options(gh_run_options *out, const gh_params *p, gh_err *e)
{
    (void)p, (void)e;
    out->embed = true;
    return GH_OK;
}

void gh_h_embed(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    static const gh_task_spec spec = {
        .task = GH_TASK_EMBED,
        .params = GH_P_ANNOTATE | GH_P_MODEL | GH_P_TIMEOUT,
        .options = options,
    };
    gh_task_answer(&spec, app, req, w, reply);
}
